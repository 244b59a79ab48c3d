// Exceptions of linked series, from Google to the CRM.
#include "inbound_stack.h"

namespace calbridge::integration {
namespace {

class exceptions_stack : public inbound_stack {
protected:
    std::string instance(std::string const& key) { return master() + "_" + key; }
    // The listing as it is in the database once everything is through, without bookkeeping.
    std::size_t messages() const { return kafka.records.size(); }
};

constexpr auto second = "20270127T090000Z";
constexpr auto third = "20270203T090000Z";

TEST_F(exceptions_stack, AMovedOccurrenceIsToldAndKeptByItself) {
    say_series();
    edit(instance(second), "one", {{"start", at("2027-01-27T15:00:00")}, {"end", at("2027-01-27T16:00:00")}});

    pull();

    auto const heard = last(domain::update_kind::occurrence_changed);
    EXPECT_EQ(heard.task.str(), "T-1");
    EXPECT_EQ(heard.occurrence, "2027-01-27T10:00:00");
    EXPECT_EQ(heard.start, "2027-01-27T15:00:00");
    EXPECT_EQ(heard.changed, std::vector<std::string>{"time"});
    EXPECT_EQ(heard.google_event_id, instance(second));
    EXPECT_EQ(row("T-1/20270127T090000Z", "series_task_id || ' ' || occurrence || ' ' || state"), "T-1 20270127T090000Z synced");
    EXPECT_EQ(calls("events.patch"), 0);
    EXPECT_TRUE(told(domain::update_kind::changed).empty());
}

TEST_F(exceptions_stack, ARenamedAndLaterMovedOccurrenceKeepsItsName) {
    say_series();
    edit(instance(second), "one", {{"summary", "With lawyers"}});
    pull();
    edit(instance(second), "one", {{"start", at("2027-01-28T09:00:00")}, {"end", at("2027-01-28T10:00:00")}});

    pull();

    auto const heard = told(domain::update_kind::occurrence_changed);
    ASSERT_EQ(heard.size(), 2u);
    EXPECT_EQ(heard[0].title, "With lawyers");
    EXPECT_EQ(heard[1].occurrence, "2027-01-27T10:00:00");
    EXPECT_EQ(heard[1].changed, std::vector<std::string>{"time"});
    EXPECT_EQ(heard[1].sequence, heard[0].sequence + 1);
}

TEST_F(exceptions_stack, ACancelledOccurrenceIsToldAsOne) {
    say_series();
    edit(instance(third), "one", {});

    pull();

    auto const heard = last(domain::update_kind::cancelled);
    EXPECT_EQ(heard.task.str(), "T-1");
    EXPECT_EQ(heard.occurrence, "2027-02-03T10:00:00");
    EXPECT_EQ(row("T-1", "state"), "synced");
    EXPECT_EQ(row("T-1/20270203T090000Z", "state"), "removed");
    std::size_t const before = messages();
    full_pull();
    EXPECT_EQ(messages(), before) << "once is enough";
}

TEST_F(exceptions_stack, AnAnswerForOneOccurrenceNeedsNoRow) {
    say_series({{"attendees", json::array{json::object{{"email", "kim@example.com"}}}}});
    control(std::string(own_calendar) + "/events/" + instance(second) + "/rsvp", R"({"email":"kim@example.com","response":"accepted"})");

    pull();

    auto const heard = last(domain::update_kind::occurrence_changed);
    EXPECT_EQ(heard.occurrence, "2027-01-27T10:00:00");
    ASSERT_EQ(heard.attendees.size(), 1u);
    EXPECT_EQ(heard.attendees[0].response, "accepted");
    EXPECT_EQ(count("tasks"), "1");
    std::size_t const before = messages();
    full_pull();
    EXPECT_EQ(messages(), before);
}

TEST_F(exceptions_stack, AnEditOfTheWholeSeriesIsAnEditOfTheTask) {
    say_series();
    edit(instance(second), "all", {{"summary", "Weekly talk"}});

    pull();

    EXPECT_EQ(last(domain::update_kind::changed).title, "Weekly talk");
    EXPECT_TRUE(told(domain::update_kind::occurrence_changed).empty());
    EXPECT_EQ(count("tasks"), "1");
}

TEST_F(exceptions_stack, ExceptionsAfterTheirMastersChangeOnTheSamePageAreReadAgainstIt) {
    say_series();
    edit(instance(second), "one", {{"location", "Room 9"}});
    edit(instance(third), "all", {{"summary", "Weekly talk"}});

    pull();

    EXPECT_EQ(last(domain::update_kind::changed).title, "Weekly talk");
    auto const heard = told(domain::update_kind::occurrence_changed);
    ASSERT_EQ(heard.size(), 1u);
    EXPECT_EQ(heard[0].changed, std::vector<std::string>{"location"}) << "the title is the series', not the occurrence's own";
}

TEST_F(exceptions_stack, ADeletedSeriesEndsItsOccurrencesQuietly) {
    say_series();
    edit(instance(second), "one", {{"summary", "With lawyers"}});
    edit(instance(third), "one", {});
    pull();
    auto const cancelled = told(domain::update_kind::cancelled).size();
    drop(master());

    pull();

    auto const heard = told(domain::update_kind::cancelled);
    ASSERT_EQ(heard.size(), cancelled + 1);
    EXPECT_EQ(heard.back().occurrence, "");
    EXPECT_EQ(count("tasks WHERE state <> 'removed'"), "0");
    EXPECT_EQ(count("task_links WHERE state <> 'ended'"), "0");
}

TEST_F(exceptions_stack, AShorterRuleDropsItsLateExceptions) {
    say_series();
    edit(instance("20270317T090000Z"), "one", {{"summary", "Late one"}});
    pull();
    change(master(), {{"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=4"}}});

