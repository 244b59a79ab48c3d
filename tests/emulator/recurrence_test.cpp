#include "tests/emulator/recurrence.h"

#include "tests/emulator/times.h"

#include <gtest/gtest.h>

namespace calbridge::emulator {
namespace {

series timed(std::string_view start, std::string zone, std::vector<std::string> lines) {
    return {.first = *parse_in_zone(start, zone), .length = std::chrono::hours(1), .zone = std::move(zone), .lines = std::move(lines)};
}
series all_day(std::string_view date, std::vector<std::string> lines) {
    return {
        .first = *parse_date(date), .length = std::chrono::days(1), .all_day = true, .zone = "Europe/Zurich", .lines = std::move(lines)};
}
// The first starts, as wall times with offset.
std::string starts(series const& s, std::size_t most = 5) {
    std::string out;
    for (auto const at : starts_within(s, {}, {}, most))
        out += (out.empty() ? "" : " ") + (s.all_day ? format_basic_date(at) : format_in_zone(at, s.zone).substr(5));
    return out;
}

TEST(Recurrence, WallTimeStaysTheSameOverTheClockChangesOfZurich) {
    EXPECT_EQ(starts(timed("2026-10-24T09:00:00", "Europe/Zurich", {"RRULE:FREQ=DAILY;COUNT=3"})),
              "10-24T09:00:00+02:00 10-25T09:00:00+01:00 10-26T09:00:00+01:00");
    EXPECT_EQ(starts(timed("2027-03-27T09:00:00", "Europe/Zurich", {"RRULE:FREQ=DAILY;COUNT=2"})),
              "03-27T09:00:00+01:00 03-28T09:00:00+02:00");
}

TEST(Recurrence, WallTimeStaysTheSameOverTheClockChangesOfNewYork) {
    EXPECT_EQ(starts(timed("2026-10-28T09:00:00", "America/New_York", {"RRULE:FREQ=WEEKLY;COUNT=2"})),
              "10-28T09:00:00-04:00 11-04T09:00:00-05:00");
    EXPECT_EQ(starts(timed("2027-03-10T09:00:00", "America/New_York", {"RRULE:FREQ=WEEKLY;COUNT=2"})),
              "03-10T09:00:00-05:00 03-17T09:00:00-04:00");
}

TEST(Recurrence, ASkippedWallTimeMovesOnAndADoubledOneIsTheFirst) {
    EXPECT_EQ(starts(timed("2027-03-27T02:30:00", "Europe/Zurich", {"RRULE:FREQ=DAILY;COUNT=3"})),
              "03-27T02:30:00+01:00 03-28T03:30:00+02:00 03-29T02:30:00+02:00");
    EXPECT_EQ(starts(timed("2026-10-24T02:30:00", "Europe/Zurich", {"RRULE:FREQ=DAILY;COUNT=2"})),
              "10-24T02:30:00+02:00 10-25T02:30:00+02:00");
}

TEST(Recurrence, TheFirstStartCountsEvenWhenTheRuleWouldNotMakeIt) {
    // 2026-11-25 is a Wednesday.
    EXPECT_EQ(starts(timed("2026-11-25T10:00:00", "UTC", {"RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=3"})),
              "11-25T10:00:00Z 11-30T10:00:00Z 12-07T10:00:00Z");
    EXPECT_EQ(starts(timed("2026-11-25T10:00:00", "UTC", {"RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=2"})), "11-25T10:00:00Z 11-30T10:00:00Z");
    EXPECT_EQ(starts(timed("2026-11-25T10:00:00", "UTC", {"RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=1"})), "11-25T10:00:00Z");
}

TEST(Recurrence, UntilIsInclusiveInItsThreeSpellings) {
    for (auto const* until : {"20261127", "20261127T090000Z", "20261127T100000"})
        EXPECT_EQ(starts(timed("2026-11-25T10:00:00", "Europe/Zurich", {std::string("RRULE:FREQ=DAILY;UNTIL=") + until})),
                  "11-25T10:00:00+01:00 11-26T10:00:00+01:00 11-27T10:00:00+01:00")
            << until;
    EXPECT_EQ(starts(timed("2026-11-25T10:00:00", "Europe/Zurich", {"RRULE:FREQ=DAILY;UNTIL=20261127T085959Z"})),
              "11-25T10:00:00+01:00 11-26T10:00:00+01:00");
    EXPECT_EQ(starts(all_day("2026-11-25", {"RRULE:FREQ=DAILY;UNTIL=20261126"})), "20261125 20261126");
}

TEST(Recurrence, DatesAreAddedAndTakenOut) {
    EXPECT_EQ(
        starts(timed("2026-11-25T10:00:00", "Europe/Zurich",
                     {"EXDATE;TZID=Europe/Zurich:20261126T100000", "RRULE:FREQ=DAILY;COUNT=3", "RDATE:20261126T150000Z,20261201T090000Z"})),
        "11-25T10:00:00+01:00 11-26T16:00:00+01:00 11-27T10:00:00+01:00 12-01T10:00:00+01:00");
    EXPECT_EQ(starts(timed("2026-11-25T10:00:00", "UTC", {"RRULE:FREQ=DAILY;COUNT=4", "EXRULE:FREQ=DAILY;INTERVAL=2"})),
              "11-26T10:00:00Z 11-28T10:00:00Z");
    EXPECT_EQ(starts(all_day("2026-11-25", {"RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE;VALUE=DATE:20261202"})), "20261125 20261209");
}

TEST(Recurrence, TheEndOfTheMonthAndTheLeapDayAreSkippedWhereTheyDoNotExist) {
    EXPECT_EQ(starts(all_day("2026-12-31", {"RRULE:FREQ=MONTHLY;COUNT=3"})), "20261231 20270131 20270331");
    EXPECT_EQ(starts(all_day("2028-02-29", {"RRULE:FREQ=YEARLY;COUNT=2"})), "20280229 20320229");
    EXPECT_EQ(starts(all_day("2026-11-27", {"RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=3"})), "20261127 20261225 20270129");
}

TEST(Recurrence, WhatCannotBeReadIsNamed) {
    auto const fault = [](std::string const& line) { return fault_in(timed("2026-11-25T10:00:00", "Europe/Zurich", {line})); };
    for (auto const* bad : {"RRULE", "RRULE:", "RRULE:FREQ=SOMETIMES", "RRULE:COUNT=3", "RRULE:FREQ=DAILY;UNTIL=2026",
                            "RRULE:FREQ=DAILY;BYDAY=XX", "FREQ=DAILY", "DTSTART:20261125T100000Z", "DTEND:20261125T110000Z",
                            "RRULE:FREQ=HOURLY", "RRULE:FREQ=DAILY;COUNT=2;UNTIL=20261201", "RRULE:FREQ=DAILY;INTERVAL=0",
                            "EXDATE:20261126", "EXDATE:20261399T000000Z", "RDATE:tomorrow", "RDATE;TZID=Mars/Base:20261126T100000"})
        EXPECT_NE(fault(bad), "") << bad;
    for (auto const* good : {"RRULE:FREQ=DAILY", "RRULE:FREQ=MONTHLY;BYDAY=2TU;WKST=SU", "EXDATE:20261126T090000Z",
                             "RDATE;TZID=America/New_York:20261126T100000"})
        EXPECT_EQ(fault(good), "") << good;
    EXPECT_EQ(fault_in(all_day("2026-11-25", {"EXDATE:20261126"})), "");
}

TEST(Recurrence, RunawayAndEmptyRulesEnd) {
    EXPECT_EQ(starts(timed("2026-11-25T10:00:00", "UTC", {"RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"})), "11-25T10:00:00Z");
    EXPECT_LE(starts_within(timed("2026-11-25T10:00:00", "UTC", {"RRULE:FREQ=DAILY"}), {}, {}, 1000000).size(), 200000U);
    EXPECT_EQ(starts(timed("2026-11-25T10:00:00", "UTC", {"RRULE:FREQ=DAILY;COUNT=1", "EXDATE:20261125T100000Z"})), "");
}

TEST(Recurrence, AWindowHoldsWhatOverlapsIt) {
    auto const s = timed("2026-11-25T10:00:00", "UTC", {"RRULE:FREQ=DAILY"});
    auto const in = [&](char const* from, char const* to) {
        return starts_within(s, parse_with_offset(from), parse_with_offset(to), 100).size();
    };
    EXPECT_EQ(in("2026-11-27T11:00:00Z", "2026-11-28T10:00:00Z"), 0U);
    EXPECT_EQ(in("2026-11-27T10:59:59Z", "2026-11-28T10:00:01Z"), 2U);
}

TEST(Recurrence, InstanceIdsNameTheOriginalStartInUtc) {
    auto const at = *parse_with_offset("2026-11-25T10:00:00+01:00");
    EXPECT_EQ(instance_id("abcde", at, false), "abcde_20261125T090000Z");
    EXPECT_EQ(instance_id("abcde", *parse_date("2026-11-25"), true), "abcde_20261125");
    auto const back = read_instance_id("abcde_R20261101T090000_20261125T090000Z");
    ASSERT_TRUE(back);
    EXPECT_EQ(back->master, "abcde_R20261101T090000");
    EXPECT_EQ(back->original, at);
    for (auto const* no : {"abcde", "abcde_R20261101T090000", "abcde_20261325", "_20261125", "abcde_2026112", "abcde_20261125T090000"})
        EXPECT_FALSE(read_instance_id(no)) << no;
}

TEST(Recurrence, ACutKeepsTheEndsOfBothParts) {
    using lines = std::vector<std::string>;
    auto const from = *parse_with_offset("2026-11-27T10:00:00+01:00");
    auto const endless = timed("2026-11-25T10:00:00", "Europe/Zurich", {"RRULE:FREQ=DAILY", "EXDATE:20261126T090000Z,20261128T090000Z"});
    EXPECT_EQ(lines_before(endless, from), (lines{"RRULE:FREQ=DAILY;UNTIL=20261127T085959Z", "EXDATE:20261126T090000Z"}));
    EXPECT_EQ(lines_from(endless, from), (lines{"RRULE:FREQ=DAILY", "EXDATE:20261128T090000Z"}));
    auto const counted = timed("2026-11-25T10:00:00", "Europe/Zurich", {"RRULE:FREQ=DAILY;COUNT=5"});
    EXPECT_EQ(lines_before(counted, from), lines{"RRULE:FREQ=DAILY;COUNT=2"});
    EXPECT_EQ(lines_from(counted, from), lines{"RRULE:FREQ=DAILY;COUNT=3"});
    auto const whole = all_day("2026-11-25", {"RRULE:FREQ=DAILY;UNTIL=20261231"});
    EXPECT_EQ(lines_before(whole, *parse_date("2026-11-27")), lines{"RRULE:FREQ=DAILY;UNTIL=20261126"});
    EXPECT_EQ(lines_from(whole, *parse_date("2026-11-27")), lines{"RRULE:FREQ=DAILY;UNTIL=20261231"});
}

}  // namespace
}  // namespace calbridge::emulator
