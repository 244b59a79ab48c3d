// Series, their instances and exceptions through the API.
#include "common/base/encoding.h"
#include "tests/emulator/fixture.h"

namespace calbridge::emulator {
namespace {

class Series : public emulator_test {
protected:
    // Every day at 10 in Zurich from 2026-11-25 on.
    outcome daily(std::string const& id = "abcde", std::string const& rule = "RRULE:FREQ=DAILY;COUNT=4", std::string const& more = {}) {
        return insert(R"("id":")" + id + R"(","recurrence":[")" + rule + "\"]" + (more.empty() ? "" : "," + more));
    }
    outcome list(std::string const& query = {}) { return api("GET", primary + (query.empty() ? "" : "?" + query)); }
    std::string sync_token(std::string const& query = {}) { return list(query).text("nextSyncToken"); }
    outcome since(std::string const& token, std::string const& more = {}) { return list("syncToken=" + percent_encode(token) + more); }
    outcome instances(std::string const& query = {}, std::string const& id = "abcde") {
        return api("GET", primary + "/" + id + "/instances" + (query.empty() ? "" : "?" + query));
    }
    // "id id:cancelled "
    static std::string ids(outcome const& page) {
        std::string all;
        for (auto const& e : page.items())
            all += std::string(text_at(e.as_object(), "id")) + (text_at(e.as_object(), "status") == "cancelled" ? ":cancelled " : " ");
        return all;
    }
    static std::string start_of(bj::object const& e, char const* member = "start") {
        return std::string(text_at(e.at(member).as_object(), "dateTime"));
    }
    std::string get(std::string const& id, char const* member) { return api("GET", primary + "/" + id).text(member); }
};

std::string const second = "abcde_20261126T090000Z";

TEST_F(Series, RulesThatCannotBeReadAndMissingZonesAreRefused) {
    EXPECT_EQ(daily("abcde", "RRULE:FREQ=NEVER").status, 400);
    EXPECT_EQ(daily("abcde", "DTSTART:20261125T100000Z").reason(), "invalid");
    auto const no_zone =
        api("POST", primary,
            R"({"start":{"dateTime":"2026-11-25T10:00:00Z"},"end":{"dateTime":"2026-11-25T11:00:00Z"},"recurrence":["RRULE:FREQ=DAILY"]})");
    EXPECT_EQ(no_zone.reason(), "required");
    EXPECT_NE(no_zone.whole.body.find("Missing time zone definition for start time."), std::string::npos);
    for (auto const* until : {"20261127", "20261127T090000Z", "20261127T100000"}) {
        auto const made = insert(R"("recurrence":["RRULE:FREQ=DAILY;UNTIL=)" + std::string(until) + "\"]");
        ASSERT_EQ(made.status, 200) << made.whole.body;
        EXPECT_EQ(instances({}, made.text("id")).items().size(), 3U) << until;
    }
}

TEST_F(Series, AnInstanceIsReadByItsIdWithoutBeingKept) {
    ASSERT_EQ(daily().status, 200);
    auto const one = api("GET", primary + "/" + second);
    ASSERT_EQ(one.status, 200) << one.whole.body;
    EXPECT_EQ(one.text("recurringEventId"), "abcde");
    EXPECT_EQ(one.text("iCalUID"), "abcde@google.com");
    EXPECT_EQ(start_of(one.object()), "2026-11-26T10:00:00+01:00");
    EXPECT_EQ(start_of(one.object(), "originalStartTime"), "2026-11-26T10:00:00+01:00");
    EXPECT_FALSE(one.object().contains("recurrence"));
    EXPECT_EQ(ids(list()), "abcde ");
    EXPECT_EQ(api("GET", primary + "/abcde_20261126T100000Z").status, 404);
    EXPECT_EQ(api("GET", primary + "/abcde_20261126").status, 404);
    EXPECT_EQ(api("PATCH", primary + "/abcde_20261129T090000Z", R"({"summary":"x"})").status, 404);
    EXPECT_EQ(violation_text(), "");
}

TEST_F(Series, InstanceIdsOfWallTimesFollowTheClockChange) {
    auto const made = api(
        "POST", primary,
        R"({"id":"clock","recurrence":["RRULE:FREQ=DAILY;COUNT=3"],"start":{"dateTime":"2026-10-31T09:00:00","timeZone":"America/New_York"},)"
        R"("end":{"dateTime":"2026-10-31T10:00:00","timeZone":"America/New_York"}})");
    ASSERT_EQ(made.status, 200) << made.whole.body;
    EXPECT_EQ(ids(instances({}, "clock")), "clock_20261031T130000Z clock_20261101T140000Z clock_20261102T140000Z ");
}

