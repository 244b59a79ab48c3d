#include "store/selection.h"
#include "store/store_fixture.h"

#include <algorithm>

namespace calbridge::store {
namespace {

using namespace std::chrono_literals;

class Discovery : public store_fixture {
public:
    Discovery() {
        // As a first pass and a channel leave a calendar.
        sql("update calendars set sync_token = 'old', sync_fingerprint = 'f', dirty_seq = 3, synced_seq = 3");
        sql("insert into channels (tenant_id, channel_id, connection_id, calendar_id, token_hash, state, verified_at, expires_at) values "
            "('acme', gen_random_uuid(), '" +
            connection_.str() + "', '" + calendar_.str() + "', 'h', 'active', now(), now() + interval '6 days')");
    }
    static discovered_calendar anna() {
        return {
            .google_id = "anna@example.com", .summary = "Anna", .time_zone = "Europe/Berlin", .access_role = "owner", .is_primary = true};
    }
    static discovered_calendar team(std::string role = "writer") {
        return {.google_id = "team@example.com", .summary = "Team", .time_zone = "Europe/Zurich", .access_role = std::move(role)};
    }
    task<result<std::vector<wake>>> save(std::vector<discovered_calendar> found, bool whole, list_state began, std::string token = "next") {
        auto tx = co_await db_->begin(tenant_);
        calendar_findings findings;
        findings.found = std::move(found);
        findings.whole = whole;
        findings.began = std::move(began);
        findings.sync_token = std::move(token);
        auto wakes = co_await save_calendars(**tx, tenant_, connection_, findings);
        if (!wakes) co_return wakes.error();
        auto const done = co_await (*tx)->commit();
        worked(done);
        co_return std::move(*wakes);
    }
    std::vector<wake> listed(std::vector<discovered_calendar> found, bool whole = true) {
        std::vector<wake> out;
        run([](Discovery& t, std::vector<discovered_calendar> f, bool w, std::vector<wake>& got) -> task<void> {
            auto began = co_await read_list_state(*t.db_, t.tenant_, t.connection_);
            if (!worked(began)) co_return;
            auto wakes = co_await t.save(std::move(f), w, std::move(*began));
            if (worked(wakes)) got = std::move(*wakes);
        }(*this, std::move(found), whole, out));
        return out;
    }
    result<chosen> choose(calendar_id calendar, calendar_choice choice) {
        std::optional<result<chosen>> out;
        run([](Discovery& t, calendar_id c, calendar_choice what, std::optional<result<chosen>>& got) -> task<void> {
            got = co_await choose_calendar(*t.gateway_, t.tenant_, t.connection_, c, what, "anna");
        }(*this, calendar, choice, out));
        return *out;
    }
    calendar_id id_of(std::string const& google) const {
        return calendar_id{*parse_uuid(sql("select calendar_id from calendars where google_calendar_id = '" + google + "'"))};
    }
    std::string team_is(std::string const& columns) const {
        return sql("select " + columns + " from calendars where google_calendar_id = 'team@example.com'");
    }
    // A worker holds it.
    std::optional<leased_calendar> hold(calendar_id calendar) {
        std::optional<leased_calendar> out;
        run([](Discovery& t, calendar_id c, std::optional<leased_calendar>& got) -> task<void> {
            auto held = co_await acquire_lease(*t.worker_, t.tenant_, c, "w1", 60s);
            if (worked(held)) got = std::move(*held);
        }(*this, calendar, out));
        return out;
    }
    bool still_held(held_lease const& lease) {
        bool yes = false;
        run([](Discovery& t, held_lease held, bool& out) -> task<void> {
            auto const renewed = co_await renew_lease(*t.worker_, held, 60s);
            out = renewed.has_value();
        }(*this, lease, yes));
        return yes;
    }

