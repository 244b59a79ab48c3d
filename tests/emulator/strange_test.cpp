// Data nobody expects, much data, and lists of calendars that change.
#include "common/base/encoding.h"
#include "tests/emulator/fixture.h"

namespace calbridge::emulator {
namespace {

class Strange : public emulator_test {
protected:
    outcome raw(std::string const& id, std::string const& json) {
        return control("calendars/anna%40example.com/raw", bj::serialize(bj::object{{"id", id}, {"json", json}}));
    }
    std::string lists(std::string const& token, std::string const& as = "bob@example.com") {
        std::string all;
        for (auto const& e : list(token, as).items()) {
            auto const& o = e.as_object();
            all += std::string(text_at(o, "id")) + (flag_at(o, "deleted") ? ":deleted" : flag_at(o, "hidden") ? ":hidden" : "") + " ";
        }
        return all;
    }
    outcome list(std::string const& token, std::string const& as = "bob@example.com") {
        return api("GET", "users/me/calendarList" + (token.empty() ? "" : "?syncToken=" + percent_encode(token)), {}, {}, as);
    }
};

TEST_F(Strange, AnEventStoredAsTextIsShownAsItIs) {
    insert(R"("id":"aaaaa")");
    insert(R"("id":"ccccc")");
    auto const token = api("GET", primary).text("nextSyncToken");
    std::string const text =
        R"({"summary":"a\ud800b","start":{"dateTime":"2026-02-30T99:00:00Z"},"recurrence":["RRULE:FREQ=SOMETIMES"],"eventType":"party"})";
    ASSERT_EQ(raw("bbbbb", text).status, 200);
    for (auto const* pretty : {"", "&prettyPrint=false"}) {
        auto const page = api("GET", primary + "?maxResults=10" + pretty);
        EXPECT_NE(page.whole.body.find(text.substr(1)), std::string::npos) << page.whole.body;
        EXPECT_EQ(page.whole.body.find("raw-event"), std::string::npos);
        EXPECT_NE(page.whole.body.find("\"aaaaa\""), std::string::npos);
        EXPECT_NE(page.whole.body.find("\"ccccc\""), std::string::npos);
    }
    auto const delta = api("GET", primary + "?fields=nextSyncToken,items(id,etag,summary)&syncToken=" + percent_encode(token));
    EXPECT_NE(delta.whole.body.find(R"(\ud800)"), std::string::npos);
    EXPECT_NE(delta.whole.body.find(R"("id":"bbbbb")"), std::string::npos);
    EXPECT_NE(api("GET", primary + "/bbbbb").whole.body.find(R"(\ud800)"), std::string::npos);
    EXPECT_NE(api("GET", primary + "?timeMin=2027-01-01T00:00:00Z").whole.body.find("bbbbb"), std::string::npos);
    EXPECT_EQ(api("PATCH", primary + "/bbbbb", R"({"summary":"x"})").status, 400);
    EXPECT_EQ(api("DELETE", primary + "/bbbbb").status, 204);
    EXPECT_EQ(api("GET", primary + "/bbbbb").text("status"), "cancelled");
    EXPECT_EQ(violation_text(), "");
}

TEST_F(Strange, AnEmptyEventHasAnIdAndAnEtag) {
    raw("bbbbb", "{}");
    auto const got = api("GET", primary + "/bbbbb");
    EXPECT_EQ(got.object().size(), 3U) << got.whole.body;
    EXPECT_EQ(got.text("id"), "bbbbb");
    EXPECT_EQ(raw("bbbbb", "nothing").status, 400);
    EXPECT_EQ(api("PUT", primary + "/bbbbb", event()).text("summary"), "Visit");
}

TEST_F(Strange, NulAndGiantTextsArePlainEvents) {
    insert(R"("id":"aaaaa","description":"a\u0000b")");
    EXPECT_EQ(api("GET", primary + "/aaaaa").text("description"), std::string("a\0b", 3));
    std::string const giant(1000000, 'x');
    EXPECT_EQ(control("calendars/anna%40example.com/events", event(R"("id":"bbbbb","description":")" + giant + "\"")).status, 200);
    EXPECT_EQ(api("GET", primary + "/bbbbb").text("description"), giant);
}

TEST_F(Strange, TenThousandExceptionsOfOneSeries) {
    insert(R"("id":"abcde","recurrence":["RRULE:FREQ=DAILY"])");
    auto const made = control("calendars/anna%40example.com/bulk", R"({"count":10000,"exceptions_of":"abcde"})");
    ASSERT_EQ(made.status, 200) << made.whole.body;
    std::size_t seen = 0;
    std::string token;
    do {
        auto const page = api("GET", primary + "?maxResults=2500" + (token.empty() ? "" : "&pageToken=" + percent_encode(token)));
        seen += page.items().size();
        token = page.text("nextPageToken");
    } while (!token.empty());
    EXPECT_EQ(seen, 10001U);
    EXPECT_EQ(api("PATCH", primary + "/abcde", R"({"location":"Room 2"})").status, 200);
    EXPECT_EQ(api("GET", primary + "/abcde_20261126T090000Z").text("location"), "Room 2");
    EXPECT_EQ(api("DELETE", primary + "/abcde").status, 204);
    EXPECT_EQ(api("GET", primary).items().size(), 0U);
}

TEST_F(Strange, DroppedExceptionsAgeAndCancelledOnesDoNot) {
    insert(R"("id":"abcde","recurrence":["RRULE:FREQ=DAILY;COUNT=3"])");
    api("DELETE", primary + "/abcde_20261126T090000Z");
    api("PATCH", primary + "/abcde_20261127T090000Z", R"({"summary":"x"})");
    auto const token = api("GET", primary).text("nextSyncToken");
    api("PATCH", primary + "/abcde", R"({"recurrence":["RRULE:FREQ=DAILY;COUNT=2"]})");
    w.settings().access_token_ttl_s = 900 * 86400;
    clock.advance(std::chrono::days(31));
    http::headers const bearer{{"Authorization", "Bearer " + control("tokens", R"({"email":"anna@example.com"})").text("access_token")}};
    auto const get = [&](std::string const& what) { return ask("GET", "/calendar/v3/" + primary + what, {}, bearer); };
    EXPECT_EQ(get("/abcde_20261127T090000Z").status, 404);
    EXPECT_EQ(get("/abcde_20261126T090000Z").text("status"), "cancelled");
    EXPECT_EQ(get("?syncToken=" + percent_encode(token)).reason(), "fullSyncRequired") << "it would miss what aged out";
    EXPECT_EQ(get("?showDeleted=true").items().size(), 2U);
}

TEST_F(Strange, ListsOfCalendarsTellWhatComesGoesAndHides) {
    control("calendars", R"({"owner":"anna@example.com","id":"team@group.calendar.google.com","summary":"Team"})");
    ASSERT_EQ(api("POST", "users/me/calendarList/watch", R"({"id":"list","type":"web_hook","address":"https://hooks.example/l"})", {},
                  "bob@example.com")
                  .status,
              200);
    (void)w.take_due_deliveries(w.now());
    std::string token = list({}).text("nextSyncToken");
    auto const step = [&](std::string const& expected) {
        EXPECT_EQ(lists(token), expected);
        EXPECT_EQ(w.take_due_deliveries(w.now()).size(), expected.empty() ? 0U : 1U) << expected;
        token = list(token).text("nextSyncToken");
    };
    std::string const team = "team@group.calendar.google.com", share = "calendars/team%40group.calendar.google.com/share";
    std::string const mine = "users/bob%40example.com/calendars/team%40group.calendar.google.com";

    control(share, R"({"email":"bob@example.com","role":"reader","add_to_list":false})");
    step("");
    control(mine, "{}", "POST");
    step(team + " ");
    control(share, R"({"email":"bob@example.com","role":"writer"})");
    step("");
    control(mine, R"({"summaryOverride":"Sales"})", "PATCH");
    EXPECT_EQ(text_at(list(token).items().at(0).as_object(), "summaryOverride"), "Sales");
    step(team + " ");
    control(mine, R"({"hidden":true})", "PATCH");
    step(team + ":hidden ");
    EXPECT_EQ(lists({}), "bob@example.com ");
    control(mine, R"({"hidden":false})", "PATCH");
    step(team + " ");
    control(mine, {}, "DELETE");
    step(team + ":deleted ");
    control(mine, "{}", "POST");
    step(team + " ");
    control(share, R"({"email":"bob@example.com","role":"none"})");
    step(team + ":deleted ");
    EXPECT_EQ(bob("GET", "calendars/team%40group.calendar.google.com/events").reason(), "notFound");
    control(share, R"({"email":"bob@example.com","role":"owner"})");
    step(team + " ");
    control("calendars/team%40group.calendar.google.com", {}, "DELETE");
    step(team + ":deleted ");
    control("users/bob%40example.com/expire_tokens", "{}");
    EXPECT_EQ(list(token).reason(), "fullSyncRequired");
    for (auto const* with : {"showDeleted=false", "showHidden=false", "minAccessRole=writer", "showOwnOrganizationOnly=true"})
        EXPECT_EQ(bob("GET", "users/me/calendarList?syncToken=x&" + std::string(with)).status, 400) << with;
}

TEST_F(Strange, WhoLostACalendarHearsNoMoreOfIt) {
    control("calendars/anna%40example.com/share", R"({"email":"bob@example.com","role":"reader"})");
    ASSERT_EQ(
        bob("POST", "calendars/anna%40example.com/events/watch", R"({"id":"bobs","type":"web_hook","address":"https://hooks.example/b"})")
            .status,
        200);
    insert();
    EXPECT_EQ(w.take_due_deliveries(w.now()).size(), 2U);
    control("calendars/anna%40example.com/share", R"({"email":"bob@example.com","role":"none"})");
    insert();
    EXPECT_EQ(w.take_due_deliveries(w.now()).size(), 0U);
}

}  // namespace
}  // namespace calbridge::emulator
