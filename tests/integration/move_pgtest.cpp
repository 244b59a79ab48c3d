// A task whose calendar changed: its event moves and stays the same event.
#include "worker_stack.h"

namespace calbridge::integration {
namespace {

class move_stack : public worker_stack {
protected:
    move_stack() {
        control("calendars", R"({"owner":"anna@example.com","id":"team@group.calendar.google.com","summary":"Team"})");
        add(team, connection, "team@group.calendar.google.com", "owner");
    }
    void add(calendar_id id, connection_id of, std::string const& google_id, std::string const& role) {
        sql("INSERT INTO calendars (tenant_id, calendar_id, connection_id, google_calendar_id, time_zone, access_role, selected, "
            "dirty_seq) "
            "VALUES ('acme', '" +
            id.str() + "', '" + of.str() + "', '" + google_id + "', 'Europe/Zurich', '" + role + "', true, 0)");
    }
    void work_there() {
        auto body = [](move_stack& s) -> task<void> { co_await worker::work_on(*s.with, s.tenant, s.team, s.there); };
        for (int i = 0; i < 6; ++i) testing::run_coro(ioc, body(*this), std::chrono::seconds(120));
    }
    json::array team_events() {
        auto const listed = control("calendars/team%40group.calendar.google.com/events");
        return listed.is_array() ? listed.as_array() : listed.as_object().at("items").as_array();
    }
    calendar_id team{random_uuid()};
    worker::calendar_memory there{std::nullopt, {}, worker::pass_budget(1000), {}, 0};
};

std::string const in_team = "team@group.calendar.google.com";

TEST_F(move_stack, TheEventMovesAndKeepsItsId) {
    crm_says({{"attendees", json::array{json::object{{"email", "kim@example.com"}}}}});
    work();
    std::string const id = event_id();
    crm_says({{"calendar", in_team}, {"attendees", json::array{json::object{{"email", "kim@example.com"}}}}, {"title", "Moved"}});

    one_turn();
    work_there();

    EXPECT_TRUE(events().empty());
    ASSERT_EQ(team_events().size(), 1u);
    EXPECT_EQ(json::text_or(team_events().at(0).as_object(), "id"), id);
    EXPECT_EQ(json::text_or(team_events().at(0).as_object(), "summary"), "Moved");
    EXPECT_EQ(calls("events.move"), 1);
    EXPECT_EQ(calls("events.insert"), 1);
    EXPECT_EQ(calls("events.delete"), 0);
    EXPECT_EQ(sql("SELECT c.google_calendar_id FROM tasks t JOIN calendars c USING (tenant_id, calendar_id)"), in_team);
    EXPECT_EQ(sql("SELECT state FROM operations WHERE kind = 'move'"), "done");
    auto const told = last(domain::update_kind::synced);
    EXPECT_EQ(told.reason, "event_moved");
    EXPECT_EQ(told.google_calendar_id, in_team);

    // What its old calendar lists as gone is no deletion, and the next change goes to the new one.
    hint();
    one_turn();
    EXPECT_EQ(last(domain::update_kind::cancelled).task, task_id());
    crm_says({{"calendar", in_team}, {"title", "Moved and renamed"}});
    work_there();
    EXPECT_EQ(json::text_or(team_events().at(0).as_object(), "summary"), "Moved and renamed");
}

TEST_F(move_stack, ALostAnswerIsReadBackWhereTheEventWent) {
    crm_says({});
    work();
    crm_says({{"calendar", in_team}});
    control("faults", R"([{"match":{"method":"POST","path_contains":"/move"},"action":"lost_response","how":"close","times":1}])");
    hint();

    one_turn();
    EXPECT_EQ(last(domain::update_kind::cancelled).task, task_id()) << "the listing shows it gone while the move is under way";
    sql("UPDATE tasks SET retry_at = NULL");
    one_turn();
    work_there();

    EXPECT_EQ(calls("events.move"), 1);
    ASSERT_EQ(team_events().size(), 1u);
    EXPECT_EQ(sql("SELECT google_calendar_id FROM task_links"), in_team);
    EXPECT_EQ(sql("SELECT state FROM tasks"), "synced");
    EXPECT_EQ(sql("SELECT count(*) FROM task_links"), "1");
}

TEST_F(move_stack, ASeriesTakesItsChangedOccurrencesAlong) {
    crm_says({{"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=5"}}});
    work();
    crm_says({{"scope", "THIS"}, {"occurrence", "2027-01-27T10:00:00"}, {"start", "2027-01-27T10:00:00"}, {"end", ""}, {"title", "One"}});
    work();
    crm_says({{"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=5"}}, {"calendar", in_team}});

