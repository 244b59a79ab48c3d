// Series, single occurrences and splits, from the CRM to Google.
#include "worker_stack.h"

#include <algorithm>

namespace calbridge::integration {
namespace {

class series_stack : public worker_stack {
protected:
    // Ten Wednesdays at 10:00 in Zurich, from 2027-01-20 on.
    void say_series(json::object more = {}) {
        json::object said{{"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=10"}}};
        for (auto const& member : more) said[member.key()] = member.value();
        crm_says(std::move(said));
    }
    // One occurrence as the CRM holds it.
    void say_occurrence(std::string const& original, json::object more = {}) {
        json::object said{{"scope", "THIS"}, {"occurrence", original}, {"start", original}, {"end", ""}};
        for (auto const& member : more) said[member.key()] = member.value();
        crm_says(std::move(said));
    }
    json::object find(std::string const& id) {
        for (json::value const& each : events())
            if (json::text_or(each.as_object(), "id") == id) return each.as_object();
        return {};
    }
    std::string master() { return sql("SELECT google_calendar_event_id FROM task_links WHERE task_id = 'T-1' AND state <> 'ended'"); }
    std::string text(std::string const& id, std::string const& member) {
        json::object const found = find(id);
        return std::string(json::text_or(found, member));
    }
    std::string rule(std::string const& id) {
        json::object const found = find(id);
        auto const* lines = json::array_at(found, "recurrence");
        return lines != nullptr && !lines->empty() ? std::string(lines->at(0).as_string()) : std::string();
    }
    std::string start_of(std::string const& id) {
        json::object const found = find(id);
        auto const* start = json::object_at(found, "start");
        return start != nullptr ? std::string(json::text_or(*start, "dateTime")) : std::string();
    }
    std::string row(std::string const& task, std::string const& column) {
        return sql("SELECT " + column + " FROM tasks WHERE task_id = '" + task + "'");
    }
    std::size_t failures(std::string const& reason) {
        auto const all = updates();
        return static_cast<std::size_t>(std::count_if(
            all.begin(), all.end(), [&](auto const& u) { return u.kind == domain::update_kind::failed && u.reason == reason; }));
    }
};

TEST_F(series_stack, ASeriesIsOneEventWithItsRule) {
    say_series();

    work();

    ASSERT_EQ(events().size(), 1u);
    EXPECT_EQ(rule(master()), "RRULE:FREQ=WEEKLY;COUNT=10");
    EXPECT_EQ(calls("events.insert"), 1);
    hint();
    work();
    EXPECT_EQ(calls("events.patch"), 0);
}

TEST_F(series_stack, AnEditOfOneOccurrenceChangesThatOneOnly) {
    say_series();
    work();
    say_occurrence("2027-01-27T10:00:00", {{"title", "Only this one"}, {"start", "2027-01-27T14:00:00"}});

    work();

    std::string const id = master() + "_20270127T090000Z";
    EXPECT_EQ(text(id, "summary"), "Only this one");
    EXPECT_EQ(start_of(id), "2027-01-27T14:00:00+01:00");
    EXPECT_EQ(text(master(), "summary"), "Appointment");
    EXPECT_EQ(calls("events.get"), 1);
    EXPECT_EQ(calls("events.patch"), 1);
    auto const told = last(domain::update_kind::synced);
    EXPECT_EQ(told.occurrence, "2027-01-27T10:00:00");
    EXPECT_EQ(told.task, task_id("T-1"));
    EXPECT_EQ(told.google_event_id, id);

    say_occurrence("2027-01-27T10:00:00", {{"title", "Only this one"}, {"start", "2027-01-27T14:00:00"}});
    hint();
    work();
    EXPECT_EQ(calls("events.patch"), 1) << "the same again writes nothing";
}

TEST_F(series_stack, AnOccurrenceThatComesBeforeItsSeriesWaitsForIt) {
    say_occurrence("2027-01-27T10:00:00", {{"title", "Only this one"}});
    one_turn();
    EXPECT_EQ(row("T-1/20270127T090000Z", "state"), "waiting");
    say_series();

    work();

    EXPECT_EQ(text(master() + "_20270127T090000Z", "summary"), "Only this one");
    EXPECT_EQ(row("T-1/20270127T090000Z", "state"), "synced");
}

TEST_F(series_stack, TheAnswerToTheSeriesCreationIsLostAndItsOccurrenceStillFollows) {
    say_occurrence("2027-01-27T10:00:00", {{"title", "Only this one"}});
    say_series();
    control("faults", R"([{"match":{"method":"POST","path_contains":"/events"},"action":"lost_response","how":"close","times":1}])");

    work();

    EXPECT_EQ(calls("events.insert"), 1);
    EXPECT_EQ(text(master() + "_20270127T090000Z", "summary"), "Only this one");
}

TEST_F(series_stack, AnOccurrenceIsCalledOffAndComesBack) {
    say_series();
    work();
    say_occurrence("2027-02-03T10:00:00", {{"status", "cancelled"}});

    work();

    std::string const id = master() + "_20270203T090000Z";
    EXPECT_EQ(row("T-1/20270203T090000Z", "state"), "removed");
    EXPECT_EQ(calls("events.delete"), 1);
    auto const gone = control("calendars/anna%40example.com/events/" + id);
    EXPECT_EQ(json::text_or(gone.as_object(), "status"), "cancelled");

    say_occurrence("2027-02-03T10:00:00", {{"title", "After all"}});
    work();
    EXPECT_EQ(text(id, "status"), "confirmed");
    EXPECT_EQ(text(id, "summary"), "After all");
    EXPECT_EQ(row("T-1/20270203T090000Z", "state"), "synced");
}

TEST_F(series_stack, APersonsEditOfTheOccurrenceMeetsTheCrmsFieldByField) {
    say_series();
    work();
    std::string const id = master() + "_20270127T090000Z";
    control("calendars/anna%40example.com/events/" + id, R"({"location":"Room 9"})", "PATCH");
    say_occurrence("2027-01-27T10:00:00", {{"title", "From the CRM"}});

    work();

    EXPECT_EQ(text(id, "summary"), "From the CRM");
    EXPECT_EQ(text(id, "location"), "Room 9");
    auto const told = last(domain::update_kind::occurrence_changed);
    EXPECT_EQ(told.changed, std::vector<std::string>{"location"});
    EXPECT_EQ(told.occurrence, "2027-01-27T10:00:00");
}

TEST_F(series_stack, OccurrencesTheRuleNoLongerMakesEndAndTheOthersStay) {
    say_series();
    work();
    say_occurrence("2027-01-27T10:00:00", {{"title", "Stays"}});
    say_occurrence("2027-03-03T10:00:00", {{"title", "Goes"}});
    work();
    say_series({{"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=3"}}});

