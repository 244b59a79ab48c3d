// The calendar list, watched: Google's push through webhook-ingest's decision and sync-worker's intake to channel-renewer's reading, all of
// it the services' own code, with Google emulated and Kafka a vector.

#include "worker_stack.h"

#include "intake_loop.h"

#include "domain/channel_token.h"
#include "services/channel-renewer/channel_keeper.h"
#include "services/channel-renewer/rounds.h"
#include "services/webhook-ingest/channel_source.h"
#include "services/webhook-ingest/message.h"
#include "store/selection.h"

namespace calbridge::integration {
namespace {

using namespace std::chrono_literals;

class CalendarList : public worker_stack {
protected:
    CalendarList() {
        sql("update user_calendar_connections set granted_scopes = '{https://www.googleapis.com/auth/calendar.events,"
            "https://www.googleapis.com/auth/calendar.calendarlist.readonly}'");
        open_channels();
        pushes();
        discover();
        work();
        google->take_due_deliveries(google->now());
    }
    void open_channels() {
        testing::run_coro(ioc, [](CalendarList& t) -> task<void> {
            renewer::channel_parts const parts{*t.clock_db,  *t.api, t.tokens, t.kafka,
                                               t.token_keys, t.now,  t.random, "https://hooks.example/google"};
            renewer::channel_limits const limits{
                .life = 168h, .renew_before = 24h, .claim = 1min, .every = 1s, .call_time_max = 5s, .at_once = 16};
            renewer::channel_keeper keeper(t.ioc.get_executor(), parts, limits);
            co_await keeper.round();
        }(*this));
    }
    // Reads the lists that are due; how many.
    std::size_t discover() {
        std::size_t count = 99;
        sql("update user_calendar_connections set discovery_claimed_until = '-infinity'");
        testing::run_coro(ioc, [](CalendarList& t, std::size_t& n) -> task<void> {
            renewer::round_parts const parts{*t.clock_db, t.kafka, *t.api, t.tokens, t.now, t.random};
            renewer::round_limits const within{.call_time_max = 5s};
            auto const done = co_await renewer::discovery_round(parts, within);
            if (done) n = *done;
        }(*this, count));
        return count;
    }
    // Delivers what Google has to say; how many it was.
    std::size_t pushes() {
        std::size_t count = 0;
        auto due = google->take_due_deliveries(google->now());
        for (emulator::delivery const& each : due) {
            bool const believed = push(each);
            EXPECT_TRUE(believed);
            google->delivery_answered(each.id, believed ? 200 : 404);
            ++count;
        }
        return count;
    }
    bool push(emulator::delivery const& d) {
        std::string bytes = "POST /webhooks/google HTTP/1.1\r\nHost: hooks.example\r\n";
        for (auto const& [name, value] : d.fields) bytes += name + ": " + value + "\r\n";
        bytes += "\r\n";
        http::request_head head;
        http::refusal why;
        EXPECT_EQ(http::read_head(bytes, {}, head, why), http::verdict::accepted) << why.reason;
        auto const what = ingest::read_push(head);
        if (!what) return false;
        bool believed = false;
        testing::run_coro(ioc, [](CalendarList& t, ingest::push p, bool& yes) -> task<void> {
            auto const content = domain::verify_channel_token(t.token_keys, p.channel, p.token);
            auto const known = co_await t.source->look_up(p.channel, in(5s));
            if (!known || !*known) co_return;
            auto const hash = crypto::sha256(p.token);
            ingest::evidence const with{.token = content,
                                        .said = ingest::evidence::look_up::found,
                                        .channel = &**known,
                                        .token_hash = as_text(hash),
                                        .now = t.now.now()};
            yes = ingest::decide(p, with) == ingest::outcome::accepted;
            if (!yes) co_return;
            kafka::consumed record;
            static_cast<kafka::record&>(record) = ingest::make_record(wire::topic_calendar_changed, p, *content, &**known, {}, t.now.now());
            EXPECT_EQ(record.key, "acme/anna");
            auto understood = worker::understand(record);
            auto* const hint = std::get_if<store::hint_intake>(&understood.what);
            EXPECT_NE(hint, nullptr);
            if (hint == nullptr) co_return;
            std::vector<store::hint_intake> hints{*hint};
            auto const taken = co_await t.intake->take_in({}, std::move(hints), {});
            EXPECT_TRUE(taken);
        }(*this, *what, believed));
        return believed;
    }
    // As the user, in Google.
    json::value in_google(std::string method, std::string path, std::string body = {}) {
        emulator::request r;
        r.method = std::move(method);
        r.path = "/calendar/v3/" + path;
        r.fields = {{"Authorization", "Bearer " + tokens.token}, {"Content-Type", "application/json"}};
        r.body = std::move(body);
        auto const answer = google->handle(r);
        EXPECT_LT(answer.status, 300) << r.path << ": " << answer.body;
        return answer.body.empty() ? json::value() : boost::json::parse(answer.body);
    }
    std::string new_calendar(std::string const& name) {
        return std::string(json::text_or(in_google("POST", "calendars", R"({"summary":")" + name + R"("})").as_object(), "id"));
    }
    std::string team_is(std::string const& columns) {
        return sql("select " + columns + " from calendars where google_calendar_id = '" + team + "'");
    }
    // One change in Google, and everything until it is read; the number of pushes it took.
    std::size_t told() {
        std::size_t const count = pushes();
        EXPECT_EQ(discover(), count > 0 ? 1U : 0U);
        return count;
    }

