#include "account/grant_breaker.h"
#include "account/tokens.h"

#include "common/observe/log.h"
#include "common/observe/metrics.h"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace calbridge::account {

namespace {

using namespace std::chrono_literals;

// What was read is trusted for a minute: a disconnect or a reconnect elsewhere is noticed within it.
constexpr auto trusted_for = 60s;
constexpr std::size_t cached_max = 20000;
constexpr int store_attempts_max = 5;

struct place {
    tenant_id tenant;
    connection_id connection;
    bool operator==(place const&) const = default;
};
struct place_hash {
    std::size_t operator()(place const& p) const noexcept {
        return std::hash<tenant_id>{}(p.tenant) * 31 + std::hash<connection_id>{}(p.connection);
    }
};

struct cached_token {
    secret token;
    instant expires_at{}, read_at{};
};

// One refresh under way in this process; the others wait for its outcome. Without an outcome the one in charge was cancelled, and the next
// takes over.
struct flight {
    bool over{};
    std::optional<result<secret>> outcome;
    std::vector<std::shared_ptr<wakeup>> waiting;
};

class pg_token_source final : public token_source {
public:
    pg_token_source(pg::database& db, google::oauth_api& oauth, client_directory& clients, crypto::key_ring ring, clock const& now,
                    token_settings settings)
        : db_(db), oauth_(oauth), clients_(clients), ring_(std::move(ring)), now_(now), settings_(settings) {}

    task<result<secret>> access_token(tenant_id tenant, connection_id connection, secret refused) override {
        deadline const at = in(settings_.wait_max);
        place const where{std::move(tenant), connection};
        for (;;) {
            if (cached_token const* const found = usable(where, refused)) co_return found->token;
            auto const under_way = flights_.find(where);
            if (under_way == flights_.end()) co_return co_await lead(where, refused, at);
            std::shared_ptr<flight> const other = under_way->second;
            bool const ended = co_await wait_for(other, at);
            if (!ended) co_return fail(errc::unavailable, "access token: another refresh takes too long");
            if (!other->outcome) continue;
            bool const just_refused = other->outcome->has_value() && !refused.empty() && (**other->outcome).equals(refused.reveal());
            if (!just_refused) co_return *other->outcome;
        }
    }

private:
    // Ends the flight however the one in charge leaves, also by cancellation.
    class in_charge {
    public:
        in_charge(pg_token_source& of, place where) : of_(of), where_(std::move(where)), mine_(std::make_shared<flight>()) {
            of_.flights_.emplace(where_, mine_);
        }
        ~in_charge() {
            mine_->over = true;
            of_.flights_.erase(where_);
            for (auto const& one : mine_->waiting) one->notify();
        }
        in_charge(in_charge const&) = delete;
        in_charge& operator=(in_charge const&) = delete;
        void land(result<secret> const& outcome) { mine_->outcome = outcome; }

    private:
        pg_token_source& of_;
        place where_;
        std::shared_ptr<flight> mine_;
    };

    static task<bool> wait_for(std::shared_ptr<flight> other, deadline at) {
        auto const bell = std::make_shared<wakeup>(co_await asio::this_coro::executor);
        other->waiting.push_back(bell);
        while (!other->over) {
            bool const rang = co_await bell->wait_until(at);
            if (!rang) co_return other->over;
        }
        co_return true;
    }

    task<result<secret>> lead(place where, secret refused, deadline at) {
        in_charge charge(*this, where);
        result<secret> outcome = co_await obtain(where, refused, at);
        charge.land(outcome);
        co_return outcome;
    }

    cached_token const* usable(place const& where, secret const& refused) {
        auto const found = cache_.find(where);
        if (found == cache_.end()) return nullptr;
        auto const now = now_.now();
        cached_token const& c = found->second;
        bool const good = c.expires_at - settings_.early > now && now - c.read_at < trusted_for &&
                          !(!refused.empty() && c.token.equals(refused.reveal()));
        if (!good) cache_.erase(found);
        return good ? &c : nullptr;
    }

