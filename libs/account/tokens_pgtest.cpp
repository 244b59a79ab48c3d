#include "account/fakes.h"
#include "account/tokens.h"

#include "common/observe/log.h"
#include "common/testing/testing.h"

#include <boost/asio/this_coro.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace calbridge::account {
namespace {

using namespace std::chrono_literals;

tenant_id const tenant("t1");

class Tokens : public ::testing::Test {
public:
    std::unique_ptr<pg::database> open(std::string const& role, std::size_t connections = 4) {
        pg::database_options o{.conninfo = scratch_.conninfo_for(role), .connections_max = connections};
        return pg::make_database(ioc_.get_executor(), std::move(o));
    }
    std::unique_ptr<token_source> source(pg::database& db) { return make_token_source(db, oauth_, *clients_, ring_, now_, settings_); }
    void run(task<void> body) { testing::run_coro(ioc_, std::move(body), 60s); }

    // A connection whose access token lives for `life` from now.
    task<void> connect(connection_id id, std::chrono::seconds life, std::string sub) {
        auto sealed = seal_grant(ring_, tenant, id, secret("old-access"), secret("old-refresh"));
        store::new_connection what{.row = {.tenant = tenant,
                                           .id = id,
                                           .user = user_id("u1"),
                                           .client_id = "cid",
                                           .google_sub = std::move(sub),
                                           .connected_email = "a@x.example"},
                                   .data_key = std::move(sealed.data_key),
                                   .access_token = std::move(sealed.access_token),
                                   .refresh_token = std::move(sealed.refresh_token),
                                   .token_expires_at = now_.now() + life};
        auto tx = co_await gateway_->begin(tenant);
        auto const saved = co_await store::save_connection(**tx, what);
        EXPECT_TRUE(saved) << (saved ? "" : saved.error().context);
        auto const done = co_await (*tx)->commit();
        EXPECT_TRUE(done);
    }
    task<opened_grant> stored(connection_id id) {
        auto const sealed = co_await store::read_tokens(*worker_, tenant, id);
        co_return open_grant(ring_, tenant, id, **sealed).value();
    }
    std::string status(connection_id id) {
        return scratch_.exec("select status || ':' || status_reason from user_calendar_connections where connection_id = '" + id.str() +
                             "'");
    }
    std::string lease(connection_id id) {
        return scratch_.exec("select coalesce(refresh_lease_until::text, 'none') from user_calendar_connections where connection_id = '" +
                             id.str() + "'");
    }
    void answer_with(std::string access, std::optional<std::string> refresh = {}) {
        oauth_.on_refresh = [=](std::string_view) {
            google::grant g{.access_token = secret(access), .life = 3600s};
            if (refresh) g.refresh_token = secret(*refresh);
            return google::answer<google::grant>(std::move(g));
        };
    }
    void fail_with(errc code, std::string reason) {
        oauth_.on_refresh = [=](std::string_view) {
            return google::answer<google::grant>(google::call_error{.code = code, .reason = reason, .context = "refresh token"});
        };
    }

