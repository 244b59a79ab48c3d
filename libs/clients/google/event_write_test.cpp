#include "clients/google/event_json.h"
#include "clients/google/times.h"

#include "domain/footer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace calbridge::google {
namespace {

using namespace std::chrono_literals;
using domain::field;
using std::chrono::sys_days;
using std::chrono::year;

instant const ten = sys_days{year{2026} / 11 / 25} + 9h;

domain::time_range timed(std::string zone = "Europe/Zurich") { return {.start = ten, .end = ten + 1h, .zone = std::move(zone)}; }
domain::time_range all_day() {
    return {.all_day = true, .first_day = sys_days{year{2026} / 11 / 5}, .end_day = sys_days{year{2026} / 11 / 6}};
}

event_write with(std::initializer_list<field> pushed) {
    event_write out{.stamp = "1.k.l.m", .operation = "op-1", .meet_request_id = "meet-1"};
    for (auto const f : pushed) out.pushed.add(f);
    return out;
}
std::string patched(event_write const& what) { return json::serialize(write_event(what, std::nullopt)); }
std::string inserted(event_write const& what) { return json::serialize(write_event(what, "ev1")); }
bool has(std::string const& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(WriteEvent, APatchSendsTheNamedFieldsAndTheStampOnly) {
    auto what = with({field::title});
    what.values = {.title = "T", .description = "D", .location = "L", .time = timed(), .color_id = "7"};

    EXPECT_EQ(patched(what), R"({"summary":"T","extendedProperties":{"private":{"calbridgeLink":"1.k.l.m","calbridgeOp":"op-1"}}})");
}

TEST(WriteEvent, AnInsertNamesTheEventAndNullsNothing) {
    auto what = with({field::title, field::time, field::color, field::reminders, field::meet});
    what.values = {.title = "T", .time = timed()};

    auto const body = inserted(what);

    EXPECT_TRUE(has(body, R"("id":"ev1")"));
    EXPECT_FALSE(has(body, "null"));
    EXPECT_FALSE(has(body, "conferenceData"));
    EXPECT_TRUE(has(body, R"("start":{"dateTime":"2026-11-25T10:00:00+01:00","timeZone":"Europe/Zurich"})"));
}

TEST(WriteEvent, ATimeOfTheOtherKindNullsWhatWouldMerge) {
    auto what = with({field::time});
    what.values.time = all_day();
    EXPECT_TRUE(has(
        patched(what),
        R"("start":{"date":"2026-11-05","dateTime":null,"timeZone":null},"end":{"date":"2026-11-06","dateTime":null,"timeZone":null})"));

    what.values.time = timed();
    EXPECT_TRUE(has(patched(what), R"("end":{"dateTime":"2026-11-25T11:00:00+01:00","timeZone":"Europe/Zurich","date":null})"));
}

TEST(WriteEvent, AnOccurrenceThatTakesPlaceAgainSaysSo) {
    auto what = with({field::title});
    what.values.title = "T";
    EXPECT_FALSE(has(patched(what), "status"));
    what.restore = true;
    EXPECT_TRUE(has(patched(what), R"("status":"confirmed")"));
}

TEST(WriteEvent, AnUnknownZoneGoesOutInUtcWithoutAZone) {
    auto what = with({field::time});
    what.values.time = timed("");

    EXPECT_TRUE(has(patched(what), R"("start":{"dateTime":"2026-11-25T09:00:00Z","date":null})"));
}

TEST(WriteEvent, ASeriesIsSentWithItsZoneAndBecomesSingleByAnEmptyList) {
    auto what = with({field::recurrence});
    what.values = {.title = "T", .time = timed(), .recurrence = {"RRULE:FREQ=DAILY"}};
    EXPECT_TRUE(has(patched(what), R"("recurrence":["RRULE:FREQ=DAILY"])"));
    EXPECT_TRUE(has(patched(what), R"("start":{"dateTime":"2026-11-25T10:00:00+01:00","timeZone":"Europe/Zurich")"));
    what.values.recurrence.clear();
    EXPECT_TRUE(has(patched(what), R"("recurrence":[])"));
    EXPECT_FALSE(has(patched(what), "start"));
    EXPECT_FALSE(has(inserted(what), "recurrence"));
}

TEST(WriteEvent, TheDescriptionCarriesTheFooterWheneverOneOfThemChanged) {
    auto what = with({field::footer});
    what.values.description = "Text";
    what.values.footer = "Type: call";

    auto const body = write_event(what, std::nullopt);

    EXPECT_EQ(json::text_or(body, "description"), domain::join_description("Text", "Type: call"));
}

TEST(WriteEvent, ClearingAColourOrRemindersIsSaidWithNull) {
    auto what = with({field::color, field::reminders});

    EXPECT_TRUE(has(patched(what), R"("colorId":null)"));
    EXPECT_TRUE(has(patched(what), R"("reminders":{"useDefault":true,"overrides":null})"));

    what.values.reminders = {.use_default = false, .overrides = {{"popup", 10}}};
    EXPECT_TRUE(has(patched(what), R"("reminders":{"useDefault":false,"overrides":[{"method":"popup","minutes":10}]})"));
}

TEST(WriteEvent, MeetIsRequestedUnderItsOwnKey) {
    auto what = with({field::meet});
    what.values.meet = true;
    EXPECT_TRUE(
        has(patched(what), R"("conferenceData":{"createRequest":{"requestId":"meet-1","conferenceSolutionKey":{"type":"hangoutsMeet"}}})"));

    what.values.meet = false;
    EXPECT_TRUE(has(patched(what), R"("conferenceData":null)"));
}

TEST(WriteAttendees, KnownOnesGoBackWholeNewOnesAreAddedUninvitedOnesGo) {
    std::string const seen =
        R"([{"email":"Anna@x.example","responseStatus":"accepted","id":"9","comment":"yes"},{"email":"gone@x.example"},{"email":"room@x","resource":true},{"email":"me@x","self":true,"organizer":true}])";
    std::vector<domain::guest> const guests{{.email = "anna@x.example", .name = "Other name", .optional = true},
                                            {.email = "new@x.example", .name = "New"}};

    EXPECT_EQ(
        json::serialize(write_attendees(guests, seen)),
        R"([{"email":"Anna@x.example","responseStatus":"accepted","id":"9","comment":"yes","optional":true},{"email":"room@x","resource":true},{"email":"me@x","self":true,"organizer":true},{"email":"new@x.example","displayName":"New"}])");
}

TEST(WriteAttendees, NobodyIsSentTwiceAndBadDataCostsNobody) {
    std::vector<domain::guest> const guests{{.email = "a@x"}};

    EXPECT_EQ(write_attendees(guests, R"([{"email":"a@x"},{"email":"A@X"}])").size(), 1u);
    EXPECT_EQ(json::serialize(write_attendees(guests, "not json")), R"([{"email":"a@x"}])");
    EXPECT_EQ(json::serialize(write_attendees(guests, "")), R"([{"email":"a@x"}])");
}

// PATCH as Google documents it: null deletes, objects merge, the rest replaces.
void merge(json::object& target, json::object const& patch) {
    for (auto const& member : patch) {
        if (member.value().is_null()) {
            target.erase(member.key());
        } else if (member.value().is_object() && target.contains(member.key()) && target[member.key()].is_object()) {
            merge(target[member.key()].get_object(), member.value().get_object());
        } else {
            target[member.key()] = member.value();
        }
    }
}

domain::fields random_fields(std::mt19937& rng) {
    auto const pick = [&](int most) { return std::uniform_int_distribution<int>(0, most)(rng); };
    std::string const zones[] = {"Europe/Zurich", "America/New_York", "Asia/Kolkata", "Pacific/Chatham", "UTC"};
    domain::fields out;
    out.title = std::string(static_cast<std::size_t>(pick(5)), 'a') + "é\"\\";
    out.description = pick(1) ? "text\nline " + std::to_string(pick(1000)) : "";
    out.footer = pick(1) ? "Type: call\nStatus: " + std::to_string(pick(9)) : "";
    out.location = pick(1) ? "Room " + std::to_string(pick(99)) : "";
    if (pick(2) == 0) {
        out.time = {.all_day = true, .first_day = sys_days{year{2026} / 1 / 1} + std::chrono::days{pick(700)}};
        out.time.end_day = out.time.first_day + std::chrono::days{1 + pick(3)};
    } else {
        out.time.zone = zones[pick(4)];
        out.time.start = sys_days{year{2026} / 1 / 1} + std::chrono::minutes{pick(1000000)};
        out.time.end = out.time.start + std::chrono::minutes{15 + pick(600)};
    }
    out.color_id = pick(1) ? std::to_string(1 + pick(10)) : "";
    if (pick(1)) out.reminders = {.use_default = false, .overrides = {{"email", pick(100)}, {"popup", pick(100)}}};
    for (int i = 0; i < pick(4); ++i) out.guests.push_back({.email = "g" + std::to_string(i) + "@x.example", .optional = pick(1) == 1});
    return out;
}

void expect_same(domain::calendar_event const& e, domain::fields const& f) {
    EXPECT_EQ(e.summary, f.title);
    EXPECT_EQ(e.description, domain::join_description(f.description, f.footer));
    EXPECT_EQ(e.location, f.location);
    ASSERT_TRUE(e.time);
    EXPECT_EQ(*e.time, f.time);
    if (!f.time.all_day) EXPECT_EQ(e.time->zone, f.time.zone);
    EXPECT_EQ(e.color_id, f.color_id);
    EXPECT_EQ(e.reminders, f.reminders);
    ASSERT_EQ(e.attendees.size(), f.guests.size());
    for (auto const& guest : f.guests) {
        EXPECT_TRUE(std::ranges::any_of(e.attendees, [&](auto const& a) { return a.email == guest.email && a.optional == guest.optional; }))
            << guest.email;
    }
}

// What is inserted reads back as it was; what is patched over any other event reads back as the new values.
TEST(WriteEventProperty, WhatIsWrittenReadsBackThroughInsertAndPatch) {
    std::mt19937 rng(20261121);
    auto everything = with(
        {field::title, field::description, field::footer, field::location, field::time, field::color, field::reminders, field::guests});
    for (int round = 0; round < 500; ++round) {
        everything.values = random_fields(rng);
        everything.attendees_data = "[]";
        json::object event = write_event(everything, "ev1");
        auto const first = read_event_item(event, "UTC");
        ASSERT_TRUE(first) << json::serialize(event);
        expect_same(*first, everything.values);

        everything.values = random_fields(rng);
        json::array seen;
        for (auto const& a : first->attendees) seen.push_back(json::parse(a.raw, "a").value());
        everything.attendees_data = json::serialize(seen);
        merge(event, write_event(everything, std::nullopt));
        auto const second = read_event_item(event, "UTC");
        ASSERT_TRUE(second) << json::serialize(event);
        expect_same(*second, everything.values);
        EXPECT_EQ(second->stamp, "1.k.l.m");
    }
}

}  // namespace
}  // namespace calbridge::google