    one_turn();
    work_there();

    EXPECT_EQ(team_events().size(), 2u);
    EXPECT_EQ(sql("SELECT count(DISTINCT google_calendar_id) FROM task_links"), "1");
    crm_says({{"scope", "THIS"}, {"occurrence", "2027-01-27T10:00:00"}, {"start", "2027-01-27T10:00:00"}, {"end", ""}, {"title", "Two"}});
    work_there();
    EXPECT_EQ(sql("SELECT count(*) FROM tasks WHERE synced_seq < dirty_seq"), "0");
    EXPECT_EQ(calls("events.insert"), 1);
}

TEST_F(move_stack, ACalendarThatCannotBeWrittenOrIsUnknownIsRefusedInWordsAndTheEventStays) {
    add(calendar_id{random_uuid()}, connection, "holidays@example.com", "reader");
    crm_says({});
    work();
    crm_says({{"calendar", "holidays@example.com"}, {"title", "Renamed"}});
    work();
    EXPECT_EQ(sql("SELECT state || ' ' || reason FROM tasks"), "failed calendar_read_only");
    EXPECT_EQ(json::text_or(events().at(0).as_object(), "summary"), "Renamed") << "what can be done is done";
    EXPECT_FALSE(last(domain::update_kind::failed).explanation.empty());

    crm_says({{"calendar", "nowhere@example.com"}, {"title", "Renamed"}});
    work();
    EXPECT_EQ(sql("SELECT state || ' ' || reason FROM tasks"), "failed calendar_not_found");
    EXPECT_EQ(events().size(), 1u);
    EXPECT_EQ(calls("events.move"), 0);
}

TEST_F(move_stack, AnotherWorkersCalendarIsWaitedFor) {
    crm_says({});
    work();
    sql("UPDATE calendars SET lease_owner = 'worker-2', lease_until = now() + interval '1 minute' WHERE calendar_id = '" + team.str() +
        "'");
    crm_says({{"calendar", in_team}});
    one_turn();
    EXPECT_EQ(calls("events.move"), 0);
    EXPECT_EQ(sql("SELECT retry_at > now() FROM tasks"), "t");

    sql("UPDATE calendars SET lease_owner = NULL, lease_until = '-infinity' WHERE calendar_id = '" + team.str() + "'");
    sql("UPDATE tasks SET retry_at = NULL");
    one_turn();
    EXPECT_EQ(team_events().size(), 1u);
}

TEST_F(move_stack, ToAnotherAccountTheEventEndsHereAndIsMadeThere) {
    connection_id const other{random_uuid()};
    sql("INSERT INTO user_calendar_connections (tenant_id, connection_id, user_id, client_id, google_sub, connected_email, is_default) "
        "VALUES "
        "('acme', '" +
        other.str() + "', 'anna', 'client', 'sub-2', 'anna@other.example', false)");
    add(calendar_id{random_uuid()}, other, "anna@other.example", "owner");
    crm_says({});
    work();
    crm_says({{"calendar", "anna@other.example"}});

    one_turn();

    EXPECT_TRUE(events().empty());
    EXPECT_EQ(calls("events.move"), 0);
    EXPECT_EQ(sql("SELECT c.google_calendar_id || ' ' || t.state FROM tasks t JOIN calendars c USING (tenant_id, calendar_id)"),
              "anna@other.example pending");
}

}  // namespace
}  // namespace calbridge::integration