TEST_F(Series, AWriteToAnInstanceMakesAnException) {
    daily();
    auto const token = sync_token();
    auto const master_etag = get("abcde", "etag");
    auto const done = api("PATCH", primary + "/" + second, R"({"summary":"Renamed"})", {{"If-Match", get(second, "etag")}});
    ASSERT_EQ(done.status, 200) << done.whole.body;
    EXPECT_EQ(done.text("recurringEventId"), "abcde");
    EXPECT_NE(done.text("etag"), master_etag);
    EXPECT_EQ(get("abcde", "etag"), master_etag);
    EXPECT_EQ(ids(since(token)), second + " ");
    EXPECT_EQ(ids(list()), "abcde " + second + " ");
    EXPECT_EQ(get("abcde_20261127T090000Z", "summary"), "Visit");

    auto const moved =
        api("PUT", primary + "/" + second,
            R"({"summary":"Moved","start":{"dateTime":"2026-12-24T10:00:00+01:00"},"end":{"dateTime":"2026-12-24T11:00:00+01:00"}})");
    ASSERT_EQ(moved.status, 200) << moved.whole.body;
    EXPECT_EQ(moved.text("id"), second);
    EXPECT_EQ(start_of(moved.object(), "originalStartTime"), "2026-11-26T10:00:00+01:00");
    EXPECT_EQ(api("PATCH", primary + "/" + second, R"({"recurrence":["RRULE:FREQ=DAILY"]})").status, 400);
    EXPECT_EQ(violation_text(), "");
}

TEST_F(Series, ACancelledInstanceStaysForTheLifeOfItsSeries) {
    daily();
    auto const token = sync_token();
    EXPECT_EQ(api("DELETE", primary + "/" + second).status, 204);
    EXPECT_EQ(api("DELETE", primary + "/" + second).status, 410);
    EXPECT_EQ(api("PATCH", primary + "/abcde_20261127T090000Z", R"({"status":"cancelled"})").text("status"), "cancelled");
    auto const delta = since(token);
    EXPECT_EQ(ids(delta), second + ":cancelled abcde_20261127T090000Z:cancelled ");
    auto const& gone = delta.items().at(0).as_object();
    EXPECT_EQ(gone.size(), 6U) << bj::serialize(gone);
    EXPECT_EQ(start_of(gone, "originalStartTime"), "2026-11-26T10:00:00+01:00");
    EXPECT_EQ(ids(list()), "abcde " + second + ":cancelled abcde_20261127T090000Z:cancelled ");
    EXPECT_EQ(ids(list("singleEvents=true")), "abcde_20261125T090000Z abcde_20261128T090000Z ");

    w.settings().access_token_ttl_s = 900 * 86400;
    clock.advance(std::chrono::days(400));
    auto const bearer = control("tokens", R"({"email":"anna@example.com"})").text("access_token");
    EXPECT_EQ(ask("GET", "/calendar/v3/" + primary + "/" + second, {}, {{"Authorization", "Bearer " + bearer}}).text("status"),
              "cancelled");
    EXPECT_EQ(ask("PATCH", "/calendar/v3/" + primary + "/" + second, R"({"status":"confirmed"})", {{"Authorization", "Bearer " + bearer}})
                  .text("status"),
              "confirmed");
}

TEST_F(Series, DeletingTheSeriesTakesItsExceptionsAlong) {
    daily();
    api("PATCH", primary + "/" + second, R"({"summary":"Renamed"})");
    api("DELETE", primary + "/abcde_20261127T090000Z");
    auto const token = sync_token();
    EXPECT_EQ(api("DELETE", primary + "/abcde").status, 204);
    auto const delta = since(token);
    EXPECT_EQ(ids(delta), "abcde:cancelled ");
    EXPECT_EQ(delta.items().at(0).as_object().size(), 4U);
    EXPECT_EQ(get(second, "status"), "cancelled");
    EXPECT_EQ(api("DELETE", primary + "/" + second).status, 410);
    EXPECT_EQ(ids(list("showDeleted=true")), "abcde:cancelled ");
}

