#include "common/base/encoding.h"
#include "tests/emulator/fixture.h"

namespace calbridge::emulator {
namespace {

class Listing : public emulator_test {
protected:
    outcome list(std::string const& query = {}, std::string const& calendar = "primary") {
        return api("GET", "calendars/" + calendar + "/events" + (query.empty() ? "" : "?" + query));
    }
    std::string sync_token(std::string const& query = {}) { return list(query).text("nextSyncToken"); }
    outcome since(std::string const& token, std::string const& more = {}) { return list("syncToken=" + percent_encode(token) + more); }
    static std::string ids(outcome const& page) {
        std::string all;
        for (auto const& e : page.items()) all += std::string(text_at(e.as_object(), "id")) + " ";
        return all;
    }
};

TEST_F(Listing, OnlyTheLastPageCarriesTheSyncToken) {
    for (auto const* id : {"aaaaa", "bbbbb", "ccccc"}) insert(R"("id":")" + std::string(id) + "\"");
    auto const first = list("maxResults=2");
    EXPECT_EQ(ids(first), "aaaaa bbbbb ");
    EXPECT_FALSE(first.object().contains("nextSyncToken"));
    auto const last = list("maxResults=2&pageToken=" + percent_encode(first.text("nextPageToken")));
    EXPECT_EQ(ids(last), "ccccc ");
    EXPECT_FALSE(last.object().contains("nextPageToken"));
    EXPECT_TRUE(last.object().contains("nextSyncToken"));
    EXPECT_EQ(last.text("timeZone"), "Europe/Zurich");
    EXPECT_EQ(last.text("accessRole"), "owner");
    EXPECT_EQ(violation_text(), "");
}

TEST_F(Listing, ADeltaHoldsWhatChangedAndBareTombstones) {
    insert(R"("id":"aaaaa")");
    insert(R"("id":"bbbbb")");
    auto const token = sync_token();
    EXPECT_EQ(ids(since(token)), "");
    api("PATCH", primary + "/bbbbb", R"({"summary":"x"})");
    api("DELETE", primary + "/aaaaa");
    auto const delta = since(token);
    EXPECT_EQ(ids(delta), "bbbbb aaaaa ");
    auto const& gone = delta.items().at(1).as_object();
    EXPECT_EQ(gone.size(), 4U) << bj::serialize(gone);
    EXPECT_EQ(text_at(gone, "status"), "cancelled");
    EXPECT_EQ(ids(since(delta.text("nextSyncToken"))), "");
    EXPECT_EQ(ids(list()), "bbbbb ");
    EXPECT_EQ(ids(list("showDeleted=true")), "aaaaa bbbbb ");
}

TEST_F(Listing, AnEventThatAppearsWhilePagingIsInTheNextDelta) {
    for (auto const* id : {"bbbbb", "ccccc", "ddddd"}) insert(R"("id":")" + std::string(id) + "\"");
    auto const first = list("maxResults=1");
    insert(R"("id":"aaaaa")");
    auto page = list("maxResults=1&pageToken=" + percent_encode(first.text("nextPageToken")));
    page = list("maxResults=1&pageToken=" + percent_encode(page.text("nextPageToken")));
    EXPECT_EQ(ids(since(page.text("nextSyncToken"))), "aaaaa ");
}

TEST_F(Listing, ADeltaMayBePagedWithTheOldTokenAndLaterChangesWaitForTheNext) {
    auto const token = sync_token();
    for (auto const* id : {"aaaaa", "bbbbb", "ccccc"}) insert(R"("id":")" + std::string(id) + "\"");
    auto const first = since(token, "&maxResults=2");
    EXPECT_EQ(ids(first), "aaaaa bbbbb ");
    api("PATCH", primary + "/ccccc", R"({"summary":"x"})");
    auto const last = since(token, "&maxResults=2&pageToken=" + percent_encode(first.text("nextPageToken")));
    EXPECT_EQ(ids(last), "");
    EXPECT_EQ(ids(since(last.text("nextSyncToken"))), "ccccc ");
}

