// "This and following" made in Google's calendar.
#include "inbound_stack.h"

namespace calbridge::integration {
namespace {

class splits_stack : public inbound_stack {
protected:
    std::string tail() { return sql("SELECT task_id FROM tasks WHERE split_from_task_id IS NOT NULL"); }
    void cut(bool new_id, json::object change = {{"summary", "New format"}}) {
        edit(master() + "_20270210T090000Z", "following", std::move(change), new_id);
    }
    void expect_split() {
        auto const heard = last(domain::update_kind::imported);
        EXPECT_EQ(heard.task.str(), tail());
        EXPECT_EQ(heard.split_from_task, "T-1");
        EXPECT_EQ(heard.occurrence, "2027-02-10T10:00:00");
        EXPECT_EQ(heard.title, "New format");
        EXPECT_FALSE(heard.recurrence.empty());
        auto const before = last(domain::update_kind::changed);
        EXPECT_EQ(before.task.str(), "T-1");
        EXPECT_EQ(before.changed, std::vector<std::string>{"recurrence"});
        EXPECT_EQ(count("tasks"), "2");
        EXPECT_EQ(told(domain::update_kind::imported).size(), 1u);
        EXPECT_EQ(calls("events.patch"), 0);
    }
};

TEST_F(splits_stack, ATailUnderAnIdOfTheOldOneIsATaskEvenWithoutImports) {
    say_series();
    cut(false);

    pull();

    expect_split();
}

TEST_F(splits_stack, ATailUnderAWhollyNewIdIsRecognised) {
    say_series();
    cut(true);

    pull();

    expect_split();
}

TEST_F(splits_stack, TheTailMayComeFirst) {
    control("knobs", R"({"tail_first":true})");
    say_series();
    cut(false);

    pull();

    expect_split();
}

TEST_F(splits_stack, TheTailMayComeFirstUnderAWhollyNewId) {
    control("knobs", R"({"tail_first":true})");
    say_series();
    cut(true);

    pull();

    expect_split();
}

TEST_F(splits_stack, ATailThatCameInAnEarlierPassIsFoundInTheMirror) {
    say_series();
    std::string const first = master();
    std::string const other = make({{"summary", "Appointment"},
                                    {"start", at("2027-02-10T10:00:00")},
                                    {"end", at("2027-02-10T11:00:00")},
                                    {"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=7"}}});
    pull();
    ASSERT_EQ(count("tasks"), "1");
    change(first, {{"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=3"}}});

    pull();

    auto const heard = last(domain::update_kind::imported);
    EXPECT_EQ(heard.split_from_task, "T-1");
    EXPECT_EQ(heard.google_event_id, other);
}

TEST_F(splits_stack, ATailThatComesAPassAfterTheCutIsRecognised) {
    say_series();
    change(master(), {{"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=3"}}});
    pull();
    ASSERT_EQ(count("tasks"), "1");
    make({{"summary", "Appointment"},
          {"start", at("2027-02-10T10:00:00")},
          {"end", at("2027-02-10T11:00:00")},
          {"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=7"}}});

    pull();

    EXPECT_EQ(last(domain::update_kind::imported).split_from_task, "T-1");
}

TEST_F(splits_stack, ATailImportedBeforeItsSeriesWasCutIsToldOf) {
    say_series();
    import_on();
    make({{"summary", "Appointment"},
          {"start", at("2027-02-10T10:00:00")},
          {"end", at("2027-02-10T11:00:00")},
          {"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=7"}}});
    pull();
    ASSERT_EQ(last(domain::update_kind::imported).split_from_task, "");
    change(master(), {{"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=3"}}});

    pull();

    auto const all = told(domain::update_kind::changed);
    EXPECT_TRUE(
        std::any_of(all.begin(), all.end(), [](auto const& u) { return u.split_from_task == "T-1" && u.reason == "split_in_google"; }));
    EXPECT_EQ(count("tasks"), "2");
}

TEST_F(splits_stack, ADeletedRestIsNoSplit) {
    say_series();
    edit(master() + "_20270210T090000Z", "following", {});

    pull();

    EXPECT_EQ(last(domain::update_kind::changed).changed, std::vector<std::string>{"recurrence"});
    EXPECT_TRUE(told(domain::update_kind::imported).empty());
    EXPECT_EQ(count("tasks"), "1");
}

TEST_F(splits_stack, AnotherSeriesAtTheSameTimeIsNoTail) {
    say_series();
    make({{"summary", "Something else"},
          {"start", at("2027-02-10T10:00:00")},
          {"end", at("2027-02-10T11:00:00")},
          {"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=7"}}});
    change(master(), {{"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=3"}}});

    pull();

    EXPECT_EQ(count("tasks"), "1");
}

TEST_F(splits_stack, OccurrencesBehindTheCutEndAndTheTailsOwnBecomeItsOccurrences) {
    say_series();
    edit(master() + "_20270127T090000Z", "one", {{"summary", "Early one"}});
    edit(master() + "_20270217T090000Z", "one", {{"summary", "Late one"}});
    pull();
    cut(false);
    pull();
    std::string const id = last(domain::update_kind::imported).google_event_id;
    edit(id + "_20270224T090000Z", "one", {{"location", "Room 9"}});

    pull();

    EXPECT_EQ(row("T-1/20270127T090000Z", "state"), "synced");
    EXPECT_EQ(row("T-1/20270217T090000Z", "state"), "removed");
    auto const heard = last(domain::update_kind::occurrence_changed);
    EXPECT_EQ(heard.task.str(), tail());
    EXPECT_EQ(heard.location, "Room 9");
}

TEST_F(splits_stack, TheTailIsOursFromItsFirstEditOn) {
    say_series();
    cut(false);
    pull();
    auto const heard = last(domain::update_kind::imported);
    crm_says({{"taskId", heard.task.str()},
              {"title", "Renamed by CRM"},
              {"location", heard.location},
              {"start", heard.start},
              {"end", heard.end},
              {"timeZone", heard.time_zone},
              {"recurrence", json::array{heard.recurrence.at(0)}},
              {"appliedUpdateSeq", heard.sequence}});

    work();

    EXPECT_EQ(calls("events.patch"), 1);
    EXPECT_EQ(row(heard.task.str(), "state"), "synced");
    full_pull();
    EXPECT_EQ(told(domain::update_kind::imported).size(), 1u);
}

}  // namespace
}  // namespace calbridge::integration
