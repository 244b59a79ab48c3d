#include "worker_stack.h"

#include "store/accounts.h"

#include "tests/emulator/discovery.h"

#include <algorithm>
#include <cstdlib>

namespace calbridge::integration {

namespace {

emulator::discovery const& rules() {
    static emulator::discovery const loaded = [] {
        char const* named = std::getenv("CALBRIDGE_DISCOVERY");
        return emulator::discovery::load(named != nullptr ? named : "build/discovery").value();
    }();
    return loaded;
}

}  // namespace

task<result<http::response>> emulated_client::send(http::client_request request, deadline) {
    emulator::request asked;
    asked.method = std::move(request.method);
    std::string const base = "http://google.test";
    std::string const target = request.url.substr(base.size());
    auto const mark = target.find('?');
    asked.path = target.substr(0, mark);
    if (mark != std::string::npos) asked.query = target.substr(mark + 1);
    for (auto& [n, v] : request.fields)
        if (n != "Accept-Encoding") asked.fields.emplace_back(n, v);
    asked.body = std::move(request.body);
    emulator::answer answer = google_.handle(asked);
    if (answer.sent != emulator::answer::how::whole) co_return fail(errc::unavailable, "connection closed before the answer was complete");
    http::response response;
    response.status = answer.status;
    response.fields = std::move(answer.fields);
    response.body = std::move(answer.body);
    co_return response;
}

worker_stack::worker_stack() : ring(crypto::key_ring::parse(secret("k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")).value()) {
    google = std::make_unique<emulator::world>(rules(), now, emulator::world_options{.base_url = "http://google.test"});
    google->add_user("anna@example.com", "Europe/Zurich");
    google->add_client({.id = "client", .secret = "secret", .redirect_uris = {"http://127.0.0.1/cb"}});
    google->settings().quota_user_per_minute = 0;
    google->settings().quota_project_per_minute = 0;
    auto const token = control("tokens", R"({"email":"anna@example.com","client":"client"})");
    tokens.token = std::string(json::text_or(token.as_object(), "access_token"));

    sql("INSERT INTO user_calendar_connections (tenant_id, connection_id, user_id, client_id, google_sub, connected_email) VALUES "
        "('acme', '" +
        connection.str() + "', 'anna', 'client', 'sub-anna', 'anna@example.com')");
    sql("INSERT INTO calendars (tenant_id, calendar_id, connection_id, google_calendar_id, time_zone, access_role, is_primary, selected, "
        "dirty_seq) VALUES "
        "('acme', '" +
        calendar.str() + "', '" + connection.str() + "', 'anna@example.com', 'Europe/Zurich', 'owner', true, true, 1)");
    sql("UPDATE user_calendar_connections SET default_calendar_id = '" + calendar.str() + "'");

    http = std::make_unique<emulated_client>(*google);
    pg::database_options options;
    options.conninfo = database.conninfo_for("worker");
    db = pg::make_database(ioc.get_executor(), options);
    api = google::make_calendar_api(*http, google::endpoints_at("http://google.test"), now);
    out = std::make_unique<worker::publisher>(ioc.get_executor(), kafka, *db);
    worker::limits within;
    within.backoff.base = std::chrono::milliseconds(10);
    within.backoff.cap = std::chrono::milliseconds(50);
    with = std::make_unique<worker::parts>(worker::parts{*db, *api, tokens, *out, ring, now, random, "worker-1", within, true});
    intake = std::make_unique<store::intake>(*db);
}

json::value worker_stack::control(std::string const& what, std::string body, std::string method) {
    emulator::request r;
    r.method = !method.empty() ? method : body.empty() ? "GET" : "POST";
    auto const mark = what.find('?');
    r.path = "/_control/" + what.substr(0, mark);
    if (mark != std::string::npos) r.query = what.substr(mark + 1);
    if (!body.empty()) r.fields.emplace_back("Content-Type", "application/json");
    r.body = std::move(body);
    emulator::answer const answer = google->handle(r);
    EXPECT_LT(answer.status, 300) << what << ": " << answer.body;
    return answer.body.empty() ? json::value() : boost::json::parse(answer.body);
}

void worker_stack::crm_says(json::object changes) {
    json::object line{{"tenantId", "acme"},
                      {"userId", "anna"},
                      {"taskId", "T-1"},
                      {"version", ++version},
                      {"type", "meeting"},
                      {"title", "Appointment"},
                      {"location", "Room 1"},
                      {"start", "2027-01-20T10:00:00"},
                      {"end", "2027-01-20T11:00:00"},
                      {"timeZone", "Europe/Zurich"}};
    for (auto const& member : changes) line[member.key()] = member.value();
    auto decoded = wire::decode_task_changed(json::serialize(line), wire::encoding::json);
    ASSERT_TRUE(decoded) << decoded.error().context;
    auto const place = domain::place_of(*decoded);
    ASSERT_TRUE(std::holds_alternative<domain::task_place>(place));
    std::vector<store::task_intake> tasks{{*decoded, std::get<domain::task_place>(place)}};
    auto body = [](store::intake& into, std::vector<store::task_intake> what) -> task<void> {
        auto taken = co_await into.take_in(std::move(what), {}, {});
        EXPECT_TRUE(taken) << taken.error().context;
    };
    testing::run_coro(ioc, body(*intake, std::move(tasks)));
}

void worker_stack::hint() {
    std::vector<store::hint_intake> hints(1);
    hints[0].calendar = calendar;
    auto body = [](store::intake& into, std::vector<store::hint_intake> what) -> task<void> {
        auto taken = co_await into.take_in({}, std::move(what), {});
        EXPECT_TRUE(taken) << taken.error().context;
    };
    testing::run_coro(ioc, body(*intake, std::move(hints)));
}

void worker_stack::one_turn() {
    auto body = [](worker_stack& s) -> task<void> { co_await worker::work_on(*s.with, s.tenant, s.calendar, s.memory); };
    testing::run_coro(ioc, body(*this), std::chrono::seconds(120));
}

void worker_stack::work(int turns_max) {
    for (int i = 0; i < turns_max; ++i) {
        one_turn();
        if (sql("SELECT count(*) FROM tasks WHERE synced_seq < dirty_seq") == "0" &&
            sql("SELECT count(*) FROM calendars WHERE synced_seq < dirty_seq") == "0" &&
            sql("SELECT count(*) FROM requests WHERE state IN ('pending', 'running')") == "0")
            return;
        sql("UPDATE requests SET next_at = now()");
        sql("UPDATE tasks SET retry_at = NULL");
        sql("UPDATE calendars SET retry_at = NULL");
    }
    ADD_FAILURE() << "still work after " << turns_max << " turns";
}

json::array worker_stack::events() {
    auto const listed = control("calendars/anna%40example.com/events");
    return listed.is_array() ? listed.as_array() : listed.as_object().at("items").as_array();
}

std::string worker_stack::event_id() { return std::string(json::text_or(events().at(0).as_object(), "id")); }

std::int64_t worker_stack::calls(std::string const& method) const {
    emulator::request r;
    r.path = "/_control/stats";
    emulator::answer const answer = google->handle(r);
    auto const stats = boost::json::parse(answer.body).as_object();
    json::object const* by_method = json::object_at(stats, "calls");
    json::object const& all = by_method ? *by_method : stats;
    std::int64_t sum = 0;
    for (auto const& member : all)
        if (std::string_view(member.key()).ends_with(method)) sum += json::integer_or(member.value().as_object(), "total");
    return sum;
}

std::vector<domain::task_update> worker_stack::updates() const {
    std::vector<domain::task_update> all;
    for (kafka::record const& r : kafka.records)
        if (r.topic == wire::topic_task_updates) all.push_back(wire::decode_task_update(*r.value, wire::encoding::json).value());
    return all;
}

domain::task_update worker_stack::last(domain::update_kind kind) const {
    auto const all = updates();
    auto const found = std::find_if(all.rbegin(), all.rend(), [&](auto const& u) { return u.kind == kind; });
    return found == all.rend() ? domain::task_update{} : *found;
}

namespace {

TEST_F(worker_stack, ATaskBecomesAnEventByExactlyOneCall) {
    work();
    auto const listings = calls("events.list");
    crm_says({{"customer", "Bosch"}, {"googleMeet", true}, {"attendees", json::array{json::object{{"email", "kim@example.com"}}}}});

    work();

    ASSERT_EQ(events().size(), 1u);
    EXPECT_EQ(calls("events.insert"), 1);
    EXPECT_EQ(calls("events.get"), 0);
    EXPECT_EQ(calls("events.patch"), 0);
    EXPECT_EQ(calls("events.list"), listings);
    auto const told = last(domain::update_kind::synced);
    EXPECT_EQ(told.google_event_id, event_id());
    EXPECT_FALSE(told.etag.empty());
    EXPECT_FALSE(told.html_link.empty());
    EXPECT_FALSE(told.meet_link.empty());
    EXPECT_EQ(sql("SELECT state FROM tasks"), "synced");
}

TEST_F(worker_stack, WhatIsToldContinuesTheTraceOfWhatCausedIt) {
    memory.cause = {"4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", true};
    crm_says({});

    work();

    ASSERT_FALSE(kafka.records.empty());
    auto const& fields = kafka.records.back().fields;
    auto const trace = std::find_if(fields.begin(), fields.end(), [](auto const& f) { return f.first == "traceparent"; });
    ASSERT_NE(trace, fields.end());
    EXPECT_EQ(trace->second.substr(0, 36), "00-4bf92f3577b34da6a3ce929d0e0e4736-");
    EXPECT_EQ(trace->second.find("00f067aa0ba902b7"), std::string::npos) << "a new span of the same trace";
}

TEST_F(worker_stack, AnUpdateIsExactlyOnePatch) {
    crm_says({});
    work();
    crm_says({{"title", "Contract talk"}});

    work();

    EXPECT_EQ(calls("events.patch"), 1);
    EXPECT_EQ(calls("events.get"), 0);
    EXPECT_EQ(json::text_or(events().at(0).as_object(), "summary"), "Contract talk");
}

TEST_F(worker_stack, TheSameSnapshotAgainCallsNobody) {
    crm_says({});
    work();
    crm_says({});

    work();

    EXPECT_EQ(calls("events.insert"), 1);
    EXPECT_EQ(calls("events.patch"), 0);
    EXPECT_EQ(sql("SELECT state FROM tasks"), "synced");
}

TEST_F(worker_stack, AMoveInGoogleReachesTheTaskAndTheCrm) {
    crm_says({});
    work();
    control("calendars/anna%40example.com/events/" + event_id(),
            R"({"start":{"dateTime":"2027-01-20T14:00:00+01:00"},"end":{"dateTime":"2027-01-20T15:00:00+01:00"}})", "PATCH");
    hint();

    work();

    auto const told = last(domain::update_kind::changed);
    EXPECT_EQ(told.changed, std::vector<std::string>{"time"});
    EXPECT_EQ(told.start, "2027-01-20T14:00:00");
    EXPECT_EQ(told.time_zone, "Europe/Zurich");
    EXPECT_EQ(calls("events.patch"), 0);
}

TEST_F(worker_stack, OurOwnEchoWritesNothing) {
    crm_says({});
    work();
    std::size_t const told = kafka.records.size();
    std::string const operations = sql("SELECT count(*) FROM operations");
    hint();

    work();

    EXPECT_EQ(kafka.records.size(), told);
    EXPECT_EQ(sql("SELECT count(*) FROM operations"), operations);
    EXPECT_EQ(calls("events.patch"), 0);
}

TEST_F(worker_stack, EditsOfDifferentFieldsAtTheSameTimeBothSurvive) {
    crm_says({});
    work();
    // Nobody has told us of the person's edit when our patch goes out: If-Match finds it.
    control("calendars/anna%40example.com/events/" + event_id(), R"({"location":"Room 9"})", "PATCH");
    crm_says({{"title", "Contract talk"}});

    work();

    auto const event = events().at(0).as_object();
    EXPECT_EQ(json::text_or(event, "summary"), "Contract talk");
    EXPECT_EQ(json::text_or(event, "location"), "Room 9");
    EXPECT_EQ(last(domain::update_kind::changed).location, "Room 9");
    EXPECT_EQ(sql("SELECT has_conflict FROM task_links"), "f");
}

TEST_F(worker_stack, TheSameFieldOnBothSidesIsAConflictThatKeepsBoth) {
    crm_says({});
    work();
    control("calendars/anna%40example.com/events/" + event_id(), R"({"summary":"From Google"})", "PATCH");
    crm_says({{"title", "From CRM"}});

    work();

    auto const told = last(domain::update_kind::conflict);
    ASSERT_EQ(told.conflicts.size(), 1u);
    EXPECT_EQ(told.conflicts[0].field, "title");
    EXPECT_EQ(told.conflicts[0].crm, "From CRM");
    EXPECT_EQ(told.conflicts[0].google, "From Google");
    EXPECT_EQ(json::text_or(events().at(0).as_object(), "summary"), "From Google");
    EXPECT_EQ(sql("SELECT state FROM tasks"), "conflict");
}

TEST_F(worker_stack, ALostAnswerOfACreateEndsInOneEvent) {
    work();
    control("faults", R"([{"match":{"method":"POST","path_prefix":"/calendar/v3/"},"action":"lost_response","how":"close","times":1}])");
    crm_says({});

    work();

    EXPECT_EQ(events().size(), 1u);
    EXPECT_EQ(calls("events.insert"), 1);
    EXPECT_EQ(calls("events.get"), 1);
    EXPECT_EQ(sql("SELECT state FROM tasks"), "synced");
    EXPECT_EQ(sql("SELECT state FROM operations"), "done");
}

TEST_F(worker_stack, ALostAnswerOfAPatchIsNotSentTwice) {
    crm_says({});
    work();
    control("faults", R"([{"match":{"method":"PATCH"},"action":"lost_response","how":"503","times":1}])");
    crm_says({{"title", "Contract talk"}});

    work();

    EXPECT_EQ(calls("events.patch"), 1);
    EXPECT_EQ(json::text_or(events().at(0).as_object(), "summary"), "Contract talk");
    EXPECT_EQ(sql("SELECT state FROM tasks"), "synced");
}

TEST_F(worker_stack, ACancelledTaskRemovesItsEvent) {
    crm_says({});
    work();
    crm_says({{"status", "cancelled"}});

    work();

    EXPECT_EQ(events().size(), 0u);
    EXPECT_EQ(calls("events.delete"), 1);
    EXPECT_EQ(sql("SELECT state FROM tasks"), "removed");
    EXPECT_EQ(last(domain::update_kind::synced).reason, "event_removed");
}

TEST_F(worker_stack, AnEventDeletedInGoogleCancelsTheTask) {
    crm_says({});
    work();
    control("calendars/anna%40example.com/events/" + event_id(), {}, "DELETE");
    hint();

    work();

    EXPECT_EQ(last(domain::update_kind::cancelled).reason, "deleted_in_google");
    EXPECT_EQ(sql("SELECT state FROM task_links"), "ended");
}

TEST_F(worker_stack, ADeadSyncTokenLosesNeitherEditsNorDeletions) {
    crm_says({});
    crm_says({{"taskId", "T-2"}, {"title", "Second"}});
    work();
    hint();
    work();
    std::string first, second;
    for (auto const& e : events())
        (json::text_or(e.as_object(), "summary") == "Second" ? second : first) = std::string(json::text_or(e.as_object(), "id"));
    // The listing that follows shows no tombstones: what is missing must be found by mark and sweep.
    google->settings().tombstone_days = 0;
    control("calendars/anna%40example.com/expire_tokens", "{}");
    control("calendars/anna%40example.com/events/" + first, R"({"location":"Room 9"})", "PATCH");
    control("calendars/anna%40example.com/events/" + second, {}, "DELETE");
    hint();

    work();

    EXPECT_EQ(last(domain::update_kind::changed).location, "Room 9");
    EXPECT_EQ(last(domain::update_kind::cancelled).task.str(), "T-2");
    EXPECT_EQ(sql("SELECT pass_id FROM calendars"), "2");
}

TEST_F(worker_stack, MassDeletionIsNotBelieved) {
    control("calendars/anna%40example.com/bulk", R"({"count":60})");
    work();
    ASSERT_EQ(sql("SELECT count(*) FROM events WHERE status <> 'cancelled'"), "60");
    google->settings().tombstone_days = 0;
    for (auto const& e : events())
        control("calendars/anna%40example.com/events/" + std::string(json::text_or(e.as_object(), "id")), {}, "DELETE");
    control("calendars/anna%40example.com/expire_tokens", "{}");
    hint();

    one_turn();
    sql("UPDATE calendars SET retry_at = NULL");
    one_turn();

    EXPECT_EQ(sql("SELECT count(*) FROM events WHERE status <> 'cancelled'"), "60");
    EXPECT_EQ(sql("SELECT (brake ->> 'missing') || ' ' || (brake ->> 'known') || ' ' || (brake ->> 'pass') FROM calendars"), "60 60 full");
    EXPECT_EQ(sql("SELECT count(*) FROM outbox WHERE topic = 'sync-alerts'"), "1");
    EXPECT_EQ(sql("SELECT kind || ' ' || (resolved_at IS NULL) FROM alerts"), "brake_pulled true");
    sql("UPDATE calendars SET retry_at = NULL");
    one_turn();
    EXPECT_EQ(sql("SELECT count(*) FROM outbox WHERE topic = 'sync-alerts'"), "1") << "an open alert is told once";
}

TEST_F(worker_stack, AnInterruptedFirstImportGoesOnWhereItStopped) {
    control("calendars/anna%40example.com/bulk", R"({"count":6000})");
    control(
        "faults",
        R"([{"match":{"method":"GET","path_contains":"/events","nth":3},"action":"status","status":503,"reason":"backendError","times":1}])");

    one_turn();
    EXPECT_EQ(sql("SELECT count(*) FROM events"), "5000");
    sql("UPDATE calendars SET retry_at = NULL");
    memory.lease.reset();  // as after a crash: another process takes over
    one_turn();

    EXPECT_EQ(sql("SELECT count(*) FROM events"), "6000");
    EXPECT_EQ(sql("SELECT pass_id FROM calendars"), "1");
    EXPECT_EQ(calls("events.list"), 3);
    EXPECT_NE(sql("SELECT coalesce(sync_token, '') FROM calendars"), "");
}

TEST_F(worker_stack, ACopyOfOurEventIsForeign) {
    crm_says({});
    work();
    control("calendars/anna%40example.com/events/" + event_id() + "/copy", R"({"summary":"Copied"})");
    hint();

    work();

    EXPECT_EQ(events().size(), 2u);
    EXPECT_EQ(sql("SELECT count(*) FROM task_links"), "1");
    EXPECT_EQ(last(domain::update_kind::changed).title, "");
    EXPECT_EQ(sql("SELECT count(*) FROM events WHERE link_id IS NULL"), "1");
}

TEST_F(worker_stack, AWorkerThatLostItsLeaseWritesNothing) {
    crm_says({});
    work();
    sql("UPDATE calendars SET lease_epoch = lease_epoch + 1, lease_owner = 'worker-2', lease_until = now() + interval '1 minute'");
    crm_says({{"title", "Contract talk"}});

    one_turn();

    EXPECT_EQ(json::text_or(events().at(0).as_object(), "summary"), "Appointment");
    EXPECT_EQ(calls("events.patch"), 0);
}

TEST_F(worker_stack, ARevokedConnectionStopsItsWorkerAtOnce) {
    crm_says({});
    work();
    auto revoke = [](pg::database& in, tenant_id whose, connection_id which) -> task<void> {
        auto done = co_await store::set_status(in, whose, which, store::connection_status::revoked, "invalid_grant");
        EXPECT_TRUE(done) << done.error().context;
    };
    testing::run_coro(ioc, revoke(*db, tenant, connection));
    crm_says({{"title", "Contract talk"}});

    one_turn();

    EXPECT_EQ(calls("events.patch"), 0);
    EXPECT_EQ(json::text_or(events().at(0).as_object(), "summary"), "Appointment");
    EXPECT_EQ(sql("SELECT synced_seq < dirty_seq FROM tasks"), "t");
}

TEST_F(worker_stack, AReadOnlyCalendarIsToldInWords) {
    sql("UPDATE calendars SET access_role = 'reader'");
    crm_says({});

    work();

    EXPECT_EQ(calls("events.insert"), 0);
    auto const told = last(domain::update_kind::failed);
    EXPECT_EQ(told.reason, "calendar_read_only");
    EXPECT_FALSE(told.explanation.empty());
}

TEST_F(worker_stack, ImpossibleTimesAreToldInWordsAndCorrectable) {
    crm_says({{"end", "2027-01-20T09:00:00"}});
    work();
    EXPECT_EQ(last(domain::update_kind::failed).reason, "end_before_start");

    crm_says({});
    work();

    EXPECT_EQ(events().size(), 1u);
    EXPECT_EQ(sql("SELECT state FROM tasks"), "synced");
}

TEST_F(worker_stack, RateLimitsHoldTheCalendarAndLoseNothing) {
    work();
    control(
        "faults",
        R"([{"match":{"method":"POST","path_prefix":"/calendar/v3/"},"action":"status","status":403,"domain":"usageLimits","reason":"userRateLimitExceeded","times":1}])");
    crm_says({});
    one_turn();
    EXPECT_NE(sql("SELECT coalesce(retry_at::text, '') FROM calendars"), "");
    EXPECT_EQ(sql("SELECT last_error FROM calendars"), "userRateLimitExceeded");

    work();

    EXPECT_EQ(events().size(), 1u);
    EXPECT_EQ(calls("events.get"), 0);
}

TEST_F(worker_stack, ManyTasksOfOneCalendarAllArrive) {
    for (int i = 0; i < 40; ++i) crm_says({{"taskId", "T-" + std::to_string(i)}, {"version", 1}, {"title", "Task " + std::to_string(i)}});

    work();

    EXPECT_EQ(events().size(), 40u);
    EXPECT_EQ(calls("events.insert"), 40);
    EXPECT_EQ(sql("SELECT count(*) FROM tasks WHERE state = 'synced'"), "40");
}

}  // namespace
}  // namespace calbridge::integration
