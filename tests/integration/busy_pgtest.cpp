// Times a person is busy, for reading in SQL: without details, right for series, rolled on.
#include "inbound_stack.h"

namespace calbridge::integration {
namespace {

class busy_stack : public inbound_stack {
protected:
    // Days from today on, so that the rolling horizon holds them.
    std::string day(int from_today) {
        return sql("SELECT to_char(now() AT TIME ZONE 'UTC' + " + std::to_string(from_today) + " * interval '1 day', 'YYYY-MM-DD')");
    }
    json::object timed(int days, std::string const& hour) {
        return {{"dateTime", day(days) + "T" + hour + ":00:00Z"}, {"timeZone", "UTC"}};
    }
    json::object meeting(int days) { return {{"start", timed(days, "10")}, {"end", timed(days, "11")}}; }
    std::string make_with(int days, json::object more) {
        json::object event = meeting(days);
        for (auto const& member : more) event[member.key()] = member.value();
        return make(std::move(event));
    }
    std::string blocked() { return count("blocked_times"); }
};

TEST_F(busy_stack, BusyOnesBlockAndFreeTentativeOrDeclinedOnesDoNot) {
    make_with(3, {{"summary", "Busy"}});
    make_with(4, {{"summary", "Free"}, {"transparency", "transparent"}});
    make_with(5, {{"summary", "Maybe"}, {"status", "tentative"}});
    make_with(6, {{"summary", "Declined"},
                  {"attendees", json::array{json::object{{"email", "anna@example.com"}, {"self", true}, {"responseStatus", "declined"}}}}});

    pull();

    EXPECT_EQ(sql("SELECT to_char(starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' ' || (ends_at - starts_at) FROM blocked_times "
                  "ORDER BY 1 LIMIT 1"),
              day(3) + " 10:00 01:00:00");
    EXPECT_EQ(blocked(), "1");
    sql("UPDATE user_calendar_connections SET sync_settings = '{\"blocked\":{\"tentative\":true}}'");
    work();
    EXPECT_EQ(blocked(), "2");
}

TEST_F(busy_stack, WhatMovesIsFreedOrGoesMovesOrGoes) {
    std::string const id = make_with(3, {});
    pull();
    change(id, {{"start", timed(4, "15")}, {"end", timed(4, "16")}});
    pull();
    EXPECT_EQ(sql("SELECT to_char(starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24') FROM blocked_times"), day(4) + " 15");
    change(id, {{"transparency", "transparent"}});
    pull();
    EXPECT_EQ(blocked(), "0");
    change(id, {{"transparency", "opaque"}});
    pull();
    EXPECT_EQ(blocked(), "1");

    drop(id);
    pull();

    EXPECT_EQ(blocked(), "0");
}

TEST_F(busy_stack, AllDayOnesBlockTheirDaysInTheCalendarsZone) {
    json::object event{{"summary", "Fair"},
                       {"start", json::object{{"date", "2027-02-03"}}},
                       {"end", json::object{{"date", "2027-02-05"}}},
                       {"transparency", "opaque"}};
    make(std::move(event));

    pull();

    EXPECT_EQ(sql("SELECT (starts_at AT TIME ZONE 'Europe/Zurich')::text || ' ' || (ends_at AT TIME ZONE 'Europe/Zurich')::text FROM "
                  "blocked_times"),
              "2027-02-03 00:00:00 2027-02-05 00:00:00");
}

TEST_F(busy_stack, ASeriesBlocksItsOccurrencesWithinTheHorizon) {
    std::string const id = make_with(2, {{"recurrence", json::array{"RRULE:FREQ=DAILY"}}});

    pull();

    auto const all = std::stoi(blocked());
    EXPECT_GE(all, 87);
    EXPECT_LE(all, 90);
    EXPECT_EQ(count("blocked_times WHERE source_event_id = '" + id + "' AND google_event_id LIKE '" + id + "\\_%'"), blocked());
    edit(id + "_" + sql("SELECT to_char(now() AT TIME ZONE 'UTC' + interval '5 days', 'YYYYMMDD')") + "T100000Z", "one", {});
    pull();
    EXPECT_EQ(blocked(), std::to_string(all - 1));
    edit(id + "_" + sql("SELECT to_char(now() AT TIME ZONE 'UTC' + interval '6 days', 'YYYYMMDD')") + "T100000Z", "one",
         {{"start", timed(6, "20")}, {"end", timed(6, "22")}});
    pull();
    EXPECT_EQ(blocked(), std::to_string(all - 1));
    EXPECT_EQ(count("blocked_times WHERE ends_at - starts_at = interval '2 hours'"), "1");

    drop(id);
    pull();

    EXPECT_EQ(blocked(), "0");
}

TEST_F(busy_stack, TheHorizonRollsOnByItself) {
    make_with(2, {{"recurrence", json::array{"RRULE:FREQ=DAILY"}}});
    pull();
    std::string const all = blocked();
    sql("DELETE FROM blocked_times WHERE starts_at > now() + interval '30 days'; UPDATE calendars SET blocked_until = now() + interval '30 "
        "days'");

    pull();  // nothing has changed in Google

    EXPECT_EQ(blocked(), all);
    EXPECT_EQ(sql("SELECT blocked_until > now() + interval '89 days' FROM calendars"), "t");
}

TEST_F(busy_stack, OnlyWhatDiffersIsWritten) {
    std::string const id = make_with(2, {{"recurrence", json::array{"RRULE:FREQ=DAILY"}}});
    pull();
    std::string const rows = sql("SELECT string_agg(ctid::text, ',' ORDER BY starts_at) FROM blocked_times");

    change(id, {{"summary", "Another title"}});
    pull();

    EXPECT_EQ(sql("SELECT string_agg(ctid::text, ',' ORDER BY starts_at) FROM blocked_times"), rows);
}

TEST_F(busy_stack, ReadingBusyTimesOnlyKeepsNoDetails) {
    crm_says({});
    work();
    sql("UPDATE user_calendar_connections SET mode = 'busy_only'");
    make_with(3, {{"summary", "Therapy"}, {"location", "Clinic"}, {"recurrence", json::array{"RRULE:FREQ=WEEKLY"}}});

    work();
    pull();

    EXPECT_GT(std::stoi(blocked()), 10);
    EXPECT_EQ(count("events WHERE summary <> '' OR location <> '' OR organizer_email <> '' OR ical_uid <> '' OR NOT redacted"), "0");
    EXPECT_EQ(count("events WHERE raw::text ~ 'Therapy|Clinic|Appointment|example.com'"), "0");
    EXPECT_EQ(count("tasks"), "1") << "what was linked stays";

    sql("UPDATE user_calendar_connections SET mode = 'two_way'");
    work();

    EXPECT_EQ(count("events WHERE redacted"), "0");
    EXPECT_EQ(count("events WHERE summary = 'Therapy'"), "1");
    EXPECT_EQ(row("T-1", "state"), "synced");
}

TEST_F(busy_stack, WhatHappenedWhileNothingWasTakenInIsTakenInLater) {
    crm_says({});
    crm_says({{"taskId", "T-2"}, {"title", "Second"}});
    work();
    sql("UPDATE user_calendar_connections SET mode = 'crm_to_google'");
    work();
    change(master(), {{"location", "Room 9"}});
    drop(master("T-2"));
    pull();
    EXPECT_TRUE(told(domain::update_kind::changed).empty());
    EXPECT_TRUE(told(domain::update_kind::cancelled).empty());

    sql("UPDATE user_calendar_connections SET mode = 'two_way'");
    work();

    EXPECT_EQ(last(domain::update_kind::changed).location, "Room 9");
}

TEST_F(busy_stack, WhoMaySeeBusyTimesOnlySeesThemAndNothingBecomesATask) {
    google->add_user("bob@example.com", "Europe/Zurich");
    control("calendars/bob%40example.com/share", R"({"email":"anna@example.com","role":"freeBusyReader"})");
    calendar_id const his{random_uuid()};
    sql("INSERT INTO calendars (tenant_id, calendar_id, connection_id, google_calendar_id, time_zone, access_role, selected, dirty_seq) "
        "VALUES ('acme', '" +
        his.str() + "', '" + connection.str() + "', 'bob@example.com', 'Europe/Zurich', 'freeBusyReader', true, 1)");
    import_on();
    json::object event = meeting(3);
    event["summary"] = "Secret plan";
    event["recurrence"] = json::array{"RRULE:FREQ=DAILY;COUNT=4"};
    make(std::move(event), "calendars/bob%40example.com");
    worker::calendar_memory his_memory{std::nullopt, {}, worker::pass_budget(1000), {}, 0};
    auto body = [](worker::parts const& w, tenant_id t, calendar_id c, worker::calendar_memory& m) -> task<void> {
        co_await worker::work_on(w, t, c, m);
    };

    testing::run_coro(ioc, body(*with, tenant, his, his_memory));

    EXPECT_EQ(count("blocked_times WHERE calendar_id = '" + his.str() + "'"), "4");
    EXPECT_EQ(count("tasks"), "0");
    EXPECT_EQ(count("events WHERE raw::text LIKE '%Secret%'"), "0");
}

}  // namespace
}  // namespace calbridge::integration
