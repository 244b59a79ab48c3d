#include "clients/google/fake_http.h"
#include "clients/google/google.h"

#include "common/base/encoding.h"
#include "common/json/json.h"
#include "common/testing/testing.h"

#include <gtest/gtest.h>

namespace calbridge::google {
namespace {

using domain::field;

constexpr char const* event_body = R"({"kind":"calendar#event","id":"ev1","etag":"\"2\"","status":"confirmed"})";
constexpr char const* not_found_body =
    R"({"error":{"errors":[{"domain":"global","reason":"notFound","message":"Not Found"}],"code":404,"message":"Not Found"}})";
constexpr char const* forbidden_body =
    R"({"error":{"errors":[{"domain":"global","reason":"forbidden"}],"code":403,"message":"Forbidden"}})";
constexpr char const* scope_body =
    R"({"error":{"errors":[{"domain":"global","reason":"insufficientPermissions"}],"code":403,"message":"no"}})";
constexpr char const* empty_page = R"({"kind":"calendar#events","items":[],"nextSyncToken":"S"})";

class CalendarApi : public ::testing::Test {
protected:
    template <class T>
    T wait(task<T> work) {
        std::optional<T> out;
        testing_run(keep(std::move(work), out));
        return std::move(*out);
    }
    event_write write(std::initializer_list<field> pushed) {
        event_write out{.stamp = "st", .operation = "op", .meet_request_id = "m"};
        for (auto const f : pushed) out.pushed.add(f);
        return out;
    }
    std::string url(std::size_t i) const { return http.sent.at(i).url; }