TEST_F(Series, AChangedRuleDropsTheExceptionsItNoLongerMakes) {
    daily();
    api("PATCH", primary + "/" + second, R"({"summary":"Renamed"})");
    api("PATCH", primary + "/abcde_20261127T090000Z", R"({"location":"Room 2"})");
    auto const token = sync_token();
    api("PATCH", primary + "/abcde", R"({"recurrence":["RRULE:FREQ=DAILY;INTERVAL=2;COUNT=4"]})");
    EXPECT_EQ(ids(since(token)), "abcde " + second + ":cancelled ");
    EXPECT_EQ(ids(list()), "abcde abcde_20261127T090000Z ") << "what was dropped is no cancelled occurrence";
    EXPECT_EQ(api("PATCH", primary + "/" + second, R"({"summary":"x"})").status, 404);
    api("PATCH", primary + "/abcde", R"({"recurrence":["RRULE:FREQ=DAILY;COUNT=4"]})");
    EXPECT_EQ(get(second, "summary"), "Visit") << "made again, it is an instance like the others";
    api("PATCH", primary + "/abcde",
        R"({"start":{"dateTime":"2026-11-25T12:00:00+01:00"},"end":{"dateTime":"2026-11-25T13:00:00+01:00"}})");
    EXPECT_EQ(ids(list()), "abcde ");
    EXPECT_EQ(violation_text(), "");
}

TEST_F(Series, ExceptionsFollowTheirMasterInWhatTheyHadNotChanged) {
    daily("abcde", "RRULE:FREQ=DAILY;COUNT=4", R"("location":"Room 1")");
    api("PATCH", primary + "/" + second, R"({"summary":"Renamed"})");
    auto const etag = get(second, "etag");
    auto const token = sync_token();
    api("PATCH", primary + "/abcde",
        R"({"summary":"Other","location":"Room 2","description":"d","end":{"dateTime":"2026-11-25T12:00:00+01:00"}})");
    EXPECT_EQ(ids(since(token)), "abcde " + second + " ");
    auto const one = api("GET", primary + "/" + second);
    EXPECT_EQ(one.text("summary"), "Renamed");
    EXPECT_EQ(one.text("location"), "Room 2");
    EXPECT_EQ(one.text("description"), "d");
    EXPECT_EQ(start_of(one.object(), "end"), "2026-11-26T12:00:00+01:00");
    EXPECT_NE(one.text("etag"), etag);
}

TEST_F(Series, SingleBecomesSeriesAndBack) {
    insert(R"("id":"abcde")");
    EXPECT_EQ(api("PATCH", primary + "/abcde", R"({"recurrence":["RRULE:FREQ=WEEKLY;COUNT=3"]})").status, 200);
    EXPECT_EQ(instances().items().size(), 3U);
    api("PATCH", primary + "/abcde_20261202T090000Z", R"({"summary":"x"})");
    for (auto const* none : {R"({"recurrence":[]})", R"({"recurrence":null})"}) {
        auto const token = sync_token();
        auto const done = api("PATCH", primary + "/abcde", none);
        EXPECT_EQ(done.status, 200);
        EXPECT_FALSE(done.object().contains("recurrence"));
        EXPECT_EQ(instances().status, 400);
        EXPECT_EQ(ids(since(token)), "abcde abcde_20261202T090000Z:cancelled ");
        EXPECT_EQ(ids(list()), "abcde ");
        api("PATCH", primary + "/abcde", R"({"recurrence":["RRULE:FREQ=WEEKLY;COUNT=3"]})");
        api("PATCH", primary + "/abcde_20261202T090000Z", R"({"summary":"x"})");
    }
}

TEST_F(Series, InstancesAreListedBoundedAndPaged) {
    daily("abcde", "RRULE:FREQ=DAILY");
    EXPECT_EQ(instances("maxResults=2500").items().size(), 730U);
    auto const page = instances("maxResults=2&timeMin=2026-11-26T10:30:00%2B01:00&timeMax=2026-11-28T12:00:00%2B01:00");
    EXPECT_EQ(ids(page), second + " abcde_20261127T090000Z ");
    EXPECT_FALSE(page.text("nextPageToken").empty());
    EXPECT_EQ(ids(instances("maxResults=2&timeMin=2026-11-26T10:30:00%2B01:00&timeMax=2026-11-28T12:00:00%2B01:00&pageToken=" +
                            percent_encode(page.text("nextPageToken")))),
              "abcde_20261128T090000Z ");
    EXPECT_EQ(ids(instances("originalStart=2026-11-26T09:00:00Z")), second + " ");
    EXPECT_EQ(ids(instances("originalStart=2026-11-26T10:00:00Z")), "");
    EXPECT_EQ(instances("originalStart=soon").status, 400);
    api("DELETE", primary + "/" + second);
    EXPECT_EQ(ids(instances("originalStart=2026-11-26T09:00:00Z")), "");
    EXPECT_EQ(ids(instances("originalStart=2026-11-26T09:00:00Z&showDeleted=true")), second + ":cancelled ");
    EXPECT_EQ(violation_text(), "");
}

