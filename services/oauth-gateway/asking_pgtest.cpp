#include "gateway_fixture.h"

#include "wire/topics.h"

namespace calbridge::gateway {
namespace {

class Asking : public Gateway {
public:
    // u1 with a connected account and a task in conflict whose link has one operation.
    task<void> prepare() {
        auto by = co_await sign_in();
        co_await connect(by);
        connection_ = sql("select connection_id from user_calendar_connections");
        calendar_ = sql("select calendar_id from calendars where is_primary");
        sql("update user_calendar_connections set default_calendar_id = '" + calendar_ + "'");
        std::string const fields = R"({"title":"From CRM","time":{"start":1764061200000000,"end":1764064800000000,"zone":"UTC"}})";
        sql("insert into tasks (tenant_id, task_id, user_id, version, snapshot, local, state, calendar_id) values ('t1', 'task-1', 'u1', "
            "7, "
            "'{\"tenantId\":\"t1\",\"userId\":\"u1\",\"taskId\":\"task-1\",\"version\":\"7\",\"title\":\"T\"}', '" +
            fields + "', 'conflict', '" + calendar_ + "')");
        link_ = to_string(random_uuid());
        operation_ = to_string(random_uuid());
        sql("insert into task_links (tenant_id, link_id, task_id, connection_id, calendar_id, google_calendar_id, "
            "google_calendar_event_id, "
            "state, has_conflict, conflict_data) values ('t1', '" +
            link_ + "', 'task-1', '" + connection_ + "', '" + calendar_ +
            "', 'anna@x.example', 'ev1', 'live', true, '[{\"field\":\"title\",\"base\":\"T\",\"crm\":\"From CRM\",\"google\":\"From "
            "Google\"}]')");
        sql("insert into operations (tenant_id, operation_id, link_id, calendar_id, sequence, kind, state, pushed, before, expected, why, "
            "answer_status) values ('t1', '" +
            operation_ + "', '" + link_ + "', '" + calendar_ + "', 1, 'patch', 'done', '{title}', '" + fields + "', '" +
            R"({"title":"Later","time":{"start":1764061200000000,"end":1764064800000000,"zone":"UTC"}})" + "', 'push', 200)");
        producer_.sent.clear();
    }
    task<http::response> asks(std::string body, std::string user = "u1", std::string tenant = "t1", std::string key = {}) {
        return api("POST", "/api/v1/requests", std::move(user), std::move(tenant), "user", std::move(body), std::move(key));
    }
    static json::object body_of(http::response const& got) {
        auto const parsed = json::parse(got.body, "answer");
        EXPECT_TRUE(parsed && parsed->is_object()) << got.body;
        return parsed && parsed->is_object() ? parsed->get_object() : json::object{};
    }
    static std::string text(json::object const& o, std::string_view name) { return std::string(json::text_or(o, name)); }

