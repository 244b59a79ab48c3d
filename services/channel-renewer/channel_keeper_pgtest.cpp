#include "renewer_fixture.h"

namespace calbridge::renewer {
namespace {

using namespace std::chrono_literals;

class Channels : public renewer_fixture {};

TEST_F(Channels, ANewCalendarGetsOneWithAVerifiableTokenAndIsLookedAt) {
    round();

    ASSERT_EQ(google_.live_of(google_id_), 1U);
    EXPECT_EQ(sql("select state || ' ' || resource_id || ' ' || (renew_at between now() + interval '143 h' and now() + interval '148 h') "
                  "from channels"),
              "active resource of anna@example.com true");
    auto const& [id, channel] = *google_.live.begin();
    channel_id const opened{*parse_uuid(id)};
    auto const content = domain::verify_channel_token(keys_, opened, channel.token);
    ASSERT_TRUE(content);
    EXPECT_EQ(content->calendar, calendar_);
    EXPECT_EQ(sql("select encode(token_hash, 'hex') from channels"), hex(crypto::sha256(channel.token)));
    EXPECT_EQ(of_calendar(calendar_, "dirty_seq"), "1");
    auto const wakeups = kafka_.wakeups();
    ASSERT_EQ(wakeups.size(), 1U);
    EXPECT_EQ(wakeups[0].calendar, calendar_);
    EXPECT_EQ(wakeups[0].why, domain::cause::retry);
    EXPECT_EQ(kafka_.records[0].key, "acme/anna");
    EXPECT_EQ(sql("select string_agg(status, ',') from outbox"), "sent");
}

TEST_F(Channels, NothingIsDoneTwice) {
    round();
    round();

    EXPECT_EQ(google_.every_id.size(), 1U);
}

TEST_F(Channels, TheRowIsCommittedBeforeGoogleHearsOfIt) {
    std::string seen;
    google_.before_open = [&] { seen = sql("select string_agg(state, ',') from channels"); };

    round();

    EXPECT_EQ(seen, "pending");
}

TEST_F(Channels, ARenewalLeavesNoGap) {
    round();
    std::string const old = google_.live.begin()->first;
    channel_is_due();
    google_.before_open = [&] { EXPECT_EQ(google_.live.count(old), 1U) << "the old one delivers until the new one exists"; };

    round();
    EXPECT_EQ(google_.live_of(google_id_), 2U);
    round();
    EXPECT_EQ(google_.live.count(old), 1U) << "and until the new one has delivered";
    delivered();
    round();

    EXPECT_EQ(google_.live.count(old), 0U);
    EXPECT_EQ(google_.live_of(google_id_), 1U);
    EXPECT_EQ(states(), "stopped,active");
    EXPECT_EQ(of_calendar(calendar_, "dirty_seq"), "2") << "changes between the channels are looked for";
}

TEST_F(Channels, AFailedRenewalKeepsTheOldOne) {
    round();
    channel_is_due();
    google_.refuse = [](std::string_view) { return failure(errc::unavailable, "backendError"); };

    round();

    EXPECT_EQ(google_.live_of(google_id_), 1U);
    EXPECT_EQ(sql("select string_agg(state, ',' order by state) from channels"), "active,stopped");
    EXPECT_EQ(of_calendar(calendar_, "channel_due_at > now()"), "t");
}

TEST_F(Channels, TwoRenewersNeverOpenTwoForACalendar) {
    for (int i = 0; i < 20; ++i) add_calendar("acme", "user" + std::to_string(i));
    auto const other = open("renewer");
    run([](renewer_fixture& t, pg::database& second) -> task<void> {
        channel_keeper one = t.keeper_on(*t.db_);
        channel_keeper two = t.keeper_on(second);
        task_group group(t.ioc_.get_executor());
        group.spawn("one", one.run());
        group.spawn("two", two.run());
        for (int i = 0; i < 500 && t.google_.live.size() < 21; ++i) co_await sleep_for(10ms);
        // A few more looks: nothing may be opened twice.
        for (int i = 0; i < 20; ++i) co_await sleep_for(10ms);
        co_await one.drain();
        co_await two.drain();
        group.cancel();
        co_await group.join();
    }(*this, *other));

    EXPECT_EQ(google_.every_id.size(), 21U);
    EXPECT_EQ(sql("select count(*) || ' ' || count(distinct calendar_id) from channels where state = 'active'"), "21 21");
}

TEST_F(Channels, ACrashAfterGoogleOpenedOneEndsInExactlyOne) {
    google_.after_open = [] { throw std::runtime_error("killed"); };
    EXPECT_THROW(round(), std::runtime_error);
    EXPECT_EQ(states(), "pending");
    google_.after_open = nullptr;
    round();
    EXPECT_EQ(google_.every_id.size(), 1U) << "the claim of the dead still holds";
    channel_is_due();

    round();
    EXPECT_EQ(google_.live_of(google_id_), 2U);
    delivered();
    round();

    EXPECT_EQ(google_.live_of(google_id_), 1U);
    EXPECT_EQ(sql("select count(*) from channels where state = 'active' and channel_id = '" + google_.live.begin()->first + "'"), "1");
    EXPECT_EQ(states(), "stopped,active");
}

TEST_F(Channels, ACrashBeforeGoogleHeardOfItEndsInExactlyOne) {
    google_.before_open = [] { throw std::runtime_error("killed"); };
    EXPECT_THROW(round(), std::runtime_error);
    google_.before_open = nullptr;
    channel_is_due();

    round();
    delivered();
    round();

    EXPECT_EQ(google_.live_of(google_id_), 1U);
    EXPECT_EQ(states(), "stopped,active");
}

TEST_F(Channels, ARefusedTokenIsReplacedOnce) {
    google_.refuse = [](std::string_view token) -> std::optional<google::call_error> {
        if (token == "first") return failure(errc::unauthorized, "authError");
        return {};
    };

    round();

    EXPECT_EQ(google_.tokens_seen, (std::vector<std::string>{"first", "fresh"}));
    EXPECT_EQ(states(), "active");
}

TEST_F(Channels, ACalendarThatTakesNoneIsRememberedWithoutAnAlert) {
    google_.refuse = [](std::string_view) { return failure(errc::forbidden, "pushNotSupportedForRequestedResource"); };

    for (int i = 0; i < 4; ++i) {
        round();
        channel_is_due();
    }

    EXPECT_EQ(of_calendar(calendar_, "pushable"), "f");
    EXPECT_EQ(sql("select count(*) from alerts"), "0");
    google_.refuse = nullptr;
    round();
    EXPECT_EQ(of_calendar(calendar_, "pushable"), "t");
}

TEST_F(Channels, ThreeFailuresRaiseAnAlertThatEndsWithSuccess) {
    google_.refuse = [](std::string_view) { return failure(errc::unavailable, "backendError"); };
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(sql("select count(*) from alerts"), i < 3 ? "0" : "1");
        round();
        channel_is_due();
    }