    tenant_id tenant_{"acme"};
    calendar_id calendar_ = add_calendar("acme", "anna");
    connection_id connection_ = connection_of(calendar_);
    std::unique_ptr<pg::database> db_ = open("renewer"), gateway_ = open("gateway"), worker_ = open("worker");
};

TEST_F(Discovery, WhatChangedIsTakenOverAndTheRestLeftAlone) {
    listed({anna(), team()});
    listed({team("reader"), {.google_id = "new@example.com", .summary = "New", .access_role = "owner"}}, false);

    EXPECT_EQ(sql("select string_agg(summary || ' ' || access_role || ' ' || selected, ',' order by summary) from calendars where "
                  "missing_since is null"),
              "Anna owner true,New owner false,Team reader false");
    EXPECT_EQ(sql("select list_sync_token from user_calendar_connections"), "next");
}

TEST_F(Discovery, HiddenDeletedAndUnlistedCalendarsAreMarkedAndKeepWhatTheyHave) {
    listed(
        {anna(), team(), {.google_id = "b@example.com", .access_role = "reader"}, {.google_id = "c@example.com", .access_role = "reader"}});
    sql("update calendars set selected = true");
    std::string const c = "'" + id_of("team@example.com").str() + "'";
    sql("insert into tasks (tenant_id, task_id, user_id, version, snapshot, calendar_id) values ('acme', 't', 'anna', 1, '{}', " + c + ")");
    sql("insert into task_links (tenant_id, link_id, task_id, connection_id, calendar_id, google_calendar_id, google_calendar_event_id) "
        "values "
        "('acme', gen_random_uuid(), 't', '" +
        connection_.str() + "', " + c + ", 'g', 'e')");
    sql("insert into events (tenant_id, calendar_id, google_event_id, etag, status, raw) values ('acme', " + c +
        ", 'e', 't', 'confirmed', '{}')");

    discovered_calendar hidden = team();
    hidden.hidden = true;
    listed({hidden, {.google_id = "b@example.com", .deleted = true}}, false);
    listed({anna(), hidden});

    EXPECT_EQ(sql("select string_agg(google_calendar_id || ' ' || missing_reason, ',' order by google_calendar_id) from calendars "
                  "where missing_since is not null"),
              "b@example.com deleted,c@example.com not_listed,team@example.com hidden");
    EXPECT_EQ(sql("select (select count(*) from tasks) || ' ' || (select string_agg(state, ',') from task_links) || ' ' || (select "
                  "count(*) from events)"),
              "1 pending 1");
}

TEST_F(Discovery, ThePrimaryIsNotLostByBeingHidden) {
    discovered_calendar hidden = anna();
    hidden.hidden = true;
    listed({hidden});

    EXPECT_EQ(of_calendar(calendar_, "missing_since is null"), "t");
}

TEST_F(Discovery, ACalendarThatReturnsGoesOnWithAFullPass) {
    discovered_calendar gone{.google_id = "anna@example.com", .deleted = true};
    listed({gone}, false);
    EXPECT_EQ(sql("select state from channels"), "superseded") << "nobody watches it meanwhile";

    auto const wakes = listed({anna()}, false);

    ASSERT_EQ(wakes.size(), 1U);
    EXPECT_EQ(wakes[0].calendar, calendar_);
    EXPECT_EQ(of_calendar(calendar_, "(sync_token is null) || ' ' || dirty_seq || ' ' || missing_reason || (channel_due_at <= now())"),
              "true 4 true");
}

TEST_F(Discovery, AnOlderReadingDoesNotUndoANewerOne) {
    run([](Discovery& t) -> task<void> {
        auto const slow = co_await read_list_state(*t.db_, t.tenant_, t.connection_);
        auto const quick = co_await t.save({anna(), team()}, true, *slow);
        worked(quick);
        auto const late = co_await t.save({anna()}, true, *slow);
        failed_with(late, errc::conflict);
    }(*this));

    EXPECT_EQ(team_is("missing_since is null"), "t");
}

TEST_F(Discovery, TasksThatWereRefusedForWantOfAccessAreTriedAgainWithIt) {
    listed({anna(), team("reader")});
    sql("insert into tasks (tenant_id, task_id, user_id, version, snapshot, calendar_id, state, reason, dirty_seq, synced_seq) values "
        "('acme', 't', 'anna', 1, '{}', '" +
        id_of("team@example.com").str() + "', 'failed', 'calendar_read_only', 1, 1)");

    auto const wakes = listed({team("writer")}, false);

    EXPECT_EQ(wakes.size(), 1U);
    EXPECT_EQ(sql("select state || ' ' || dirty_seq from tasks"), "pending 2");
}

TEST_F(Discovery, NewTasksDoNotGoToADefaultThatIsNotThere) {
    auto const place = [&] { return sql("select coalesce(place_of_task('acme', 't', 'anna', '')::text, 'nowhere')"); };
    EXPECT_EQ(place(), calendar_.str());
    listed({{.google_id = "anna@example.com", .deleted = true}}, false);

    EXPECT_EQ(place(), "nowhere");
}

TEST_F(Discovery, APushMakesTheListDueOnceAndOnlyThatConnections) {
    add_calendar("acme", "bert");
    auto const due = [&] {
        std::vector<discovery_duty> out;
        run([](Discovery& t, std::vector<discovery_duty>& got) -> task<void> {
            auto duties = co_await claim_discoveries(*t.db_, 10);
            if (worked(duties)) got = std::move(*duties);
        }(*this, out));
        return out;
    };
    EXPECT_TRUE(due().empty());
    sql("update user_calendar_connections set list_dirty_seq = 1 where user_id = 'anna'");

    auto const first = due();
    ASSERT_EQ(first.size(), 1U);
    EXPECT_EQ(first[0].connection, connection_);
    EXPECT_FALSE(first[0].whole);
    EXPECT_TRUE(due().empty()) << "claimed";
    listed({}, false);
    sql("update user_calendar_connections set discovery_claimed_until = '-infinity'");
    EXPECT_TRUE(due().empty()) << "read";
    sql("update user_calendar_connections set calendars_read_at = now() - interval '25 hours' where user_id = 'anna'");
    auto const daily = due();
    ASSERT_EQ(daily.size(), 1U);
    EXPECT_TRUE(daily[0].whole);
}

TEST_F(Discovery, DeselectingStopsTheChannelAndTheListingButNotTheTasks) {
    sql("insert into tasks (tenant_id, task_id, user_id, version, snapshot, calendar_id) values ('acme', 't', 'anna', 1, '{}', '" +
        calendar_.str() + "')");
    sql("update calendars set dirty_seq = 4");

    auto const done = choose(calendar_, {.selected = false});

    ASSERT_TRUE(worked(done));
    EXPECT_FALSE(done->calendar.selected);
    EXPECT_EQ(sql("select state from channels"), "superseded");
    run([](Discovery& t) -> task<void> {
        auto const polls = co_await claim_polls(*t.db_, 10, 1s, 1s, 0.5);
        EXPECT_TRUE(worked(polls) && polls->empty());
        intake work(*t.worker_);
        auto const due = co_await work.due_work(10);
        EXPECT_TRUE(worked(due) && due->size() == 1) << "the task is still pushed";
    }(*this));
    EXPECT_EQ(sql("select who || ' ' || what || ' ' || (detail ->> 'selected') from audit_log"), "anna calendar.chosen false");
}

TEST_F(Discovery, SelectingAgainReadsInFull) {
    worked(choose(calendar_, {.selected = false}));

    auto const done = choose(calendar_, {.selected = true});

    ASSERT_TRUE(worked(done));
    ASSERT_EQ(done->wakes.size(), 1U);
    EXPECT_EQ(done->wakes[0].calendar, calendar_);
    EXPECT_FALSE(done->calendar.sync_token);
    EXPECT_GT(done->calendar.dirty_seq, done->calendar.synced_seq);
    EXPECT_EQ(of_calendar(calendar_, "channel_due_at <= now()"), "t");
    auto const again = choose(calendar_, {.selected = true});
    EXPECT_TRUE(worked(again) && again->wakes.empty() && again->calendar.dirty_seq == done->calendar.dirty_seq) << "nothing changed";
}

TEST_F(Discovery, TheDefaultMustBeThereAndWritable) {
    listed({anna(), team("reader"), {.google_id = "gone@example.com", .access_role = "owner"}});
    listed({{.google_id = "gone@example.com", .deleted = true}}, false);
    calendar_id const other = add_calendar("acme", "bert");

    failed_with(choose(id_of("team@example.com"), {.make_default = true}), errc::forbidden);
    failed_with(choose(id_of("gone@example.com"), {.make_default = true}), errc::conflict);
    failed_with(choose(id_of("gone@example.com"), {.selected = true}), errc::conflict);
    failed_with(choose(other, {.make_default = true}), errc::not_found);
    EXPECT_EQ(sql("select default_calendar_id from user_calendar_connections where user_id = 'anna'"), calendar_.str());
    listed({team("writer")}, false);
    worked(choose(id_of("team@example.com"), {.make_default = true}));
    EXPECT_EQ(sql("select default_calendar_id from user_calendar_connections where user_id = 'anna'"), id_of("team@example.com").str());
}

TEST_F(Discovery, ANewDefaultTakesTheTasksThatWaited) {
    listed({anna(), team()});
    listed({{.google_id = "anna@example.com", .deleted = true}}, false);
    sql("insert into tasks (tenant_id, task_id, user_id, version, snapshot, state) values ('acme', 't', 'anna', 1, '{}', 'waiting')");

    auto const done = choose(id_of("team@example.com"), {.make_default = true});

    ASSERT_TRUE(worked(done));
    ASSERT_EQ(done->wakes.size(), 1U);
    EXPECT_EQ(done->wakes[0].calendar, id_of("team@example.com"));
    EXPECT_EQ(sql("select state from tasks"), "pending");
}

TEST_F(Discovery, EverySettingAWorkerWorksByTakesItsLeaseAway) {
    for (auto const* change :
         {"mode = 'google_to_crm'", "conflict_policy = 'crm_wins'", "delete_choice = 'unlink'", "import_external_events = true",
          "auto_sync_tasks = false", "sync_settings = '{\"a\":1}'", "task_type_colors = '{\"call\":\"#ff0000\"}'"}) {
        auto const held = hold(calendar_);
        ASSERT_TRUE(held) << change;
        sql("update user_calendar_connections set last_synced_at = now(), access_token = 'n'");
        EXPECT_TRUE(still_held(held->lease)) << "what is no setting takes nothing away";
        sql(std::string("update user_calendar_connections set ") + change);
        EXPECT_FALSE(still_held(held->lease)) << change;
    }
    for (auto const* change : {"insert into tenant_settings (tenant_id, settings) values ('acme', '{}')",
                               "update tenant_settings set settings = '{\"a\":1}' where tenant_id = 'acme'"}) {
        auto const held = hold(calendar_);
        sql("insert into tenant_settings (tenant_id) values ('other') on conflict (tenant_id) do update set settings = '{\"b\":1}'");
        EXPECT_TRUE(still_held(held->lease)) << "another tenant's settings";
        sql(change);
        EXPECT_FALSE(still_held(held->lease)) << change;
    }
    auto const held = hold(calendar_);
    worked(choose(calendar_, {.selected = false}));
    EXPECT_FALSE(still_held(held->lease)) << "and so does the selection";
}

}  // namespace
}  // namespace calbridge::store