    pull();

    EXPECT_EQ(last(domain::update_kind::changed).recurrence, std::vector<std::string>{"RRULE:FREQ=WEEKLY;COUNT=4"});
    EXPECT_EQ(row("T-1/20270317T090000Z", "state || ' ' || reason"), "removed not_in_series");
    EXPECT_TRUE(told(domain::update_kind::cancelled).empty());
}

TEST_F(exceptions_stack, ASingleEventBecomesASeriesAndSingleAgain) {
    crm_says({});
    work();
    change(master(), {{"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=10"}}});
    pull();
    EXPECT_EQ(last(domain::update_kind::changed).recurrence, std::vector<std::string>{"RRULE:FREQ=WEEKLY;COUNT=10"});
    edit(instance(second), "one", {{"summary", "With lawyers"}});
    pull();
    EXPECT_EQ(last(domain::update_kind::occurrence_changed).title, "With lawyers");

    change(master(), {{"recurrence", json::array{}}});
    pull();

    EXPECT_TRUE(last(domain::update_kind::changed).recurrence.empty());
    EXPECT_EQ(row("T-1/20270127T090000Z", "state"), "removed");
}

TEST_F(exceptions_stack, BothSidesEditOneOccurrenceAndBothSurvive) {
    say_series();
    edit(instance(second), "one", {{"location", "Room 9"}});
    crm_says({{"scope", "THIS"},
              {"occurrence", "2027-01-27T10:00:00"},
              {"start", "2027-01-27T10:00:00"},
              {"end", "2027-01-27T11:00:00"},
              {"title", "With lawyers"}});

    pull();

    EXPECT_EQ(last(domain::update_kind::occurrence_changed).location, "Room 9");
    EXPECT_EQ(row("T-1/20270127T090000Z", "state"), "synced");
    EXPECT_EQ(sql("SELECT summary FROM events WHERE google_event_id = '" + instance(second) + "'").empty(), false);
    EXPECT_EQ(sql("SELECT has_conflict FROM task_links WHERE task_id = 'T-1/20270127T090000Z'"), "f");
}

TEST_F(exceptions_stack, MoreExceptionsThanAreFollowedAreSetAside) {
    say_series({{"recurrence", json::array{"RRULE:FREQ=DAILY;COUNT=1400"}}});
    sql("INSERT INTO tasks (tenant_id, task_id, user_id, version, snapshot, series_task_id, occurrence, state, dirty_seq, synced_seq) "
        "SELECT 'acme', 'T-1/x' || i, 'anna', 0, '{}', 'T-1', 'x' || i, 'removed', 1, 1 FROM generate_series(1, 999) i");
    edit(instance("20270121T090000Z"), "one", {{"summary", "One"}});
    edit(instance("20270122T090000Z"), "one", {{"summary", "Two"}});
    std::string const other = make({{"summary", "Lunch"}});

    pull();

    EXPECT_EQ(count("tasks WHERE series_task_id = 'T-1'"), "1000");
    EXPECT_EQ(sql("SELECT count(*) || ' ' || min(reason) FROM quarantine"), "1 too_many_exceptions");
    EXPECT_EQ(count("events WHERE google_event_id = '" + other + "'"), "1") << "the rest goes on";
}

TEST_F(exceptions_stack, TheCrmTakingOverAnOccurrenceIsNoEdit) {
    say_series();
    edit(instance(second), "one", {{"start", at("2027-01-27T15:00:00")}, {"end", at("2027-01-27T16:00:00")}});
    pull();
    auto const heard = last(domain::update_kind::occurrence_changed);
    crm_says({{"scope", "THIS"},
              {"occurrence", heard.occurrence},
              {"start", heard.start},
              {"end", heard.end},
              {"appliedUpdateSeq", heard.sequence},
              {"recurrence", json::array{}}});
    auto const patches = calls("events.patch");

    work();

    EXPECT_EQ(calls("events.patch"), patches);
    EXPECT_EQ(row("T-1/20270127T090000Z", "state"), "synced");
}

}  // namespace
}  // namespace calbridge::integration
