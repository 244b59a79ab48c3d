#include "account/zoom.h"

#include "store/zoom.h"

#include <map>

namespace calbridge::account {

namespace {

constexpr std::string_view purpose = "zoom_client";
constexpr std::chrono::minutes known_for{1};
constexpr std::size_t known_max = 10000;

std::string place(tenant_id const& tenant) { return "zoom_accounts|" + tenant.str() + "|client_secret"; }

class pg_zoom_directory final : public zoom_directory {
public:
    pg_zoom_directory(pg::database& db, crypto::key_ring ring, clock const& now) : db_(db), ring_(std::move(ring)), now_(now) {}

    task<result<std::optional<zoom::account>>> find(tenant_id tenant) override {
        if (auto const known = known_.find(tenant.str()); known != known_.end() && now_.now() < known->second.until)
            co_return known->second.account;
        auto stored = co_await store::find_zoom_account(db_, tenant);
        if (!stored) co_return stored.error();
        std::optional<zoom::account> found;
        if (*stored) {
            auto opened = crypto::open(ring_.for_purpose(purpose), (*stored)->client_secret, place(tenant));
            if (!opened) co_return opened.error();
            found = zoom::account{(*stored)->account_id, (*stored)->client_id, std::move(*opened)};
        }
        if (known_.size() >= known_max) known_.clear();
        known_[tenant.str()] = {found, now_.now() + known_for};
        co_return found;
    }

private:
    struct entry {
        std::optional<zoom::account> account;
        instant until{};
    };
    pg::database& db_;
    crypto::key_ring ring_;
    clock const& now_;
    std::map<std::string, entry> known_;
};

}  // namespace

std::unique_ptr<zoom_directory> make_zoom_directory(pg::database& db, crypto::key_ring ring, clock const& now) {
    return std::make_unique<pg_zoom_directory>(db, std::move(ring), now);
}

bytes seal_zoom_secret(crypto::key_ring const& ring, tenant_id const& tenant, secret const& client_secret) {
    return crypto::seal(ring.for_purpose(purpose), client_secret.reveal(), place(tenant));
}

}  // namespace calbridge::account