    asio::io_context ioc_{1};
    testing::scratch_database scratch_;
    testing::manual_clock now_;
    crypto::key_ring ring_{crypto::key_ring::parse(secret("k1:" + base64(bytes(32, 7)))).value()};
    fake_oauth oauth_;
    token_settings settings_;
    std::unique_ptr<pg::database> gateway_{open("gateway")}, worker_{open("worker")};
    std::unique_ptr<client_directory> clients_{make_client_directory(
        *worker_, ring_, google::oauth_client{.client_id = "cid", .client_secret = secret("s"), .redirect_uri = "https://c/cb"})};
    connection_id const id_{random_uuid()};
};

task<void> ask(token_source& from, connection_id id, std::size_t& got, std::string wanted) {
    auto const token = co_await from.access_token(tenant, id);
    if (token && token->equals(wanted)) ++got;
}

TEST_F(Tokens, AThousandAskersCauseOneRefresh) {
    answer_with("new-access");
    oauth_.before_refresh = [] { return sleep_for(20ms); };
    auto const tokens = source(*worker_);
    std::size_t got = 0;
    auto body = [](Tokens& t, token_source& from, std::size_t& count) -> task<void> {
        co_await t.connect(t.id_, 10s, "sub");
        task_group group(co_await asio::this_coro::executor);
        for (int i = 0; i < 1000; ++i) group.spawn("asker", ask(from, t.id_, count, "new-access"));
        co_await group.join();
    };
    run(body(*this, *tokens, got));

    EXPECT_EQ(got, 1000u);
    EXPECT_EQ(oauth_.refreshes, 1);
}

TEST_F(Tokens, TwoProcessesOnOneDatabaseCauseOneRefresh) {
    answer_with("new-access");
    oauth_.before_refresh = [] { return sleep_for(100ms); };
    auto const other_db = open("renewer");
    auto const here = source(*worker_), there = source(*other_db);
    std::size_t got = 0;
    auto body = [](Tokens& t, token_source& a, token_source& b, std::size_t& count) -> task<void> {
        co_await t.connect(t.id_, -10s, "sub");
        task_group group(co_await asio::this_coro::executor);
        for (int i = 0; i < 20; ++i) {
            group.spawn("here", ask(a, t.id_, count, "new-access"));
            group.spawn("there", ask(b, t.id_, count, "new-access"));
        }
        co_await group.join();
    };
    run(body(*this, *here, *there, got));

    EXPECT_EQ(got, 40u);
    EXPECT_EQ(oauth_.refreshes, 1);
    EXPECT_EQ(lease(id_), "none");
}

TEST_F(Tokens, AGoodTokenIsHandedOutWithoutAskingGoogle) {
    auto const tokens = source(*worker_);
    auto body = [](Tokens& t, token_source& from) -> task<void> {
        co_await t.connect(t.id_, 3600s, "sub");
        for (int i = 0; i < 3; ++i) {
            auto const token = co_await from.access_token(tenant, t.id_);
            EXPECT_TRUE(token && token->equals("old-access"));
        }
    };
    run(body(*this, *tokens));

    EXPECT_EQ(oauth_.refreshes, 0);
}

TEST_F(Tokens, ARefusedTokenIsNotHandedOutAgain) {
    answer_with("new-access");
    auto const tokens = source(*worker_);
    auto body = [](Tokens& t, token_source& from) -> task<void> {
        co_await t.connect(t.id_, 3600s, "sub");
        auto const first = co_await from.access_token(tenant, t.id_);
        EXPECT_TRUE(first && first->equals("old-access"));
        auto const second = co_await from.access_token(tenant, t.id_, *first);
        EXPECT_TRUE(second && second->equals("new-access"));
        // Somebody late with the same refusal gets what is there now.
        auto const third = co_await from.access_token(tenant, t.id_, *first);
        EXPECT_TRUE(third && third->equals("new-access"));
    };
    run(body(*this, *tokens));

    EXPECT_EQ(oauth_.refreshes, 1);
}

TEST_F(Tokens, ARefreshTokenIsKeptWhenGoogleSendsNoneAndReplacedWhenItDoes) {
    auto const tokens = source(*worker_);
    auto body = [](Tokens& t, token_source& from) -> task<void> {
        co_await t.connect(t.id_, 10s, "sub");
        t.answer_with("second-access");
        auto const one = co_await from.access_token(tenant, t.id_);
        EXPECT_TRUE(one);
        auto kept = co_await t.stored(t.id_);
        EXPECT_EQ(kept.refresh_token.reveal(), "old-refresh");
        EXPECT_EQ(kept.access_token.reveal(), "second-access");

        t.now_.advance(2h);
        t.answer_with("third-access", "rotated-refresh");
        auto const two = co_await from.access_token(tenant, t.id_);
        EXPECT_TRUE(two && two->equals("third-access"));
        auto rotated = co_await t.stored(t.id_);
        EXPECT_EQ(rotated.refresh_token.reveal(), "rotated-refresh");
    };
    run(body(*this, *tokens));
}

TEST_F(Tokens, InvalidGrantMarksTheConnectionOnceAndAsksNoMore) {
    fail_with(errc::grant_revoked, "invalid_grant");
    auto const tokens = source(*worker_);
    auto body = [](Tokens& t, token_source& from) -> task<void> {
        co_await t.connect(t.id_, 10s, "sub");
        for (int i = 0; i < 3; ++i) {
            auto const got = co_await from.access_token(tenant, t.id_);
            EXPECT_FALSE(got);
            if (!got) EXPECT_EQ(name(got.error().code), name(errc::grant_revoked));
        }
    };
    run(body(*this, *tokens));

    EXPECT_EQ(oauth_.refreshes, 1);
    EXPECT_EQ(status(id_), "revoked:invalid_grant");
    EXPECT_EQ(scratch_.exec("select count(*) from alerts where kind = 'connection_revoked' and resolved_at is null"), "1");
    EXPECT_EQ(scratch_.exec("select count(*) from outbox where topic = 'sync-alerts'"), "1");
    EXPECT_EQ(lease(id_), "none");
}

TEST_F(Tokens, WhenManyGrantsFailAtOnceNobodyMoreIsMarked) {
    fail_with(errc::grant_revoked, "invalid_grant");
    auto const tokens = source(*worker_);
    std::vector<std::string> codes;
    auto body = [](Tokens& t, token_source& from, std::vector<std::string>& said) -> task<void> {
        for (int i = 0; i < 9; ++i) {
            connection_id const id{random_uuid()};
            co_await t.connect(id, -10s, "sub" + std::to_string(i));
            auto const got = co_await from.access_token(tenant, id);
            said.emplace_back(got ? std::string_view("worked") : name(got.error().code));
        }
    };
    run(body(*this, *tokens, codes));

    EXPECT_EQ(std::ranges::count(codes, name(errc::grant_revoked)), 5);
    EXPECT_EQ(std::ranges::count(codes, name(errc::client_rejected)), 4);
    EXPECT_EQ(scratch_.exec("select count(*) from user_calendar_connections where status = 'revoked'"), "5");
}

TEST_F(Tokens, InvalidClientMarksNobody) {
    fail_with(errc::client_rejected, "invalid_client");
    auto const tokens = source(*worker_);
    auto body = [](Tokens& t, token_source& from) -> task<void> {
        co_await t.connect(t.id_, -10s, "sub");
        auto const got = co_await from.access_token(tenant, t.id_);
        EXPECT_FALSE(got);
        if (!got) EXPECT_EQ(name(got.error().code), name(errc::client_rejected));
    };
    run(body(*this, *tokens));

    EXPECT_EQ(status(id_), "active:");
    EXPECT_EQ(lease(id_), "none");
}

TEST_F(Tokens, AnotherClientsGrantIsNeverSentToGoogle) {
    clients_ = make_client_directory(
        *worker_, ring_, google::oauth_client{.client_id = "other", .client_secret = secret("s"), .redirect_uri = "https://c/cb"});
    auto const tokens = source(*worker_);
    auto body = [](Tokens& t, token_source& from) -> task<void> {
        co_await t.connect(t.id_, -10s, "sub");
        auto const got = co_await from.access_token(tenant, t.id_);
        EXPECT_FALSE(got);
        if (!got) EXPECT_EQ(name(got.error().code), name(errc::client_rejected));
    };
    run(body(*this, *tokens));

    EXPECT_EQ(oauth_.refreshes, 0);
    EXPECT_EQ(status(id_), "active:");
}

TEST_F(Tokens, AnOldTokenThatStillWorksBeatsAFailedRefresh) {
    auto const tokens = source(*worker_);
    auto body = [](Tokens& t, token_source& from) -> task<void> {
        co_await t.connect(t.id_, 120s, "sub");
        for (errc const code : {errc::unavailable, errc::timed_out, errc::client_rejected, errc::malformed}) {
            t.fail_with(code, "x");
            auto const got = co_await from.access_token(tenant, t.id_);
            EXPECT_TRUE(got && got->equals("old-access")) << name(code);
        }
        // Refused or expired, it does not work any more.
        t.fail_with(errc::unavailable, "x");
        secret const refused("old-access");
        auto const other = co_await from.access_token(tenant, t.id_, refused);
        EXPECT_FALSE(other);
        t.now_.advance(3min);
        auto const expired = co_await from.access_token(tenant, t.id_);
        EXPECT_FALSE(expired);
        if (!expired) EXPECT_EQ(name(expired.error().code), name(errc::unavailable));
    };
    run(body(*this, *tokens));

    EXPECT_EQ(status(id_), "active:");
}

TEST_F(Tokens, ADisconnectElsewhereIsNoticedWithinAMinute) {
    auto const tokens = source(*worker_);
    auto body = [](Tokens& t, token_source& from) -> task<void> {
        co_await t.connect(t.id_, 3600s, "sub");
        auto const before = co_await from.access_token(tenant, t.id_);
        EXPECT_TRUE(before);
        auto const gone = co_await store::set_status(*t.gateway_, tenant, t.id_, store::connection_status::disconnected, "by the user");
        EXPECT_TRUE(gone);
        t.now_.advance(61s);
        auto const after = co_await from.access_token(tenant, t.id_);
        EXPECT_FALSE(after);
        if (!after) EXPECT_EQ(name(after.error().code), name(errc::grant_revoked));
    };
    run(body(*this, *tokens));
}

TEST_F(Tokens, AReconnectDuringAFailingRefreshIsNotMarkedRevoked) {
    auto const tokens = source(*worker_);
    auto body = [](Tokens& t, token_source& from) -> task<void> {
        co_await t.connect(t.id_, -10s, "sub");
        // While Google turns the old grant down, the user connects again.
        t.oauth_.before_refresh = [&t] { return t.connect(t.id_, 3600s, "sub"); };
        t.fail_with(errc::grant_revoked, "invalid_grant");
        auto const got = co_await from.access_token(tenant, t.id_);
        EXPECT_TRUE(got && got->equals("old-access"));
    };
    run(body(*this, *tokens));

    EXPECT_EQ(oauth_.refreshes, 1);
    EXPECT_EQ(status(id_), "active:");
}

TEST_F(Tokens, ACancelledRefreshIsTakenOverByTheNextAsker) {
    answer_with("new-access");
    auto const tokens = source(*worker_);
    std::size_t got = 0;
    auto body = [](Tokens& t, token_source& from, std::size_t& count) -> task<void> {
        t.settings_.refresh_lease = 45s;
        co_await t.connect(t.id_, -10s, "sub");
        auto const executor = co_await asio::this_coro::executor;
        task_group first(executor), second(executor);
        // The first hangs in Google's answer; the second waits behind it.
        t.oauth_.before_refresh = [] { return sleep_for(60s); };
        first.spawn("first", ask(from, t.id_, count, "new-access"));
        bool const hangs = co_await testing::eventually([&t] { return t.oauth_.refreshes == 1; });
        EXPECT_TRUE(hangs);
        second.spawn("second", ask(from, t.id_, count, "new-access"));
        co_await yield_now();
        t.oauth_.before_refresh = nullptr;
        first.cancel();
        co_await first.join();
        // The lease of the cancelled one still stands in the database; end it, as its life would.
        auto const ended = co_await store::end_refresh(*t.worker_, tenant, t.id_);
        EXPECT_TRUE(ended);
        co_await second.join();
    };
    run(body(*this, *tokens, got));

    EXPECT_EQ(got, 1u);
    EXPECT_EQ(oauth_.refreshes, 2);
}

TEST_F(Tokens, AnUnknownConnectionOrAnotherTenantsIsNotFound) {
    auto const tokens = source(*worker_);
    auto body = [](Tokens& t, token_source& from) -> task<void> {
        co_await t.connect(t.id_, 3600s, "sub");
        auto const foreign = co_await from.access_token(tenant_id("t2"), t.id_);
        EXPECT_FALSE(foreign);
        if (!foreign) EXPECT_EQ(name(foreign.error().code), name(errc::not_found));
    };
    run(body(*this, *tokens));
}

TEST_F(Tokens, NoTokenReachesTheLog) {
    std::vector<std::string> lines;
    log::capture(&lines);
    fail_with(errc::grant_revoked, "invalid_grant");
    auto const tokens = source(*worker_);
    auto body = [](Tokens& t, token_source& from) -> task<void> {
        co_await t.connect(t.id_, -10s, "sub");
        auto const got = co_await from.access_token(tenant, t.id_);
        EXPECT_FALSE(got);
    };
    run(body(*this, *tokens));
    log::capture(nullptr);

    EXPECT_FALSE(lines.empty());
    for (auto const& line : lines) EXPECT_EQ(line.find("old-"), std::string::npos) << line;
}

TEST_F(Tokens, AStoredIntegrationBringsItsOwnClient) {
    integration_id const integration{random_uuid()};
    auto const sealed = seal_client_secret(ring_, tenant, integration, secret("their-secret"));
    scratch_.exec(
        "insert into google_integrations (tenant_id, integration_id, name, client_id, client_secret, redirect_uri) values ('t1', '" +
        integration.str() + "', 'own', 'their-id', '\\x" + hex(sealed) + "', 'https://their/cb')");
    auto body = [](Tokens& t, integration_id id) -> task<void> {
        auto const found = co_await t.clients_->find(tenant, id);
        EXPECT_TRUE(found);
        if (found)
            EXPECT_EQ(found->client_id + "/" + std::string(found->client_secret.reveal()) + "/" + found->redirect_uri,
                      "their-id/their-secret/https://their/cb");
        auto const fallback = co_await t.clients_->find(tenant, std::nullopt);
        EXPECT_TRUE(fallback && fallback->client_id == "cid");
        auto const foreign = co_await t.clients_->find(tenant_id("t2"), id);
        EXPECT_FALSE(foreign);
        if (!foreign) EXPECT_EQ(name(foreign.error().code), name(errc::not_found));
    };
    run(body(*this, integration));
}

TEST_F(Tokens, DiscoveringCalendarsSelectsThePrimaryAndSaysWhereWorkIs) {
    fake_calendars calendars;
    calendars.on_calendar_list = [](std::string_view token) {
        EXPECT_EQ(token, "access");
        return google::answer<std::vector<google::calendar_entry>>(std::vector<google::calendar_entry>{
            {.id = "a@x.example", .summary = "A", .time_zone = "Europe/Zurich", .access_role = "owner", .primary = true},
            {.id = "team@group", .summary = "Team", .time_zone = "Europe/Zurich", .access_role = "reader"}});
    };
    auto body = [](Tokens& t, fake_calendars& google) -> task<void> {
        co_await t.connect(t.id_, 3600s, "sub");
        secret const token("access");
        auto const wakes = co_await discover_calendars(*t.gateway_, google, token, tenant, t.id_, true, in(10s));
        EXPECT_TRUE(wakes) << (wakes ? "" : wakes.error().context);
        if (wakes) EXPECT_EQ(wakes->size(), 1u);
        auto const known = co_await store::calendars_of(*t.gateway_, tenant, t.id_);
        EXPECT_EQ(known->size(), 2u);
        google.on_calendar_list = [](std::string_view) {
            return google::answer<std::vector<google::calendar_entry>>(google::call_error{.code = errc::unavailable});
        };
        auto const failed = co_await discover_calendars(*t.gateway_, google, token, tenant, t.id_, true, in(10s));
        EXPECT_FALSE(failed);
    };
    run(body(*this, calendars));
}

}  // namespace
}  // namespace calbridge::account
