#include "clients/google/event_json.h"
#include "clients/google/times.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

namespace calbridge::google {
namespace {

using namespace std::chrono_literals;
using std::chrono::sys_days;
using std::chrono::year;

json::object object(std::string_view text) {
    auto parsed = json::parse(text, "test");
    EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().context);
    return parsed ? parsed->get_object() : json::object{};
}
result<domain::calendar_event> read(std::string_view text, std::string_view zone = "Europe/Zurich") {
    return read_event_item(object(text), zone);
}
instant utc(int y, unsigned m, unsigned d, int h, int min = 0) {
    return sys_days{year{y} / static_cast<int>(m) / static_cast<int>(d)} + std::chrono::hours{h} + std::chrono::minutes{min};
}

TEST(ReadEvent, TakesEveryFieldWeUse) {
    auto const e = read(
        R"({"kind":"calendar#event","id":"abc","etag":"\"1\"","status":"tentative","iCalUID":"u@g","summary":"S","description":"D","location":"L",
        "start":{"dateTime":"2026-11-25T10:00:00+01:00","timeZone":"Europe/Zurich"},"end":{"dateTime":"2026-11-25T11:30:00+01:00","timeZone":"Europe/Zurich"},
        "colorId":"7","reminders":{"useDefault":false,"overrides":[{"method":"popup","minutes":30},{"method":"email","minutes":10}]},
        "attendees":[{"email":"B@x.example","displayName":"B","responseStatus":"accepted","optional":true,"id":"77","unknown":{"deep":1}},{"email":"r@x","resource":true},{"email":"me@x","self":true,"organizer":true}],
        "attendeesOmitted":true,"htmlLink":"https://h","hangoutLink":"https://meet","conferenceData":{"conferenceId":"c-1","createRequest":{"status":{"statusCode":"pending"}}},
        "organizer":{"email":"me@x","self":true},"updated":"2026-11-20T09:12:03.417Z","transparency":"transparent","visibility":"private","eventType":"focusTime",
        "extendedProperties":{"private":{"calbridgeLink":"1.k.l.m","calbridgeOp":"op","other":"x"},"shared":{"calbridgeLink":"forged"}},"brandNew":[1,2]})");

    ASSERT_TRUE(e) << e.error().context;
    EXPECT_EQ(e->id, "abc");
    EXPECT_EQ(e->etag, "\"1\"");
    EXPECT_EQ(e->status, "tentative");
    EXPECT_EQ(e->summary + e->description + e->location, "SDL");
    ASSERT_TRUE(e->time);
    EXPECT_EQ(e->time->start, utc(2026, 11, 25, 9));
    EXPECT_EQ(e->time->end, utc(2026, 11, 25, 10, 30));
    EXPECT_EQ(e->time->zone, "Europe/Zurich");
    EXPECT_EQ(e->color_id, "7");
    EXPECT_FALSE(e->reminders.use_default);
    ASSERT_EQ(e->reminders.overrides.size(), 2u);
    EXPECT_EQ(e->reminders.overrides[0].method, "email");
    ASSERT_EQ(e->attendees.size(), 3u);
    EXPECT_TRUE(e->attendees[0].optional);
    EXPECT_NE(e->attendees[0].raw.find(R"("unknown":{"deep":1})"), std::string::npos);
    EXPECT_TRUE(e->attendees[1].resource);
    EXPECT_TRUE(e->attendees[2].self && e->attendees[2].organizer);
    EXPECT_TRUE(e->attendees_omitted);
    EXPECT_EQ(e->conference_id, "c-1");
    EXPECT_EQ(e->conference_status, "pending");
    EXPECT_EQ(e->updated, utc(2026, 11, 20, 9, 12) + 3417ms);
    EXPECT_EQ(e->event_type, "focusTime");
    EXPECT_EQ(e->stamp, "1.k.l.m");
    EXPECT_EQ(e->operation, "op");
    EXPECT_NE(e->raw.find("brandNew"), std::string::npos);
}