    EXPECT_EQ(sql("select kind || ' ' || (subject = '" + calendar_.str() + "') || ' ' || (resolved_at is null) from alerts"),
              "renewals_failing true true");
    EXPECT_EQ(sql("select count(*) from outbox where topic = 'sync-alerts'"), "1");
    google_.refuse = nullptr;
    round();
    EXPECT_EQ(sql("select resolved_at is not null from alerts"), "t");
    EXPECT_EQ(sql("select count(*) from outbox where topic = 'sync-alerts'"), "2");
}

TEST_F(Channels, AnUnknownOutcomeIsClearedUpBySuccess) {
    google_.refuse = [](std::string_view) {
        auto e = failure(errc::timed_out);
        e.outcome_unknown = true;
        return e;
    };
    round();
    EXPECT_EQ(states(), "pending");
    google_.refuse = nullptr;
    channel_is_due();

    round();
    delivered();
    round();

    EXPECT_EQ(states(), "stopped,active");
    EXPECT_EQ(google_.stopped.size(), 1U) << "Google may have opened the first one";
}

TEST_F(Channels, UnselectingStopsThemAtGoogle) {
    round();
    sql("update calendars set selected = false");
    round();
    EXPECT_TRUE(google_.live.empty());
    EXPECT_EQ(states(), "stopped");

    sql("update calendars set selected = true");
    round();
    EXPECT_EQ(google_.live_of(google_id_), 1U) << "selected again, at once";
}

TEST_F(Channels, AnEndedConnectionsChannelsAreLeftToWhoeverTakesLeaveForIt) {
    round();
    sql("update user_calendar_connections set status = 'disconnected'");
    tokens_.problem = fail(errc::grant_revoked, "disconnected");
    round();

    EXPECT_EQ(states(), "superseded") << "it can still be stopped, with the last token";
    sql("update user_calendar_connections set data_key = null");
    round();
    EXPECT_EQ(states(), "stopped") << "without it, it cannot";
}

TEST_F(Channels, TheCalendarListIsWatchedAndRenewedLikeACalendar) {
    sql("update user_calendar_connections set granted_scopes = '{https://www.googleapis.com/auth/calendar.calendarlist.readonly}'");
    sql("update calendars set channel_due_at = 'infinity'");
    auto const of_connection = [&](std::string const& columns) { return sql("select " + columns + " from user_calendar_connections"); };
    std::string seen;
    google_.before_open = [&] { seen = sql("select string_agg(state || kind, ',') from channels"); };

    round();

    EXPECT_EQ(seen, "pendingcalendar_list");
    ASSERT_EQ(google_.live_of(""), 1U);
    auto const& [id, channel] = *google_.live.begin();
    auto const content = domain::verify_channel_token(keys_, channel_id{*parse_uuid(id)}, channel.token);
    ASSERT_TRUE(content);
    EXPECT_TRUE(content->calendar.is_nil());
    EXPECT_EQ(content->connection, connection_of(calendar_));
    EXPECT_EQ(of_connection("list_dirty_seq"), "1") << "changes before it are looked for";
    EXPECT_TRUE(kafka_.records.empty()) << "the list is read here";
    EXPECT_EQ(of_connection("list_channel_due_at between now() + interval '143 h' and now() + interval '148 h'"), "t");

    std::string const old = id;
    google_.before_open = [&] { EXPECT_EQ(google_.live.count(old), 1U); };
    sql("update user_calendar_connections set list_channel_due_at = now()");
    round();
    round();
    EXPECT_EQ(google_.live_of(""), 2U) << "until the new one has delivered";
    delivered();
    round();
    EXPECT_EQ(google_.live_of(""), 1U);
    EXPECT_EQ(states(), "stopped,active");
}

TEST_F(Channels, AListThatCannotBeWatchedIsToldOfAfterThreeTries) {
    sql("update user_calendar_connections set granted_scopes = '{https://www.googleapis.com/auth/calendar.calendarlist.readonly}'");
    sql("update calendars set channel_due_at = 'infinity'");
    google_.refuse = [](std::string_view) { return failure(errc::unavailable, "backendError"); };
    for (int i = 0; i < 3; ++i) {
        round();
        sql("update user_calendar_connections set list_channel_due_at = now()");
    }

    EXPECT_EQ(sql("select kind || ' ' || (subject = '" + connection_of(calendar_).str() + "') from alerts"), "renewals_failing true");
    google_.refuse = nullptr;
    round();
    EXPECT_EQ(sql("select resolved_at is not null from alerts"), "t");
    EXPECT_EQ(sql("select list_channel_failures from user_calendar_connections"), "0");
}

TEST_F(Channels, AMissingScopeIsToldOfAndRevokesNobody) {
    google_.refuse = [](std::string_view) {
        auto e = failure(errc::forbidden, "insufficientPermissions");
        e.scope_missing = true;
        return e;
    };

    round();

    EXPECT_EQ(sql("select kind || ' ' || (subject = '" + connection_of(calendar_).str() + "') from alerts"), "scope_missing true");
    EXPECT_EQ(sql("select status from user_calendar_connections"), "active");
    EXPECT_EQ(of_calendar(calendar_, "pushable || ' ' || (channel_due_at > now() + interval '1 day')"), "false true");
    google_.refuse = nullptr;
    sql("update user_calendar_connections set granted_scopes = '{https://www.googleapis.com/auth/calendar.events}'");
    round();
    EXPECT_EQ(google_.live_of(google_id_), 1U) << "allowed now, and tried at once";
    EXPECT_EQ(sql("select resolved_at is not null from alerts"), "t");
}

TEST_F(Channels, WithoutConsentTheyAreForgottenAndNotOpened) {
    round();
    sql("update user_calendar_connections set status = 'revoked'");
    tokens_.problem = fail(errc::grant_revoked, "consent is gone");

    round();

    EXPECT_EQ(google_.stopped.size(), 0U);
    EXPECT_EQ(states(), "stopped");
    EXPECT_EQ(google_.every_id.size(), 1U);
}

TEST_F(Channels, AStopThatFailsIsTriedAgain) {
    round();
    channel_is_due();
    round();
    delivered();
    google_.refuse_stop = [] { return failure(errc::unavailable); };
    round();
    EXPECT_EQ(sql("select count(*) from channels where state = 'superseded'"), "1");
    google_.refuse_stop = nullptr;
    sql("update channels set claimed_until = now() - interval '1 second'");
    round();

    EXPECT_EQ(google_.live_of(google_id_), 1U);
    EXPECT_EQ(states(), "stopped,active");
}

TEST_F(Channels, WithKafkaAwayTheWakeUpWaitsInTheOutbox) {
    kafka_.away = true;

    round();

    EXPECT_EQ(states(), "active");
    EXPECT_EQ(sql("select topic || ' ' || status from outbox"), "calendar-changed pending");
}

}  // namespace
}  // namespace calbridge::renewer