    void deselect_under_the_worker() {
        testing::run_coro(ioc, [](CalendarList& t) -> task<void> {
            store::calendar_choice const off{.selected = false};
            auto const chosen = co_await store::choose_calendar(*t.gateway_db, t.tenant, t.connection, t.calendar, off, "anna");
            EXPECT_TRUE(chosen) << (chosen ? "" : chosen.error().context);
            store::held_lease const held = t.memory.lease->lease;
            auto tx = co_await t.db->begin(t.tenant);
            auto const late = co_await store::check_lease(**tx, held);
            EXPECT_FALSE(late);
        }(*this));
    }

    crypto::key_ring token_keys{ring.for_purpose(domain::channel_token_purpose)};
    std::unique_ptr<pg::database> clock_db{pg::make_database(ioc.get_executor(), {.conninfo = database.conninfo_for("renewer")})};
    std::unique_ptr<pg::database> ingest_db{pg::make_database(ioc.get_executor(), {.conninfo = database.conninfo_for("ingest")})};
    std::unique_ptr<pg::database> gateway_db{pg::make_database(ioc.get_executor(), {.conninfo = database.conninfo_for("gateway")})};
    std::unique_ptr<ingest::channel_source> source{ingest::make_channel_source(*ingest_db)};
    std::string team;
};

TEST_F(CalendarList, IsWatchedBesideTheCalendarAndItsFirstMessageProvesIt) {
    EXPECT_EQ(sql("select string_agg(kind || ' ' || state || ' ' || (verified_at is not null), ',' order by kind) from channels"),
              "calendar_list active true,events active true");
    EXPECT_EQ(told(), 0U) << "nothing changed, nothing is said, nothing is read";
}

TEST_F(CalendarList, ANewCalendarAppearsARenamedOneIsRenamedAtOnce) {
    team = new_calendar("Team");
    EXPECT_GE(told(), 1U);
    EXPECT_EQ(team_is("summary || ' ' || access_role || ' ' || selected"), "Team owner false");

    in_google("PATCH", "users/me/calendarList/" + team, R"({"summaryOverride":"Sales"})");
    EXPECT_GE(told(), 1U);

    EXPECT_EQ(team_is("summary"), "Sales");
    EXPECT_EQ(sql("select count(*) from calendars where missing_since is not null"), "0") << "what a delta leaves out is still there";
}

TEST_F(CalendarList, AHiddenCalendarIsMarkedAndAShownOneCatchesUpInFull) {
    team = new_calendar("Team");
    told();
    sql("update calendars set selected = true, sync_token = 'before', dirty_seq = 1, synced_seq = 1 where google_calendar_id = '" + team +
        "'");
    sql("update calendars set sync_token = 'before' where google_calendar_id = '" + team + "'");
    in_google("PATCH", "users/me/calendarList/" + team, R"({"hidden":true})");
    told();
    EXPECT_EQ(team_is("missing_reason || ' ' || (missing_since is not null) || ' ' || sync_token"), "hidden true before");

    in_google("PATCH", "users/me/calendarList/" + team, R"({"hidden":false})");
    told();

    EXPECT_EQ(team_is("(missing_since is null) || ' ' || (sync_token is null) || ' ' || (synced_seq < dirty_seq)"), "true true true");
    EXPECT_EQ(sql("select count(*) from calendars where missing_since is not null"), "0");
}

TEST_F(CalendarList, ADeletedCalendarIsMarkedAndItsTasksStay) {
    team = new_calendar("Team");
    told();
    sql("insert into tasks (tenant_id, task_id, user_id, version, snapshot, calendar_id) select 'acme', 'kept', 'anna', 1, '{}', "
        "calendar_id from calendars "
        "where google_calendar_id = '" +
        team + "'");
    in_google("DELETE", "calendars/" + team);
    told();

    EXPECT_EQ(team_is("missing_reason"), "deleted");
    EXPECT_EQ(sql("select count(*) from tasks where calendar_id is not null"), "1");
}

TEST_F(CalendarList, AListTokenThatGoogleForgotIsReplacedByAFullReading) {
    sql("update user_calendar_connections set list_sync_token = 'nonsense'");
    team = new_calendar("Team");
    told();

    EXPECT_EQ(team_is("summary"), "Team");
    EXPECT_NE(sql("select list_sync_token from user_calendar_connections"), "nonsense");
}

TEST_F(CalendarList, AnEndedConnectionsPushesAreNotBelieved) {
    new_calendar("Team");
    sql("update user_calendar_connections set status = 'disconnected'");
    auto const due = google->take_due_deliveries(google->now());

    ASSERT_FALSE(due.empty());
    for (emulator::delivery const& each : due) EXPECT_FALSE(push(each));
}

// A worker that holds the lease hears of the choice at its next step, and what it is doing then is not written.
TEST_F(CalendarList, ADeselectedCalendarIsListedNoMoreThoughAWorkerHoldsItsLease) {
    one_turn();
    ASSERT_TRUE(memory.lease);
    auto const before = calls("calendar.events.list");
    deselect_under_the_worker();
    hint();
    for (int i = 0; i < 3; ++i) one_turn();
    EXPECT_EQ(calls("calendar.events.list"), before);

    crm_says({{"title", "Still pushed outward"}});
    for (int i = 0; i < 3; ++i) one_turn();
    EXPECT_EQ(events().size(), 1U);
    EXPECT_EQ(calls("calendar.events.list"), before);
}

}  // namespace
}  // namespace calbridge::integration