TEST(ReadEvent, ACancelledItemHasOnlyItsId) {
    auto const e = read(R"({"kind":"calendar#event","id":"0f3c","etag":"\"34\"","status":"cancelled"})");

    ASSERT_TRUE(e);
    EXPECT_TRUE(e->is_cancelled());
    EXPECT_FALSE(e->time);
    EXPECT_TRUE(e->organizer_self);
}

TEST(ReadEvent, ACancelledInstanceNamesItsSeriesAndPlace) {
    auto const e = read(
        R"({"id":"0f3c_20261125T090000Z","status":"cancelled","recurringEventId":"0f3c","originalStartTime":{"dateTime":"2026-11-25T10:00:00+01:00","timeZone":"Europe/Zurich"}})");

    ASSERT_TRUE(e);
    EXPECT_TRUE(e->is_recurring());
    ASSERT_TRUE(e->original_start);
    EXPECT_EQ(e->original_start->start, utc(2026, 11, 25, 9));
}

TEST(ReadEvent, WithoutIdIsOdd) {
    EXPECT_EQ(read(R"({"status":"confirmed"})").error().code, errc::malformed);
    EXPECT_EQ(read(R"({"id":17})").error().code, errc::malformed);
}

TEST(ReadEvent, AnImpossibleTimeIsOddUnlessTheItemIsCancelled) {
    EXPECT_FALSE(read(R"({"id":"a","start":{"date":"2026-02-30"},"end":{"date":"2026-03-01"}})"));
    EXPECT_FALSE(read(R"({"id":"a","start":{"date":"2026-02-03"},"end":{"dateTime":"2026-02-03T10:00:00Z"}})"));
    EXPECT_FALSE(read(R"({"id":"a","start":{},"end":{}})"));
    EXPECT_TRUE(read(R"({"id":"a","status":"cancelled","start":{},"end":{}})"));
}

TEST(ReadEvent, WithoutStartOrEndHasNoTime) {
    auto const e = read(R"({"id":"a","summary":"x"})");

    ASSERT_TRUE(e);
    EXPECT_FALSE(e->time);
}

TEST(ReadTime, UnderstandsEveryFormGoogleWrites) {
    auto const at = [](std::string_view start, std::string_view end) {
        return read(fmt::format(R"({{"id":"a","start":{},"end":{}}})", start, end))->time.value();
    };

    auto const all_day = at(R"({"date":"2026-11-05"})", R"({"date":"2026-11-06"})");
    EXPECT_TRUE(all_day.all_day);
    EXPECT_EQ(all_day.first_day, sys_days{year{2026} / 11 / 5});
    EXPECT_EQ(all_day.end_day, sys_days{year{2026} / 11 / 6});
    // The offset decides; the zone is how it is shown. Without a zone the calendar's is used.
    EXPECT_EQ(
        at(R"({"dateTime":"2026-07-01T10:00:00-07:00","timeZone":"America/Los_Angeles"})", R"({"dateTime":"2026-07-01T18:30:00.250Z"})")
            .end,
        utc(2026, 7, 1, 18, 30) + 250ms);
    EXPECT_EQ(at(R"({"dateTime":"2026-07-01T10:00:00Z"})", R"({"dateTime":"2026-07-01T11:00:00Z"})").zone, "Europe/Zurich");
    // Local time in its own zone, then in the calendar's.
    EXPECT_EQ(at(R"({"dateTime":"2026-07-01T10:00:00","timeZone":"Asia/Tokyo"})", R"({"dateTime":"2026-07-01T10:00:00"})").start,
              utc(2026, 7, 1, 1));
    EXPECT_EQ(at(R"({"dateTime":"2026-07-01T10:00:00","timeZone":"Asia/Tokyo"})", R"({"dateTime":"2026-07-01T10:00:00"})").end,
              utc(2026, 7, 1, 8));
}

TEST(ReadTime, AtAClockChangeTakesTheLaterGapAndTheFirstOfADoubledHour) {
    auto const start = [](std::string_view wall) {
        return read(fmt::format(R"({{"id":"a","start":{{"dateTime":"{}"}},"end":{{"dateTime":"2026-12-01T10:00:00Z"}}}})", wall))
            ->time->start;
    };

    EXPECT_EQ(start("2026-03-29T02:30:00"), utc(2026, 3, 29, 1, 30));   // 03:30 summer time
    EXPECT_EQ(start("2026-10-25T02:30:00"), utc(2026, 10, 25, 0, 30));  // first pass, summer time
}

TEST(ReadTime, RefusesWhatIsNoTime) {
    for (auto const* text : {"2026-11-25", "2026-11-25T10:00", "2026-11-25T25:00:00Z", "2026-13-25T10:00:00Z", "2026-11-25T10:00:00+1:00",
                             "2026-11-25T10:00:00.Z", "2026-11-25T10:00:00Zx", "x026-11-25T10:00:00Z", "2026-11-25 10:00:00Z", ""}) {
        EXPECT_FALSE(parse_rfc3339(text)) << text;
    }
    EXPECT_FALSE(read(R"({"id":"a","start":{"dateTime":"2026-07-01T10:00:00","timeZone":"Mars/Olympus"},"end":{"date":"2026-07-01"}})"));
}

result<event_page> page_from(std::string text) {
    auto parts = json::take_apart(std::move(text), "items", "t");
    if (!parts) return parts.error();
    return read_page(std::move(*parts));
}

TEST(ReadPage, OneOddItemIsSetAsideAndTheRestGoesOn) {
    auto const page = page_from(R"({"kind":"calendar#events","timeZone":"Europe/Zurich","accessRole":"owner","nextSyncToken":"S=",
        "items":[{"id":"a"},{"id":"b","start":{"date":"nope"},"end":{"date":"nope"}},7,{"id":"c"}]})");

    ASSERT_TRUE(page);
    ASSERT_EQ(page->items.size(), 2u);
    EXPECT_EQ(page->items[1].id, "c");
    ASSERT_EQ(page->odd.size(), 2u);
    ASSERT_EQ(page->odd_reasons.size(), 2u);
    EXPECT_EQ(page->odd[0].first, "b");
    EXPECT_NE(page->odd[0].second.find("nope"), std::string::npos);
    EXPECT_EQ(page->odd_reasons[0], "time: a date that is none");
    EXPECT_EQ(page->next_sync_token, "S=");
    EXPECT_EQ(page->access_role, "owner");
}