    fake_http http;
    calbridge::testing::manual_clock now;
    std::unique_ptr<calendar_api> api{make_calendar_api(http, endpoints_at("http://g"), now)};
    secret token{"canary-access-token"};
    deadline at{in(std::chrono::seconds{30})};

private:
    template <class T>
    static task<void> keep(task<T> work, std::optional<T>& out) {
        out.emplace(co_await std::move(work));
    }
    void testing_run(task<void> work) {
        asio::io_context ioc;
        calbridge::testing::run_coro(ioc, std::move(work));
    }
};

TEST_F(CalendarApi, ListSaysTheSameFixedParametersAndPercentEncodesTheRest) {
    http.reply(200, empty_page);
    list_query query{
        .calendar = "de.swiss#holiday@group.v.calendar.google.com", .sync_token = "CP+=/", .page_token = "p&q", .results_max = 250};

    auto const page = wait(api->list(token, query, at));

    ASSERT_TRUE(page);
    EXPECT_EQ(page->next_sync_token, "S");
    EXPECT_EQ(url(0),
              "http://g/calendar/v3/calendars/de.swiss%23holiday%40group.v.calendar.google.com/"
              "events?singleEvents=false&showDeleted=true&maxResults=250&prettyPrint=false"
              "&syncToken=CP%2B%3D%2F&pageToken=p%26q");
    EXPECT_EQ(http.header(0, "authorization"), "Bearer canary-access-token");
    EXPECT_EQ(http.header(0, "accept-encoding"), "gzip");
    EXPECT_NE(http.header(0, "user-agent").find("gzip"), std::string_view::npos);
    EXPECT_EQ(http.sent[0].answer_bytes_max, 48u << 20);
}

TEST_F(CalendarApi, TheFingerprintHoldsWhatMustNotChangeAndNothingElse) {
    list_query a{.calendar = "a"}, b{.calendar = "b", .sync_token = "t", .page_token = "p"}, c{.calendar = "a", .results_max = 250};

    EXPECT_EQ(list_fingerprint(a), list_fingerprint(b));
    EXPECT_NE(list_fingerprint(a), list_fingerprint(c));
}

TEST_F(CalendarApi, WhatIsNoPageIsAnErrorAndNeverAnEmptyPage) {
    for (std::string const body : {R"({"kind":"calendar#events","items":[{"id":"a"},)", "<html><body>Welcome to the hotel</body></html>",
                                   "", "{}", "null", R"({"items":[]} trailing)"}) {
        http.reply(200, body);
        auto const page = wait(api->list(token, list_query{.calendar = "c"}, at));
        ASSERT_FALSE(page) << body;
        EXPECT_EQ(page.error().code, errc::malformed) << body;
    }
}

TEST_F(CalendarApi, AnErrorInsideA200IsAnError) {
    http.reply(200, R"({"error":{"errors":[{"reason":"userRateLimitExceeded"}],"code":403}})");
    http.reply(200, R"({"error":"strange"})");

    EXPECT_EQ(wait(api->list(token, list_query{.calendar = "c"}, at)).error().code, errc::rate_limited);
    EXPECT_EQ(wait(api->list(token, list_query{.calendar = "c"}, at)).error().code, errc::malformed);
}

TEST_F(CalendarApi, ADeadCursorIsToldApartFromACalendarThatIsGone) {
    http.reply(410, R"({"error":{"errors":[{"domain":"calendar","reason":"fullSyncRequired"}],"code":410}})");
    http.reply(404, not_found_body);
    http.reply(403, forbidden_body);
    http.reply(403, scope_body);

    auto const dead = wait(api->list(token, list_query{.calendar = "c"}, at)).error();
    auto const gone = wait(api->list(token, list_query{.calendar = "c"}, at)).error();
    auto const refused = wait(api->list(token, list_query{.calendar = "c"}, at)).error();
    auto const scope = wait(api->list(token, list_query{.calendar = "c"}, at)).error();

    EXPECT_TRUE(dead.cursor_dead && !dead.calendar_gone);
    EXPECT_TRUE(gone.calendar_gone && !gone.cursor_dead);
    EXPECT_TRUE(refused.calendar_gone);
    EXPECT_TRUE(scope.scope_missing && !scope.calendar_gone);
}

TEST_F(CalendarApi, AMissingEventIsToldApartFromAMissingCalendar) {
    http.reply(404, not_found_body);
    http.reply(200, empty_page);
    auto const event_missing = wait(api->get(token, "c", "e", at));
    ASSERT_FALSE(event_missing);
    EXPECT_EQ(event_missing.error().code, errc::not_found);
    EXPECT_FALSE(event_missing.error().calendar_gone);
    EXPECT_EQ(url(1), "http://g/calendar/v3/calendars/c/events?maxResults=1&prettyPrint=false");

    http.reply(404, not_found_body);
    http.reply(404, not_found_body);
    auto const calendar_missing = wait(api->patch(token, "c", "e", "\"1\"", write({field::title}), at));
    ASSERT_FALSE(calendar_missing);
    EXPECT_EQ(calendar_missing.error().code, errc::not_found);
    EXPECT_TRUE(calendar_missing.error().calendar_gone);

    http.reply(404, not_found_body);
    http.reply(503, "");
    EXPECT_EQ(wait(api->get(token, "c", "e", at)).error().code, errc::unavailable);
}

TEST_F(CalendarApi, InsertSendsOurIdAndNoIfMatch) {
    http.reply(200, event_body);
    auto what = write({field::title});
    what.values.title = "T";

    auto const got = wait(api->insert(token, "anna@example.com", "ev1", what, at));

    ASSERT_TRUE(got);
    EXPECT_EQ(got->etag, "\"2\"");
    EXPECT_EQ(http.sent[0].method, "POST");
    EXPECT_EQ(url(0), "http://g/calendar/v3/calendars/anna%40example.com/events?sendUpdates=none&prettyPrint=false");
    EXPECT_EQ(http.sent[0].body,
              R"({"id":"ev1","summary":"T","extendedProperties":{"private":{"calbridgeLink":"st","calbridgeOp":"op"}}})");
    EXPECT_EQ(http.header(0, "if-match"), "");
}

TEST_F(CalendarApi, ConferenceDataVersionIsSentOnlyWithMeet) {
    for (int i = 0; i < 4; ++i) http.reply(200, event_body);
    auto meet = write({field::meet});
    meet.values.meet = true;
    meet.send_updates = "all";

    wait(api->insert(token, "c", "ev1", meet, at)).value();
    wait(api->patch(token, "c", "ev1", "\"1\"", write({field::meet}), at)).value();
    wait(api->patch(token, "c", "ev1", "\"1\"", write({field::title}), at)).value();
    wait(api->insert(token, "c", "ev1", write({field::meet}), at)).value();

    EXPECT_EQ(url(0), "http://g/calendar/v3/calendars/c/events?sendUpdates=all&conferenceDataVersion=1&prettyPrint=false");
    EXPECT_NE(url(1).find("conferenceDataVersion=1"), std::string::npos);
    EXPECT_EQ(url(2).find("conferenceDataVersion"), std::string::npos);
    EXPECT_EQ(url(3).find("conferenceDataVersion"), std::string::npos);
}

TEST_F(CalendarApi, PatchAndDeleteCarryIfMatch) {
    http.reply(200, event_body);
    http.reply(204, "");

    wait(api->patch(token, "c", "e/1", "\"7\"", write({}), at)).value();
    ASSERT_TRUE(wait(api->remove(token, "c", "e/1", "\"7\"", "externalOnly", at)));

    EXPECT_EQ(http.header(0, "if-match"), "\"7\"");
    EXPECT_EQ(http.header(1, "if-match"), "\"7\"");
    EXPECT_EQ(url(1), "http://g/calendar/v3/calendars/c/events/e%2F1?sendUpdates=externalOnly&prettyPrint=false");
    EXPECT_EQ(http.sent[1].method, "DELETE");
}

TEST_F(CalendarApi, AMoveNamesItsDestinationAndMailsNobody) {
    http.reply(200, event_body);

    wait(api->move(token, "c", "e/1", "team@group.calendar.google.com", at)).value();

    EXPECT_EQ(http.sent[0].method, "POST");
    EXPECT_EQ(url(0),
              "http://g/calendar/v3/calendars/c/events/e%2F1/move?destination=team%40group.calendar.google.com&sendUpdates=none&"
              "prettyPrint=false");
    EXPECT_TRUE(http.sent[0].body.empty());
}

TEST_F(CalendarApi, DeletingWhatIsGoneIsSuccessButNotWhenTheCalendarIs) {
    http.reply(410, R"({"error":{"errors":[{"domain":"global","reason":"deleted"}],"code":410}})");
    http.reply(404, not_found_body);
    http.reply(200, empty_page);
    http.reply(404, not_found_body);
    http.reply(404, not_found_body);
    http.reply(412, R"({"error":{"errors":[{"reason":"conditionNotMet"}],"code":412}})");

    EXPECT_TRUE(wait(api->remove(token, "c", "e", "\"1\"", "none", at)));
    EXPECT_TRUE(wait(api->remove(token, "c", "e", "\"1\"", "none", at)));
    auto const lost_calendar = wait(api->remove(token, "c", "e", "\"1\"", "none", at));
    ASSERT_FALSE(lost_calendar);
    EXPECT_TRUE(lost_calendar.error().calendar_gone);
    EXPECT_EQ(wait(api->remove(token, "c", "e", "\"1\"", "none", at)).error().code, errc::conflict);
}

TEST_F(CalendarApi, ALostAnswerLeavesAWriteUnknownAndAReadNot) {
    http.fail_with(errc::timed_out, "after sending");
    http.fail_with(errc::unavailable, "not sent: no connection");
    http.reply(502, "<html>");
    http.reply(200, R"({"id":"ev1","etag":)");
    http.fail_with(errc::timed_out, "after sending");
    http.reply(503, "");

    EXPECT_TRUE(wait(api->insert(token, "c", "e", write({}), at)).error().outcome_unknown);
    EXPECT_FALSE(wait(api->insert(token, "c", "e", write({}), at)).error().outcome_unknown);
    EXPECT_TRUE(wait(api->patch(token, "c", "e", "\"1\"", write({}), at)).error().outcome_unknown);
    auto const cut = wait(api->insert(token, "c", "e", write({}), at)).error();
    EXPECT_TRUE(cut.outcome_unknown);
    EXPECT_EQ(cut.code, errc::malformed);
    EXPECT_FALSE(wait(api->get(token, "c", "e", at)).error().outcome_unknown);
    EXPECT_FALSE(wait(api->list(token, list_query{.calendar = "c"}, at)).error().outcome_unknown);
}

TEST_F(CalendarApi, CalendarListFollowsEveryPage) {
    http.reply(
        200,
        R"({"kind":"calendar#calendarList","nextPageToken":"p 2","items":[{"id":"a@x","summary":"A","accessRole":"owner","primary":true,"timeZone":"Europe/Zurich"},{"summary":"no id"}]})");
    http.reply(
        200,
        R"({"kind":"calendar#calendarList","nextSyncToken":"s","items":[{"id":"b@x","summary":"B","summaryOverride":"Mine","accessRole":"reader","deleted":true}]})");

    auto const got = wait(api->calendar_list(token, {}, at));

    ASSERT_TRUE(got);
    ASSERT_EQ(got->entries.size(), 2u);
    EXPECT_TRUE(got->entries[0].primary);
    EXPECT_EQ(got->entries[1].summary, "Mine");
    EXPECT_TRUE(got->entries[1].deleted);
    EXPECT_EQ(got->sync_token, "s");
    EXPECT_EQ(url(1), "http://g/calendar/v3/users/me/calendarList?maxResults=250&showHidden=true&prettyPrint=false&pageToken=p%202");
}

TEST_F(CalendarApi, CalendarListAsksForWhatChanged) {
    http.reply(200, R"({"kind":"calendar#calendarList","nextSyncToken":"t","items":[{"id":"a@x","hidden":true}]})");
    http.reply(410, R"({"error":{"code":410,"errors":[{"domain":"calendar","reason":"fullSyncRequired"}]}})");

    auto const got = wait(api->calendar_list(token, "s 1", at));
    auto const late = wait(api->calendar_list(token, "s 1", at));

    ASSERT_TRUE(got);
    EXPECT_TRUE(got->entries.at(0).hidden);
    EXPECT_EQ(url(0), "http://g/calendar/v3/users/me/calendarList?maxResults=250&showHidden=true&prettyPrint=false&syncToken=s%201");
    ASSERT_FALSE(late);
    EXPECT_TRUE(late.error().cursor_dead);
}

TEST_F(CalendarApi, TheCalendarListIsWatchedWhereItLives) {
    http.reply(200, R"({"kind":"api#channel","id":"ch","resourceId":"res","expiration":"1795824000000"})");
    http.reply(404, R"({"error":{"code":404,"errors":[{"domain":"global","reason":"notFound"}]}})");
    watch_request const wanted{.calendar = "", .channel_id = "ch", .address = "https://hooks.example/g", .token = secret("tok")};

    EXPECT_TRUE(wait(api->watch(token, wanted, at)));
    auto const missing = wait(api->watch(token, wanted, at));

    EXPECT_EQ(url(0), "http://g/calendar/v3/users/me/calendarList/watch?prettyPrint=false");
    EXPECT_FALSE(missing.error().calendar_gone) << "no calendar was named";
}

TEST_F(CalendarApi, CalendarListThatNeverEndsIsAnError) {
    for (int i = 0; i < 2; ++i) http.reply(200, R"({"kind":"calendar#calendarList","nextPageToken":"same","items":[]})");

    EXPECT_EQ(wait(api->calendar_list(token, {}, at)).error().code, errc::malformed);
}

TEST_F(CalendarApi, WatchSendsTheChannelAndReadsItsExpiry) {
    http.reply(200, R"({"kind":"api#channel","id":"ch","resourceId":"res","expiration":"1795824000000"})");
    watch_request wanted{.calendar = "a@x",
                         .channel_id = "ch",
                         .address = "https://hooks/google",
                         .token = secret("tok"),
                         .life = std::chrono::seconds{3600}};

    auto const got = wait(api->watch(token, wanted, at));

    ASSERT_TRUE(got);
    EXPECT_EQ(got->resource_id, "res");
    EXPECT_EQ(url(0), "http://g/calendar/v3/calendars/a%40x/events/watch?prettyPrint=false");
    EXPECT_EQ(http.sent[0].body, R"({"id":"ch","type":"web_hook","address":"https://hooks/google","token":"tok","params":{"ttl":"3600"}})");
}

TEST_F(CalendarApi, ARefusedWatchSaysWhetherTheCalendarIsToBlame) {
    http.reply(400, R"({"error":{"errors":[{"domain":"calendar","reason":"pushNotSupportedForRequestedResource"}],"code":400}})");
    http.reply(404, not_found_body);
    http.reply(403, R"({"error":{"errors":[{"reason":"push.webhookUrlUnauthorized"}],"code":403}})");

    auto const no_push = wait(api->watch(token, watch_request{.calendar = "a"}, at)).error();
    auto const gone = wait(api->watch(token, watch_request{.calendar = "a"}, at)).error();
    auto const our_address = wait(api->watch(token, watch_request{.calendar = "a"}, at)).error();

    EXPECT_EQ(no_push.code, errc::forbidden);
    EXPECT_FALSE(no_push.calendar_gone);
    EXPECT_TRUE(gone.calendar_gone);
    EXPECT_FALSE(our_address.calendar_gone);
}

TEST_F(CalendarApi, StoppingAChannelGoogleForgotIsSuccess) {
    http.reply(204, "");
    http.reply(404, not_found_body);
    http.reply(500, "");

    EXPECT_TRUE(wait(api->stop(token, "ch", "res", at)));
    EXPECT_TRUE(wait(api->stop(token, "ch", "res", at)));
    EXPECT_FALSE(wait(api->stop(token, "ch", "res", at)));
    EXPECT_EQ(http.sent[0].body, R"({"id":"ch","resourceId":"res"})");
}

TEST_F(CalendarApi, NoErrorContextHoldsTheTokenOrTheCalendar) {
    for (int i = 0; i < 3; ++i) http.reply(400 + i, R"({"error":{"errors":[{"reason":"x"}],"message":"canary-message"}})");
    http.fail_with(errc::timed_out, "after sending");

    for (int i = 0; i < 4; ++i) {
        auto const e = wait(api->patch(token, "canary-calendar", "canary-event", "\"1\"", write({}), at)).error();
        EXPECT_EQ(e.context.find("canary"), std::string::npos) << e.context;
    }
}

}  // namespace
}  // namespace calbridge::google
