#include "store/store_fixture.h"

namespace calbridge::store {
namespace {

using namespace std::chrono_literals;

// Channels on calendar lists, a channel's health, and what the dead leave behind.
class Health : public store_fixture {
public:
    Health() { sql("update calendars set sync_token = 'token', channel_due_at = 'infinity'"); }

    channel_id add_channel(std::string const& calendar, std::string const& more = "state, verified_at",
                           std::string const& values = "'active', now()") {
        channel_id const id{random_uuid()};
        sql("insert into channels (tenant_id, channel_id, connection_id, calendar_id, token_hash, expires_at, created_at, kind, " + more +
            ") values ('acme', '" + id.str() + "', '" + connection_.str() + "', " + calendar +
            ", 'h', now() + interval '6 days', now() - interval '1 day', " + (calendar == "null" ? "'calendar_list'" : "'events'") + ", " +
            values + ")");
        return id;
    }
    std::string quoted() const { return "'" + calendar_.str() + "'"; }
    void take(hint_intake hint) {
        run([](Health& t, hint_intake h) -> task<void> {
            intake in(*t.worker_);
            std::vector<hint_intake> hints{std::move(h)};
            auto const taken = co_await in.take_in({}, std::move(hints), {});
            worked(taken);
        }(*this, std::move(hint)));
    }
    static hint_intake push_on(channel_id channel, calendar_id calendar, std::string const& message, std::int64_t number = 2) {
        hint_intake h = hint_of(calendar, message);
        h.channel = channel;
        h.message_number = number;
        return h;
    }
    poll_duty poll() {
        poll_duty out;
        run([](Health& t, poll_duty& got) -> task<void> {
            t.sql("update calendars set next_poll_at = now()");
            auto polls = co_await claim_polls(*t.renewer_, 10, 120s, 3600s, 0.5);
            if (worked(polls) && polls->size() == 1) got = polls->at(0);
        }(*this, out));
        return out;
    }
    // The pass that follows a poll.
    void pass(bool finds) {
        sql(std::string("update calendars set synced_seq = dirty_seq, dirty_at = null") + (finds ? ", last_changed_at = now()" : ""));
    }
    double wait_s() const { return std::stod(of_calendar(calendar_, "extract(epoch from next_poll_at - now())")); }
    std::vector<orphan> orphans() {
        std::vector<orphan> out;
        run([](Health& t, std::vector<orphan>& got) -> task<void> {
            auto found = co_await put_right_orphans(*t.renewer_, 100, 30min);
            if (worked(found)) got = std::move(*found);
        }(*this, out));
        return out;
    }
    std::string kinds() {
        std::string all;
        for (orphan const& each : orphans()) all += each.what + (each.where ? "+" : "") + " ";
        return all;
    }
    std::string list_seq() const { return sql("select list_dirty_seq from user_calendar_connections where user_id = 'anna'"); }

