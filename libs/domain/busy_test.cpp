#include "domain/busy.h"

#include "domain/world_for_tests.h"

#include <gmock/gmock.h>

#include <chrono>

namespace calbridge::domain {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing_world::day;

constexpr std::string_view zone = "Europe/Zurich";

instant utc(std::string_view key) { return start_of_occurrence(key, "UTC").value().start; }

time_range hour_at(std::string_view key) { return {.start = utc(key), .end = utc(key) + 1h, .zone = std::string(zone)}; }

calendar_event single(std::string_view key) { return {.id = "e", .status = "confirmed", .time = hour_at(key)}; }

calendar_event weekly() {
    auto out = single("20261123T090000Z");
    out.recurrence = {"RRULE:FREQ=WEEKLY;COUNT=4"};
    return out;
}

calendar_event exception(std::string_view original, std::string_view moved_to) {
    return {.id = instance_id("e", original),
            .status = "confirmed",
            .time = hour_at(moved_to),
            .recurring_event_id = "e",
            .original_start = start_of_occurrence(original, zone)};
}

calendar_event cancelled(std::string_view original) {
    auto out = exception(original, original);
    out.status = "cancelled";
    out.time.reset();
    return out;
}

event_attendee answer(std::string response) { return {.email = "me@example.com", .response = std::move(response), .self = true}; }

occurrence_window year() { return {.from = day(2026, 11, 1), .to = day(2027, 11, 1)}; }

std::vector<std::string> said(calendar_event const& event, std::vector<calendar_event> const& exceptions = {},
                              occurrence_window within = year()) {
    std::vector<std::string> out;
    for (auto const& span : busy_spans(event, exceptions, within, zone).value().spans)
        out.push_back(span.event_id + " " + occurrence_key({.start = span.starts}) + (span.tentative ? " tentative" : ""));
    return out;
}

TEST(BlocksTime, UnlessFreeDeclinedCancelledOrOfAKindThatNeverDoes) {
    auto event = single("20261123T090000Z");
    EXPECT_TRUE(blocks_time(event));
    event.status = "tentative";
    EXPECT_TRUE(blocks_time(event));
    event.status = "cancelled";
    EXPECT_FALSE(blocks_time(event));
    event.status = "confirmed";
    event.transparency = "transparent";
    EXPECT_FALSE(blocks_time(event));
    event.transparency = "opaque";
    for (auto const* const kind : {"default", "outOfOffice", "focusTime", "fromGmail", ""}) {
        event.event_type = kind;
        EXPECT_TRUE(blocks_time(event)) << kind;
    }
    for (auto const* const kind : {"workingLocation", "birthday"}) {
        event.event_type = kind;
        EXPECT_FALSE(blocks_time(event)) << kind;
    }
    event.event_type = "default";
    event.attendees = {{.email = "other@example.com", .response = "declined"}, answer("accepted")};
    EXPECT_TRUE(blocks_time(event));
    event.attendees.back().response = "declined";
    EXPECT_FALSE(blocks_time(event));
}

TEST(BusySpans, OfASingleEventIsItsOwn) {
    auto event = single("20261123T090000Z");

    auto const found = busy_spans(event, {}, year(), zone).value();

    EXPECT_THAT(found.spans, ElementsAre(busy_span{.event_id = "e", .starts = utc("20261123T090000Z"), .ends = utc("20261123T100000Z")}));
    EXPECT_FALSE(found.cut);
    EXPECT_THAT(said(event, {}, {.from = utc("20261123T100000Z"), .to = utc("20261124T000000Z")}), IsEmpty());
    event.attendees = {answer("tentative")};
    EXPECT_THAT(said(event), ElementsAre("e 20261123T090000Z tentative"));
    event.time->end = event.time->start;
    EXPECT_THAT(said(event), IsEmpty());
    event.time.reset();
    EXPECT_EQ(busy_spans(event, {}, year(), zone).error().code, errc::malformed);
}

TEST(BusySpans, AllDayRunsFromMidnightToMidnightInTheCalendarsZone) {
    calendar_event const event{.id = "e",
                               .status = "confirmed",
                               .time = time_range{.all_day = true, .first_day = day(2026, 10, 24), .end_day = day(2026, 10, 25)},
                               .recurrence = {"RRULE:FREQ=DAILY;COUNT=2"}};

    auto const found = busy_spans(event, {}, {.from = day(2026, 1, 1), .to = day(2027, 1, 1)}, zone).value().spans;

    EXPECT_THAT(found,
                ElementsAre(busy_span{.event_id = "e_20261024", .starts = utc("20261023T220000Z"), .ends = utc("20261024T220000Z")},
                            // The day the clocks go back has 25 hours.
                            busy_span{.event_id = "e_20261025", .starts = utc("20261024T220000Z"), .ends = utc("20261025T230000Z")}));
    EXPECT_THAT(said(event, {}, {.from = utc("20261023T210000Z"), .to = utc("20261023T220001Z")}),
                ElementsAre("e_20261024 20261023T220000Z"));
    EXPECT_THAT(said(event, {}, {.from = utc("20261025T225959Z"), .to = utc("20261026T220001Z")}),
                ElementsAre("e_20261025 20261024T220000Z"));
}

TEST(BusySpans, ExceptionsTakeTheirOccurrencesPlace) {
    auto freed = exception("20261130T090000Z", "20261130T090000Z");
    freed.transparency = "transparent";
    auto declined = exception("20261207T090000Z", "20261207T090000Z");
    declined.attendees = {answer("declined")};
    auto const moved = exception("20261123T090000Z", "20261124T120000Z");

    EXPECT_THAT(said(weekly()), ElementsAre("e_20261123T090000Z 20261123T090000Z", "e_20261130T090000Z 20261130T090000Z",
                                            "e_20261207T090000Z 20261207T090000Z", "e_20261214T090000Z 20261214T090000Z"));
    EXPECT_THAT(said(weekly(), {cancelled("20261214T090000Z"), declined, moved, freed}),
                ElementsAre("e_20261123T090000Z 20261124T120000Z"));
}

TEST(BusySpans, AnExceptionMovesIntoTheWindowAndOutOfIt) {
    occurrence_window const week{.from = day(2026, 11, 30), .to = day(2026, 12, 6)};

    EXPECT_THAT(said(weekly(), {exception("20261214T090000Z", "20261201T090000Z")}, week),
                ElementsAre("e_20261130T090000Z 20261130T090000Z", "e_20261214T090000Z 20261201T090000Z"));
    EXPECT_THAT(said(weekly(), {exception("20261130T090000Z", "20261220T090000Z")}, week), IsEmpty());
}

TEST(BusySpans, AnExceptionBlocksAlsoWhereItsSeriesDoesNot) {
    auto series = weekly();
    series.transparency = "transparent";

    EXPECT_THAT(said(series, {exception("20261130T090000Z", "20261130T100000Z")}), ElementsAre("e_20261130T090000Z 20261130T100000Z"));
    series.status = "cancelled";
    EXPECT_THAT(said(series, {exception("20261130T090000Z", "20261130T100000Z")}), IsEmpty());
}

TEST(BusySpans, AreBounded) {
    auto series = weekly();
    series.recurrence = {"RRULE:FREQ=DAILY"};

    auto const found =
        busy_spans(series, {cancelled("20261124T090000Z")}, {.from = day(2026, 11, 1), .to = day(2199, 1, 1), .most = 3}, zone).value();

    EXPECT_EQ(found.spans.size(), 3u);
    EXPECT_TRUE(found.cut);
    EXPECT_EQ(found.spans.back().event_id, "e_20261126T090000Z");
}

TEST(BusySpans, ASeriesThatCannotBeReadIsAnError) {
    auto series = weekly();
    series.recurrence = {"RRULE:FREQ=SOMETIMES"};
    EXPECT_EQ(busy_spans(series, {}, year(), zone).error().code, errc::malformed);

    // Google leaves the zone out sometimes: the calendar's counts.
    series = weekly();
    series.time->zone.clear();
    EXPECT_EQ(said(series).size(), 4u);
}

}  // namespace
}  // namespace calbridge::domain
