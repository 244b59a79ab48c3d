#include "store/store_fixture.h"

#include <algorithm>
#include <set>

namespace calbridge::store {
namespace {

using namespace std::chrono_literals;
using kind = channel_duty::kind;

class Clockwork : public store_fixture {
public:
    task<std::vector<channel_duty>> duties(int most = 10, std::chrono::milliseconds life = 60s) {
        auto got = co_await claim_channel_duties(*db_, most, life);
        worked(got);
        co_return got ? std::move(*got) : std::vector<channel_duty>{};
    }
    static channel_row row_of(channel_duty const& duty) {
        channel_row row;
        row.tenant = duty.tenant;
        row.id = channel_id{random_uuid()};
        row.connection = duty.connection;
        row.calendar = duty.calendar;
        return row;
    }
    task<channel_row> open_pending(channel_duty duty) {
        channel_row const row = row_of(duty);
        bytes const hash{1, 2, 3};
        auto const inserted = co_await insert_channel(*db_, row, hash);
        worked(inserted);
        co_return row;
    }
    task<result<void>> activate(channel_row row, std::string resource = "resource") {
        std::vector<outbox_message> none;
        instant const now = system_clock{}.now();
        co_return co_await activate_channel(*db_, row, resource, now + 168h, now + 144h, none);
    }
    task<channel_row> open_active(channel_duty duty) {
        auto const row = co_await open_pending(std::move(duty));
        auto const active = co_await activate(row);
        worked(active);
        co_return row;
    }
    void channel_is_due() { sql("update calendars set channel_due_at = now() - interval '1 second'"); }
    std::string states() const { return sql("select coalesce(string_agg(state, ',' order by created_at), '') from channels"); }

