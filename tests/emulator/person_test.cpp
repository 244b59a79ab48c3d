// A person's edits of series, as the web page makes them.
#include "common/base/encoding.h"
#include "tests/emulator/fixture.h"

namespace calbridge::emulator {
namespace {

using scope = person_edit::scope;

class Person : public emulator_test {
protected:
    void SetUp() override {
        // Wednesdays at 10 in Zurich.
        insert(
            R"("id":"abcde","recurrence":["RRULE:FREQ=WEEKLY;BYDAY=WE;COUNT=5"],"attendees":[{"email":"bob@example.com","responseStatus":"accepted"}],)"
            R"("extendedProperties":{"private":{"stamp":"1"}})");
        token = api("GET", primary).text("nextSyncToken");
    }
    reply does(scope over, std::string event, std::string const& change = "{}", person_edit more = {}) {
        more.calendar = "anna@example.com";
        more.event = std::move(event);
        more.over = over;
        more.change = bj::parse(change).as_object();
        return w.person(more);
    }
    std::string delta() {
        std::string all;
        for (auto const& e : api("GET", primary + "?syncToken=" + percent_encode(token)).items())
            all += std::string(text_at(e.as_object(), "id")) + (text_at(e.as_object(), "status") == "cancelled" ? ":cancelled " : " ");
        return all;
    }
    // Days and times of all occurrences.
    std::string occurrences() {
        std::string all;
        for (auto const& e : api("GET", primary + "?singleEvents=true&orderBy=startTime").items()) {
            auto const& start = e.as_object().at("start").as_object();
            all += std::string(text_at(start, "dateTime", text_at(start, "date"))).substr(5, 11) + " ";
        }
        return all;
    }
    std::string rule(std::string const& id) { return bj::serialize(api("GET", primary + "/" + id).object().at("recurrence")); }

