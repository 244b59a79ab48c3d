#include "tests/emulator/fixture.h"

namespace calbridge::emulator {
namespace {

class Events : public emulator_test {};

std::string at(std::string const& id, std::string const& more = {}) { return primary + "/" + id + more; }

TEST_F(Events, AnInsertAnswersTheStoredEvent) {
    auto const made = insert(R"("id":"abcde12345","colorId":"11")");
    ASSERT_EQ(made.status, 200) << made.whole.body;
    EXPECT_EQ(made.text("id"), "abcde12345");
    EXPECT_EQ(made.text("status"), "confirmed");
    EXPECT_EQ(made.text("eventType"), "default");
    EXPECT_EQ(made.text("iCalUID"), "abcde12345@google.com");
    EXPECT_EQ(made.object().at("sequence").to_number<int>(), 0);
    EXPECT_TRUE(made.object().at("organizer").as_object().at("self").as_bool());
    EXPECT_EQ(text_at(made.object().at("start").as_object(), "dateTime"), "2026-11-25T10:00:00+01:00");
    EXPECT_TRUE(made.object().at("reminders").as_object().at("useDefault").as_bool());
    EXPECT_EQ(violation_text(), "");
}

TEST_F(Events, IdsAreBase32hexOfFiveCharactersOrMore) {
    EXPECT_EQ(insert(R"("id":"abcd")").status, 400);
    EXPECT_EQ(insert(R"("id":"abcdw")").status, 400);
    EXPECT_EQ(insert(R"("id":"ABCDE")").status, 400);
    EXPECT_EQ(insert(R"("id":"0123456789abcdefghijklmnopqrstuv")").status, 200);
}

TEST_F(Events, AnIdIsTakenForEverEvenAfterADelete) {
    ASSERT_EQ(insert(R"("id":"abcde")").status, 200);
    EXPECT_EQ(insert(R"("id":"abcde")").reason(), "duplicate");
    ASSERT_EQ(api("DELETE", at("abcde")).status, 204);
    EXPECT_EQ(insert(R"("id":"abcde")").status, 409);
}

TEST_F(Events, AnIdStaysTakenAfterItsTombstoneAgedOut) {
    ASSERT_EQ(insert(R"("id":"abcde")").status, 200);
    ASSERT_EQ(api("DELETE", at("abcde")).status, 204);
    w.settings().access_token_ttl_s = 90 * 86400;
    clock.advance(std::chrono::days(31));
    auto const token = control("tokens", R"({"email":"anna@example.com"})").text("access_token");
    http::headers const bearer{{"Authorization", "Bearer " + token}};
    EXPECT_EQ(ask("GET", "/calendar/v3/" + at("abcde"), {}, bearer).status, 404);
    EXPECT_EQ(ask("POST", "/calendar/v3/" + primary, event(R"("id":"abcde")"), bearer).status, 409);
}

TEST_F(Events, TheStatusesOfGoneMissingAndStaleDiffer) {
    auto const made = insert(R"("id":"abcde")");
    EXPECT_EQ(api("GET", at("zzzzz")).status, 404);
    EXPECT_EQ(api("DELETE", at("vvvvv")).reason(), "notFound");
    auto const stale = api("PATCH", at("abcde"), R"({"summary":"x"})", {{"If-Match", "\"1\""}});
    EXPECT_EQ(stale.status, 412);
    EXPECT_EQ(stale.reason(), "conditionNotMet");
    EXPECT_EQ(api("PATCH", at("abcde"), R"({"summary":"x"})", {{"If-Match", made.text("etag")}}).status, 200);
    EXPECT_EQ(api("DELETE", at("abcde"), {}, {{"If-Match", made.text("etag")}}).status, 412);
    EXPECT_EQ(api("DELETE", at("abcde"), {}, {{"If-Match", "*"}}).status, 204);
    auto const again = api("DELETE", at("abcde"));
    EXPECT_EQ(again.status, 410);
    EXPECT_EQ(again.reason(), "deleted");
    auto const got = api("GET", at("abcde"));
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.text("status"), "cancelled");
}

TEST_F(Events, EveryWriteChangesTheEtag) {
    auto const made = insert(R"("id":"abcde")");
    auto const same = api("PATCH", at("abcde"), R"({"summary":"Visit"})");
    EXPECT_NE(same.text("etag"), made.text("etag"));
    EXPECT_EQ(api("GET", at("abcde"), {}, {{"If-None-Match", same.text("etag")}}).status, 304);
}

TEST_F(Events, PatchMergesObjectsDeletesNullsAndReplacesArrays) {
    insert(
        R"("id":"abcde","description":"d","extendedProperties":{"private":{"a":"1","b":"2"}},"attendees":[{"email":"x@else.com"},{"email":"y@else.com"}])");
    auto const done =
        api("PATCH", at("abcde"),
            R"({"description":null,"extendedProperties":{"private":{"b":null,"c":"3"}},"attendees":[{"email":"y@else.com"}]})");
    ASSERT_EQ(done.status, 200) << done.whole.body;
    EXPECT_FALSE(done.object().contains("description"));
    EXPECT_EQ(bj::serialize(done.object().at("extendedProperties")), R"({"private":{"a":"1","c":"3"}})");
    EXPECT_EQ(done.object().at("attendees").as_array().size(), 1U);
    EXPECT_EQ(done.text("summary"), "Visit");
}

TEST_F(Events, PutClearsWhatItDoesNotName) {
    auto const made = insert(
        R"("id":"abcde","description":"d","colorId":"3","attendees":[{"email":"x@else.com"}],"extendedProperties":{"private":{"a":"1"}})");
    auto const done = api("PUT", at("abcde"), event());
    ASSERT_EQ(done.status, 200) << done.whole.body;
    for (auto const* gone : {"description", "colorId", "attendees", "extendedProperties"})
        EXPECT_FALSE(done.object().contains(gone)) << gone;
    EXPECT_EQ(done.text("iCalUID"), made.text("iCalUID"));
}

TEST_F(Events, WhatWasReadCanBePutBack) {
    insert(R"("id":"abcde","description":"d","attendees":[{"email":"bob@example.com"}])");
    auto const got = api("GET", at("abcde"));
    auto const done = api("PUT", at("abcde"), got.whole.body);
    EXPECT_EQ(done.status, 200) << done.whole.body;
    EXPECT_EQ(done.text("description"), "d");
    EXPECT_EQ(violation_text(), "");
}

TEST_F(Events, LongExtendedPropertiesAreCutAndDroppedSilently) {
    auto const done =
        insert(R"("extendedProperties":{"private":{")" + std::string(45, 'k') + R"(":"lost","kept":")" + std::string(1500, 'v') + R"("}})");
    ASSERT_EQ(done.status, 200);
    auto const& kept = done.object().at("extendedProperties").as_object().at("private").as_object();
    EXPECT_EQ(kept.size(), 1U);
    EXPECT_EQ(text_at(kept, "kept").size(), 1024U);
}

TEST_F(Events, TimesAreChecked) {
    auto const post = [&](std::string const& body) { return api("POST", primary, body); };
    EXPECT_EQ(post(R"({"start":{"date":"2026-11-25"}})").reason(), "required");
    EXPECT_EQ(post(R"({"start":{"date":"2026-11-25"},"end":{"date":"2026-11-25"}})").reason(), "timeRangeEmpty");
    EXPECT_EQ(post(R"({"start":{"date":"2026-11-25"},"end":{"dateTime":"2026-11-26T10:00:00Z"}})").status, 400);
    EXPECT_EQ(
        post(R"({"start":{"dateTime":"2026-11-25T10:00:00","timeZone":"Mars/Base"},"end":{"dateTime":"2026-11-25T11:00:00Z"}})").status,
        400);
    EXPECT_EQ(post(R"({"start":{"date":"2026-02-29"},"end":{"date":"2026-03-01"}})").status, 400);
    EXPECT_EQ(post(R"({"start":{"date":"2026-11-25"},"end":{"date":"2026-11-26"}})").status, 200);
    auto const series = post(
        R"({"start":{"dateTime":"2026-11-25T10:00:00Z"},"end":{"dateTime":"2026-11-25T11:00:00Z"},"recurrence":["RRULE:FREQ=DAILY"]})");
    EXPECT_EQ(series.reason(), "required");
    auto const local = post(
        R"({"start":{"dateTime":"2026-07-01T10:00:00","timeZone":"Europe/Zurich"},"end":{"dateTime":"2026-07-01T11:00:00","timeZone":"Europe/Zurich"}})");
    EXPECT_EQ(text_at(local.object().at("start").as_object(), "dateTime"), "2026-07-01T10:00:00+02:00");
}

TEST_F(Events, AMoveOfKindNeedsTheOldMembersNulled) {
    insert(R"("id":"abcde")");
    EXPECT_EQ(api("PATCH", at("abcde"), R"({"start":{"date":"2026-11-25"},"end":{"date":"2026-11-26"}})").status, 400);
    auto const done = api(
        "PATCH", at("abcde"),
        R"({"start":{"date":"2026-11-25","dateTime":null,"timeZone":null},"end":{"date":"2026-11-26","dateTime":null,"timeZone":null}})");
    ASSERT_EQ(done.status, 200) << done.whole.body;
    EXPECT_EQ(bj::serialize(done.object().at("start")), R"({"date":"2026-11-25"})");
}

TEST_F(Events, ARequestChoosesTheZoneItReads) {
    insert(R"("id":"abcde")");
    auto const got = api("GET", at("abcde", "?timeZone=Asia/Tokyo"));
    EXPECT_EQ(text_at(got.object().at("start").as_object(), "dateTime"), "2026-11-25T18:00:00+09:00");
    EXPECT_EQ(text_at(got.object().at("start").as_object(), "timeZone"), "Europe/Zurich");
}

TEST_F(Events, LimitsOfRemindersColoursAndAttachmentsHold) {
    EXPECT_EQ(insert(R"("reminders":{"useDefault":true,"overrides":[{"method":"popup","minutes":5}]})").status, 400);
    EXPECT_EQ(insert(R"("reminders":{"useDefault":false,"overrides":[{"method":"popup","minutes":40321}]})").status, 400);
    EXPECT_EQ(
        insert(
            R"("reminders":{"useDefault":false,"overrides":[{"method":"popup","minutes":1},{"method":"popup","minutes":2},{"method":"popup","minutes":3},)"
            R"({"method":"popup","minutes":4},{"method":"popup","minutes":5},{"method":"popup","minutes":6}]})")
            .status,
        400);
    EXPECT_EQ(insert(R"("reminders":{"useDefault":false,"overrides":[{"method":"email","minutes":40320}]})").status, 200);
    EXPECT_EQ(insert(R"("colorId":"12")").status, 400);
    EXPECT_EQ(insert(R"("status":"done")").status, 400);
}

TEST_F(Events, AReminderChangesTheEtagButNotTheTimeOfUpdate) {
    auto const made = insert(R"("id":"abcde")");
    clock.advance(std::chrono::minutes(5));
    auto const done = api("PATCH", at("abcde"), R"({"reminders":{"useDefault":false,"overrides":[]}})");
    EXPECT_EQ(done.text("updated"), made.text("updated"));
    EXPECT_NE(done.text("etag"), made.text("etag"));
}

// ---- guests ----

TEST_F(Events, AGuestGetsACopyWithTheSameIdAndTheOrganizersChanges) {
    insert(R"("id":"abcde","attendees":[{"email":"bob@example.com"}],"extendedProperties":{"private":{"mine":"1"},"shared":{"ours":"2"}})");
    auto const copy = bob("GET", at("abcde"));
    ASSERT_EQ(copy.status, 200);
    EXPECT_EQ(bj::serialize(copy.object().at("extendedProperties")), R"({"shared":{"ours":"2"}})");
    EXPECT_FALSE(copy.object().at("organizer").as_object().contains("self"));

    api("PATCH", at("abcde"), R"({"location":"Room 2"})");
    EXPECT_EQ(bob("GET", at("abcde")).text("location"), "Room 2");
    api("DELETE", at("abcde"));
    EXPECT_EQ(bob("GET", at("abcde")).text("status"), "cancelled");
}

TEST_F(Events, AGuestsAnswerReachesTheOrganizerAndChangesItsEtag) {
    auto const made = insert(R"("id":"abcde","attendees":[{"email":"bob@example.com"}])");
    auto const answer =
        bob("PATCH", at("abcde"), R"({"attendeesOmitted":true,"attendees":[{"email":"bob@example.com","responseStatus":"accepted"}]})");
    ASSERT_EQ(answer.status, 200) << answer.whole.body;
    auto const seen = api("GET", at("abcde"));
    EXPECT_EQ(text_at(seen.object().at("attendees").as_array().at(0).as_object(), "responseStatus"), "accepted");
    EXPECT_NE(seen.text("etag"), made.text("etag"));
}

TEST_F(Events, AGuestMayNotTouchWhatIsShared) {
    insert(R"("id":"abcde","guestsCanInviteOthers":false,"attendees":[{"email":"bob@example.com"}])");
    EXPECT_EQ(bob("PATCH", at("abcde"), R"({"summary":"mine now"})").reason(), "forbiddenForNonOrganizer");
    EXPECT_EQ(bob("PATCH", at("abcde"), R"({"attendees":[{"email":"bob@example.com"},{"email":"c@else.com"}]})").status, 403);
    EXPECT_EQ(bob("PATCH", at("abcde"), R"({"colorId":"5","transparency":"transparent"})").status, 200);
    auto copy = bob("GET", at("abcde")).object();
    copy.erase("guestsCanInviteOthers");
    EXPECT_EQ(bob("PUT", at("abcde"), bj::serialize(copy)).status, 403) << "leaving the field out means its default";
    EXPECT_FALSE(api("GET", at("abcde")).object().contains("colorId"));
}

TEST_F(Events, AGuestWhoDeletesHasDeclined) {
    insert(R"("id":"abcde","attendees":[{"email":"bob@example.com"}])");
    EXPECT_EQ(bob("DELETE", at("abcde")).status, 204);
    auto const seen = api("GET", at("abcde"));
    EXPECT_EQ(text_at(seen.object().at("attendees").as_array().at(0).as_object(), "responseStatus"), "declined");
    api("PATCH", at("abcde"), R"({"summary":"later"})");
    EXPECT_EQ(bob("GET", at("abcde")).text("status"), "cancelled") << "an edit does not invite again";
}

TEST_F(Events, LeavingAGuestOutTakesTheCopyAway) {
    insert(R"("id":"abcde","attendees":[{"email":"bob@example.com"},{"email":"c@else.com"}])");
    api("PATCH", at("abcde"), R"({"attendees":[{"email":"c@else.com"}]})");
    EXPECT_EQ(bob("GET", at("abcde")).text("status"), "cancelled");
}

TEST_F(Events, MailsGoOutOnlyWhenAskedFor) {
    insert(R"("id":"abcde","attendees":[{"email":"bob@example.com"},{"email":"c@else.com"}])");
    EXPECT_EQ(control("mails").object().at("mails").as_array().size(), 0U);
    api("PATCH", at("abcde", "?sendUpdates=externalOnly"), R"({"location":"Room 2"})");
    api("DELETE", at("abcde", "?sendUpdates=all"));
    auto const mails = control("mails").object().at("mails").as_array();
    ASSERT_EQ(mails.size(), 2U);
    EXPECT_EQ(bj::serialize(mails[0].at("to")), R"(["c@else.com"])");
    EXPECT_EQ(mails[0].at("kind").as_string(), "update");
    EXPECT_EQ(bj::serialize(mails[1].at("to")), R"(["bob@example.com","c@else.com"])");
    EXPECT_EQ(mails[1].at("kind").as_string(), "cancellation");
}

// ---- conferences, moves, imports ----

TEST_F(Events, AMeetIsCreatedOncePerRequestId) {
    std::string const wish = R"("conferenceData":{"createRequest":{"requestId":"r1","conferenceSolutionKey":{"type":"hangoutsMeet"}}})";
    api("POST", primary, event(R"("id":"aaaaa",)" + wish));
    EXPECT_FALSE(api("GET", at("aaaaa")).object().contains("conferenceData")) << "version 0 ignores the wish";
    auto const made = api("POST", primary + "?conferenceDataVersion=1", event(R"("id":"bbbbb",)" + wish));
    auto const link = made.text("hangoutLink");
    EXPECT_TRUE(link.starts_with("https://meet.google.com/")) << made.whole.body;
    EXPECT_EQ(api("PATCH", at("bbbbb", "?conferenceDataVersion=1"), "{" + wish + "}").text("hangoutLink"), link);
    EXPECT_EQ(api("PATCH", at("bbbbb"), R"({"conferenceData":null})").text("hangoutLink"), link);
    EXPECT_EQ(api("PATCH", at("bbbbb", "?conferenceDataVersion=1"), R"({"conferenceData":null})").text("hangoutLink"), "");
}

TEST_F(Events, APendingMeetSucceedsLaterAndChangesTheEvent) {
    w.settings().meet_delay_s = 5;
    auto const made =
        api("POST", primary + "?conferenceDataVersion=1", event(R"("id":"bbbbb","conferenceData":{"createRequest":{"requestId":"r1"}})"));
    EXPECT_EQ(made.text("hangoutLink"), "");
    clock.advance(std::chrono::seconds(6));
    auto const later = api("GET", at("bbbbb"));
    EXPECT_NE(later.text("hangoutLink"), "");
    EXPECT_NE(later.text("etag"), made.text("etag"));
}

TEST_F(Events, AMoveKeepsTheIdAndChangesTheOrganizer) {
    control("calendars", R"({"owner":"anna@example.com","id":"team@group.calendar.google.com","summary":"Team"})");
    insert(R"("id":"abcde","attendees":[{"email":"bob@example.com"}])");
    auto const moved = api("POST", at("abcde", "/move?destination=team%40group.calendar.google.com"));
    ASSERT_EQ(moved.status, 200) << moved.whole.body;
    EXPECT_EQ(text_at(moved.object().at("organizer").as_object(), "email"), "team@group.calendar.google.com");
    auto const old = api("GET", at("abcde"));
    EXPECT_EQ(old.text("status"), "cancelled");
    EXPECT_FALSE(old.object().contains("summary"));
    EXPECT_EQ(text_at(bob("GET", at("abcde")).object().at("organizer").as_object(), "email"), "team@group.calendar.google.com");
    EXPECT_EQ(api("POST", "calendars/team%40group.calendar.google.com/events/abcde/move?destination=primary").status, 200);
}

TEST_F(Events, AnImportIsAPrivateCopyFoundAgainByItsUid) {
    std::string const body = event(R"("iCalUID":"u1@else.com","organizer":{"email":"boss@else.com"})");
    auto const first = api("POST", primary + "/import", body), second = api("POST", primary + "/import", body);
    ASSERT_EQ(first.status, 200) << first.whole.body;
    EXPECT_EQ(second.text("id"), first.text("id"));
    EXPECT_EQ(text_at(first.object().at("organizer").as_object(), "email"), "boss@else.com");
    EXPECT_EQ(api("POST", primary + "/import", event()).status, 400);
}

TEST_F(Events, ADeletedEventIsRestoredByConfirmingItUnlessForbidden) {
    insert(R"("id":"abcde")");
    api("DELETE", at("abcde"));
    w.settings().forbid_undelete = true;
    EXPECT_EQ(api("PUT", at("abcde"), event(R"("status":"confirmed")")).status, 403);
    w.settings().forbid_undelete = false;
    EXPECT_EQ(api("PUT", at("abcde"), event(R"("status":"confirmed")")).text("status"), "confirmed");
}

TEST_F(Events, AReaderSeesNoPrivateDetailsAndMayNotWrite) {
    control("calendars/anna%40example.com/share", R"({"email":"bob@example.com","role":"reader"})");
    insert(R"("id":"abcde","visibility":"private")");
    auto const seen = bob("GET", "calendars/anna%40example.com/events/abcde");
    EXPECT_EQ(seen.status, 200);
    EXPECT_FALSE(seen.object().contains("summary"));
    EXPECT_EQ(bob("POST", "calendars/anna%40example.com/events", event()).reason(), "requiredAccessLevel");
    control("calendars/anna%40example.com/share", R"({"email":"bob@example.com","role":"none"})");
    EXPECT_EQ(bob("GET", "calendars/anna%40example.com/events/abcde").reason(), "notFound");
}

TEST_F(Events, AHundredThousandEventsStayFast) {
    ASSERT_EQ(control("calendars/anna%40example.com/bulk", R"({"count":100000})").status, 200);
    auto page = api("GET", primary + "?maxResults=2500");
    auto token = page.text("nextPageToken");
    int pages = 1;
    for (; !token.empty(); ++pages) {
        page = api("GET", primary + "?maxResults=2500&pageToken=" + token.substr(0, token.size() - 1) + "%3D");
        token = page.text("nextPageToken");
    }
    EXPECT_EQ(pages, 40);
    insert(R"("id":"abcde")");
    auto sync = page.text("nextSyncToken");
    auto const delta = api("GET", primary + "?maxResults=2500&syncToken=" + sync.substr(0, sync.size() - 1) + "%3D");
    EXPECT_EQ(delta.items().size(), 1U);
}

}  // namespace
}  // namespace calbridge::emulator