    calendar_id calendar_ = add_calendar("acme", "anna");
    connection_id connection_ = connection_of(calendar_);
    std::unique_ptr<pg::database> renewer_ = open("renewer"), worker_ = open("worker");
};

TEST_F(Health, APushOnTheListRaisesTheListAndNoCalendar) {
    channel_id const channel = add_channel("null", "state", "'active'");

    take(push_on(channel, calendar_id{}, "m1"));
    take(push_on(channel, calendar_id{}, "m1"));

    EXPECT_EQ(list_seq(), "1") << "a repeated message counts once";
    EXPECT_EQ(of_calendar(calendar_, "dirty_seq"), "0");
    EXPECT_EQ(sql("select last_message_number || ' ' || (verified_at is not null) from channels"), "2 true");
    take(push_on(channel, calendar_, "m2"));
    EXPECT_EQ(of_calendar(calendar_, "dirty_seq") + list_seq(), "01") << "a list's channel speaks for no calendar";
    take(push_on(channel_id{random_uuid()}, calendar_id{}, "m3"));
    take(hint_of(calendar_id{}, "m4"));
    EXPECT_EQ(list_seq(), "1") << "without a channel of ours it means nothing";
}

TEST_F(Health, APushCountsOnlyForALiveChannelOfItsCalendar) {
    calendar_id const other = add_calendar("acme", "bert");
    channel_id const live = add_channel(quoted());
    channel_id const stopped = add_channel(quoted(), "state", "'stopped'");

    take(push_on(live, other, "m1"));
    take(push_on(stopped, calendar_, "m2"));
    take(push_on(channel_id{random_uuid()}, calendar_, "m3"));
    EXPECT_EQ(of_calendar(calendar_, "dirty_seq") + of_calendar(other, "dirty_seq"), "00");

    take(push_on(live, calendar_, "m4"));
    EXPECT_EQ(of_calendar(calendar_, "dirty_seq"), "1");
}

TEST_F(Health, TwoPollsInARowThatFindWhatNobodyAnnouncedReplaceTheChannel) {
    add_channel(quoted());
    EXPECT_EQ(poll().misses, 0);
    pass(true);
    EXPECT_EQ(poll().misses, 1) << "a dropped push is no failure yet";
    EXPECT_EQ(of_calendar(calendar_, "channel_due_at"), "infinity");
    pass(true);

    auto const second = poll();

    EXPECT_EQ(second.misses, 2);
    EXPECT_TRUE(second.degraded);
    EXPECT_EQ(of_calendar(calendar_, "channel_due_at <= now()"), "t");
    EXPECT_LT(wait_s(), 200.0) << "polled as active";
}

TEST_F(Health, ADeliverySinceThePollClearsTheChannel) {
    channel_id const channel = add_channel(quoted());
    poll();
    pass(true);
    EXPECT_EQ(poll().misses, 1);
    pass(true);
    take(push_on(channel, calendar_, "late"));
    pass(true);

    EXPECT_EQ(poll().misses, 0) << "it was only slow";
}

TEST_F(Health, TheFirstMessageOfANewChannelProvesNoDelivery) {
    channel_id const channel = add_channel(quoted());
    poll();
    pass(true);
    EXPECT_EQ(poll().misses, 1);
    pass(true);
    take(push_on(channel, calendar_, "sync", 1));
    pass(true);

    EXPECT_EQ(poll().misses, 1) << "neither for nor against it";
}

TEST_F(Health, APollWithWorkAlreadyAnnouncedOrDuringAFullPassProvesNothing) {
    channel_id const channel = add_channel(quoted());
    take(push_on(channel, calendar_, "m"));
    sql("update channels set last_message_at = now() - interval '1 hour'");
    poll();
    pass(true);
    EXPECT_EQ(poll().misses, 0) << "the push had come before";
    sql("update calendars set sync_token = null, push_misses = 0");
    poll();
    pass(true);
    EXPECT_EQ(poll().misses, 0) << "a first reading finds everything";
}

TEST_F(Health, AChannelThatNeverDeliveredAnythingIsDegradedAndReplacedToo) {
    add_channel(quoted(), "state", "'active'");
    EXPECT_TRUE(poll().degraded);
    pass(true);
    poll();
    pass(true);

    EXPECT_EQ(poll().misses, 2);
    EXPECT_EQ(of_calendar(calendar_, "channel_due_at <= now()"), "t");
}

TEST_F(Health, ThreeFailedRenewalsArePolledAsActiveWhileTheOldChannelLives) {
    add_channel(quoted());
    poll();
    EXPECT_GT(wait_s(), 2000.0);
    sql("update calendars set channel_failures = 3, synced_seq = dirty_seq");

    EXPECT_TRUE(poll().degraded);
    EXPECT_LT(wait_s(), 500.0);
}

TEST_F(Health, PollsThatFindNothingComeMoreAndMoreSlowly) {
    add_channel(quoted());
    sql("update calendars set last_changed_at = now()");
    double before = 0;
    for (int i = 0; i < 4; ++i) {
        poll();
        pass(false);
        EXPECT_GT(wait_s(), before) << i;
        before = wait_s();
    }
    sql("update calendars set last_changed_at = now()");
    poll();
    EXPECT_LT(wait_s(), 160.0) << "a change makes them quick again";
}

TEST_F(Health, ADegradedCalendarIsNeverPolledLikeAnIdleOneAndAnUnpushableOneIsInTheEnd) {
    for (int i = 0; i < 8; ++i) {
        poll();
        pass(false);
    }
    EXPECT_LT(wait_s(), 4 * 120 * 1.3);
    sql("update calendars set pushable = false");
    for (int i = 0; i < 2; ++i) {
        poll();
        pass(false);
    }
    EXPECT_GT(wait_s(), 2600.0);
    EXPECT_LT(wait_s(), 4600.0);
}

TEST_F(Health, ADeadWorkersLeaseIsTakenAndWhatItStillWritesIsRefused) {
    run([](Health& t) -> task<void> {
        tenant_id const acme("acme");
        auto const held = co_await acquire_lease(*t.worker_, acme, t.calendar_, "dead", 1s);
        if (!worked(held) || !*held) co_return;
        t.sql("update calendars set lease_until = now() - interval '31 minutes'");
        auto const found = co_await put_right_orphans(*t.renewer_, 10, 30min);
        EXPECT_TRUE(worked(found) && found->size() == 1 && found->at(0).what == "lease" && found->at(0).where->calendar == t.calendar_);
        auto tx = co_await t.worker_->begin(acme);
        auto const late = co_await check_lease(**tx, (**held).lease);
        failed_with(late, errc::conflict);
    }(*this));

    EXPECT_EQ(kinds(), "");
}

TEST_F(Health, AnAnswerNobodyRecordedIsLookedForAndOneOfAnEndedLinkGivenUp) {
    std::string const c = quoted();
    sql("insert into tasks (tenant_id, task_id, user_id, version, snapshot, calendar_id, dirty_seq, synced_seq) select 'acme', 't' || n, "
        "'anna', 1, '{}', " +
        c + ", 1, case n when 3 then 0 else 1 end from generate_series(1, 4) n");
    sql("insert into task_links (tenant_id, link_id, task_id, connection_id, calendar_id, google_calendar_id, google_calendar_event_id, "
        "state, ended_at) "
        "select 'acme', gen_random_uuid(), 't' || n, '" +
        connection_.str() + "', " + c +
        ", 'g', 'e' || n, case n when 2 then 'ended' else 'live' end, case n when 2 then now() - interval '1 hour' end from "
        "generate_series(1, 4) n");
    sql("insert into operations (tenant_id, operation_id, link_id, calendar_id, sequence, kind, created_at) select 'acme', "
        "gen_random_uuid(), link_id, "
        "calendar_id, 1, 'patch', now() - case task_id when 't4' then interval '1 minute' else interval '31 minutes' end from task_links");

    EXPECT_EQ(kinds(), "operation+ operation ");
    EXPECT_EQ(sql("select string_agg(task_id || dirty_seq, ' ' order by task_id) from tasks"), "t12 t21 t31 t41")
        << "the third is being worked on, the fourth is young";
    EXPECT_EQ(sql("select string_agg(o.state, ' ' order by l.task_id) from operations o join task_links l using (tenant_id, link_id)"),
              "pending abandoned pending pending");
    EXPECT_EQ(kinds(), "") << "once is enough while nobody has looked";
}

TEST_F(Health, AnUnplacedTaskWithAPlaceFindsItAndOthersStayWhereTheyAre) {
    sql("update user_calendar_connections set auto_sync_tasks = false");
    sql("insert into tasks (tenant_id, task_id, user_id, version, snapshot, state, received_at) values ('acme', 'named', 'anna', 1, "
        "'{\"calendar\":\"anna@example.com\"}', "
        "'waiting', now() - interval '31 minutes'), ('acme', 'other', 'anna', 1, '{}', 'waiting', now() - interval '31 minutes'), "
        "('acme', 'young', 'anna', 1, '{\"calendar\":\"anna@example.com\"}', 'waiting', now())");

    EXPECT_EQ(kinds(), "task+ ");
    EXPECT_EQ(sql("select string_agg(task_id, ',') from tasks where calendar_id is not null"), "named");
}

TEST_F(Health, MessagesNobodySentAreOfferedAgainAndToldOf) {
    sql("insert into outbox (tenant_id, message_id, topic, message_key, value, created_at, claimed_until) values ('acme', "
        "gen_random_uuid(), 't', 'k', 'v', "
        "now() - interval '31 minutes', now() + interval '1 hour')");
    auto const stuck = [&] {
        std::string out;
        run([](Health& t, std::string& got) -> task<void> {
            auto const found = co_await stuck_outboxes(*t.renewer_, 30min);
            if (!worked(found)) co_return;
            for (auto const& each : *found) got += each.tenant.str() + " " + std::to_string(each.messages);
        }(*this, out));
        return out;
    };
    EXPECT_EQ(stuck(), "acme 1");
    EXPECT_EQ(kinds(), "message ");
    EXPECT_EQ(sql("select claimed_until from outbox"), "-infinity");
    sql("update outbox set status = 'sent'");
    EXPECT_EQ(stuck(), "");
    sql("insert into alerts (tenant_id, alert_id, kind, subject, explanation) values ('acme', gen_random_uuid(), 'outbox_stuck', 'acme', "
        "'x')");
    EXPECT_EQ(stuck(), "acme 0") << "its alert is to be ended";
}

TEST_F(Health, AListIsWatchedOnlyWithAScopeThatCanAndOnceForAConnection) {
    auto const duties = [&] {
        std::string out;
        run([](Health& t, std::string& got) -> task<void> {
            auto const all = co_await claim_channel_duties(*t.renewer_, 10, 60s);
            if (!worked(all)) co_return;
            for (auto const& d : *all)
                got += std::string(d.calendar.is_nil() ? "list" : "calendar") + (d.what == channel_duty::kind::open ? " open" : " other");
        }(*this, out));
        return out;
    };
    EXPECT_EQ(duties(), "") << "no scope, no watch";
    sql("update user_calendar_connections set granted_scopes = '{https://www.googleapis.com/auth/calendar.events}'");
    EXPECT_EQ(duties(), "");
    sql("update user_calendar_connections set granted_scopes = '{https://www.googleapis.com/auth/calendar.calendarlist.readonly}'");
    EXPECT_EQ(duties(), "list open");
    EXPECT_EQ(duties(), "") << "claimed";
    EXPECT_THROW(
        {
            add_channel("null");
            add_channel("null");
        },
        std::runtime_error)
        << "one active one";
}

}  // namespace
}  // namespace calbridge::store