    std::string token;
};

std::string const third = "abcde_20261209T090000Z";
std::string const later = R"({"start":{"dateTime":"2026-12-09T14:00:00+01:00"},"end":{"dateTime":"2026-12-09T15:00:00+01:00"}})";

TEST_F(Person, OneOccurrenceIsRenamedMovedAndCancelled) {
    EXPECT_EQ(does(scope::one, third, R"({"summary":"Renamed"})").status, 200);
    EXPECT_EQ(api("GET", primary + "/" + third).text("summary"), "Renamed");
    EXPECT_EQ(does(scope::one, third, later).status, 200);
    EXPECT_EQ(delta(), third + " ");
    EXPECT_EQ(occurrences(), "11-25T10:00 12-02T10:00 12-09T14:00 12-16T10:00 12-23T10:00 ");
    EXPECT_EQ(does(scope::one, third, "{}", {.remove = true}).status, 204);
    EXPECT_EQ(delta(), third + ":cancelled ");
}

TEST_F(Person, ThisAndFollowingTrimsTheSeriesAndMakesANewOneUnderADerivedId) {
    does(scope::one, "abcde_20261216T090000Z", R"({"summary":"Lost"})");
    auto const done = does(scope::following, third, R"({"summary":"New"})");
    ASSERT_EQ(done.status, 200) << bj::serialize(done.body);
    EXPECT_EQ(delta(), "abcde abcde_20261216T090000Z:cancelled abcde_R20261209T090000 ");
    EXPECT_EQ(rule("abcde"), R"(["RRULE:FREQ=WEEKLY;BYDAY=WE;COUNT=2"])");
    EXPECT_EQ(rule("abcde_R20261209T090000"), R"(["RRULE:FREQ=WEEKLY;BYDAY=WE;COUNT=3"])");
    auto const tail = api("GET", primary + "/abcde_R20261209T090000");
    EXPECT_EQ(tail.text("iCalUID"), "abcde@google.com");
    EXPECT_EQ(tail.text("summary"), "New");
    EXPECT_EQ(bj::serialize(tail.object().at("extendedProperties")), R"({"private":{"stamp":"1"}})");
    EXPECT_EQ(text_at(tail.object().at("attendees").as_array().at(0).as_object(), "responseStatus"), "needsAction");
    EXPECT_EQ(occurrences(), "11-25T10:00 12-02T10:00 12-09T10:00 12-16T10:00 12-23T10:00 ");
    EXPECT_EQ(api("GET", primary + "/abcde_R20261209T090000_20261216T090000Z").text("summary"), "New");
    EXPECT_EQ(bob("GET", primary + "/abcde_R20261209T090000").text("summary"), "New");
    EXPECT_EQ(violation_text(), "");
}

TEST_F(Person, ThisAndFollowingMayTakeAWhollyNewIdAndComeFirst) {
    w.settings().tail_first = true;
    auto const done = does(scope::following, third, later, {.new_id = true});
    auto const& tail = done.body.as_object();
    std::string const id(text_at(tail, "id"));
    EXPECT_EQ(id.find("abcde"), std::string::npos);
    EXPECT_EQ(text_at(tail, "iCalUID"), id + "@google.com");
    EXPECT_EQ(delta(), id + " abcde ");
    EXPECT_EQ(occurrences(), "11-25T10:00 12-02T10:00 12-09T14:00 12-16T14:00 12-23T14:00 ");
    EXPECT_EQ(bj::serialize(tail.at("extendedProperties")), R"({"private":{"stamp":"1"}})");
}

TEST_F(Person, AnEndlessSeriesIsTrimmedByUntilOneSecondBefore) {
    api("PATCH", primary + "/abcde", R"({"recurrence":["RRULE:FREQ=WEEKLY"]})");
    does(scope::following, third, R"({"summary":"New"})");
    EXPECT_EQ(rule("abcde"), R"(["RRULE:FREQ=WEEKLY;UNTIL=20261209T085959Z"])");
    EXPECT_EQ(rule("abcde_R20261209T090000"), R"(["RRULE:FREQ=WEEKLY"])");
    does(scope::following, "abcde_R20261209T090000_20261223T090000Z", "{}", {.remove = true});
    EXPECT_EQ(occurrences(), "11-25T10:00 12-02T10:00 12-09T10:00 12-16T10:00 ");
}

TEST_F(Person, ThisAndFollowingFromTheFirstOccurrenceIsAll) {
    EXPECT_EQ(does(scope::following, "abcde_20261125T090000Z", R"({"summary":"All"})").status, 200);
    EXPECT_EQ(delta(), "abcde ");
    EXPECT_EQ(does(scope::following, "abcde_20261125T090000Z", "{}", {.remove = true}).status, 204);
    EXPECT_EQ(delta(), "abcde:cancelled ");
}

TEST_F(Person, AllMovesTheWholeSeriesByWhatTheOccurrenceMoved) {
    ASSERT_EQ(does(scope::all, third, later).status, 200);
    EXPECT_EQ(occurrences(), "11-25T14:00 12-02T14:00 12-09T14:00 12-16T14:00 12-23T14:00 ");
    ASSERT_EQ(does(scope::all, "abcde_20261209T130000Z",
                   R"({"start":{"dateTime":"2026-12-10T14:00:00+01:00"},"end":{"dateTime":"2026-12-10T15:00:00+01:00"}})")
                  .status,
              200);
    EXPECT_EQ(rule("abcde"), R"(["RRULE:FREQ=WEEKLY;COUNT=5;BYDAY=TH"])");
    EXPECT_EQ(occurrences(), "11-26T14:00 12-03T14:00 12-10T14:00 12-17T14:00 12-24T14:00 ");
    EXPECT_EQ(delta(), "abcde ");
}

TEST_F(Person, AllMovesUntilAndDatesAlong) {
    api("PATCH", primary + "/abcde",
        R"({"recurrence":["RRULE:FREQ=WEEKLY;UNTIL=20261216T090000Z","EXDATE:20261202T090000Z","RDATE:20261203T090000Z"]})");
    ASSERT_EQ(does(scope::all, third, later).status, 200);
    EXPECT_EQ(occurrences(), "11-25T14:00 12-03T14:00 12-09T14:00 12-16T14:00 ");
}

TEST_F(Person, AllBecomesAllDay) {
    auto const done = does(
        scope::all, third,
        R"({"start":{"date":"2026-12-09","dateTime":null,"timeZone":null},"end":{"date":"2026-12-10","dateTime":null,"timeZone":null}})");
    ASSERT_EQ(done.status, 200) << bj::serialize(done.body);
    EXPECT_EQ(occurrences(), "11-25 12-02 12-09 12-16 12-23 ");
}

TEST_F(Person, TheControlApiTakesTheSameEdits) {
    auto const at = "calendars/anna%40example.com/events/" + third;
    EXPECT_EQ(control(at + "/edit", R"({"scope":"one","change":{"summary":"One"}})").text("summary"), "One");
    EXPECT_EQ(control(at + "/edit", R"({"scope":"some"})").status, 400);
    auto const tail = control(at + "/edit", R"({"scope":"following","new_id":true,"change":{"summary":"Tail"}})");
    EXPECT_EQ(tail.text("summary"), "Tail") << tail.whole.body;
    EXPECT_EQ(control("calendars/anna%40example.com/events/abcde/remove", R"({"scope":"all"})").status, 204);
    EXPECT_EQ(occurrences(), "12-09T10:00 12-16T10:00 12-23T10:00 ");
    auto const shown = control("calendars/anna%40example.com/events?singleEvents=true");
    EXPECT_EQ(shown.items().size(), 3U);
}

TEST_F(Person, AGuestMayNotSplitSomebodyElsesSeries) {
    person_edit edit{.calendar = "bob@example.com", .event = third, .over = scope::following, .change = {{"summary", "mine"}}};
    EXPECT_EQ(w.person(edit).status, 403);
    EXPECT_EQ(delta(), "") << "nothing was written";
}

}  // namespace
}  // namespace calbridge::emulator
