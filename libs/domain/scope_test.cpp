#include "domain/scope.h"
#include "domain/recurrence.h"

#include <gtest/gtest.h>

namespace calbridge::domain {
namespace {

task_changed about(edit_scope scope, std::string occurrence, std::string zone = "Europe/Zurich") {
    task_changed t;
    t.task = task_id("T-1");
    t.scope = scope;
    t.occurrence = std::move(occurrence);
    t.time_zone = std::move(zone);
    t.following_task = task_id("T-2");
    return t;
}

std::string row(task_changed const& t) {
    auto const place = place_of(t);
    auto const* const found = std::get_if<task_place>(&place);
    return found ? found->row.str() : "refused: " + std::get<refusal>(place).code;
}

TEST(Scope, TheTaskItself) { EXPECT_EQ(row(about(edit_scope::all, "")), "T-1"); }

TEST(Scope, AnOccurrenceIsNamedByItsOriginalStartHoweverItIsWritten) {
    for (std::string const said : {"2026-11-25T10:00:00", "2026-11-25T10:00:00+01:00", "2026-11-25T09:00:00Z", "20261125T090000Z"})
        EXPECT_EQ(row(about(edit_scope::this_one, said)), "T-1/20261125T090000Z") << said;
    EXPECT_EQ(row(about(edit_scope::this_one, "2026-11-25", "")), "T-1/20261125");
    EXPECT_EQ(row(about(edit_scope::this_one, "20261125", "")), "T-1/20261125");
    EXPECT_EQ(row(about(edit_scope::this_one, "2026-07-25T10:00:00")), "T-1/20260725T080000Z");
}

TEST(Scope, ASplitIsARowOfTheNewSeriesThatKnowsWhereItCameFrom) {
    auto const place = place_of(about(edit_scope::this_and_following, "2026-11-25T10:00:00"));
    auto const& found = std::get<task_place>(place);
    EXPECT_EQ(found.row.str(), "T-2");
    EXPECT_EQ(found.split_from_task.str(), "T-1");
    EXPECT_EQ(found.occurrence, "20261125T090000Z");
    EXPECT_TRUE(found.series.empty());
}

TEST(Scope, WhatIsNoOccurrenceIsRefused) {
    for (std::string const said : {"tomorrow", "2026-13-25", "2026-11-25T25:00:00", "20261325T090000Z", "2026-02-30", "99999999"})
        EXPECT_EQ(row(about(edit_scope::this_one, said)), "refused: bad_occurrence") << said;
    EXPECT_EQ(row(about(edit_scope::this_one, "2026-11-25T10:00:00", "Mars/Olympus")), "refused: bad_occurrence");
}

TEST(Occurrence, KeysAndStartsAreEachOthersWayBack) {
    for (std::string const key : {"20261125T090000Z", "20261125", "20000229T235959Z"}) {
        auto const start = start_of_occurrence(key, "Europe/Zurich");
        ASSERT_TRUE(start) << key;
        EXPECT_EQ(occurrence_key(*start), key);
    }
    EXPECT_EQ(instance_id("abc", "20261125"), "abc_20261125");
}

}  // namespace
}  // namespace calbridge::domain
