#include "tests/emulator/fixture.h"

namespace calbridge::emulator {
namespace {

class Contract : public emulator_test {};

TEST_F(Contract, UnknownPathsParametersAndFieldsAreRefusedAndRecorded) {
    EXPECT_EQ(api("GET", "calendars/primary/evnts").status, 404);
    EXPECT_EQ(api("GET", primary + "?maxresults=5").status, 400);
    EXPECT_EQ(api("POST", primary, event(R"("colour":"1")")).status, 400);
    EXPECT_EQ(api("POST", primary, event(R"("start2":{})")).status, 400);
    EXPECT_EQ(w.violations().size(), 4U) << violation_text();
    EXPECT_NE(violation_text().find("field colour does not exist"), std::string::npos);
    EXPECT_NE(violation_text().find("parameter maxresults does not exist"), std::string::npos);
}

TEST_F(Contract, WrongTypesAreRefused) {
    EXPECT_EQ(api("GET", primary + "?maxResults=many").status, 400);
    EXPECT_EQ(api("GET", primary + "?maxResults=0").status, 400);
    EXPECT_EQ(api("GET", primary + "?singleEvents=1").status, 400);
    EXPECT_EQ(api("GET", primary + "?orderBy=summary").status, 400);
    EXPECT_EQ(api("POST", primary, event(R"("sequence":"1")")).status, 400);
    EXPECT_EQ(api("POST", primary, event(R"("guestsCanModify":"true")")).status, 400);
    EXPECT_EQ(api("POST", primary, event(R"("attendees":{"email":"x@y.z"})")).status, 400);
    EXPECT_EQ(w.violations().size(), 7U) << violation_text();
}

TEST_F(Contract, ReadOnlyFieldsAreRefusedInInsertAndPatchAndIgnoredInUpdate) {
    insert(R"("id":"abcde")");
    EXPECT_EQ(insert(R"("htmlLink":"https://x")").status, 400);
    EXPECT_EQ(api("PATCH", primary + "/abcde", R"({"hangoutLink":"https://x"})").status, 400);
    EXPECT_EQ(w.violations().size(), 2U);
    EXPECT_EQ(api("PUT", primary + "/abcde", event(R"("htmlLink":"https://x","created":"2020-01-01T00:00:00Z")")).status, 200);
    EXPECT_EQ(w.violations().size(), 2U);
}

TEST_F(Contract, RequiredParametersAreRequired) {
    insert(R"("id":"abcde")");
    EXPECT_EQ(api("POST", primary + "/abcde/move").status, 400);
    EXPECT_EQ(w.violations().size(), 1U);
}

TEST_F(Contract, WhatIsNotEmulatedSaysSoAndIsRecorded) {
    EXPECT_EQ(api("POST", primary + "/quickAdd?text=Lunch").status, 501);
    EXPECT_EQ(api("GET", "calendars/primary/acl").status, 501);
    EXPECT_EQ(ask("POST", "/batch/calendar/v3").status, 404);
    EXPECT_EQ(w.violations().size(), 3U);
}

TEST_F(Contract, CredentialsAreCheckedBeforeAnythingIsShown) {
    auto const none = ask("GET", "/calendar/v3/" + primary);
    EXPECT_EQ(none.status, 401);
    EXPECT_EQ(none.reason(), "required");
    EXPECT_EQ(header(none.whole.fields, "www-authenticate"), "Bearer realm=\"https://accounts.google.com/\"");
    auto const wrong = ask("GET", "/calendar/v3/" + primary, {}, {{"Authorization", "Bearer nobody"}});
    EXPECT_EQ(wrong.status, 401);
    EXPECT_EQ(wrong.reason(), "authError");
    EXPECT_EQ(violation_text(), "");
}

TEST_F(Contract, AnAnswersShapeIsCheckedToo) {
    auto const found = google_rules().find("GET", "/calendar/v3/calendars/x/events");
    ASSERT_NE(found.method, nullptr);
    auto const bad = google_rules().check_answer(*found.method, bj::parse(R"({"kind":"calendar#events","items":[{"id":5,"extra":1}]})"));
    ASSERT_EQ(bad.size(), 2U);
    EXPECT_EQ(bad[0], "field items[].id is no string");
}

TEST_F(Contract, AMethodMayBeOverriddenInAHeader) {
    insert(R"("id":"abcde")");
    auto const done = api("POST", primary + "/abcde", R"({"summary":"x"})", {{"X-HTTP-Method-Override", "PATCH"}});
    EXPECT_EQ(done.status, 200);
    EXPECT_EQ(done.text("summary"), "x");
}

TEST_F(Contract, QuotasSlideOverAMinute) {
    w.settings().quota_user_per_minute = 3;
    for (int i = 0; i < 3; ++i) EXPECT_EQ(api("GET", "colors").status, 200);
    auto const over = api("GET", "colors");
    EXPECT_EQ(over.status, 403);
    EXPECT_EQ(over.reason(), "userRateLimitExceeded");
    EXPECT_EQ(bob("GET", "colors").status, 200);
    clock.advance(std::chrono::seconds(61));
    EXPECT_EQ(api("GET", "colors").status, 200);
    w.settings().quota_project_per_minute = 1;
    EXPECT_EQ(api("GET", "colors").reason(), "rateLimitExceeded");
}

// ---- scripted faults ----

TEST_F(Contract, AFaultHitsTheNthMatchAndNoMore) {
    control(
        "faults",
        R"({"match":{"method":"GET","path_prefix":"/calendar/v3/colors","nth":2},"action":"status","status":429,"reason":"rateLimitExceeded","retry_after":7})");
    EXPECT_EQ(api("GET", "colors").status, 200);
    auto const hit = api("GET", "colors");
    EXPECT_EQ(hit.status, 429);
    EXPECT_EQ(hit.reason(), "rateLimitExceeded");
    EXPECT_EQ(header(hit.whole.fields, "Retry-After"), "7");
    EXPECT_EQ(api("GET", "colors").status, 200);
}

TEST_F(Contract, ALostResponseHasItsEffect) {
    control("faults", R"([{"match":{"method":"POST","path_contains":"/events"},"action":"lost_response"},
                          {"match":{"method":"POST","path_contains":"/events","nth":2},"action":"lost_response","how":"503"}])");
    EXPECT_EQ(insert(R"("id":"aaaaa")").whole.sent, answer::how::dropped);
    EXPECT_EQ(insert(R"("id":"bbbbb")").status, 503);
    EXPECT_EQ(api("GET", primary + "/aaaaa").status, 200);
    EXPECT_EQ(insert(R"("id":"bbbbb")").status, 409);
}

TEST_F(Contract, ResetsRefusalsAndHtmlHaveNone) {
    for (std::string const action : {"reset", "status", "html_502"}) {
        control("faults", R"({"match":{"method":"POST"},"action":")" + action + "\"}");
        insert(R"("id":"aaaaa")");
    }
    EXPECT_EQ(api("GET", primary + "/aaaaa").status, 404);
    control("faults", R"({"action":"truncated","delay_ms":250})");
    auto const cut = api("GET", "colors");
    EXPECT_EQ(cut.whole.sent, answer::how::cut);
    EXPECT_EQ(cut.whole.delay, std::chrono::milliseconds(250));
    EXPECT_EQ(control("faults", R"({"action":"explode"})").status, 400);
}

TEST_F(Contract, TheLogTellsWhatWasAskedAndHowLongItTook) {
    insert(R"("id":"aaaaa")");
    auto const log = control("requests").object();
    auto const& last = log.at("requests").as_array().back().as_object();
    EXPECT_EQ(text_at(last, "call"), "calendar.events.insert");
    EXPECT_EQ(last.at("status").to_number<int>(), 200);
    EXPECT_EQ(last.at("at_us").to_number<std::int64_t>(), clock.now().time_since_epoch().count());
    EXPECT_GT(last.at("ns").to_number<std::int64_t>(), 0);
    EXPECT_NE(text_at(last, "body").find("aaaaa"), std::string_view::npos);
    EXPECT_FALSE(last.at("headers").as_object().contains("authorization"));
    auto const after = std::to_string(log.at("last").to_number<std::int64_t>());
    EXPECT_EQ(control("requests?since=" + after).object().at("requests").as_array().size(), 0U);
    auto const stats = control("stats").object();
    EXPECT_EQ(stats.at("calls").at("calendar.events.insert").at("200").to_number<int>(), 1);
}

TEST_F(Contract, AResetKeepsPeopleAndForgetsTheirEvents) {
    insert(R"("id":"aaaaa")");
    control("clock", R"({"advance_ms":5000})");
    control("knobs", R"({"meet_delay_s":9})");
    control("reset", "{}");
    EXPECT_EQ(control("users").object().at("users").as_array().size(), 2U);
    EXPECT_EQ(control("calendars/anna%40example.com/events").items().size(), 0U);
    EXPECT_EQ(control("clock").object().at("offset_ms").to_number<int>(), 0);
    EXPECT_EQ(w.settings().meet_delay_s, 0);
}

TEST_F(Contract, KnobsThatDoNotExistAreRefused) {
    EXPECT_EQ(control("knobs", R"({"meet_delay":9})").status, 400);
    EXPECT_EQ(control("knobs", R"({"meet_delay_s":"9"})").status, 400);
}

TEST_F(Contract, APersonsCopyKeepsPrivatePropertiesUnderANewId) {
    insert(R"("id":"aaaaa","extendedProperties":{"private":{"stamp":"s"}})");
    auto const copy = ask("POST", "/_control/calendars/anna%40example.com/events/aaaaa/copy");
    ASSERT_EQ(copy.status, 200) << copy.whole.body;
    EXPECT_NE(copy.text("id"), "aaaaa");
    EXPECT_EQ(bj::serialize(copy.object().at("extendedProperties")), R"({"private":{"stamp":"s"}})");
}

TEST_F(Contract, AnOutsidersAnswerLandsOnTheOrganizersEvent) {
    insert(R"("id":"aaaaa","attendees":[{"email":"c@else.com"},{"email":"bob@example.com"}])");
    EXPECT_EQ(control("calendars/anna%40example.com/events/aaaaa/rsvp", R"({"email":"c@else.com","response":"declined"})").status, 200);
    EXPECT_EQ(control("calendars/anna%40example.com/events/aaaaa/rsvp", R"({"email":"bob@example.com","response":"tentative"})").status,
              200);
    auto const seen = api("GET", primary + "/aaaaa").object().at("attendees").as_array();
    EXPECT_EQ(text_at(seen.at(0).as_object(), "responseStatus"), "declined");
    EXPECT_EQ(text_at(seen.at(1).as_object(), "responseStatus"), "tentative");
}

}  // namespace
}  // namespace calbridge::emulator
