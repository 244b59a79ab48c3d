// Tasks that cannot be events: nothing is sent, the CRM hears why, in words, and the next good version goes through.
#include "worker_stack.h"

#include <algorithm>

namespace calbridge::integration {
namespace {

class bad_task_stack : public worker_stack {
protected:
    static json::array attendees(int count) {
        json::array all;
        for (int i = 0; i < count; ++i) all.push_back(json::object{{"email", "guest" + std::to_string(i) + "@example.com"}});
        return all;
    }
};

struct bad_task {
    char const* reason;
    json::object said;
};

TEST_F(bad_task_stack, EachIsToldInWordsAndMendedByTheNextVersion) {
    std::vector<bad_task> const all{
        {"bad_start", {{"start", "2027-02-30T10:00:00"}}},
        {"bad_start", {{"start", "soon"}}},
        {"bad_end", {{"end", "2027-01-20T25:00:00"}}},
        {"missing_start", {{"start", ""}}},
        {"end_before_start", {{"end", "2027-01-20T09:00:00"}}},
        {"unknown_zone", {{"timeZone", "Europe/Atlantis"}}},
        {"no_such_local_time", {{"start", "2027-03-28T02:30:00"}, {"end", "2027-03-28T04:00:00"}}},
        {"too_many_attendees", {{"attendees", attendees(500)}}},
        {"bad_attendee", {{"attendees", json::array{json::object{{"email", "nobody"}}}}}},
        {"bad_color", {{"color", "red"}}},
        {"bad_reminder", {{"reminders", json::object{{"overrides", json::array{json::object{{"method", "smoke"}, {"minutes", 5}}}}}}}},
        {"too_long", {{"title", std::string(2000, 'x')}}},
        {"bad_recurrence", {{"recurrence", json::array{"RRULE:FREQ=SOMETIMES"}}}},
        {"recurrence_too_often", {{"recurrence", json::array{"RRULE:FREQ=SECONDLY"}}}},
        {"recurrence_never", {{"recurrence", json::array{"RRULE:FREQ=DAILY;COUNT=1", "EXDATE:20270120T090000Z"}}}},
    };
    int tasks = 0;
    for (bad_task const& each : all) {
        std::string const id = "B-" + std::to_string(++tasks);
        json::object said = each.said;
        said["taskId"] = id;
        crm_says(said);
        work();
        EXPECT_EQ(sql("SELECT state || ' ' || reason FROM tasks WHERE task_id = '" + id + "'"), std::string("failed ") + each.reason);
        auto const told = last(domain::update_kind::failed);
        EXPECT_EQ(told.task, task_id(id));
        EXPECT_EQ(told.reason, each.reason);
        EXPECT_GT(told.explanation.size(), 20u) << each.reason;
        crm_says({{"taskId", id}});
        work();
        EXPECT_EQ(sql("SELECT state FROM tasks WHERE task_id = '" + id + "'"), "synced") << each.reason;
    }
    EXPECT_EQ(events().size(), all.size());
}

TEST_F(bad_task_stack, ABadVersionLeavesTheEventAsItWas) {
    crm_says({});
    work();
    crm_says({{"end", "2027-01-20T09:00:00"}, {"title", "Backwards"}});

    work();

    EXPECT_EQ(json::text_or(events().at(0).as_object(), "summary"), "Appointment");
    EXPECT_EQ(calls("events.patch"), 0);
    auto const told = last(domain::update_kind::failed);
    EXPECT_EQ(told.task_version, version);
}

}  // namespace
}  // namespace calbridge::integration