    calendar_id calendar_ = add_calendar("acme", "anna");
    std::unique_ptr<pg::database> db_ = open("renewer");
};

TEST_F(Clockwork, ANewCalendarWantsAChannelAndIsClaimedOnce) {
    run([](Clockwork& t) -> task<void> {
        auto const first = co_await t.duties();
        auto const second = co_await t.duties();
        EXPECT_EQ(first.size(), 1U);
        EXPECT_TRUE(second.empty());
        if (first.empty()) co_return;
        EXPECT_EQ(first[0].what, kind::open);
        EXPECT_EQ(first[0].calendar, t.calendar_);
        EXPECT_EQ(first[0].google_calendar_id, "anna@example.com");
        EXPECT_EQ(first[0].user.str(), "anna");
        EXPECT_FALSE(first[0].channel);
        t.channel_is_due();
        EXPECT_EQ((co_await t.duties()).size(), 1U) << "the claim of a renewer that died runs out";
    }(*this));
}

TEST_F(Clockwork, UnselectedMissingAndRevokedCalendarsWantNone) {
    for (auto const* change : {"update calendars set selected = false", "update calendars set selected = true, missing_since = now()",
                               "update calendars set missing_since = null; update user_calendar_connections set status = 'revoked'"}) {
        sql(change);
        run([](Clockwork& t, std::string what) -> task<void> { EXPECT_TRUE((co_await t.duties()).empty()) << what; }(*this, change));
    }
}

TEST_F(Clockwork, AnActiveChannelIsReplacedWhenItIsDueWithoutAGap) {
    run([](Clockwork& t) -> task<void> {
        auto const opening = co_await t.duties();
        auto const old = co_await t.open_active(opening.at(0));
        EXPECT_TRUE((co_await t.duties()).empty());
        t.channel_is_due();
        auto const renewing = co_await t.duties();
        EXPECT_EQ(renewing.size(), 1U);
        EXPECT_EQ(renewing.at(0).what, kind::renew);
        EXPECT_EQ(renewing.at(0).channel->id, old.id);
        EXPECT_EQ(renewing.at(0).channel->resource_id, "resource");
        auto const fresh = co_await t.open_pending(renewing.at(0));
        EXPECT_EQ(t.states(), "active,pending");
        auto const active = co_await t.activate(fresh);
        worked(active);
        EXPECT_EQ(t.states(), "superseded,active");

        EXPECT_TRUE((co_await t.duties()).empty()) << "the successor has not delivered yet";
        t.sql("update channels set verified_at = now() where state = 'active'");
        auto const stopping = co_await t.duties();
        EXPECT_EQ(stopping.size(), 1U);
        EXPECT_EQ(stopping.at(0).what, kind::stop);
        EXPECT_EQ(stopping.at(0).channel->id, old.id);
        EXPECT_TRUE((co_await t.duties()).empty()) << "claimed";
        auto const stopped = co_await stop_channel_row(*t.db_, t.row_of(stopping.at(0)).tenant, old.id, "replaced");
        worked(stopped);
        EXPECT_EQ(t.states(), "stopped,active");
    }(*this));

    EXPECT_EQ(of_calendar(calendar_, "dirty_seq"), "2");
}

TEST_F(Clockwork, ASupersededChannelGoesAfterAnHourAtTheLatest) {
    run([](Clockwork& t) -> task<void> {
        auto const opening = co_await t.duties();
        co_await t.open_active(opening.at(0));
        co_await t.open_active(opening.at(0));
        EXPECT_TRUE((co_await t.duties()).empty());
        t.sql("update channels set superseded_at = now() - interval '61 minutes' where state = 'superseded'");
        auto const stopping = co_await t.duties();
        EXPECT_EQ(stopping.size(), 1U);
        EXPECT_EQ(stopping.at(0).what, kind::stop);
    }(*this));
}

TEST_F(Clockwork, WhatACrashLeftPendingIsSupersededWithTheResourceThatStopsIt) {
    run([](Clockwork& t) -> task<void> {
        auto const first = co_await t.duties();
        auto const lost = co_await t.open_pending(first.at(0));
        t.channel_is_due();
        auto const second = co_await t.duties();
        EXPECT_EQ(second.at(0).what, kind::open);
        auto const good = co_await t.open_active(second.at(0));
        EXPECT_EQ(t.sql("select state || ' ' || resource_id from channels where channel_id = '" + lost.id.str() + "'"),
                  "superseded resource");

        auto const late = co_await t.activate(lost);
        failed_with(late, errc::gone);
        EXPECT_EQ(t.sql("select count(*) from channels where state = 'active'"), "1");
        EXPECT_EQ(t.sql("select state from channels where channel_id = '" + good.id.str() + "'"), "active");
        auto const stopping = co_await t.duties();
        EXPECT_EQ(stopping.size(), 1U) << "the late one is stopped at once";
    }(*this));
}

TEST_F(Clockwork, ACalendarUnselectedDuringTheWatchGivesItsChannelUp) {
    run([](Clockwork& t) -> task<void> {
        auto const opening = co_await t.duties();
        auto const pending = co_await t.open_pending(opening.at(0));
        t.sql("update calendars set selected = false");
        auto const late = co_await t.activate(pending);
        failed_with(late, errc::gone);
        auto const stopping = co_await t.duties();
        EXPECT_EQ(stopping.size(), 1U);
        EXPECT_EQ(stopping.at(0).what, kind::stop);
        EXPECT_EQ(stopping.at(0).channel->resource_id, "resource");
    }(*this));
}

TEST_F(Clockwork, FailuresAreCountedAndWaitedOut) {
    run([](Clockwork& t) -> task<void> {
        for (int n = 1; n <= 3; ++n) {
            auto const opening = co_await t.duties();
            EXPECT_EQ(opening.size(), 1U);
            EXPECT_EQ(opening.at(0).failures, n - 1);
            auto const pending = co_await t.open_pending(opening.at(0));
            auto const failures = co_await channel_failed(*t.db_, pending, "unavailable", false, n == 3, 600s);
            EXPECT_TRUE(worked(failures) && *failures == n);
            EXPECT_TRUE((co_await t.duties()).empty());
            t.channel_is_due();
        }
        EXPECT_EQ(t.states(), "stopped,stopped,pending") << "a watch whose outcome is unknown may live at Google";
        auto const opening = co_await t.duties();
        co_await t.open_active(opening.at(0));
        EXPECT_EQ(t.of_calendar(t.calendar_, "channel_failures || ' ' || pushable"), "0 true");
    }(*this));
}

TEST_F(Clockwork, ARefusedCalendarIsRememberedAndRetriedRarely) {
    run([](Clockwork& t) -> task<void> {
        auto const opening = co_await t.duties();
        auto const pending = co_await t.open_pending(opening.at(0));
        auto const failures = co_await channel_failed(*t.db_, pending, "pushNotSupported", true, false, 168h);
        worked(failures);
        EXPECT_EQ(t.of_calendar(t.calendar_, "pushable"), "f");
        EXPECT_TRUE((co_await t.duties()).empty());
        t.channel_is_due();
        EXPECT_EQ((co_await t.duties()).size(), 1U);
    }(*this));
}

TEST_F(Clockwork, ChangedChannelsAreToldToTheirListenersAndDeliveriesAreNot) {
    run([](Clockwork& t) -> task<void> {
        auto const ingest = t.open("ingest");
        std::vector<std::string> told;
        task_group group(t.ioc_.get_executor());
        int gaps = 0;
        group.spawn("listen", ingest->listen("calbridge_channels", [&](std::string_view id) { told.emplace_back(id); }, [&] { ++gaps; }));
        for (int i = 0; i < 500 && gaps == 0; ++i) co_await sleep_for(10ms);
        auto const opening = co_await t.duties();
        auto const row = co_await t.open_active(opening.at(0));
        t.sql("update channels set last_message_number = 5, last_message_at = now()");
        auto const stopped = co_await stop_channel_row(*t.db_, row.tenant, row.id, "test");
        worked(stopped);
        for (int i = 0; i < 500 && told.size() < 3; ++i) co_await sleep_for(10ms);
        EXPECT_EQ(told, std::vector<std::string>(3, row.id.str())) << "inserted, activated, stopped";
        group.cancel();
        co_await group.join();
    }(*this));
}

TEST_F(Clockwork, PollsRaiseTheCounterAndMoveOn) {
    run([](Clockwork& t) -> task<void> {
        auto const first = co_await claim_polls(*t.db_, 10, 120s, 3600s, 0.5);
        auto const second = co_await claim_polls(*t.db_, 10, 120s, 3600s, 0.5);
        EXPECT_TRUE(worked(first) && first->size() == 1 && first->at(0).degraded);
        EXPECT_TRUE(worked(second) && second->empty());
        EXPECT_EQ(t.of_calendar(t.calendar_, "dirty_seq || ' ' || (next_poll_at - now() between interval '89 s' and interval '151 s')"),
                  "1 true");
        t.sql(
            "insert into channels (tenant_id, channel_id, connection_id, calendar_id, token_hash, state, verified_at, expires_at) values "
            "('acme', gen_random_uuid(), '" +
            t.connection_of(t.calendar_).str() + "', '" + t.calendar_.str() + "', 'h', 'active', now(), now() + interval '1 day')");
        t.sql("update calendars set next_poll_at = now()");
        auto const healthy = co_await claim_polls(*t.db_, 10, 120s, 3600s, 0.5);
        EXPECT_TRUE(worked(healthy) && healthy->size() == 1 && !healthy->at(0).degraded);
        EXPECT_EQ(t.of_calendar(t.calendar_, "next_poll_at - now() between interval '2690 s' and interval '4510 s'"), "t");
        t.sql("update calendars set next_poll_at = now(), last_changed_at = now()");
        auto const active = co_await claim_polls(*t.db_, 10, 120s, 3600s, 0.5);
        worked(active);
        EXPECT_EQ(t.of_calendar(t.calendar_, "next_poll_at - now() < interval '151 s'"), "t");
    }(*this));
}

TEST_F(Clockwork, OverdueWorkIsNamedAtMostOnceInItsGrace) {
    calendar_id const tasks_only = add_calendar("acme", "bert");
    calendar_id const fresh = add_calendar("acme", "carl");
    calendar_id const held = add_calendar("acme", "dora");
    sql("update calendars set dirty_seq = 1, dirty_at = now() - interval '1 minute' where calendar_id in ('" + calendar_.str() + "', '" +
        held.str() + "')");
    sql("update calendars set dirty_seq = 1, dirty_at = now() where calendar_id = '" + fresh.str() + "'");
    sql("update calendars set lease_until = now() + interval '1 minute' where calendar_id = '" + held.str() + "'");
    sql("insert into tasks (tenant_id, task_id, user_id, version, snapshot, calendar_id, received_at) values ('acme', 't', 'bert', 1, "
        "'{}', '" +
        tasks_only.str() + "', now() - interval '1 minute')");
    run([](Clockwork& t, std::set<calendar_id> expected) -> task<void> {
        auto const first = co_await overdue_work(*t.db_, 10, 30s);
        auto const second = co_await overdue_work(*t.db_, 10, 30s);
        if (!worked(first) || !worked(second)) co_return;
        std::set<calendar_id> named;
        for (wake const& w : *first) named.insert(w.calendar);
        EXPECT_EQ(named, expected);
        EXPECT_TRUE(second->empty());
    }(*this, {calendar_, tasks_only}));
}

TEST_F(Clockwork, OverdueWorkIsLookedUpAndNotSearchedFor) {
    std::string const scans =
        "; select sum(seq_scan) from pg_stat_xact_user_tables where relname in ('calendars', 'tasks', 'user_calendar_connections')";

    EXPECT_EQ(sql("select count(*) from due_work(10)" + scans), "0");
    EXPECT_EQ(sql("select count(*) from overdue_work(10, 0)" + scans), "0");
}

TEST_F(Clockwork, TasksThatMissedTheirDiscoveryArePlaced) {
    sql("insert into tasks (tenant_id, task_id, user_id, version, snapshot, state) values ('acme', 't1', 'anna', 1, '{}', 'waiting'), "
        "('acme', 't2', 'nobody', 1, '{}', 'waiting')");
    run([](Clockwork& t) -> task<void> {
        auto const placed = co_await place_waiting(*t.db_, 10);
        EXPECT_TRUE(worked(placed) && placed->size() == 1 && placed->at(0).calendar == t.calendar_);
        auto const again = co_await place_waiting(*t.db_, 10);
        EXPECT_TRUE(worked(again) && again->empty());
    }(*this));

    EXPECT_EQ(sql("select string_agg(task_id || state, ' ' order by task_id) from tasks"), "t1pending t2waiting");
}

TEST_F(Clockwork, IdleGrantsAndStaleDiscoveriesAreNamedOnceInAWhile) {
    run([](Clockwork& t) -> task<void> {
        auto const used = co_await idle_grants(*t.db_, 10);
        auto const read = co_await claim_discoveries(*t.db_, 10);
        EXPECT_TRUE(worked(used) && used->empty());
        EXPECT_TRUE(worked(read) && read->empty());
        t.sql(
            "update user_calendar_connections set token_expires_at = now() - interval '1 day', calendars_read_at = now() - interval '25 "
            "hours'");
        for (std::size_t const expected : {1U, 0U}) {
            auto const idle = co_await idle_grants(*t.db_, 10);
            auto const stale = co_await claim_discoveries(*t.db_, 10);
            EXPECT_TRUE(worked(idle) && idle->size() == expected);
            EXPECT_TRUE(worked(stale) && stale->size() == expected);
        }
    }(*this));
}

TEST_F(Clockwork, RetentionTakesTheOldAndLeavesWhatStillServes) {
    std::string const connection = connection_of(calendar_).str();
    sql("insert into inbox (tenant_id, source, message_id, seen_at) select 'acme', 's', n::text, now() - interval '15 days' from "
        "generate_series(1, 5) n");
    sql("insert into inbox (tenant_id, source, message_id) values ('acme', 's', 'new')");
    sql("insert into outbox (tenant_id, message_id, topic, message_key, value, status, sent_at) values ('acme', gen_random_uuid(), 't', "
        "'k', 'v', 'sent', now() - interval '2 days'), "
        "('acme', gen_random_uuid(), 't', 'k', 'v', 'pending', null)");
    sql("insert into tasks (tenant_id, task_id, user_id, version, snapshot) values ('acme', 't', 'anna', 1, '{}')");
    sql("insert into task_links (tenant_id, link_id, task_id, connection_id, calendar_id, google_calendar_id, google_calendar_event_id) "
        "values ('acme', gen_random_uuid(), 't', '" +
        connection + "', '" + calendar_.str() + "', 'g', 'e')");
    sql("insert into operations (tenant_id, operation_id, link_id, calendar_id, sequence, kind, state, created_at) select 'acme', "
        "gen_random_uuid(), link_id, calendar_id, n, 'patch', "
        "case when n = 1 then 'pending' else 'done' end, now() - interval '31 days' from task_links, generate_series(1, 3) n");
    run([](Clockwork& t) -> task<void> {
        auto const some = co_await retain(*t.db_, 3);
        EXPECT_TRUE(worked(some) && *some == 5) << "3 of the inbox, 1 of the outbox, 1 operation";
        auto const rest = co_await retain(*t.db_, 100);
        EXPECT_TRUE(worked(rest) && *rest == 2);
    }(*this));

    EXPECT_EQ(sql("select string_agg(message_id, ',') from inbox"), "new");
    EXPECT_EQ(sql("select string_agg(status, ',') from outbox"), "pending");
    EXPECT_EQ(sql("select string_agg(sequence::text, ',' order by sequence) from operations"), "1,3")
        << "an unanswered one and the newest stay";
}

TEST_F(Clockwork, BacklogCountsWhatWaits) {
    sql("update calendars set dirty_seq = 1, dirty_at = now() - interval '100 s'");
    run([](Clockwork& t) -> task<void> {
        auto const b = co_await read_backlog(*t.db_);
        if (!worked(b)) co_return;
        EXPECT_EQ(b->pending_calendars, 1);
        EXPECT_EQ(b->calendars_without_channel, 1);
        EXPECT_EQ(b->pending_tasks, 0);
        EXPECT_EQ(b->outbox_pending, 0);
        EXPECT_GE(b->oldest_pending_seconds, 100.0);
    }(*this));
}

}  // namespace
}  // namespace calbridge::store