TEST_F(Listing, AnEmptyPageMayStillHaveASuccessor) {
    w.settings().empty_pages = true;
    insert(R"("id":"aaaaa")");
    auto const hollow = list();
    EXPECT_EQ(ids(hollow), "");
    auto const full = list("pageToken=" + percent_encode(hollow.text("nextPageToken")));
    EXPECT_EQ(ids(full), "aaaaa ");
    EXPECT_NE(full.text("nextSyncToken"), "");
}

TEST_F(Listing, ABadTokenIs400AndADeadOne410) {
    auto const bogus = since("CPDAlvWDx70CEPDAlvWDx70CGAU=");
    EXPECT_EQ(bogus.status, 400);
    EXPECT_EQ(text_at(bogus.object().at("error").as_object(), "message"), "Invalid sync token value.");
    auto const token = sync_token();
    control("calendars/anna%40example.com/expire_tokens", "{}");
    auto const dead = since(token);
    EXPECT_EQ(dead.status, 410);
    EXPECT_EQ(dead.reason(), "fullSyncRequired");
    EXPECT_EQ(violation_text(), "");
}

TEST_F(Listing, ATokenBelongsToItsCalendarUserAndParameters) {
    control("calendars", R"({"owner":"anna@example.com","id":"team@group.calendar.google.com","summary":"Team"})");
    control("calendars/anna%40example.com/share", R"({"email":"bob@example.com","role":"reader"})");
    auto const token = percent_encode(sync_token());
    EXPECT_EQ(list("syncToken=" + token, "team%40group.calendar.google.com").status, 400);
    EXPECT_EQ(bob("GET", "calendars/anna%40example.com/events?syncToken=" + token).status, 400);
    EXPECT_EQ(violation_text(), "");
    EXPECT_EQ(list("syncToken=" + token + "&singleEvents=true").status, 400);
    EXPECT_NE(violation_text().find("other parameters"), std::string::npos);
}

TEST_F(Listing, ForbiddenCompanionsOfATokenAreRefusedAndRecorded) {
    auto const token = sync_token("timeMin=2026-01-01T00:00:00Z");
    EXPECT_NE(token, "") << "a bounded first list still ends in a token";
    EXPECT_EQ(since(token).status, 200);
    for (auto const* more : {"&timeMin=2026-01-01T00:00:00Z", "&q=x", "&orderBy=updated", "&showDeleted=false", "&iCalUID=x",
                             "&updatedMin=2026-11-20T00:00:00Z"})
        EXPECT_EQ(since(token, more).status, 400) << more;
    EXPECT_EQ(w.violations().size(), 6U);
    EXPECT_EQ(since(token, "&showDeleted=true").status, 200);
}

TEST_F(Listing, TombstonesAgeOutAndTakeOldTokensWithThem) {
    w.settings().access_token_ttl_s = 90 * 86400;
    auto const token = sync_token();
    insert(R"("id":"aaaaa")");
    auto const later = sync_token();
    api("DELETE", primary + "/aaaaa");
    auto const newest = sync_token();
    clock.advance(std::chrono::days(31));
    EXPECT_EQ(since(token).status, 410);
    EXPECT_EQ(since(later).status, 410);
    EXPECT_EQ(since(newest).status, 200);
    EXPECT_EQ(list("updatedMin=2026-11-01T00:00:00Z").reason(), "updatedMinTooLongAgo");
}

TEST_F(Listing, ChangingAccessKillsThatUsersTokens) {
    control("calendars/anna%40example.com/share", R"({"email":"bob@example.com","role":"reader"})");
    auto const token = percent_encode(bob("GET", "calendars/anna%40example.com/events").text("nextSyncToken"));
    control("calendars/anna%40example.com/share", R"({"email":"bob@example.com","role":"writer"})");
    EXPECT_EQ(bob("GET", "calendars/anna%40example.com/events?syncToken=" + token).status, 410);
}