    work();

    EXPECT_EQ(row("T-1/20270127T090000Z", "state"), "synced");
    EXPECT_EQ(row("T-1/20270303T090000Z", "state || ' ' || reason"), "removed not_in_series");
    auto const told = last(domain::update_kind::cancelled);
    EXPECT_EQ(told.reason, "not_in_series");
    EXPECT_EQ(told.occurrence, "2027-03-03T10:00:00");
    EXPECT_EQ(text(master() + "_20270127T090000Z", "summary"), "Stays");
    hint();
    work();
    EXPECT_EQ(text(master() + "_20270127T090000Z", "summary"), "Stays");
}

TEST_F(series_stack, AnotherTimeOfTheSeriesEndsItsOccurrencesByTheirNames) {
    say_series();
    work();
    say_occurrence("2027-01-27T10:00:00", {{"title", "Goes"}});
    work();
    say_series({{"start", "2027-01-20T11:00:00"}, {"end", "2027-01-20T12:00:00"}});

    work();

    EXPECT_EQ(row("T-1/20270127T090000Z", "state || ' ' || reason"), "removed not_in_series");
    say_occurrence("2027-01-27T11:00:00", {{"title", "New"}});
    work();
    EXPECT_EQ(text(master() + "_20270127T100000Z", "summary"), "New");
}