    void remember(place const& where, secret const& token, instant expires_at) {
        auto const now = now_.now();
        if (cache_.size() >= cached_max) std::erase_if(cache_, [&](auto const& one) { return now - one.second.read_at >= trusted_for; });
        if (cache_.size() >= cached_max) cache_.clear();
        cache_.insert_or_assign(where, cached_token{token, expires_at, now});
    }

    // Reads what is stored; refreshes when nobody else does, else waits for what they store.
    task<result<secret>> obtain(place where, secret refused, deadline at) {
        auto pause = 50ms;
        for (;;) {
            auto const sealed = co_await store::read_tokens(db_, where.tenant, where.connection);
            if (!sealed) co_return sealed.error();
            if (!*sealed) co_return fail(errc::not_found, "access token: no connection " + where.connection.str());
            store::sealed_tokens const& stored = **sealed;
            if (stored.status == store::connection_status::revoked || stored.status == store::connection_status::disconnected) {
                co_return fail(errc::grant_revoked,
                               fmt::format("access token: connection {} is {}", where.connection.str(), store::name(stored.status)));
            }
            auto const opened = open_grant(ring_, where.tenant, where.connection, stored);
            if (!opened)
                co_return opened.error().code == errc::not_found ? fail(errc::unavailable, opened.error().context) : opened.error();

            bool const refused_one = !refused.empty() && opened->access_token.equals(refused.reveal());
            auto const now = now_.now();
            bool const has = !opened->access_token.empty() && stored.expires_at && !refused_one;
            if (has && *stored.expires_at - settings_.early > now) {
                remember(where, opened->access_token, *stored.expires_at);
                co_return opened->access_token;
            }
            // A token that still works for a while beats waiting for, or failing with, its successor.
            secret const still_good = has && *stored.expires_at > now ? opened->access_token : secret();

            auto const mine = co_await store::claim_refresh(db_, where.tenant, where.connection, settings_.refresh_lease);
            if (!mine && still_good.empty()) co_return mine.error();
            if (!mine) co_return still_good;
            if (*mine) {
                auto outcome = co_await refresh(where, stored, *opened, at);
                if (outcome) co_return outcome;
                bool const hopeless = outcome.error().code == errc::grant_revoked;
                if (outcome.error().code == errc::conflict) continue;  // The user connected again meanwhile.
                if (!hopeless && !still_good.empty()) co_return still_good;
                co_return outcome;
            }
            if (!still_good.empty()) co_return still_good;
            if (std::chrono::steady_clock::now() + pause >= at)
                co_return fail(errc::unavailable, "access token: another process refreshes it");
            co_await sleep_for(pause);
            pause = std::min(pause * 2, 400ms);
        }
    }

    task<result<secret>> refresh(place where, store::sealed_tokens stored, opened_grant opened, deadline at) {
        auto client = co_await clients_.find(where.tenant, stored.integration);
        if (!client || client->client_id != stored.client_id) {
            co_await give_up(where);
            if (!client && client.error().code != errc::not_found) co_return client.error();
            // With another client's credentials Google would call the grant invalid: nobody asks, nobody is marked.
            co_return fail(errc::client_rejected, "refresh: the OAuth client this grant belongs to is not configured");
        }
        auto got = co_await oauth_.refresh(*client, opened.refresh_token, at);
        if (got) co_return co_await keep(where, std::move(opened), std::move(*got));
        failures_.add();
        if (got.error().code == errc::grant_revoked) co_return co_await mark_revoked(where, std::move(stored), got.error());
        co_await give_up(where);
        if (got.error().code == errc::client_rejected) report_client(got.error().reason);
        co_return fail(got.error().code, got.error().context);
    }