    std::string connection_, calendar_, link_, operation_;
};

TEST_F(Asking, ARequestIsStoredWakesItsCalendarAndCanBeLookedUp) {
    run([this]() -> task<void> {
        co_await prepare();
        auto const got = co_await asks(R"({"kind":"retry","task":"task-1"})");
        EXPECT_EQ(got.status, 202) << got.body;
        auto const made = body_of(got);
        EXPECT_EQ(text(made, "state"), "pending");
        EXPECT_EQ(text(made, "subject"), "task-1");
        EXPECT_EQ(text(made, "who"), "user u1");
        std::string const path = "/api/v1/requests/" + text(made, "id");
        EXPECT_EQ(http::find(got.fields, "Location"), path);
        EXPECT_EQ(sql("select calendar_id || kind || state from requests"), calendar_ + "retrypending");
        EXPECT_EQ(producer_.sent.size(), 1u);
        auto const message = wire::decode_calendar_changed(*producer_.sent.at(0).value, wire::encoding::protobuf);
        EXPECT_TRUE(message && message->why == domain::cause::retry && message->calendar.str() == calendar_);
        auto const shown = co_await api("GET", path);
        EXPECT_EQ(shown.status, 200);
        sql("update requests set state = 'done', result = '{\"operation\":\"x\"}', finished_at = now()");
        auto const done_got = co_await api("GET", path);
        auto const done = body_of(done_got);
        EXPECT_EQ(text(done, "state"), "done");
        EXPECT_EQ(text(*json::object_at(done, "result"), "operation"), "x");
        auto const other = co_await api("GET", path, "u2");
        auto const foreign = co_await api("GET", path, "u1", "t2");
        auto const garbage = co_await api("GET", "/api/v1/requests/nonsense");
        auto const admin = co_await api("GET", path, "boss", "t1", "admin");
        EXPECT_EQ(other.status, 404);
        EXPECT_EQ(foreign.status, 404);
        EXPECT_EQ(garbage.status, 404);
        EXPECT_EQ(admin.status, 200);
    });
}

TEST_F(Asking, TheSameKeyAsksOnceAndAnotherBodyUnderItIsRefused) {
    run([this]() -> task<void> {
        co_await prepare();
        auto const first = co_await asks(R"({"kind":"retry","task":"task-1"})", "u1", "t1", "k-1");
        auto const second = co_await asks(R"({"kind":"retry","task":"task-1"})", "u1", "t1", "k-1");
        auto const other = co_await asks(R"({"kind":"undo","operation":")" + operation_ + R"("})", "u1", "t1", "k-1");
        auto const admin = co_await api("POST", "/api/v1/requests", "boss", "t1", "admin", R"({"kind":"retry","task":"task-1"})", "k-1");
        EXPECT_EQ(first.status, 202);
        EXPECT_EQ(second.status, 202);
        EXPECT_EQ(text(body_of(first), "id"), text(body_of(second), "id"));
        EXPECT_EQ(other.status, 409);
        EXPECT_TRUE(has(other.body, "idempotency_key_reused"));
        EXPECT_NE(text(body_of(admin), "id"), text(body_of(first), "id")) << "keys are each user's own";
        EXPECT_EQ(sql("select count(*) from requests"), "2");
        EXPECT_EQ(producer_.sent.size(), 2u) << "a repeated request wakes nobody";
    });
}

TEST_F(Asking, WhatIsNotOnesOwnIsNotThere) {
    run([this]() -> task<void> {
        co_await prepare();
        std::string const item = to_string(random_uuid());
        sql("insert into quarantine (tenant_id, quarantine_id, source, subject, reason, detail, hash, value) values ('t1', '" + item +
            "', 'google-event', '" + calendar_ + "/ev1', 'r', 'd', 'h', 'v')");
        std::vector<std::string> const bodies{R"({"kind":"retry","task":"task-1"})",
                                              R"({"kind":"resolve_conflict","task":"task-1","version":"v","choices":{"title":"crm"}})",
                                              R"({"kind":"undo","operation":")" + operation_ + R"("})",
                                              R"({"kind":"bulk_sync","connection":")" + connection_ + R"(","dryRun":true})",
                                              R"({"kind":"deletions","calendar":")" + calendar_ + R"(","decision":"confirm"})",
                                              R"({"kind":"full_resync","calendar":")" + calendar_ + R"("})",
                                              R"({"kind":"retry_quarantine","item":")" + item + R"("})",
                                              R"({"kind":"drop_quarantine","item":")" + item + R"("})"};
        for (auto const& body : bodies) {
            auto const theirs = co_await asks(body, "u2");
            auto const foreign = co_await asks(body, "u1", "t2");
            EXPECT_EQ(theirs.status, 404) << body;
            EXPECT_EQ(foreign.status, 404) << body;
        }
        EXPECT_EQ(sql("select count(*) from requests"), "0");
        for (auto const& body : bodies) {
            auto const own = co_await asks(body);
            EXPECT_EQ(own.status, 202) << body << own.body;
        }
        EXPECT_EQ(sql("select count(*) from requests where calendar_id = '" + calendar_ + "'"), std::to_string(bodies.size()));
    });
}

TEST_F(Asking, WhatCannotBeUnderstoodOrDoneIsSaidInWords) {
    run([this]() -> task<void> {
        co_await prepare();
        auto const garbage = co_await asks("{");
        auto const unknown = co_await asks(R"({"kind":"destroy"})");
        EXPECT_EQ(garbage.status, 400);
        EXPECT_EQ(unknown.status, 400);
        EXPECT_TRUE(has(unknown.body, "resolve_conflict")) << unknown.body;
        sql("update tasks set calendar_id = null");
        auto const homeless = co_await asks(R"({"kind":"retry","task":"task-1"})");
        EXPECT_EQ(homeless.status, 409);
        EXPECT_TRUE(has(homeless.body, "no_calendar"));
        sql("update user_calendar_connections set status = 'revoked'");
        auto const revoked = co_await asks(R"({"kind":"full_resync","calendar":")" + calendar_ + R"("})");
        EXPECT_EQ(revoked.status, 409);
        EXPECT_TRUE(has(revoked.body, "not_connected"));
        auto const nobody = co_await send("POST", "/api/v1/requests", {}, "{}");
        EXPECT_EQ(nobody.status, 401);
    });
}

TEST_F(Asking, ConflictsAreShownWithBothVersionsAndWhatCanBeChosen) {
    run([this]() -> task<void> {
        co_await prepare();
        auto const got = co_await api("GET", "/api/v1/conflicts");
        EXPECT_EQ(got.status, 200);
        auto const body = body_of(got);
        auto const& one = json::array_at(body, "conflicts")->at(0).as_object();
        EXPECT_EQ(text(one, "task"), "task-1");
        EXPECT_EQ(text(one, "kind"), "fields");
        EXPECT_FALSE(text(one, "version").empty());
        auto const& field = json::array_at(one, "fields")->at(0).as_object();
        EXPECT_EQ(text(field, "crm") + "/" + text(field, "google") + "/" + text(field, "base"), "From CRM/From Google/T");
        sql("update task_links set frozen = true, state_reason = 'cancelled_in_crm'");
        auto const whole = co_await api("GET", "/api/v1/conflicts");
        EXPECT_TRUE(has(whole.body, R"("kind":"cancelled_and_edited")") && has(whole.body, R"(["remove_event","keep_event"])"));
        auto const other = co_await api("GET", "/api/v1/conflicts", "u2");
        auto const foreign = co_await api("GET", "/api/v1/conflicts", "u1", "t2");
        EXPECT_EQ(other.body, R"({"conflicts":[]})");
        EXPECT_EQ(foreign.body, R"({"conflicts":[]})");
    });
}

TEST_F(Asking, TheHistoryReadsAsSentencesPageByPage) {
    run([this]() -> task<void> {
        co_await prepare();
        auto const got = co_await api("GET", "/api/v1/tasks/task-1/history");
        EXPECT_EQ(got.status, 200) << got.body;
        auto const body = body_of(got);
        EXPECT_EQ(json::array_at(body, "items")->size(), 1u);
        auto const& item = json::array_at(body, "items")->at(0).as_object();
        EXPECT_EQ(text(item, "headline"), "The CRM's title went to Google Calendar.");
        EXPECT_TRUE(has(got.body, "title: from \\\"From CRM\\\" to \\\"Later\\\".")) << got.body;
        EXPECT_TRUE(json::boolean_or(*json::object_at(item, "undo"), "possible"));
        sql("insert into operations (tenant_id, operation_id, link_id, calendar_id, sequence, kind, state, created_at) select 't1', "
            "gen_random_uuid(), '" +
            link_ + "', '" + calendar_ + "', n + 1, 'read_back', 'done', now() - n * interval '1 minute' from generate_series(1, 60) n");
        auto const first_got = co_await api("GET", "/api/v1/tasks/task-1/history");
        auto const first = body_of(first_got);
        std::string const next = text(first, "next");
        EXPECT_EQ(json::array_at(first, "items")->size(), 50u);
        auto const second_got = co_await api("GET", "/api/v1/tasks/task-1/history?before=" + next);
        auto const second = body_of(second_got);
        EXPECT_EQ(json::array_at(second, "items")->size(), 11u);
        EXPECT_TRUE(second.at("next").is_null());
        auto const other = co_await api("GET", "/api/v1/tasks/task-1/history", "u2");
        auto const foreign = co_await api("GET", "/api/v1/tasks/task-1/history", "u1", "t2");
        auto const occurrence = co_await api("GET", "/api/v1/tasks/task-1/history?occurrence=20261125T090000Z");
        auto const bad = co_await api("GET", "/api/v1/tasks/task-1/history?before=x");
        EXPECT_EQ(other.status, 404);
        EXPECT_EQ(foreign.status, 404);
        EXPECT_EQ(occurrence.status, 404) << "that occurrence has no row of its own";
        EXPECT_EQ(bad.status, 400);
    });
}

TEST_F(Asking, ACalendarShowsTheDeletionsThatAreHeldBack) {
    run([this]() -> task<void> {
        co_await prepare();
        std::string const path = "/api/v1/connections/" + connection_ + "/calendars";
        auto const before = co_await api("GET", path);
        EXPECT_TRUE(has(before.body, R"("deletionsHeldBack":null)"));
        sql("update calendars set brake = jsonb_build_object('since', now(), 'missing', 30, 'known', 40, 'pass', 'full')");
        auto const held = co_await api("GET", path);
        EXPECT_TRUE(has(held.body, R"("missing":30,"known":40,"answer":"")")) << held.body;
    });
}

TEST_F(Asking, ItemsSetAsideAreListedForTheirUserOnly) {
    run([this]() -> task<void> {
        co_await prepare();
        auto const aside = [this](std::string const& source, std::string const& subject) {
            sql("insert into quarantine (tenant_id, quarantine_id, source, subject, reason, detail, hash, value) values ('t1', "
                "gen_random_uuid(), '" +
                source + "', '" + subject + "', 'r', 'd', 'h', 'v')");
        };
        aside("google-event", calendar_ + "/ev1");
        aside("task-changed", "t1/u1");
        aside("task-changed", "t1/u2");
        aside("task-changed", "nobody");
        auto const own_got = co_await api("GET", "/api/v1/quarantine");
        auto const own = body_of(own_got);
        auto const other_got = co_await api("GET", "/api/v1/quarantine", "u2");
        auto const other = body_of(other_got);
        auto const admin_got = co_await api("GET", "/api/v1/quarantine", "boss", "t1", "admin");
        auto const admin = body_of(admin_got);
        auto const foreign_got = co_await api("GET", "/api/v1/quarantine", "u1", "t2");
        auto const foreign = body_of(foreign_got);
        EXPECT_EQ(json::array_at(own, "items")->size(), 2u);
        EXPECT_EQ(json::array_at(other, "items")->size(), 1u);
        EXPECT_EQ(json::array_at(admin, "items")->size(), 4u);
        EXPECT_EQ(json::array_at(foreign, "items")->size(), 0u);
    });
}

}  // namespace
}  // namespace calbridge::gateway