TEST_F(Listing, WindowsBoundTheEndBelowAndTheStartAbove) {
    insert(R"("id":"aaaaa")");  // 09:00 to 10:00 UTC on the 25th
    api("POST", primary, R"({"id":"bbbbb","start":{"date":"2026-11-26"},"end":{"date":"2026-11-27"}})");
    EXPECT_EQ(ids(list("timeMin=2026-11-25T10:00:00Z")), "bbbbb ");
    EXPECT_EQ(ids(list("timeMin=2026-11-25T09:59:59Z")), "aaaaa bbbbb ");
    EXPECT_EQ(ids(list("timeMax=2026-11-25T09:00:00Z")), "");
    EXPECT_EQ(ids(list("timeMax=2026-11-25T23:00:00Z")), "aaaaa ") << "the all-day event starts at midnight in Zurich";
    EXPECT_EQ(ids(list("timeMax=2026-11-25T23:00:01Z")), "aaaaa bbbbb ");
    EXPECT_EQ(list("timeMin=2026-11-25T10:00:00").status, 400) << "an offset is required";
}

TEST_F(Listing, ExtendedPropertiesUidAndTextFindEvents) {
    insert(R"("id":"aaaaa","extendedProperties":{"private":{"crmTask":"42"}})");
    insert(R"("id":"bbbbb","description":"Needle in here")");
    EXPECT_EQ(ids(list("privateExtendedProperty=crmTask%3D42")), "aaaaa ");
    EXPECT_EQ(ids(list("iCalUID=bbbbb%40google.com")), "bbbbb ");
    EXPECT_EQ(ids(list("q=needle")), "bbbbb ");
    EXPECT_EQ(ids(list("orderBy=updated&maxResults=1")), "aaaaa ");
    EXPECT_FALSE(list("q=needle").object().contains("nextSyncToken"));
}

TEST_F(Listing, FieldsTrimTheAnswerAndHideATokenThatIsNotNamed) {
    insert(R"("id":"aaaaa")");
    auto const page = list("fields=items(id,start/dateTime)");
    EXPECT_EQ(bj::serialize(page.body), R"({"items":[{"id":"aaaaa","start":{"dateTime":"2026-11-25T10:00:00+01:00"}}]})");
    EXPECT_TRUE(list("fields=nextSyncToken,items/id").object().contains("nextSyncToken"));
    EXPECT_EQ(list("fields=items(id").status, 400);
    EXPECT_EQ(list("fields=items(idd)").reason(), "invalidParameter");
}

TEST_F(Listing, CalendarListsSyncTooAndReportDeletedEntries) {
    auto const all = api("GET", "users/me/calendarList");
    EXPECT_EQ(all.items().size(), 1U);
    EXPECT_TRUE(all.items().at(0).at("primary").as_bool());
    auto const token = percent_encode(all.text("nextSyncToken"));
    auto const made = api("POST", "calendars", R"({"summary":"Mine"})");
    EXPECT_EQ(made.status, 200) << made.whole.body;
    EXPECT_EQ(api("GET", "users/me/calendarList?syncToken=" + token).items().size(), 1U);
    EXPECT_EQ(api("DELETE", "users/me/calendarList/" + percent_encode(made.text("id"))).status, 204);
    auto const delta = api("GET", "users/me/calendarList?syncToken=" + token);
    EXPECT_TRUE(delta.items().at(0).at("deleted").as_bool());
    EXPECT_EQ(api("GET", "users/me/calendarList?minAccessRole=writer&syncToken=" + token).status, 400);
}

TEST_F(Listing, FreeBusyMergesOverlapsAndLeavesOutFreeAndDeclined) {
    insert();
    insert();
    insert(R"("transparency":"transparent")");
    auto const done =
        api("POST", "freeBusy",
            R"({"timeMin":"2026-11-25T00:00:00Z","timeMax":"2026-11-26T00:00:00Z","items":[{"id":"primary"},{"id":"bob@example.com"}]})");
    auto const& all = done.object().at("calendars").as_object();
    EXPECT_EQ(bj::serialize(all.at("primary").at("busy")), R"([{"start":"2026-11-25T09:00:00Z","end":"2026-11-25T10:00:00Z"}])");
    EXPECT_EQ(text_at(all.at("bob@example.com").at("errors").as_array().at(0).as_object(), "reason"), "notFound");
}

TEST_F(Listing, ColoursAndSettingsAreServed) {
    EXPECT_EQ(api("GET", "colors").object().at("event").as_object().size(), 11U);
    EXPECT_EQ(api("GET", "users/me/settings/timezone").text("value"), "Europe/Zurich");
    EXPECT_EQ(api("GET", "users/me/settings").items().size(), 5U);
}

}  // namespace
}  // namespace calbridge::emulator
