// Events that change their calendar.
#include "common/base/encoding.h"
#include "tests/emulator/fixture.h"

namespace calbridge::emulator {
namespace {

class Move : public emulator_test {
protected:
    void SetUp() override {
        control("calendars", R"({"owner":"anna@example.com","id":"team@group.calendar.google.com","summary":"Team"})");
        here = api("GET", primary).text("nextSyncToken");
        there = api("GET", team).text("nextSyncToken");
    }
    outcome move(std::string const& id, std::string const& to = "team@group.calendar.google.com") {
        return api("POST", primary + "/" + id + "/move?destination=" + percent_encode(to));
    }
    outcome since(std::string const& events, std::string const& token) {
        return api("GET", events + "?syncToken=" + percent_encode(token));
    }
    static std::string ids(outcome const& page) {
        std::string all;
        for (auto const& e : page.items())
            all += std::string(text_at(e.as_object(), "id")) + (text_at(e.as_object(), "status") == "cancelled" ? ":cancelled " : " ");
        return all;
    }
    static std::string organizer(outcome const& e) { return std::string(text_at(e.object().at("organizer").as_object(), "email")); }

    std::string const team = "calendars/team%40group.calendar.google.com/events";
    std::string here, there;
};

TEST_F(Move, TheSourceShowsABareCancelledItemAndBothCalendarsTell) {
    insert(R"("id":"abcde")");
    for (auto const* of : {"anna%40example.com", "team%40group.calendar.google.com"})
        ASSERT_EQ(api("POST", "calendars/" + std::string(of) + "/events/watch",
                      R"({"id":"channel-)" + std::string(of).substr(0, 4) + R"(","type":"web_hook","address":"https://hooks.example/g"})")
                      .status,
                  200);
    (void)w.take_due_deliveries(w.now());
    auto const moved = move("abcde");
    ASSERT_EQ(moved.status, 200) << moved.whole.body;
    EXPECT_EQ(moved.text("id"), "abcde");
    EXPECT_EQ(organizer(moved), "team@group.calendar.google.com");
    auto const source = since(primary, here);
    ASSERT_EQ(ids(source), "abcde:cancelled ");
    EXPECT_EQ(source.items().at(0).as_object().size(), 4U) << "kind, etag, id, status";
    EXPECT_EQ(ids(since(team, there)), "abcde ");
    EXPECT_EQ(w.take_due_deliveries(w.now()).size(), 2U);
    EXPECT_EQ(api("GET", primary + "/abcde").object().size(), 4U);
    EXPECT_EQ(violation_text(), "");
}

TEST_F(Move, ASeriesMovesWithItsExceptions) {
    insert(R"("id":"abcde","recurrence":["RRULE:FREQ=DAILY;COUNT=3"],"attendees":[{"email":"bob@example.com"}])");
    api("PATCH", primary + "/abcde_20261126T090000Z", R"({"summary":"Renamed"})");
    api("DELETE", primary + "/abcde_20261127T090000Z");
    ASSERT_EQ(move("abcde").status, 200);
    EXPECT_EQ(ids(since(primary, here)), "abcde:cancelled ");
    EXPECT_EQ(ids(since(team, there)), "abcde abcde_20261126T090000Z abcde_20261127T090000Z:cancelled ");
    EXPECT_EQ(organizer(api("GET", team + "/abcde_20261126T090000Z")), "team@group.calendar.google.com");
    EXPECT_EQ(organizer(bob("GET", primary + "/abcde")), "team@group.calendar.google.com");
    EXPECT_EQ(bob("GET", primary + "/abcde_20261126T090000Z").text("summary"), "Renamed");
    EXPECT_EQ(organizer(bob("GET", primary + "/abcde_20261126T090000Z")), "team@group.calendar.google.com");
    EXPECT_EQ(api("POST", team + "/abcde/move?destination=primary").status, 200) << "and back under the same id";
    EXPECT_EQ(ids(api("GET", primary)), "abcde abcde_20261126T090000Z abcde_20261127T090000Z:cancelled ");
}

TEST_F(Move, InstancesAndOtherTypesAreRefused) {
    insert(R"("id":"abcde","recurrence":["RRULE:FREQ=DAILY;COUNT=3"])");
    EXPECT_EQ(move("abcde_20261126T090000Z").status, 400);
    EXPECT_EQ(move("abcde_20261126T090000Z").reason(), "cannotChangeOrganizerOfInstance");
    api("PATCH", primary + "/abcde_20261126T090000Z", R"({"summary":"x"})");
    EXPECT_EQ(move("abcde_20261126T090000Z").reason(), "cannotChangeOrganizerOfInstance");
    insert(R"("id":"free0","eventType":"outOfOffice","outOfOfficeProperties":{"autoDeclineMode":"declineNone"})");
    EXPECT_EQ(move("free0").status, 400);
    EXPECT_EQ(move("vvvvv").status, 404);
    api("DELETE", primary + "/abcde");
    EXPECT_EQ(move("abcde").status, 410);
}

TEST_F(Move, WriteAccessToBothIsNeeded) {
    insert(R"("id":"abcde")");
    EXPECT_EQ(move("abcde", "bob@example.com").status, 404);
    control("calendars/bob%40example.com/share", R"({"email":"anna@example.com","role":"reader"})");
    EXPECT_EQ(move("abcde", "bob@example.com").reason(), "requiredAccessLevel");
    control("calendars/bob%40example.com/share", R"({"email":"anna@example.com","role":"writer"})");
    EXPECT_EQ(move("abcde", "bob@example.com").status, 200);
    EXPECT_EQ(bob("GET", primary + "/abcde").text("summary"), "Visit");
}

TEST_F(Move, WhoOrganizedItAndIsAGuestKeepsACopy) {
    insert(R"("id":"abcde","attendees":[{"email":"anna@example.com"},{"email":"bob@example.com"}])");
    ASSERT_EQ(move("abcde").status, 200);
    auto const copy = api("GET", primary + "/abcde");
    EXPECT_EQ(copy.text("status"), "confirmed");
    EXPECT_EQ(organizer(copy), "team@group.calendar.google.com");
}

TEST_F(Move, AGuestsCopyGivesWayWhenTheEventMovesToThem) {
    insert(R"("id":"abcde","attendees":[{"email":"bob@example.com"}])");
    control("calendars/bob%40example.com/share", R"({"email":"anna@example.com","role":"writer"})");
    ASSERT_EQ(move("abcde", "bob@example.com").status, 200);
    EXPECT_EQ(organizer(bob("GET", primary + "/abcde")), "bob@example.com");
}

TEST_F(Move, APersonMovesWithTheSameEffect) {
    insert(R"("id":"abcde","recurrence":["RRULE:FREQ=DAILY;COUNT=3"])");
    EXPECT_EQ(control("calendars/anna%40example.com/events/abcde/move", R"({"to":"team@group.calendar.google.com"})").status, 200);
    EXPECT_EQ(ids(since(primary, here)) + ids(since(team, there)), "abcde:cancelled abcde ");
}

}  // namespace
}  // namespace calbridge::emulator