TEST_F(Series, SingleEventsShowsOccurrencesInsteadOfSeries) {
    daily();
    insert(R"("id":"abcdf")");
    api("PATCH", primary + "/" + second,
        R"({"start":{"dateTime":"2026-11-25T08:00:00+01:00"},"end":{"dateTime":"2026-11-25T09:00:00+01:00"}})");
    EXPECT_EQ(ids(list("singleEvents=true")),
              "abcde_20261125T090000Z abcde_20261126T090000Z abcde_20261127T090000Z abcde_20261128T090000Z abcdf ");
    EXPECT_EQ(ids(list("singleEvents=true&orderBy=startTime&timeMax=2026-11-25T12:00:00Z")), second + " abcde_20261125T090000Z abcdf ");
    std::string all, token;
    do {
        auto const page = list("singleEvents=true&maxResults=2" + (token.empty() ? "" : "&pageToken=" + percent_encode(token)));
        all += ids(page);
        token = page.text("nextPageToken");
    } while (!token.empty());
    EXPECT_EQ(all, ids(list("singleEvents=true")));
    EXPECT_EQ(ids(list("timeMin=2026-11-28T00:00:00Z")), "abcde ") << "a series reaches as far as its occurrences";
    EXPECT_EQ(ids(list("timeMin=2026-11-29T00:00:00Z")), "");
    EXPECT_EQ(violation_text(), "");
}

TEST_F(Series, ADeltaOfSingleEventsHoldsEveryOccurrenceOfAChangedSeries) {
    daily();
    auto const token = sync_token("singleEvents=true");
    api("PATCH", primary + "/" + second, R"({"summary":"x"})");
    EXPECT_EQ(ids(since(token, "&singleEvents=true")), second + " ");
    api("PATCH", primary + "/abcde", R"({"location":"Room 2"})");
    EXPECT_EQ(ids(since(token, "&singleEvents=true")),
              "abcde_20261125T090000Z abcde_20261126T090000Z abcde_20261127T090000Z abcde_20261128T090000Z ");
    api("DELETE", primary + "/abcde");
    EXPECT_EQ(ids(since(token, "&singleEvents=true")),
              "abcde_20261125T090000Z:cancelled abcde_20261126T090000Z:cancelled abcde_20261127T090000Z:cancelled "
              "abcde_20261128T090000Z:cancelled ");
}

TEST_F(Series, ExceptionsMayComeBeforeTheirMaster) {
    daily();
    insert(R"("id":"aaaaa")");
    w.settings().exceptions_first = true;
    auto const token = sync_token();
    api("PATCH", primary + "/abcde", R"({"location":"x"})");
    api("PATCH", primary + "/" + second, R"({"summary":"x"})");
    EXPECT_EQ(ids(since(token)), second + " abcde ");
    EXPECT_EQ(ids(list()), second + " aaaaa abcde ");
    auto const first = list("maxResults=1"), next = list("maxResults=1&pageToken=" + percent_encode(first.text("nextPageToken")));
    EXPECT_EQ(ids(first) + ids(next), second + " aaaaa ");
}

TEST_F(Series, AllDaySeriesAreNamedByDates) {
    auto const made = api(
        "POST", primary,
        R"({"id":"dates","start":{"date":"2026-11-25"},"end":{"date":"2026-11-27"},"recurrence":["RRULE:FREQ=WEEKLY;COUNT=2","EXDATE;VALUE=DATE:20261202"]})");
    ASSERT_EQ(made.status, 200) << made.whole.body;
    EXPECT_EQ(ids(instances({}, "dates")), "dates_20261125 ");
    auto const one = api("GET", primary + "/dates_20261125");
    EXPECT_EQ(bj::serialize(one.object().at("end")), R"({"date":"2026-11-27"})");
    EXPECT_EQ(bj::serialize(one.object().at("originalStartTime")), R"({"date":"2026-11-25"})");
    EXPECT_EQ(api("GET", primary + "/dates_20261202").status, 404);
}

TEST_F(Series, BusyTimesHoldEveryOccurrence) {
    daily();
    api("DELETE", primary + "/" + second);
    auto const busy =
        api("POST", "freeBusy", R"({"timeMin":"2026-11-25T00:00:00Z","timeMax":"2026-12-25T00:00:00Z","items":[{"id":"primary"}]})");
    ASSERT_EQ(busy.status, 200) << busy.whole.body;
    EXPECT_EQ(busy.object().at("calendars").as_object().at("primary").as_object().at("busy").as_array().size(), 3U);
}