    // The new tokens are stored before anybody uses them, and a rotated refresh token is worth several attempts: losing it loses the
    // connection.
    task<result<secret>> keep(place where, opened_grant opened, google::grant got) {
        refreshes_.add();
        auto const expires_at = now_.now() + got.life;
        bytes const access =
            crypto::seal_with(opened.data_key, got.access_token.reveal(), sealed_place(where.tenant, where.connection, "access_token"));
        std::optional<bytes> rotated;
        if (got.refresh_token && !got.refresh_token->equals(opened.refresh_token.reveal())) {
            rotated = crypto::seal_with(opened.data_key, got.refresh_token->reveal(),
                                        sealed_place(where.tenant, where.connection, "refresh_token"));
        }
        for (int attempt = 1;; ++attempt) {
            auto const stored = co_await store::store_refreshed(db_, where.tenant, where.connection, access, expires_at, rotated);
            if (stored) break;
            if (stored.error().code == errc::not_found)
                co_return fail(errc::grant_revoked, "refresh: the connection was disconnected meanwhile");
            if (attempt == store_attempts_max) {
                log::error("token.store_failed",
                           log::with({{"tenant", where.tenant}, {"connection", where.connection}, {"rotated", rotated.has_value()}},
                                     stored.error()));
                if (rotated) co_return stored.error();
                break;  // Nothing is lost: the refresh token stays valid, and this access token works.
            }
            co_await sleep_for(200ms * attempt);
        }
        remember(where, got.access_token, expires_at);
        co_return std::move(got.access_token);
    }

    task<result<secret>> mark_revoked(place where, store::sealed_tokens stored, google::call_error why) {
        auto const again = co_await store::read_tokens(db_, where.tenant, where.connection);
        bool const replaced = again && *again && (**again).refresh_token != stored.refresh_token;
        if (replaced) co_return fail(errc::conflict, "refresh: the grant was replaced meanwhile");
        if (!breaker_.may_mark(where.connection, now_.now())) {
            co_await give_up(where);
            report_client("many grants invalid at once");
            co_return fail(errc::client_rejected, "refresh: many grants are called invalid at once, so the trouble is taken to be ours");
        }
        std::string reason = why.reason.empty() ? "invalid_grant" : why.reason;
        auto const marked =
            co_await store::set_status(db_, where.tenant, where.connection, store::connection_status::revoked, std::move(reason));
        co_await give_up(where);
        if (!marked && marked.error().code != errc::not_found) co_return marked.error();
        log::warn("connection.revoked", {{"tenant", where.tenant}, {"connection", where.connection}, {"reason", why.reason}});
        co_return fail(errc::grant_revoked, "refresh: " + why.context);
    }

    // The lease would end by itself; failing to end it early costs only time.
    task<void> give_up(place where) {
        auto const ended = co_await store::end_refresh(db_, where.tenant, where.connection);
        if (!ended) log::warn("token.lease_kept", log::with({{"tenant", where.tenant}, {"connection", where.connection}}, ended.error()));
    }

    void report_client(std::string_view reason) {
        client_trouble_.add();
        log::error("google.client_rejected", {{"reason", reason}});
    }

    pg::database& db_;
    google::oauth_api& oauth_;
    client_directory& clients_;
    crypto::key_ring ring_;
    clock const& now_;
    token_settings settings_;
    std::unordered_map<place, cached_token, place_hash> cache_;
    std::unordered_map<place, std::shared_ptr<flight>, place_hash> flights_;
    grant_breaker breaker_;
    metrics::counter& refreshes_{metrics::get_counter("calbridge_token_refreshes_total", "Access tokens refreshed.")};
    metrics::counter& failures_{metrics::get_counter("calbridge_token_refresh_failures_total", "Refreshes that failed.")};
    metrics::counter& client_trouble_{
        metrics::get_counter("calbridge_token_client_rejected_total", "Refreshes refused because of our own OAuth client.")};
};

}  // namespace

std::unique_ptr<token_source> make_token_source(pg::database& db, google::oauth_api& oauth, client_directory& clients,
                                                crypto::key_ring ring, clock const& now, token_settings settings) {
    return std::make_unique<pg_token_source>(db, oauth, clients, std::move(ring), now, settings);
}

}  // namespace calbridge::account
