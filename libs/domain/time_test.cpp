#include "domain/render.h"
#include "domain/world_for_tests.h"

#include <gtest/gtest.h>

namespace calbridge::domain {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing_world::day;

constexpr minutes an_hour{60};

std::variant<time_range, refusal> understood(std::string const& start, std::string const& end = "",
                                             std::string const& zone = "Europe/Zurich") {
    return understand_time(start, end, zone, "America/New_York", an_hour);
}

time_range range_of(std::variant<time_range, refusal> const& from) {
    if (auto const* const why = std::get_if<refusal>(&from)) {
        ADD_FAILURE() << why->code << ": " << why->explanation;
        return {};
    }
    return std::get<time_range>(from);
}

refusal refusal_of(std::variant<time_range, refusal> const& from) {
    auto const* const why = std::get_if<refusal>(&from);
    if (!why) return {"understood", ""};
    EXPECT_TRUE(why->explanation.ends_with('.')) << why->explanation;
    return *why;
}

instant utc(int y, unsigned m, unsigned d, int h = 0, int min = 0, int s = 0) {
    return instant{day(y, m, d)} + hours(h) + minutes(min) + seconds(s);
}

TEST(Time, WallTimeInItsZone) {
    auto const winter = range_of(understood("2026-11-25T10:00:00", "2026-11-25T11:30:00"));
    EXPECT_EQ(winter.start, utc(2026, 11, 25, 9));
    EXPECT_EQ(winter.end, utc(2026, 11, 25, 10, 30));
    EXPECT_EQ(winter.zone, "Europe/Zurich");
    EXPECT_EQ(range_of(understood("2026-07-01T10:00:00")).start, utc(2026, 7, 1, 8));
    EXPECT_EQ(range_of(understood("2026-07-01T10:00:00", "", "Asia/Kolkata")).start, utc(2026, 7, 1, 4, 30));
    EXPECT_EQ(range_of(understood("2026-07-01T10:00:00", "", "UTC")).start, utc(2026, 7, 1, 10));
    EXPECT_EQ(range_of(understood("2026-07-01T10:00:00", "", "Pacific/Kiritimati")).start, utc(2026, 6, 30, 20));
}

TEST(Time, TheCalendarsZoneStandsIn) {
    auto const t = range_of(understood("2026-11-25T10:00:00", "", ""));
    EXPECT_EQ(t.zone, "America/New_York");
    EXPECT_EQ(t.start, utc(2026, 11, 25, 15));
}

TEST(Time, AnOffsetSaysTheMomentAndTheZoneTheName) {
    for (std::string const text : {"2026-11-25T10:00:00+01:00", "2026-11-25T10:00:00+0100", "2026-11-25T09:00:00Z", "2026-11-25t09:00z",
                                   "2026-11-25 04:00:00-05:00", "2026-11-25T10:00:00.250+01:00", "2026-11-25T10:00:00,999999999+01:00"}) {
        auto const t = range_of(understood(text));
        EXPECT_EQ(t.start, utc(2026, 11, 25, 9)) << text;
        EXPECT_EQ(t.zone, "Europe/Zurich");
    }
    EXPECT_EQ(range_of(understood("2026-11-25T10:00:00+01:00", "", "")).zone, "America/New_York");
    auto const nowhere = range_of(understand_time("2026-11-25T10:00:00+01:00", "2026-11-25T11:00:00+01:00", "", "Nowhere/Land", an_hour));
    EXPECT_EQ(nowhere.zone, "");
    EXPECT_EQ(nowhere.start, utc(2026, 11, 25, 9));
}

TEST(Time, WithoutEndTheDefaultDurationOrOneDay) {
    EXPECT_EQ(range_of(understand_time("2026-11-25T10:00:00", "", "UTC", "UTC", minutes(25))).end, utc(2026, 11, 25, 10, 25));
    auto const t = range_of(understood("2026-11-25"));
    EXPECT_TRUE(t.all_day);
    EXPECT_EQ(t.first_day, day(2026, 11, 25));
    EXPECT_EQ(t.end_day, day(2026, 11, 26));
}

TEST(Time, TheEndIsExclusive) {
    auto const t = range_of(understood("2026-11-25", "2026-11-28"));
    EXPECT_EQ(t.end_day - t.first_day, std::chrono::days(3));
    EXPECT_EQ(refusal_of(understood("2026-11-25", "2026-11-25")).code, "end_before_start");
    EXPECT_NE(refusal_of(understood("2026-11-25", "2026-11-25")).explanation.find("day after"), std::string::npos);
    EXPECT_EQ(refusal_of(understood("2026-11-25", "2026-11-24")).code, "end_before_start");
    EXPECT_EQ(refusal_of(understood("2026-11-25T10:00:00", "2026-11-25T10:00:00")).code, "end_before_start");
    EXPECT_EQ(refusal_of(understood("2026-11-25T10:00:00", "2026-11-25T09:59:59")).code, "end_before_start");
    EXPECT_EQ(refusal_of(understand_time("2026-11-25T10:00:00", "", "UTC", "UTC", minutes(0))).code, "end_before_start");
}

TEST(Time, WholeDaysNeedNoZone) {
    EXPECT_TRUE(range_of(understood("2026-11-25", "", "Nowhere/Land")).all_day);
    EXPECT_TRUE(range_of(understand_time("2026-03-29", "", "", "", an_hour)).all_day);
}

TEST(Time, WhatCannotBeReadIsRefused) {
    EXPECT_EQ(refusal_of(understood("")).code, "missing_start");
    for (std::string const bad : {"tomorrow",
                                  "2026",
                                  "2026-11",
                                  "2026-11-25T",
                                  "2026-11-25T1",
                                  "2026-11-25T10",
                                  "2026-11-25T10:",
                                  "2026-11-25T10:0",
                                  "2026-11-25T24:00:00",
                                  "2026-11-25T10:60:00",
                                  "2026-11-25T10:00:60",
                                  "2026-13-01",
                                  "2026-00-01",
                                  "2026-02-29",
                                  "2026-02-30",
                                  "2026-11-31",
                                  "2026-11-00",
                                  "25.11.2026",
                                  "11/25/2026",
                                  "2026-11-25T10:00:00+",
                                  "2026-11-25T10:00:00+1",
                                  "2026-11-25T10:00:00+19:00",
                                  "2026-11-25T10:00:00+01:60",
                                  "2026-11-25T10:00:00ZZ",
                                  "2026-11-25T10:00:00.",
                                  "2026-11-25T10:00:00X",
                                  "2026-11-25Z",
                                  "2026-11-25 ",
                                  " 2026-11-25",
                                  "+026-11-25",
                                  "-2026-11-25",
                                  "2026-1-25",
                                  "٢٠٢٦-11-25"}) {
        EXPECT_EQ(refusal_of(understood(bad)).code, "bad_start") << bad;
        EXPECT_EQ(refusal_of(understood("2026-11-25T10:00:00", bad)).code, "bad_end") << bad;
    }
    EXPECT_EQ(refusal_of(understood("2026-11-25", "2026-11-25T10:00:00")).code, "bad_end");
    EXPECT_EQ(refusal_of(understood("2026-11-25T10:00:00", "2026-11-26")).code, "bad_end");
    EXPECT_TRUE(range_of(understood("2028-02-29")).all_day);
}

TEST(Time, YearsHaveLimits) {
    EXPECT_EQ(refusal_of(understood("1969-12-31")).code, "bad_start");
    EXPECT_EQ(refusal_of(understood("2200-01-01")).code, "bad_start");
    EXPECT_EQ(refusal_of(understood("0000-01-01")).code, "bad_start");
    EXPECT_EQ(refusal_of(understood("2026-01-01", "9999-01-01")).code, "bad_end");
    EXPECT_TRUE(range_of(understood("1970-01-01")).all_day);
    EXPECT_TRUE(range_of(understood("2199-12-31")).all_day);
}

// The zone files end in 2037; a guess would be wrong by an hour in summer.
TEST(Time, BeyondTheZoneFilesAnOffsetIsNeeded) {
    EXPECT_EQ(range_of(understood("2037-07-01T10:00:00")).start, utc(2037, 7, 1, 8));
    EXPECT_EQ(refusal_of(understood("2038-07-01T10:00:00")).code, "bad_start");
    EXPECT_NE(refusal_of(understood("2038-07-01T10:00:00")).explanation.find("offset"), std::string::npos);
    EXPECT_EQ(refusal_of(understood("2037-12-31T23:00:00", "2038-01-01T01:00:00")).code, "bad_end");
    EXPECT_EQ(range_of(understood("2040-07-01T10:00:00+02:00")).start, utc(2040, 7, 1, 8));
    EXPECT_EQ(range_of(understood("2040-07-01T10:00:00", "", "UTC")).start, utc(2040, 7, 1, 10));
}

TEST(Time, UnknownZonesAreNamed) {
    auto const why = refusal_of(understood("2026-11-25T10:00:00", "", "Europe/Zuerich"));
    EXPECT_EQ(why.code, "unknown_zone");
    EXPECT_NE(why.explanation.find("Europe/Zuerich"), std::string::npos);
    EXPECT_EQ(refusal_of(understood("2026-11-25T10:00:00Z", "", "Europe/Zuerich")).code, "unknown_zone");
    EXPECT_EQ(refusal_of(understand_time("2026-11-25T10:00:00", "", "", "", an_hour)).code, "unknown_zone");
    EXPECT_EQ(refusal_of(understand_time("2026-11-25T10:00:00Z", "2026-11-25T11:00:00", "", "Nowhere/Land", an_hour)).code, "unknown_zone");
    EXPECT_EQ(refusal_of(understood("2026-11-25T10:00:00", "", "../../etc/passwd")).code, "unknown_zone");
    EXPECT_EQ(refusal_of(understood("2026-11-25T10:00:00", "", std::string(2000, 'x'))).explanation.find("xxx"), std::string::npos);
    EXPECT_EQ(refusal_of(understood("2026-11-25T10:00:00", "", "\xFF\n")).explanation.find('\n'), std::string::npos);
}

// --- the clock is put forward ----------------------------------------------------------------------------------------------------

struct gap {
    std::string zone, before, in, after;
    int jump_minutes;
    std::string sentence;
};

TEST(Time, AWallTimeTheClockSkipsIsRefusedWithTheReason) {
    gap const gaps[]{
        {"Europe/Zurich", "2026-03-29T01:59:59", "2026-03-29T02:30:00", "2026-03-29T03:00:00", 60, "from 02:00 straight to 03:00"},
        {"America/New_York", "2026-03-08T01:59:59", "2026-03-08T02:00:00", "2026-03-08T03:00:00", 60, "from 02:00 straight to 03:00"},
        {"Australia/Lord_Howe", "2026-10-04T01:59:59", "2026-10-04T02:15:00", "2026-10-04T02:30:00", 30, "from 02:00 straight to 02:30"},
        {"Africa/Cairo", "2026-04-23T23:59:59", "2026-04-24T00:30:00", "2026-04-24T01:00:00", 60, "from 00:00 straight to 01:00"},
        {"Pacific/Apia", "2011-12-29T23:59:59", "2011-12-30T12:00:00", "2011-12-31T00:00:00", 24 * 60, "from 00:00 straight to 00:00"},
    };
    for (auto const& g : gaps) {
        auto const why = refusal_of(understood(g.in, "", g.zone));
        EXPECT_EQ(why.code, "no_such_local_time") << g.zone;
        EXPECT_NE(why.explanation.find(g.zone), std::string::npos);
        EXPECT_NE(why.explanation.find(g.in), std::string::npos);
        EXPECT_NE(why.explanation.find(g.sentence), std::string::npos) << why.explanation;
        auto const across = range_of(understood(g.before, g.after, g.zone));
        EXPECT_EQ(across.end - across.start, seconds(1)) << g.zone;
        EXPECT_EQ(refusal_of(understood(g.before, g.in, g.zone)).code, "no_such_local_time");
    }
}

// --- the clock is put back -------------------------------------------------------------------------------------------------------

TEST(Time, OfADoubledHourTheFirstIsMeant) {
    auto const t = range_of(understood("2026-10-25T02:30:00"));
    EXPECT_EQ(t.start, utc(2026, 10, 25, 0, 30));  // still summer time
    EXPECT_EQ(range_of(understood("2026-11-01T01:30:00", "", "America/New_York")).start, utc(2026, 11, 1, 5, 30));
    EXPECT_EQ(range_of(understood("2026-04-05T01:45:00", "", "Australia/Lord_Howe")).start, utc(2026, 4, 4, 14, 45));
    EXPECT_EQ(range_of(understood("2026-10-25T02:30:00+01:00")).start, utc(2026, 10, 25, 1, 30));  // unless its offset says the second
}

TEST(Time, AnEndInTheDoubledHourIsTheFirstAfterTheStart) {
    EXPECT_EQ(range_of(understood("2026-10-25T02:15:00", "2026-10-25T02:45:00")).end, utc(2026, 10, 25, 0, 45));
    EXPECT_EQ(range_of(understood("2026-10-25T02:45:00", "2026-10-25T02:15:00")).end, utc(2026, 10, 25, 1, 15));
    EXPECT_EQ(range_of(understood("2026-10-25T02:30:00+01:00", "2026-10-25T02:45:00")).end, utc(2026, 10, 25, 1, 45));
    auto const whole_night = range_of(understood("2026-10-25T01:00:00", "2026-10-25T04:00:00"));
    EXPECT_EQ(whole_night.end - whole_night.start, hours(4));
    EXPECT_EQ(refusal_of(understood("2026-10-25T02:45:00+01:00", "2026-10-25T02:15:00")).code, "end_before_start");
}

// --- speaking --------------------------------------------------------------------------------------------------------------------

TEST(Speak, SaysWallTimeInTheRangesZone) {
    auto const said = speak({.start = utc(2026, 11, 25, 9), .end = utc(2026, 11, 25, 10), .zone = "Europe/Zurich"});
    EXPECT_EQ(said.start, "2026-11-25T10:00:00");
    EXPECT_EQ(said.end, "2026-11-25T11:00:00");
    EXPECT_EQ(said.time_zone, "Europe/Zurich");
    EXPECT_FALSE(said.all_day);
}

TEST(Speak, SaysUtcWhereTheZoneIsUnknownOrItsFilesEnd) {
    for (std::string const zone : {"", "Nowhere/Land", "UTC"}) {
        auto const said = speak({.start = utc(2026, 11, 25, 9), .end = utc(2026, 11, 25, 10), .zone = zone});
        EXPECT_EQ(said.start, "2026-11-25T09:00:00");
        EXPECT_EQ(said.time_zone, "UTC");
    }
    EXPECT_EQ(speak({.start = utc(2026, 1, 1), .end = utc(2026, 1, 2), .zone = "Etc/UTC"}).time_zone, "Etc/UTC");
    auto const late = speak({.start = utc(2040, 7, 1, 8), .end = utc(2040, 7, 1, 9), .zone = "Europe/Zurich"});
    EXPECT_EQ(late.start, "2040-07-01T08:00:00");
    EXPECT_EQ(late.time_zone, "UTC");
}

TEST(Speak, TheFirstNightOfTheFirstYearComesBack) {
    auto const first = range_of(understood("1970-01-01T00:00:00", "1970-01-01T01:00:00"));
    auto const said = speak(first);
    EXPECT_EQ(said.start, "1970-01-01T00:00:00");
    EXPECT_EQ(range_of(understood(said.start, said.end, said.time_zone)), first);
}

TEST(Speak, SaysDatesForWholeDays) {
    auto const said = speak({.all_day = true, .first_day = day(2026, 1, 9), .end_day = day(2026, 1, 10)});
    EXPECT_EQ(said.start, "2026-01-09");
    EXPECT_EQ(said.end, "2026-01-10");
    EXPECT_EQ(said.time_zone, "");
    EXPECT_TRUE(said.all_day);
}

TEST(Speak, SaysTheOffsetWhereTheSameWallTimeComesASecondTime) {
    auto const said = speak({.start = utc(2026, 10, 25, 0, 30), .end = utc(2026, 10, 25, 1, 30), .zone = "Europe/Zurich"});
    EXPECT_EQ(said.start, "2026-10-25T02:30:00");
    EXPECT_EQ(said.end, "2026-10-25T02:30:00+01:00");
    EXPECT_EQ(speak({.start = utc(2026, 11, 1, 6, 30), .end = utc(2026, 11, 1, 8), .zone = "America/New_York"}).start,
              "2026-11-01T01:30:00-05:00");
    EXPECT_EQ(speak({.start = utc(2026, 4, 4, 15, 10), .end = utc(2026, 4, 4, 16), .zone = "Australia/Lord_Howe"}).start,
              "2026-04-05T01:40:00+10:30");
}

TEST(Speak, IsUnderstoodAsTheSameMoments) {
    testing_world::dice random(30);
    std::vector<std::string> const zones{"Europe/Zurich",       "America/New_York",
                                         "Australia/Lord_Howe", "Asia/Kolkata",
                                         "Africa/Cairo",        "Pacific/Apia",
                                         "Africa/Casablanca",   "America/Caracas",
                                         "Asia/Gaza",           "Antarctica/Troll",
                                         "Africa/Monrovia",     "UTC",
                                         "Etc/GMT+5",           "",
                                         "Nowhere/Land"};
    for (int i = 0; i < 20'000; ++i) {
        auto const minutes_since = std::chrono::minutes(random.below(1'900'000'000) / 40);
        auto start = instant{seconds(86'400)} + minutes_since + seconds(random.below(60));
        if (random.below(2)) start = utc(2026, 10, 25) + minutes(random.below(240));  // around the doubled hour
        time_range const range{.start = start, .end = start + minutes(1 + random.below(3000)), .zone = random.pick(zones)};

        auto const said = speak(range);
        auto const back = range_of(understand_time(said.start, said.end, said.time_zone, "Asia/Tokyo", an_hour));

        ASSERT_EQ(back, range) << said.start << " " << said.end << " " << said.time_zone;
    }
    for (int i = 0; i < 1000; ++i) {
        auto const first = day(1970, 1, 1) + std::chrono::days(random.below(80'000));
        time_range const range{.all_day = true, .first_day = first, .end_day = first + std::chrono::days(1 + random.below(30))};
        auto const said = speak(range);
        ASSERT_EQ(range_of(understand_time(said.start, said.end, said.time_zone, "", an_hour)), range);
    }
}

TEST(Time, RandomTextNeverDoesMoreThanFail) {
    testing_world::dice random(31);
    std::string const alphabet = "0123456789-:TtZz+. ,XY";
    for (int i = 0; i < 50'000; ++i) {
        std::string start = "2026-11-25T10:00:00+01:00";
        for (int n = 1 + random.below(4); n > 0; --n)
            start[static_cast<std::size_t>(random.below(static_cast<int>(start.size())))] =
                alphabet[static_cast<std::size_t>(random.below(static_cast<int>(alphabet.size())))];
        start.resize(static_cast<std::size_t>(random.below(static_cast<int>(start.size()) + 1)));
        auto const t = understood(start);
        if (auto const* const range = std::get_if<time_range>(&t)) {
            ASSERT_EQ(normalise(fields{.time = *range}).time, *range) << start;
        }
    }
}

}  // namespace
}  // namespace calbridge::domain