TEST_F(Series, OneTightenedInstanceTightensTheSeries) {
    daily();
    api("PATCH", primary + "/" + second, R"({"visibility":"private"})");
    EXPECT_EQ(get("abcde", "visibility"), "private");
    api("PATCH", primary + "/abcde_20261127T090000Z", R"({"visibility":"public"})");
    EXPECT_EQ(get("abcde_20261127T090000Z", "visibility"), "private");
    EXPECT_EQ(get("abcde", "visibility"), "private");
}

// ---- guests ----

TEST_F(Series, GuestsGetTheSeriesAndItsExceptions) {
    daily("abcde", "RRULE:FREQ=DAILY;COUNT=4",
          R"("attendees":[{"email":"bob@example.com"}],"extendedProperties":{"private":{"mine":"1"}})");
    EXPECT_EQ(ids(bob("GET", primary)), "abcde ");
    auto const token = bob("GET", primary).text("nextSyncToken");
    api("PATCH", primary + "/" + second, R"({"location":"Room 2"})");
    api("DELETE", primary + "/abcde_20261127T090000Z");
    EXPECT_EQ(ids(bob("GET", primary + "?syncToken=" + percent_encode(token))), second + " abcde_20261127T090000Z:cancelled ");
    auto const one = bob("GET", primary + "/" + second);
    EXPECT_EQ(one.text("location"), "Room 2");
    EXPECT_FALSE(one.object().contains("extendedProperties"));
    EXPECT_EQ(start_of(one.object()), "2026-11-26T04:00:00-05:00");
    api("DELETE", primary + "/abcde");
    EXPECT_EQ(ids(bob("GET", primary + "?syncToken=" + percent_encode(token))), "abcde:cancelled ");
}

TEST_F(Series, AGuestsAnswerForOneInstanceOrForAllReachesTheOrganizer) {
    daily("abcde", "RRULE:FREQ=DAILY;COUNT=4", R"("attendees":[{"email":"bob@example.com"}])");
    auto const answer = [](char const* what) {
        return std::string(R"({"attendeesOmitted":true,"attendees":[{"email":"bob@example.com","responseStatus":")") + what + "\"}]}";
    };
    auto const of = [&](std::string const& id) {
        return std::string(text_at(api("GET", primary + "/" + id).object().at("attendees").as_array().at(0).as_object(), "responseStatus"));
    };
    EXPECT_EQ(bob("PATCH", primary + "/" + second, answer("declined")).status, 200);
    EXPECT_EQ(of(second), "declined");
    EXPECT_EQ(of("abcde"), "needsAction");
    EXPECT_EQ(bob("PATCH", primary + "/abcde", answer("accepted")).status, 200);
    EXPECT_EQ(of("abcde"), "accepted");
    EXPECT_EQ(of(second), "declined");
    EXPECT_EQ(bob("DELETE", primary + "/abcde_20261127T090000Z").status, 204);
    EXPECT_EQ(of("abcde_20261127T090000Z"), "declined");
    EXPECT_EQ(bob("PATCH", primary + "/abcde_20261128T090000Z", R"({"summary":"mine"})").reason(), "forbiddenForNonOrganizer");
    EXPECT_EQ(bob("PATCH", primary + "/abcde", R"({"recurrence":["RRULE:FREQ=DAILY"]})").reason(), "forbiddenForNonOrganizer");
}

TEST_F(Series, AGuestOfOneInstanceGetsThatInstance) {
    daily();
    api("PATCH", primary + "/" + second, R"({"attendees":[{"email":"bob@example.com"}]})");
    EXPECT_EQ(ids(bob("GET", primary)), second + " ");
    EXPECT_EQ(bob("GET", primary + "/" + second).text("recurringEventId"), "abcde");
    EXPECT_EQ(bob("GET", primary + "/abcde").status, 404);
}

TEST_F(Series, AGuestLeftOutOfOneInstanceLosesThatInstance) {
    daily("abcde", "RRULE:FREQ=DAILY;COUNT=4", R"("attendees":[{"email":"bob@example.com"}])");
    api("PATCH", primary + "/" + second, R"({"attendees":[]})");
    EXPECT_EQ(ids(bob("GET", primary)), "abcde " + second + ":cancelled ");
}

}  // namespace
}  // namespace calbridge::emulator