TEST(ReadPage, AnEmptyPageCanHaveAFollower) {
    auto const page = page_from(R"({"kind":"calendar#events","items":[],"nextPageToken":"P","nextSyncToken":"S"})");

    ASSERT_TRUE(page);
    EXPECT_EQ(page->next_page_token, "P");
    EXPECT_FALSE(page->next_sync_token);
}

TEST(ReadPage, SomethingElseIsNoEmptyPage) {
    EXPECT_FALSE(page_from("{}"));
    EXPECT_FALSE(page_from("[]"));
    EXPECT_FALSE(page_from(R"({"kind":"calendar#events","items":{}})"));
    EXPECT_FALSE(page_from(R"({"kind":"calendar#calendarList"})"));
}

TEST(ReadPage, WhatIsWrongInOneItemFailsNoOther) {
    auto const page = page_from(
        R"({"items":[{"id":"twice","summary":"a","summary":"b"},{"id":"nul","summary":"x\u0000y"},{"id":"half","summary":"\ud800 \ud83d\ude00"},
        {"id":"deep","x":)" +
        std::string(100, '[') + std::string(100, ']') + R"(},{"id":"huge","x":1e999},{"id":"ok","summary":"fine"}],"nextSyncToken":"S"})");

    ASSERT_TRUE(page);
    ASSERT_EQ(page->items.size(), 3u);
    EXPECT_EQ(page->items[0].summary, "x\uFFFDy");
    EXPECT_EQ(page->items[1].summary, "\uFFFD \U0001F600");
    EXPECT_EQ(page->items[1].raw.find("ud800"), std::string::npos);
    EXPECT_EQ(page->items[2].raw, R"({"id":"ok","summary":"fine"})");
    EXPECT_EQ(page->odd.size(), 3u);
    EXPECT_EQ(page->next_sync_token, "S");
}

TEST(ReadPage, GiantEventsAreCutOrSetAside) {
    auto const page = page_from(R"({"items":[{"id":"long","summary":")" + std::string(100000, 's') + R"("},{"id":"giant","summary":")" +
                                std::string(300000, 's') + R"("}],"nextSyncToken":"S"})");

    ASSERT_TRUE(page);
    ASSERT_EQ(page->items.size(), 1u);
    EXPECT_EQ(page->items[0].summary.size(), 8192u);
    ASSERT_EQ(page->odd.size(), 1u);
}

TEST(WatchAnswer, ExpirationIsAStringOrANumber) {
    for (auto const* text : {R"({"resourceId":"r","expiration":"1795824000000"})", R"({"resourceId":"r","expiration":1795824000000})"}) {
        auto const got = read_watch_answer(json::parse(text, "t").value());
        ASSERT_TRUE(got) << text;
        EXPECT_EQ(got->expires_at, instant{1795824000000ms});
    }
    EXPECT_FALSE(read_watch_answer(json::parse(R"({"resourceId":"r"})", "t").value()));
    EXPECT_FALSE(read_watch_answer(json::parse(R"({"expiration":"1795824000000"})", "t").value()));
}

// Any one member of a full event may be missing, null or of another type: the item is read or set aside, nothing else.
TEST(ReadEventProperty, SurvivesEveryMemberMissingNullOrOfAnotherType) {
    auto const whole = object(
        R"({"id":"abc","etag":"e","status":"confirmed","summary":"S","description":"D","location":"L","start":{"dateTime":"2026-11-25T10:00:00+01:00"},
        "end":{"dateTime":"2026-11-25T11:00:00+01:00"},"colorId":"7","reminders":{"useDefault":false,"overrides":[{"method":"popup","minutes":30}]},"attendees":[{"email":"b@x"}],
        "conferenceData":{"createRequest":{"status":{"statusCode":"success"}}},"organizer":{"email":"o"},"extendedProperties":{"private":{"calbridgeOp":"o"}},
        "originalStartTime":{"date":"2026-11-25"},"recurrence":["RRULE:FREQ=DAILY"],"updated":"2026-11-20T09:12:03.417Z"})");
    std::vector<json::value> const others{
        nullptr, 7, -1.5, "text", true, json::array{1, nullptr, "x", json::object{}}, json::object{{"x", 1}}};
    std::size_t odd = 0;
    for (auto const& member : whole) {
        json::object without = whole;
        without.erase(member.key());
        if (!read_event_item(without, "UTC")) ++odd;
        for (auto const& other : others) {
            json::object changed = whole;
            changed[member.key()] = other;
            auto const got = read_event_item(changed, "UTC");
            if (!got) EXPECT_EQ(got.error().code, errc::malformed);
        }
    }
    EXPECT_EQ(odd, 1u);  // Only the id is indispensable.
}

}  // namespace
}  // namespace calbridge::google