TEST_F(series_stack, TheSeriesTakesItsOccurrencesAlong) {
    say_series();
    work();
    say_occurrence("2027-01-27T10:00:00", {{"title", "Goes"}});
    work();
    auto const told_before = updates().size();
    say_series({{"status", "cancelled"}});

    work();

    EXPECT_TRUE(events().empty());
    EXPECT_EQ(row("T-1/20270127T090000Z", "state || ' ' || reason"), "removed series_ended");
    EXPECT_EQ(updates().size(), told_before + 1) << "only the series is told";
    EXPECT_EQ(sql("SELECT count(*) FROM task_links WHERE state <> 'ended'"), "0");
}

TEST_F(series_stack, ASingleTaskBecomesASeriesAndSingleAgain) {
    crm_says({});
    work();
    say_series();
    work();
    EXPECT_EQ(rule(master()), "RRULE:FREQ=WEEKLY;COUNT=10");
    say_occurrence("2027-01-27T10:00:00", {{"title", "Goes"}});
    work();
    crm_says({});

    work();

    ASSERT_EQ(events().size(), 1u);
    EXPECT_EQ(rule(master()), "");
    EXPECT_EQ(calls("events.insert"), 1);
    EXPECT_EQ(row("T-1/20270127T090000Z", "state || ' ' || reason"), "removed not_in_series");
}

TEST_F(series_stack, WhatIsNoOccurrenceIsSaidInWordsOnce) {
    say_series();
    work();
    say_occurrence("2027-01-28T10:00:00");
    work();
    EXPECT_EQ(row("T-1/20270128T090000Z", "state || ' ' || reason"), "failed no_such_occurrence");
    EXPECT_EQ(failures("no_such_occurrence"), 1u);
    EXPECT_EQ(calls("events.get"), 0);

    crm_says({{"taskId", "T-2"}});
    work();
    crm_says({{"taskId", "T-2"}, {"scope", "THIS"}, {"occurrence", "2027-01-20T10:00:00"}});
    work();
    EXPECT_EQ(row("T-2/20270120T090000Z", "state || ' ' || reason"), "failed not_a_series");
    EXPECT_EQ(failures("not_a_series"), 1u);
    EXPECT_FALSE(last(domain::update_kind::failed).explanation.empty());
}

TEST_F(series_stack, AnOccurrenceOfASingleTaskIsRefusedWhicheverComesFirst) {
    crm_says({{"scope", "THIS"}, {"occurrence", "2027-01-20T10:00:00"}});
    crm_says({});

    work();

    EXPECT_EQ(row("T-1/20270120T090000Z", "state || ' ' || reason"), "failed not_a_series");
}

TEST_F(series_stack, ThisAndFollowingIsANewSeriesAndAnEndToTheOld) {
    say_series();
    work();
    say_occurrence("2027-01-27T10:00:00", {{"title", "Before"}});
    say_occurrence("2027-02-17T10:00:00", {{"title", "After"}});
    work();
    auto const told_before = updates().size();

    crm_says({{"scope", "THIS_AND_FOLLOWING"},
              {"occurrence", "2027-02-10T10:00:00"},
              {"followingTaskId", "T-2"},
              {"title", "From here on"},
              {"start", "2027-02-10T15:00:00"},
              {"end", "2027-02-10T16:00:00"},
              {"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=7"}}});
    work();

    std::string const tail = sql("SELECT google_calendar_event_id FROM task_links WHERE task_id = 'T-2'");
    EXPECT_EQ(rule(tail), "RRULE:FREQ=WEEKLY;COUNT=7");
    EXPECT_EQ(text(tail, "summary"), "From here on");
    EXPECT_EQ(rule(master()), "RRULE:FREQ=WEEKLY;UNTIL=20270210T085959Z");
    EXPECT_EQ(row("T-1/20270127T090000Z", "state"), "synced");
    EXPECT_EQ(row("T-1/20270217T090000Z", "state || ' ' || reason"), "removed moved_to_following");
    EXPECT_EQ(updates().size(), told_before + 2) << "the new series and the old, nobody else";
    hint();
    work();
    EXPECT_EQ(rule(master()), "RRULE:FREQ=WEEKLY;UNTIL=20270210T085959Z");

    // The old series stays cut, whatever else changes in it.
    say_series({{"title", "Old series"}});
    work();
    EXPECT_EQ(rule(master()), "RRULE:FREQ=WEEKLY;UNTIL=20270210T085959Z");
    EXPECT_EQ(text(master(), "summary"), "Old series");
}

