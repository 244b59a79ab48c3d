#include "gateway_fixture.h"

#include "wire/topics.h"

namespace calbridge::gateway {
namespace {

TEST_F(Gateway, DisconnectingForgetsAndCanBeRepeated) {
    calendars_.on_stop = [this] {
        // The tokens were unusable before Google heard of anything.
        EXPECT_EQ(sql("select status from user_calendar_connections"), "disconnected");
        return google::answer<void>();
    };
    run([this]() -> task<void> {
        auto by = co_await sign_in();
        co_await connect(by);
        std::string const id = sql("select connection_id from user_calendar_connections");
        std::string const channel = to_string(random_uuid());
        sql("insert into channels (tenant_id, channel_id, connection_id, calendar_id, resource_id, token_hash, state) select 't1', '" +
            channel + "', '" + id + "', calendar_id, 'res-1', '\\x00', 'active' from calendars where is_primary");
        auto const got = co_await post(by, "/settings/calendar/disconnect/" + id);
        EXPECT_EQ(got.status, 303) << got.body;
        EXPECT_EQ(calendars_.stopped, (std::vector<std::pair<std::string, std::string>>{{channel, "res-1"}}));
        EXPECT_EQ(oauth_.revoked, std::vector<std::string>{"canary-refresh"});
        EXPECT_EQ(sql("select (data_key is null and access_token is null and refresh_token is null)::text from user_calendar_connections"),
                  "true");
        EXPECT_EQ(sql("select state || '/' || state_reason from channels"), "stopped/disconnected");
        auto const again = co_await post(by, "/settings/calendar/disconnect/" + id);
        EXPECT_EQ(again.status, 303);
        EXPECT_EQ(oauth_.revoked.size(), 1u);
        auto const page = co_await get(by, "/settings/calendar");
        EXPECT_TRUE(has(page.body, "Disconnected"));
        // And back again, under the same id.
        co_await connect(by);
        EXPECT_EQ(sql("select connection_id || status from user_calendar_connections"), id + "active");
    });
}

TEST_F(Gateway, DisconnectingWithGoogleAwayLeavesTheRestToTheClock) {
    oauth_.on_revoke = [] { return google::answer<void>(google::call_error{.code = errc::unavailable, .reason = "backendError"}); };
    run([this]() -> task<void> {
        auto by = co_await sign_in();
        co_await connect(by);
        std::string const id = sql("select connection_id from user_calendar_connections");
        auto const got = co_await post(by, "/settings/calendar/disconnect/" + id);
        EXPECT_EQ(got.status, 303);
        EXPECT_EQ(sql("select status || (data_key is null) || (revoke_due_at > now()) from user_calendar_connections"),
                  "disconnectedfalsetrue");
        // Connected again before the clock came: the new grant is nobody's to revoke.
        co_await connect(by);
        EXPECT_EQ(sql("select status || (revoke_due_at is null) from user_calendar_connections"), "activetrue");
    });
}

TEST_F(Gateway, DisconnectingDoesNotRevokeWhatStoppingStillNeeds) {
    oauth_.on_refresh = [](std::string_view) { return google::answer<google::grant>(google::call_error{.code = errc::unavailable}); };
    run([this]() -> task<void> {
        auto by = co_await sign_in();
        co_await connect(by);
        now_.advance(2h);
        std::string const id = sql("select connection_id from user_calendar_connections");
        auto const got = co_await post(by, "/settings/calendar/disconnect/" + id);
        EXPECT_EQ(got.status, 303);
    });

    EXPECT_TRUE(oauth_.revoked.empty());
    EXPECT_EQ(sql("select status || (data_key is null) from user_calendar_connections"), "disconnectedfalse");
}

TEST_F(Gateway, RevokingSparesAnotherConnectionOfTheSameAccount) {
    run([this]() -> task<void> {
        auto anna = co_await sign_in();
        auto bob = co_await sign_in("u2");
        co_await connect(anna);
        co_await connect(bob);
        std::string const hers = sql("select connection_id from user_calendar_connections where user_id = 'u1'");
        std::string const his = sql("select connection_id from user_calendar_connections where user_id = 'u2'");
        auto const one = co_await post(anna, "/settings/calendar/disconnect/" + hers);
        EXPECT_EQ(one.status, 303);
        EXPECT_TRUE(oauth_.revoked.empty());
        auto const two = co_await post(bob, "/settings/calendar/disconnect/" + his);
        EXPECT_EQ(two.status, 303);
        EXPECT_EQ(oauth_.revoked.size(), 1u);
    });
}

TEST_F(Gateway, ACalendarIsChosenAndMadeTheDefault) {
    run([this]() -> task<void> {
        auto by = co_await sign_in();
        co_await connect(by);
        std::string const id = sql("select connection_id from user_calendar_connections");
        std::string const team = sql("select calendar_id from calendars where google_calendar_id = 'team@group'");
        std::string const path = "/api/v1/connections/" + id + "/calendars/" + team;
        auto const put = [&](std::string body, std::string user = "u1") {
            return api("PUT", path, std::move(user), "t1", "user", std::move(body));
        };
        producer_.sent.clear();

        auto const selected = co_await put(R"({"selected":true})");
        EXPECT_EQ(selected.status, 200);
        EXPECT_TRUE(has(selected.body, R"("selected":true)") && has(selected.body, team));
        EXPECT_EQ(producer_.sent.size(), 1U);
        EXPECT_EQ(sql("select selected || ' ' || (synced_seq < dirty_seq) from calendars where google_calendar_id = 'team@group'"),
                  "true true");

        auto const read_only = co_await put(R"({"default":true})");
        EXPECT_EQ(read_only.status, 409);
        EXPECT_TRUE(has(read_only.body, "calendar_read_only"));
        sql("update calendars set access_role = 'writer'");
        auto const default_now = co_await put(R"({"default":true,"selected":false})");
        EXPECT_EQ(default_now.status, 200);
        EXPECT_EQ(sql("select default_calendar_id from user_calendar_connections"), team);
        EXPECT_EQ(sql("select selected from calendars where google_calendar_id = 'team@group'"), "f");

        sql("update calendars set missing_since = now() where google_calendar_id = 'team@group'");
        auto const missing = co_await put(R"({"selected":true})");
        EXPECT_EQ(missing.status, 409);
        EXPECT_TRUE(has(missing.body, "calendar_missing"));
        for (std::string const bad : {"", "{}", "[]", R"({"selected":"yes"})", R"({"default":false})", R"({"colour":true})"}) {
            auto const refused = co_await put(bad);
            EXPECT_EQ(refused.status, 400) << bad;
        }
        auto const foreign = co_await put(R"({"selected":true})", "u2");
        EXPECT_EQ(foreign.status, 404);
        auto const nowhere =
            co_await api("PUT", "/api/v1/connections/" + id + "/calendars/" + id, "u1", "t1", "user", R"({"selected":true})");
        EXPECT_EQ(nowhere.status, 404);
    });
}

TEST_F(Gateway, AModeWithoutItsScopesIsShown) {
    run([this]() -> task<void> {
        auto by = co_await sign_in();
        co_await connect(by);
        std::string const id = sql("select connection_id from user_calendar_connections");
        auto const whole = co_await api("GET", "/api/v1/connections/" + id);
        EXPECT_TRUE(has(whole.body, R"("missingScopes":[])"));
        sql("update user_calendar_connections set granted_scopes = '{https://www.googleapis.com/auth/calendar.events.readonly}'");
        auto const partial = co_await api("GET", "/api/v1/connections/" + id);
        EXPECT_TRUE(has(partial.body, "auth/calendar.events\"") && has(partial.body, "calendar.calendarlist.readonly")) << partial.body;
        auto const page = co_await get(by, "/settings/calendar");
        EXPECT_TRUE(has(page.body, "leave every box ticked"));
    });
}

TEST_F(Gateway, TheApiShowsTheCallersOwnAndNothingElse) {
    run([this]() -> task<void> {
        auto by = co_await sign_in();
        co_await connect(by);
        std::string const id = sql("select connection_id from user_calendar_connections");
        std::string const base = "/api/v1/connections";
        auto const list = co_await api("GET", base);
        EXPECT_EQ(list.status, 200);
        EXPECT_TRUE(has(list.body, id) && has(list.body, R"("status":"active")") && has(list.body, "calendar.events"));
        auto const one = co_await api("GET", base + "/" + id);
        EXPECT_TRUE(has(one.body, R"("email":"anna@x.example")"));
        auto const calendars = co_await api("GET", base + "/" + id + "/calendars");
        EXPECT_TRUE(has(calendars.body, R"("googleId":"anna@x.example")") && has(calendars.body, R"("selected":true)"));
        for (auto const& [user, tenant] : {std::pair<std::string, std::string>{"u2", "t1"}, {"u1", "t2"}}) {
            auto const none = co_await api("GET", base, user, tenant);
            EXPECT_EQ(none.body, R"({"connections":[]})");
            auto const hidden = co_await api("GET", base + "/" + id, user, tenant);
            auto const sync = co_await api("POST", base + "/" + id + "/sync", user, tenant);
            EXPECT_EQ(hidden.status, 404);
            EXPECT_EQ(sync.status, 404);
            EXPECT_TRUE(has(hidden.body, R"("code":"not_found")") && has(hidden.body, "instance"));
        }
        auto const garbage = co_await api("GET", base + "/nonsense");
        EXPECT_EQ(garbage.status, 404);
        // A session opens no API, an API token no session.
        auto const cookie_only = co_await get(by, base);
        EXPECT_EQ(cookie_only.status, 401);
        EXPECT_TRUE(has(cookie_only.body, R"("code":"unauthorized")"));
    });
}

TEST_F(Gateway, AManualSyncWakesEverySelectedCalendar) {
    run([this]() -> task<void> {
        auto by = co_await sign_in();
        co_await connect(by);
        std::string const id = sql("select connection_id from user_calendar_connections");
        sql("update calendars set selected = true");
        producer_.sent.clear();
        auto const got = co_await api("POST", "/api/v1/connections/" + id + "/sync");
        EXPECT_EQ(got.status, 202);
        EXPECT_EQ(got.body, R"({"calendars":2})");
        EXPECT_EQ(producer_.sent.size(), 2u);
        for (auto const& record : producer_.sent) {
            auto const message = wire::decode_calendar_changed(*record.value, wire::encoding::protobuf);
            EXPECT_TRUE(message && message->why == domain::cause::manual);
        }
        auto const ended = co_await post(by, "/settings/calendar/disconnect/" + id);
        EXPECT_EQ(ended.status, 303);
        auto const refused = co_await api("POST", "/api/v1/connections/" + id + "/sync");
        EXPECT_EQ(refused.status, 409);
    });
}

TEST_F(Gateway, ATaskIsShownWithItsLinkAndOperations) {
    run([this]() -> task<void> {
        auto by = co_await sign_in();
        co_await connect(by);
        std::string const link = to_string(random_uuid()), operation = to_string(random_uuid());
        sql("insert into tasks (tenant_id, task_id, user_id, version, snapshot, local, state) values ('t1', 'task-1', 'u1', 7, '{}', "
            "'{\"title\":\"T\"}', 'synced')");
        auto const bare = co_await api("GET", "/api/v1/tasks/task-1");
        EXPECT_EQ(bare.status, 200);
        EXPECT_TRUE(has(bare.body, R"("link": null)") && has(bare.body, R"("operations": [])"));
        sql("insert into task_links (tenant_id, link_id, task_id, connection_id, calendar_id, google_calendar_id, "
            "google_calendar_event_id, state, base) select 't1', '" +
            link +
            "', 'task-1', connection_id, calendar_id, google_calendar_id, 'ev1', 'live', '{\"title\":\"B\"}' from calendars where "
            "is_primary");
        sql("insert into operations (tenant_id, operation_id, link_id, calendar_id, sequence, kind, state, pushed) select 't1', '" +
            operation + "', '" + link + "', calendar_id, 1, 'create', 'done', '{title}' from calendars where is_primary");
        auto const got = co_await api("GET", "/api/v1/tasks/task-1");
        auto const parsed = json::parse(got.body, "task");
        EXPECT_TRUE(parsed);
        EXPECT_TRUE(has(got.body, R"("googleEvent": "ev1")") && has(got.body, operation) && has(got.body, R"("version": 7)"));
        auto const admin = co_await api("GET", "/api/v1/tasks/task-1", "boss", "t1", "admin");
        EXPECT_EQ(admin.status, 200);
        auto const other = co_await api("GET", "/api/v1/tasks/task-1", "u2");
        auto const foreign = co_await api("GET", "/api/v1/tasks/task-1", "u1", "t2");
        auto const unknown = co_await api("GET", "/api/v1/tasks/none");
        EXPECT_EQ(other.status, 404);
        EXPECT_EQ(foreign.status, 404);
        EXPECT_EQ(unknown.status, 404);
    });
}

}  // namespace
}  // namespace calbridge::gateway
