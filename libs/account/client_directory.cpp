#include "account/tokens.h"

#include "account/sealing.h"

namespace calbridge::account {

namespace {

constexpr pg::statement find_integration{"account_find_integration",
                                         "SELECT client_id, client_secret, redirect_uri FROM google_integrations WHERE tenant_id = $1 AND "
                                         "integration_id = $2 AND status = 'active'"};

class pg_client_directory final : public client_directory {
public:
    pg_client_directory(pg::database& db, crypto::key_ring ring, std::optional<google::oauth_client> fallback)
        : db_(db), ring_(std::move(ring)), fallback_(std::move(fallback)) {}

    task<result<google::oauth_client>> find(tenant_id tenant, std::optional<integration_id> integration) override {
        if (!integration) {
            if (fallback_) co_return *fallback_;
            co_return fail(errc::not_found, "no OAuth client is configured");
        }
        pg::params with;
        with.add(tenant).add(*integration);
        auto const rows = co_await pg::run_once(db_, tenant, find_integration, std::move(with));
        if (!rows) co_return rows.error();
        if (rows->empty()) co_return fail(errc::not_found, "integration " + integration->str() + " is not there or disabled");
        auto opened = open_client_secret(ring_, tenant, *integration, rows->blob(0, 1));
        if (!opened) co_return opened.error();
        co_return google::oauth_client{
            .client_id = std::string(rows->text(0, 0)), .client_secret = std::move(*opened), .redirect_uri = std::string(rows->text(0, 2))};
    }

private:
    pg::database& db_;
    crypto::key_ring ring_;
    std::optional<google::oauth_client> fallback_;
};

}  // namespace

std::unique_ptr<client_directory> make_client_directory(pg::database& db, crypto::key_ring ring,
                                                        std::optional<google::oauth_client> fallback) {
    return std::make_unique<pg_client_directory>(db, std::move(ring), std::move(fallback));
}

}  // namespace calbridge::account
