// Events moved between the calendars of one account by hand.
#include "inbound_stack.h"

namespace calbridge::integration {
namespace {

class relink_stack : public inbound_stack {
protected:
    relink_stack() {
        auto const made = control("calendars", R"({"owner":"anna@example.com","summary":"Team","id":"team@group.calendar.google.com"})");
        other_google = std::string(json::text_or(made.as_object(), "id"));
        sql("INSERT INTO calendars (tenant_id, calendar_id, connection_id, google_calendar_id, time_zone, access_role, selected, "
            "dirty_seq) VALUES ('acme', '" +
            other.str() + "', '" + connection.str() + "', '" + other_google + "', 'Europe/Zurich', 'owner', true, 1)");
        pull_other();
    }
    void pull_other() {
        sql("UPDATE calendars SET dirty_seq = dirty_seq + 1 WHERE calendar_id = '" + other.str() + "'");
        auto body = [](relink_stack& s) -> task<void> { co_await worker::work_on(*s.with, s.tenant, s.other, s.other_memory); };
        testing::run_coro(ioc, body(*this), std::chrono::seconds(60));
    }
    void move(std::string const& id) {
        json::object const body{{"to", other_google}};
        control(std::string(own_calendar) + "/events/" + id + "/move", json::serialize(body));
    }
    void expect_moved(std::string const& task = "T-1") {
        EXPECT_EQ(
            sql("SELECT calendar_id::text || ' ' || google_calendar_id || ' ' || state FROM task_links WHERE task_id = '" + task + "'"),
            other.str() + " " + other_google + " live");
        EXPECT_EQ(row(task, "calendar_id"), other.str());
        EXPECT_TRUE(told(domain::update_kind::cancelled).empty());
        auto const all = told(domain::update_kind::synced);
        auto const heard = std::find_if(all.begin(), all.end(), [](auto const& u) { return u.reason == "moved_in_google"; });
        ASSERT_NE(heard, all.end());
        EXPECT_EQ(heard->google_calendar_id, other_google);
        EXPECT_EQ(count("task_links WHERE state <> 'ended' AND task_id = '" + task + "'"), "1");
    }
    std::string other_google;
    calendar_id other{random_uuid()};
    worker::calendar_memory other_memory{std::nullopt, {}, worker::pass_budget(1000), {}, 0};
};

TEST_F(relink_stack, AMoveIsNoCancellationWhicheverCalendarIsReadFirst) {
    for (bool const source_first : {true, false}) {
        SCOPED_TRACE(source_first);
        std::string const task = source_first ? "T-1" : "T-2";
        crm_says({{"taskId", task}, {"title", task}});
        work();
        std::string const id = master(task);
        move(id);

        if (!source_first) pull_other();
        pull();
        if (source_first) pull_other();

        EXPECT_EQ(row(task, "state"), "synced");
        EXPECT_EQ(sql("SELECT calendar_id FROM task_links WHERE task_id = '" + task + "'"), other.str());
        EXPECT_TRUE(told(domain::update_kind::cancelled).empty());
    }
    expect_moved("T-1");
}

TEST_F(relink_stack, AnEditMadeWithTheMoveIsTakenInToo) {
    crm_says({});
    work();
    std::string const id = master();
    move(id);
    control("calendars/" + other_google + "/events/" + id, R"({"summary":"Moved and renamed"})", "PATCH");

    pull();

    expect_moved();
    EXPECT_EQ(last(domain::update_kind::changed).title, "Moved and renamed");
}

TEST_F(relink_stack, ASeriesMovesWithItsOccurrences) {
    say_series();
    edit(master() + "_20270127T090000Z", "one", {{"summary", "With lawyers"}});
    pull();
    move(master());

    pull();
    pull_other();

    expect_moved();
    EXPECT_EQ(sql("SELECT calendar_id FROM task_links WHERE task_id = 'T-1/20270127T090000Z' AND state = 'live'"), other.str());
    EXPECT_EQ(row("T-1/20270127T090000Z", "calendar_id || ' ' || state"), other.str() + " synced");
}

TEST_F(relink_stack, WhatIsDeletedInBothIsDeleted) {
    crm_says({});
    work();
    std::string const id = master();
    move(id);
    control("calendars/" + other_google + "/events/" + id, {}, "DELETE");

    pull();

    EXPECT_EQ(last(domain::update_kind::cancelled).reason, "deleted_in_google");
}

TEST_F(relink_stack, ADeadTokenDoesNotTurnAMoveIntoADeletion) {
    crm_says({});
    work();
    google->settings().tombstone_days = 0;
    move(master());

    full_pull();

    expect_moved();
}

}  // namespace
}  // namespace calbridge::integration