TEST_F(series_stack, ASplitLosesNoOccurrenceWhenTheAnswerIsLost) {
    say_series();
    work();
    crm_says({{"scope", "THIS_AND_FOLLOWING"},
              {"occurrence", "2027-02-10T10:00:00"},
              {"followingTaskId", "T-2"},
              {"start", "2027-02-10T10:00:00"},
              {"end", "2027-02-10T11:00:00"},
              {"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=7"}}});
    control("faults", R"([{"match":{"method":"POST","path_contains":"/events"},"action":"reset","times":0}])");
    one_turn();
    EXPECT_EQ(rule(master()), "RRULE:FREQ=WEEKLY;COUNT=10") << "until the new series is known to be there the old one stays whole";
    control("faults", {}, "DELETE");
    control("faults", R"([{"match":{"method":"POST","path_contains":"/events"},"action":"lost_response","how":"close","times":1}])");

    work();

    EXPECT_EQ(rule(master()), "RRULE:FREQ=WEEKLY;UNTIL=20270210T085959Z");
    EXPECT_EQ(events().size(), 2u);
    EXPECT_EQ(sql("SELECT count(*) FROM tasks WHERE synced_seq < dirty_seq"), "0");
}

TEST_F(series_stack, ASplitAtTheFirstOccurrenceReplacesTheSeries) {
    say_series();
    work();
    std::string const old = master();
    crm_says({{"scope", "THIS_AND_FOLLOWING"},
              {"occurrence", "2027-01-20T10:00:00"},
              {"followingTaskId", "T-2"},
              {"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=10"}}});

    work();

    ASSERT_EQ(events().size(), 1u);
    EXPECT_EQ(find(old).size(), 0u);
    EXPECT_EQ(row("T-1", "state"), "removed");
}

TEST_F(series_stack, ASplitWhereNothingTakesPlaceIsRefused) {
    say_series();
    work();
    crm_says({{"scope", "THIS_AND_FOLLOWING"},
              {"occurrence", "2027-02-11T10:00:00"},
              {"followingTaskId", "T-2"},
              {"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=7"}}});

    work();

    EXPECT_EQ(row("T-2", "state || ' ' || reason"), "failed no_such_occurrence");
    EXPECT_EQ(rule(master()), "RRULE:FREQ=WEEKLY;COUNT=10");
    EXPECT_EQ(events().size(), 1u);
}

TEST_F(series_stack, RulesThatCannotBeAreRefusedInWords) {
    struct bad {
        char const* rule;
        char const* reason;
    };
    for (bad const& each : {bad{"RRULE:FREQ=HOURLY", "recurrence_too_often"}, bad{"RRULE:FREQ=SOMETIMES", "bad_recurrence"},
                            bad{"DTSTART:20270120T100000Z", "bad_recurrence"}}) {
        say_series({{"recurrence", json::array{each.rule}}});
        work();
        EXPECT_EQ(row("T-1", "state || ' ' || reason"), std::string("failed ") + each.reason);
        EXPECT_FALSE(last(domain::update_kind::failed).explanation.empty());
    }
    EXPECT_TRUE(events().empty());
}

}  // namespace
}  // namespace calbridge::integration
