#include "domain/recurrence.h"

#include "domain/world_for_tests.h"

#include <gmock/gmock.h>

#include <chrono>

namespace calbridge::domain {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing_world::day;
using lines = std::vector<std::string>;

instant utc(std::string_view key) { return start_of_occurrence(key, "UTC").value().start; }

time_range timed(std::string_view key, std::string zone = "Europe/Zurich", std::chrono::minutes length = 60min) {
    return {.start = utc(key), .end = utc(key) + length, .zone = std::move(zone)};
}

time_range whole_day(int y, unsigned m, unsigned d) {
    return {.all_day = true, .first_day = day(y, m, d), .end_day = day(y, m, d) + std::chrono::days(1)};
}

occurrence_window always(std::size_t most = 10'000) { return {.from = day(1970, 1, 1), .to = day(2199, 1, 1), .most = most}; }

lines keys(expansion const& of) {
    lines out;
    for (auto const& one : of.items) out.push_back(one.key);
    return out;
}

lines keys(lines const& rules, time_range const& first, occurrence_window const& within = always()) {
    return keys(expand(rules, first, within).value());
}

lines canonical(lines const& given, time_range const& first) { return std::get<lines>(canonical_recurrence(given, first)); }

std::string refused(lines const& given, time_range const& first) {
    auto const got = canonical_recurrence(given, first);
    auto const* const why = std::get_if<refusal>(&got);
    return why ? why->code : "accepted";
}

TEST(CanonicalRecurrence, HasOneSpelling) {
    auto const first = timed("20261123T090000Z");

    EXPECT_THAT(
        canonical({"exdate;tzid=Europe/Zurich:20261207T100000,20261130T100000", "rrule:byday=we,mo;wkst=su;interval=1;freq=weekly",
                   "EXDATE:20261130T090000Z", "RDATE;X-WHY=me;TZID=\"America/New_York\":20261201T080000"},
                  first),
        ElementsAre("RRULE:FREQ=WEEKLY;BYDAY=MO,WE", "RDATE:20261201T130000Z", "EXDATE:20261130T090000Z", "EXDATE:20261207T090000Z"));
    EXPECT_THAT(canonical({"RRULE:FREQ=WEEKLY;WKST=SU;INTERVAL=2;BYDAY=SU,MO"}, first),
                ElementsAre("RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU"));
    EXPECT_THAT(canonical({"EXRULE:FREQ=YEARLY;BYMONTH=12,8", "RRULE:FREQ=MONTHLY;BYDAY=-1FR,+1MO;BYSETPOS=2,1,1"}, first),
                ElementsAre("RRULE:FREQ=MONTHLY;BYDAY=1MO,-1FR;BYSETPOS=1,2", "EXRULE:FREQ=YEARLY;BYMONTH=8,12"));
    EXPECT_THAT(canonical({"RRULE:FREQ=DAILY;BYHOUR=10;BYMINUTE=0;BYSECOND=0"}, first), ElementsAre("RRULE:FREQ=DAILY"));
    EXPECT_THAT(canonical({}, first), IsEmpty());
    EXPECT_THAT(canonical({"EXDATE:20261130T090000Z"}, first), IsEmpty());
}

TEST(CanonicalRecurrence, UnderstandsUntilInItsThreeSpellings) {
    auto const first = timed("20261123T090000Z");

    EXPECT_THAT(canonical({"RRULE:FREQ=DAILY;UNTIL=20261126T090000Z"}, first), ElementsAre("RRULE:FREQ=DAILY;UNTIL=20261126T090000Z"));
    EXPECT_THAT(canonical({"RRULE:FREQ=DAILY;UNTIL=20261126T100000"}, first), ElementsAre("RRULE:FREQ=DAILY;UNTIL=20261126T090000Z"));
    EXPECT_THAT(canonical({"RRULE:FREQ=DAILY;UNTIL=20261126"}, first), ElementsAre("RRULE:FREQ=DAILY;UNTIL=20261126T225959Z"));
    for (std::string const until : {"20261126T090000Z", "20261126T100000", "20261126"})
        EXPECT_THAT(keys({"RRULE:FREQ=DAILY;UNTIL=" + until}, first),
                    ElementsAre("20261123T090000Z", "20261124T090000Z", "20261125T090000Z", "20261126T090000Z"))
            << until;
    for (std::string const until : {"20261125", "20261125T100000", "20261125T100000Z"})
        EXPECT_THAT(canonical({"RRULE:FREQ=DAILY;UNTIL=" + until}, whole_day(2026, 11, 23)),
                    ElementsAre("RRULE:FREQ=DAILY;UNTIL=20261125"));
}

TEST(CanonicalRecurrence, UntilIsComparedAsMomentsAlsoWhereTheZoneIsFarFromUtc) {
    // Ten in the morning in Auckland is the evening before in UTC.
    auto const first = timed("20261122T210000Z", "Pacific/Auckland");

    EXPECT_THAT(keys({"RRULE:FREQ=DAILY;UNTIL=20261123T210000Z"}, first), ElementsAre("20261122T210000Z", "20261123T210000Z"));
    EXPECT_THAT(keys({"RRULE:FREQ=DAILY;UNTIL=20261123T205959Z"}, first), ElementsAre("20261122T210000Z"));
    EXPECT_THAT(keys({"RRULE:FREQ=DAILY;UNTIL=20261124"}, first), ElementsAre("20261122T210000Z", "20261123T210000Z"));
}

TEST(CanonicalRecurrence, RefusesInACodeAndWords) {
    auto const first = timed("20261123T090000Z");
    std::string const too_often = "recurrence_too_often";

    for (std::string const freq : {"SECONDLY", "MINUTELY", "HOURLY"}) EXPECT_EQ(refused({"RRULE:FREQ=" + freq}, first), too_often);
    EXPECT_EQ(refused({"RRULE:FREQ=DAILY;BYHOUR=9,10"}, first), too_often);
    EXPECT_EQ(refused({"RRULE:FREQ=DAILY;BYMINUTE=0,30"}, first), too_often);
    EXPECT_EQ(refused({"RRULE:FREQ=DAILY"}, timed("20261123T090000Z", "")), "recurrence_without_zone");
    EXPECT_EQ(refused({"RRULE:FREQ=DAILY"}, timed("20261123T090000Z", "Middle/Earth")), "recurrence_without_zone");
    EXPECT_EQ(refused({"RRULE:FREQ=DAILY;COUNT=1", "EXDATE:20261123T090000Z"}, first), "recurrence_never");
    EXPECT_EQ(refused({"RRULE:FREQ=DAILY", "EXRULE:FREQ=DAILY"}, first), "recurrence_never");
    EXPECT_EQ(refused(lines(2001, "EXDATE:20261123T090000Z"), first), "recurrence_too_long");
    EXPECT_EQ(refused({"RRULE:FREQ=DAILY;BYMONTH=" + std::string(9000, '1')}, first), "recurrence_too_long");
    EXPECT_EQ(
        refused({"RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY", "RRULE:FREQ=MONTHLY", "RRULE:FREQ=YEARLY", "RRULE:FREQ=DAILY;INTERVAL=2"}, first),
        "recurrence_too_long");
    auto const why = std::get<refusal>(canonical_recurrence({"RRULE:FREQ=DAILY;COUNT=2;UNTIL=20270101"}, first));
    EXPECT_EQ(why.explanation,
              "The recurrence cannot be read: COUNT and UNTIL exclude each other. Write it like RRULE:FREQ=WEEKLY;BYDAY=MO.");
}

TEST(CanonicalRecurrence, RefusesGarbage) {
    auto const first = timed("20261123T090000Z");
    std::string const nul(1, '\0');

    for (std::string const given : {"",
                                    "garbage",
                                    "FREQ=DAILY",
                                    "RRULE",
                                    "RRULE:",
                                    "RRULE:;;",
                                    "RRULE:FREQ",
                                    "RRULE:FREQ=",
                                    "RRULE:FREQ=FORTNIGHTLY",
                                    "DTSTART:20261123T090000Z",
                                    "RRULE:FREQ=DAILY;FREQ=DAILY",
                                    "RRULE:FREQ=DAILY;INTERVAL=0",
                                    "RRULE:FREQ=DAILY;INTERVAL=-1",
                                    "RRULE:FREQ=DAILY;INTERVAL=99999999999999",
                                    "RRULE:FREQ=DAILY;COUNT=0",
                                    "RRULE:FREQ=DAILY;COUNT=1e3",
                                    "RRULE:FREQ=DAILY;UNTIL=tomorrow",
                                    "RRULE:FREQ=DAILY;UNTIL=20261332",
                                    "RRULE:FREQ=DAILY;UNTIL=20260229",
                                    "RRULE:FREQ=DAILY;BYMONTH=13",
                                    "RRULE:FREQ=DAILY;BYMONTH=1,,2",
                                    "RRULE:FREQ=WEEKLY;BYDAY=XX",
                                    "RRULE:FREQ=WEEKLY;BYDAY=1MO",
                                    "RRULE:FREQ=MONTHLY;BYDAY=0MO",
                                    "RRULE:FREQ=MONTHLY;BYDAY=54MO",
                                    "RRULE:FREQ=MONTHLY;BYMONTHDAY=32",
                                    "RRULE:FREQ=MONTHLY;BYSETPOS=1",
                                    "RRULE:FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
                                    "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
                                    "RRULE:FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=31",
                                    "RRULE:FREQ=MONTHLY;BYDAY=6MO",
                                    "RRULE:FREQ=MONTHLY;BYWEEKNO=1",
                                    "RRULE:FREQ=DAILY;BYYEARDAY=1",
                                    "RRULE:FREQ=WEEKLY;BYMONTHDAY=1",
                                    "RRULE:FREQ=YEARLY;BYYEARDAY=1;BYMONTHDAY=1",
                                    "RRULE:FREQ=DAILY;BYHOUR=11",
                                    "RRULE:RSCALE=CHINESE;FREQ=YEARLY",
                                    "RRULE:FREQ=DAILY;X-MINE=1",
                                    "RRULE;TZID:FREQ=DAILY",
                                    "RRULE;FOO=BAR:FREQ=DAILY",
                                    "EXDATE:",
                                    "EXDATE:20261123T250000Z",
                                    "EXDATE;TZID=Middle/Earth:20261123T100000",
                                    "RDATE;VALUE=PERIOD:20261123T090000Z/PT1H",
                                    "RDATE:20261123T090000Z/PT1H",
                                    "RDATE:20261101T090000Z",
                                    "RRULE:FREQ=DAILY\nRRULE:FREQ=DAILY"})
        EXPECT_EQ(refused({given}, first), "bad_recurrence") << given;
    EXPECT_EQ(refused({"RRULE:FREQ=DAILY" + nul}, first), "bad_recurrence");
    EXPECT_EQ(refused({"RRULE:FREQ=\xFF\xFE"}, first), "bad_recurrence");
    EXPECT_EQ(refused({"RRULE:FREQ=DAILY"}, whole_day(1, 1, 1)), "bad_recurrence");
    EXPECT_FALSE(expand({"garbage"}, first, always()));
    EXPECT_EQ(expand({"garbage"}, first, always()).error().code, errc::malformed);
}

TEST(Expansion, CountCountsWhatIsExcluded) {
    auto const first = timed("20261123T090000Z");

    EXPECT_THAT(keys({"RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20261124T090000Z"}, first), ElementsAre("20261123T090000Z", "20261125T090000Z"));
    EXPECT_THAT(keys({"RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20261123T090000Z"}, first), ElementsAre("20261124T090000Z", "20261125T090000Z"));
}

TEST(Expansion, TheStartIsAnOccurrenceAndCountsAlsoWhenTheRuleDoesNotMakeIt) {
    // A Monday, and a rule of Fridays.
    EXPECT_THAT(keys({"RRULE:FREQ=WEEKLY;BYDAY=FR;COUNT=3"}, timed("20261123T090000Z")),
                ElementsAre("20261123T090000Z", "20261127T090000Z", "20261204T090000Z"));
}

TEST(Expansion, WallTimeStaysAcrossClockChanges) {
    EXPECT_THAT(keys({"RRULE:FREQ=DAILY;COUNT=3"}, timed("20261023T080000Z")),
                ElementsAre("20261023T080000Z", "20261024T080000Z", "20261025T090000Z"));
}

TEST(Expansion, ATimeTheClockSkipsMovesOnByTheGapAndOneItShowsTwiceIsTheFirst) {
    // Half past two in Zurich: skipped on 29 March, shown twice on 25 October.
    EXPECT_THAT(keys({"RRULE:FREQ=DAILY;COUNT=3"}, timed("20260328T013000Z")),
                ElementsAre("20260328T013000Z", "20260329T013000Z", "20260330T003000Z"));
    EXPECT_THAT(keys({"RRULE:FREQ=DAILY;COUNT=3"}, timed("20261024T003000Z")),
                ElementsAre("20261024T003000Z", "20261025T003000Z", "20261026T013000Z"));
    // Half an hour on Lord Howe.
    EXPECT_THAT(keys({"RRULE:FREQ=DAILY;COUNT=3"}, timed("20261002T154500Z", "Australia/Lord_Howe")),
                ElementsAre("20261002T154500Z", "20261003T154500Z", "20261004T151500Z"));
    // Apia left out 30 December 2011: two occurrences meet.
    EXPECT_THAT(keys({"RRULE:FREQ=DAILY;COUNT=3"}, timed("20111229T200000Z", "Pacific/Apia")),
                ElementsAre("20111229T200000Z", "20111230T200000Z"));
}

TEST(Expansion, TheLengthOfAnOccurrenceIsExact) {
    auto const found = expand({"RRULE:FREQ=DAILY;COUNT=2"}, timed("20261023T220000Z", "Europe/Zurich", 180min), always()).value();

    ASSERT_THAT(found.items, SizeIs(2));
    EXPECT_EQ(found.items[1].time.start, utc("20261024T220000Z"));
    EXPECT_EQ(found.items[1].time.end, utc("20261025T010000Z"));
    EXPECT_EQ(found.items[1].time.zone, "Europe/Zurich");
}

TEST(Expansion, LeavesOutYearsWithoutTheDay) {
    EXPECT_THAT(keys({"RRULE:FREQ=YEARLY;COUNT=4"}, whole_day(2092, 2, 29)), ElementsAre("20920229", "20960229", "21040229", "21080229"));
    EXPECT_THAT(keys({"RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1;COUNT=3"}, whole_day(2024, 2, 29)),
                ElementsAre("20240229", "20250228", "20260228"));
    EXPECT_THAT(keys({"RRULE:FREQ=MONTHLY;COUNT=3"}, whole_day(2027, 1, 31)), ElementsAre("20270131", "20270331", "20270531"));
}

TEST(Expansion, FindsLastDays) {
    EXPECT_THAT(keys({"RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=3"}, whole_day(2026, 11, 27)), ElementsAre("20261127", "20261225", "20270129"));
    EXPECT_THAT(keys({"RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3"}, whole_day(2027, 1, 29)),
                ElementsAre("20270129", "20270226", "20270331"));
    EXPECT_THAT(keys({"RRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=-1;COUNT=3"}, whole_day(2026, 11, 27)),
                ElementsAre("20261127", "20261204", "20261211"));
}

// Each of these libical 3.0 reads otherwise; the property tests found them.
TEST(Expansion, ReadsRulesAsRfc5545Does) {
    auto const friday = whole_day(2026, 3, 20);
    occurrence_window const half_a_year{.from = day(2026, 3, 1), .to = day(2026, 7, 1)};

    EXPECT_THAT(keys({"RRULE:FREQ=YEARLY;BYMONTHDAY=1"}, friday, half_a_year), ElementsAre("20260320", "20260401", "20260501", "20260601"));
    EXPECT_THAT(keys({"RRULE:FREQ=DAILY;BYMONTHDAY=-1"}, friday, half_a_year),
                ElementsAre("20260320", "20260331", "20260430", "20260531", "20260630"));
    EXPECT_THAT(keys({"RRULE:FREQ=DAILY;INTERVAL=2;BYMONTHDAY=-1,2"}, friday, half_a_year),
                ElementsAre("20260320", "20260531", "20260602", "20260630"));
    // Weeks from Tuesday to Monday: the Monday of every second one, the start's own among them.
    EXPECT_THAT(keys({"RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=TU;COUNT=4"}, friday),
                ElementsAre("20260320", "20260323", "20260406", "20260420"));
    EXPECT_THAT(keys({"RRULE:FREQ=YEARLY;BYWEEKNO=1;COUNT=3"}, friday), ElementsAre("20260320", "20270108", "20280107"));
    EXPECT_THAT(keys({"RRULE:FREQ=YEARLY;BYWEEKNO=1;BYDAY=TU;COUNT=3"}, friday), ElementsAre("20260320", "20270105", "20280104"));
    EXPECT_THAT(keys({"RRULE:FREQ=YEARLY;BYMONTH=1,4;BYYEARDAY=1,200;COUNT=3"}, friday), ElementsAre("20260320", "20270101", "20280101"));
    // The 12th and the last but sixteen are one day in February.
    EXPECT_THAT(keys({"RRULE:FREQ=MONTHLY;BYMONTHDAY=1,12,-17;BYSETPOS=-2;COUNT=3"}, whole_day(2027, 1, 12)),
                ElementsAre("20270112", "20270201", "20270312"));
}

TEST(Expansion, UnitesRulesAndDatesAndTakesExceptionsAway) {
    auto const first = whole_day(2026, 11, 23);

    EXPECT_THAT(keys({"RRULE:FREQ=DAILY;COUNT=4", "RRULE:FREQ=WEEKLY;COUNT=2", "EXRULE:FREQ=DAILY;INTERVAL=2;COUNT=2",
                      "RDATE;VALUE=DATE:20261201,20261124", "EXDATE;VALUE=DATE:20261126"},
                     first),
                ElementsAre("20261124", "20261130", "20261201"));
}

TEST(Expansion, AWindowHoldsWhatTouchesIt) {
    auto const first = timed("20200113T090000Z");
    lines const weekly{"RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TU"};
    auto const between = [&](instant from, instant to) { return keys(weekly, first, {.from = from, .to = to}); };

    EXPECT_THAT(between(utc("20261123T000000Z"), utc("20261209T000000Z")),
                ElementsAre("20261123T090000Z", "20261124T090000Z", "20261207T090000Z", "20261208T090000Z"));
    EXPECT_THAT(between(utc("20261123T095959Z"), utc("20261124T090001Z")), ElementsAre("20261123T090000Z", "20261124T090000Z"));
    EXPECT_THAT(between(utc("20261123T100000Z"), utc("20261124T090000Z")), IsEmpty());
    EXPECT_THAT(between(utc("20261124T000000Z"), utc("20261123T000000Z")), IsEmpty());
    EXPECT_THAT(keys(weekly, first, {.from = instant::min(), .to = instant::max(), .most = 1}), ElementsAre("20200113T090000Z"));
}

TEST(Expansion, EndlessRulesAreBounded) {
    auto const first = whole_day(2026, 11, 23);

    auto const few = expand({"RRULE:FREQ=DAILY"}, first, always(50)).value();
    EXPECT_THAT(few.items, SizeIs(50));
    EXPECT_TRUE(few.cut);

    auto const long_ago =
        expand({"RRULE:FREQ=DAILY;COUNT=200000"}, whole_day(1901, 1, 1), {.from = day(2170, 1, 1), .to = day(2199, 1, 1)}).value();
    EXPECT_EQ(long_ago.items.front().key, "21700101");
    EXPECT_LT(long_ago.items.size(), 3000u);
    EXPECT_TRUE(long_ago.cut);

    auto const never_again = expand({"RRULE:FREQ=DAILY;INTERVAL=7;BYDAY=TU"}, first, always()).value();
    EXPECT_THAT(keys(never_again), ElementsAre("20261123"));
    EXPECT_THAT(keys({"RRULE:FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29"}, first), ElementsAre("20261123"));
    EXPECT_THAT(keys({"RRULE:FREQ=MONTHLY;BYMONTHDAY=1;BYDAY=5MO"}, first), ElementsAre("20261123"));
    EXPECT_THAT(keys({"RRULE:FREQ=YEARLY;INTERVAL=9999"}, first), ElementsAre("20261123"));
}

TEST(Expansion, GoesOnAfterTheZoneFilesEnd) {
    auto const first = timed("20370601T080000Z");

    EXPECT_THAT(keys({"RRULE:FREQ=MONTHLY;INTERVAL=6;COUNT=5"}, first),
                ElementsAre("20370601T080000Z", "20371201T090000Z", "20380601T080000Z", "20381201T090000Z", "20390601T080000Z"));
    // The clocks change on 28 March 2100; a leap day lies between and none after it.
    EXPECT_THAT(keys({"RRULE:FREQ=DAILY;COUNT=2"}, timed("21000327T090000Z")), ElementsAre("21000327T090000Z", "21000328T080000Z"));
    EXPECT_THAT(keys({"RRULE:FREQ=YEARLY"}, timed("21790601T080000Z")), ElementsAre("21790601T080000Z", "21800601T080000Z"));
    EXPECT_THAT(keys({"RRULE:FREQ=YEARLY"}, timed("21900601T080000Z")), ElementsAre("21900601T080000Z"));
}

TEST(Occurrences, AreNamedByTheirOriginalStart) {
    EXPECT_EQ(occurrence_key(timed("20261125T090000Z")), "20261125T090000Z");
    EXPECT_EQ(occurrence_key(whole_day(2026, 11, 25)), "20261125");
    EXPECT_EQ(instance_id("abc", "20261125T090000Z"), "abc_20261125T090000Z");
    EXPECT_EQ(start_of_occurrence("20261125", "Europe/Zurich"), whole_day(2026, 11, 25));
    EXPECT_EQ(start_of_occurrence("20261125T090000Z", "Europe/Zurich").value().zone, "Europe/Zurich");
    for (auto const* const bad :
         {"", "2026", "20261125T090000", "20261332", "20261125T250000Z", "20261125T090000Zx", "20261125t090000z", "2026-11-25"})
        EXPECT_FALSE(start_of_occurrence(bad, "UTC")) << bad;
}

TEST(Occurrences, AreUnderstoodInTheCrmsSpelling) {
    auto const first = timed("20261123T090000Z");

    EXPECT_EQ(understand_occurrence("2026-11-25T10:00:00", first), "20261125T090000Z");
    EXPECT_EQ(understand_occurrence("2026-11-25T10:00:00+02:00", first), "20261125T080000Z");
    EXPECT_EQ(understand_occurrence("20261125T090000Z", first), "20261125T090000Z");
    EXPECT_EQ(understand_occurrence("2026-03-29T02:30:00", first), "20260329T013000Z");
    EXPECT_EQ(understand_occurrence("2026-11-25", whole_day(2026, 11, 23)), "20261125");
    EXPECT_FALSE(understand_occurrence("2026-11-25", first));
    EXPECT_FALSE(understand_occurrence("20261125", first));
    EXPECT_FALSE(understand_occurrence("2026-11-25T10:00:00", whole_day(2026, 11, 23)));
    EXPECT_FALSE(understand_occurrence("next week", first));
}

TEST(Occurrences, AreFoundInTheirSeries) {
    auto const first = timed("20261123T090000Z");
    lines const weekly{"RRULE:FREQ=WEEKLY", "EXDATE:20261130T090000Z"};

    EXPECT_TRUE(has_occurrence(weekly, first, "20261123T090000Z"));
    EXPECT_TRUE(has_occurrence(weekly, first, "20451204T090000Z"));
    EXPECT_FALSE(has_occurrence(weekly, first, "20261130T090000Z"));
    EXPECT_FALSE(has_occurrence(weekly, first, "20261207T090001Z"));
    EXPECT_FALSE(has_occurrence(weekly, first, "20261116T090000Z"));
    EXPECT_FALSE(has_occurrence(weekly, first, "20261207"));
}

TEST(EndOfSeries, IsTheLastOccurrencesEnd) {
    auto const first = timed("20261123T090000Z");

    EXPECT_EQ(end_of_series({"RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE:20261207T090000Z"}, first), utc("20261130T100000Z"));
    EXPECT_EQ(end_of_series({}, first), utc("20261123T100000Z"));
    EXPECT_EQ(end_of_series({"RRULE:FREQ=DAILY;UNTIL=20261125"}, whole_day(2026, 11, 23)), instant{day(2026, 11, 26)});
    EXPECT_FALSE(end_of_series({"RRULE:FREQ=WEEKLY"}, first));
    EXPECT_FALSE(end_of_series({"RRULE:FREQ=DAILY;COUNT=999999"}, timed("19010101T090000Z")));
}

TEST(EndBefore, CutsEverythingFromAnOccurrenceOn) {
    auto const first = timed("20261123T090000Z");

    EXPECT_THAT(end_before({"RRULE:FREQ=WEEKLY;COUNT=9", "RDATE:20261125T090000Z", "RDATE:20270301T090000Z", "EXDATE:20261130T090000Z",
                            "EXDATE:20270104T090000Z"},
                           first, "20261214T090000Z")
                    .value(),
                ElementsAre("RRULE:FREQ=WEEKLY;UNTIL=20261214T085959Z", "RDATE:20261125T090000Z", "EXDATE:20261130T090000Z"));
    EXPECT_THAT(end_before({"RRULE:FREQ=DAILY"}, whole_day(2026, 11, 23), "20261125").value(),
                ElementsAre("RRULE:FREQ=DAILY;UNTIL=20261124"));
    EXPECT_THAT(end_before({"RRULE:FREQ=WEEKLY"}, first, "20261130T090000Z").value(), IsEmpty());
    EXPECT_FALSE(end_before({"RRULE:FREQ=WEEKLY"}, first, "20261123T090000Z"));
    EXPECT_FALSE(end_before({"RRULE:FREQ=WEEKLY", "EXDATE:20261123T090000Z"}, first, "20261130T090000Z"));
    // A rule that is through by then is not prolonged.
    EXPECT_THAT(end_before({"RRULE:FREQ=WEEKLY;COUNT=2", "RDATE:20270301T090000Z"}, first, "20270301T090000Z").value(),
                ElementsAre("RRULE:FREQ=WEEKLY;COUNT=2"));
}

TEST(TailFrom, KeepsTheOriginalEnd) {
    auto const first = timed("20261123T090000Z");
    lines const series{"RRULE:FREQ=WEEKLY;COUNT=9", "RDATE:20261125T090000Z", "RDATE:20270301T090000Z", "EXDATE:20261130T090000Z",
                       "EXDATE:20270104T090000Z"};

    auto const rest = tail_from(series, first, "20261214T090000Z").value();

    EXPECT_THAT(rest.lines, ElementsAre("RRULE:FREQ=WEEKLY;COUNT=6", "RDATE:20270301T090000Z", "EXDATE:20270104T090000Z"));
    EXPECT_EQ(rest.first, timed("20261214T090000Z"));
    EXPECT_EQ(rest.first.zone, "Europe/Zurich");
    EXPECT_FALSE(tail_from(series, first, "20261130T090000Z"));
    EXPECT_THAT(tail_from(series, first, "20270301T090000Z").value().lines, IsEmpty());
    EXPECT_EQ(tail_from(series, first, "20261123T090000Z").value().lines, series);
}

TEST(TailFrom, ListsDatesWhereARuleCannotBeginThere) {
    auto const first = timed("20261123T090000Z");

    EXPECT_THAT(tail_from({"RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=3", "RDATE:20261125T120000Z"}, first, "20261125T120000Z").value().lines,
                ElementsAre("RDATE:20261207T090000Z", "RDATE:20261221T090000Z"));
    EXPECT_FALSE(tail_from({"RRULE:FREQ=WEEKLY;INTERVAL=2", "RDATE:20261125T120000Z"}, first, "20261125T120000Z"));
}

TEST(CutAt, FindsWhereASeriesWasCutShort) {
    auto const first = timed("20261123T090000Z");
    lines const weekly{"RRULE:FREQ=WEEKLY"};

    EXPECT_EQ(cut_at(weekly, {"RRULE:FREQ=WEEKLY;UNTIL=20261213T225959Z"}, first), "20261214T090000Z");
    EXPECT_EQ(cut_at({"RRULE:FREQ=WEEKLY;COUNT=9"}, {"RRULE:FREQ=WEEKLY;COUNT=3"}, first), "20261214T090000Z");
    EXPECT_EQ(cut_at(weekly, {}, first), "20261130T090000Z");
    EXPECT_FALSE(cut_at(weekly, weekly, first));
    EXPECT_FALSE(cut_at({"RRULE:FREQ=WEEKLY;COUNT=3"}, {"RRULE:FREQ=WEEKLY;COUNT=9"}, first));
    EXPECT_FALSE(cut_at(weekly, {"RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=3"}, first));
    EXPECT_FALSE(cut_at(weekly, {"RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE:20261130T090000Z"}, first));
}

}  // namespace
}  // namespace calbridge::domain
