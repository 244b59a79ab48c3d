// Special types, private events, weaker roles, and what reaches guests.
#include "common/base/encoding.h"
#include "tests/emulator/fixture.h"

namespace calbridge::emulator {
namespace {

class Access : public emulator_test {
protected:
    outcome person(std::string const& body) { return control("calendars/anna%40example.com/events", body); }
    outcome patch(std::string const& id, std::string const& body) { return api("PATCH", primary + "/" + id, body); }
    void share(std::string const& role) {
        control("calendars/anna%40example.com/share", R"({"email":"bob@example.com","role":")" + role + "\"}");
    }
    static std::string ids(outcome const& page) {
        std::string all;
        for (auto const& e : page.items())
            all += std::string(text_at(e.as_object(), "id")) + (text_at(e.as_object(), "status") == "cancelled" ? ":cancelled " : " ");
        return all;
    }
    std::string const annas = "calendars/anna%40example.com/events";
};

TEST_F(Access, APersonMakesEveryType) {
    for (auto const* type : {"outOfOffice", "focusTime", "workingLocation", "fromGmail"}) {
        auto const made = person(event(R"("eventType":")" + std::string(type) + "\""));
        EXPECT_EQ(made.status, 200) << made.whole.body;
        EXPECT_EQ(api("GET", primary + "/" + made.text("id")).text("eventType"), type);
    }
    auto const birthday = person(R"({"summary":"Ada","eventType":"birthday","start":{"date":"2026-12-10"},"end":{"date":"2026-12-11"}})");
    EXPECT_EQ(birthday.status, 200) << birthday.whole.body;
    EXPECT_EQ(birthday.text("visibility"), "private");
    EXPECT_EQ(bj::serialize(birthday.object().at("recurrence")), R"(["RRULE:FREQ=YEARLY"])");
    EXPECT_EQ(ids(api("GET", primary + "?eventTypes=birthday")), birthday.text("id") + " ");
    EXPECT_EQ(violation_text(), "");
}

TEST_F(Access, AClientMakesOnlySomeAndOnlyInTheirForm) {
    EXPECT_EQ(insert(R"("eventType":"fromGmail")").status, 400);
    EXPECT_EQ(insert(R"("eventType":"focusTime")").status, 400);
    EXPECT_EQ(
        insert(R"("eventType":"focusTime","focusTimeProperties":{"autoDeclineMode":"declineNone"},"transparency":"transparent")").status,
        400);
    EXPECT_EQ(insert(R"("eventType":"focusTime","focusTimeProperties":{"autoDeclineMode":"declineNone"})").status, 200);
    EXPECT_EQ(insert(R"("eventType":"workingLocation","workingLocationProperties":{"type":"homeOffice","homeOffice":{}})").status, 400);
    EXPECT_EQ(
        insert(
            R"("eventType":"workingLocation","visibility":"public","transparency":"transparent","workingLocationProperties":{"type":"homeOffice","homeOffice":{}})")
            .status,
        200);
    EXPECT_EQ(insert(R"("eventType":"birthday")").status, 400);
}

TEST_F(Access, EachTypeSaysWhatMayBeWritten) {
    auto const mail = person(event(R"("eventType":"fromGmail")")).text("id");
    EXPECT_EQ(patch(mail, R"({"summary":"mine"})").reason(), "eventTypeRestriction");
    EXPECT_EQ(patch(mail, R"({"start":{"dateTime":"2026-11-25T10:30:00+01:00"}})").status, 400);
    EXPECT_EQ(
        patch(mail, R"({"colorId":"5","visibility":"private","transparency":"transparent","extendedProperties":{"private":{"a":"1"}}})")
            .status,
        200);
    auto const birthday =
        person(R"({"summary":"Ada","eventType":"birthday","start":{"date":"2026-12-10"},"end":{"date":"2026-12-11"}})").text("id");
    EXPECT_EQ(patch(birthday, R"({"summary":"Ada L.","colorId":"5"})").status, 200);
    EXPECT_EQ(patch(birthday, R"({"start":{"date":"2026-12-11"},"end":{"date":"2026-12-12"}})").status, 200);
    EXPECT_EQ(patch(birthday, R"({"description":"cake"})").status, 400);
    EXPECT_EQ(patch(birthday, R"({"transparency":"opaque"})").status, 400);
    auto const linked =
        person(
            R"({"summary":"Bo","eventType":"birthday","start":{"date":"2026-12-10"},"end":{"date":"2026-12-11"},"birthdayProperties":{"type":"self"}})")
            .text("id");
    EXPECT_EQ(patch(linked, R"({"start":{"date":"2026-12-11"},"end":{"date":"2026-12-12"}})").status, 400);
    auto const focus = person(event(R"("eventType":"focusTime")")).text("id");
    EXPECT_EQ(patch(focus, R"({"summary":"Deep work"})").status, 200);
    EXPECT_EQ(patch(focus, R"({"focusTimeProperties":null})").status, 400);
    EXPECT_EQ(
        patch(
            focus,
            R"({"start":{"date":"2026-12-10","dateTime":null,"timeZone":null},"end":{"date":"2026-12-11","dateTime":null,"timeZone":null}})")
            .status,
        400);
    EXPECT_EQ(patch(focus, R"({"eventType":"default"})").status, 400);
    for (auto const& id : {mail, birthday, focus}) EXPECT_EQ(api("DELETE", primary + "/" + id).status, 204);
}

TEST_F(Access, AReaderSeesThatAPrivateEventIsThereAndNoMore) {
    insert(R"("id":"abcde","visibility":"private","location":"Here","recurrence":["RRULE:FREQ=DAILY;COUNT=2"])");
    insert(R"("id":"bbbbb","visibility":"public")");
    share("reader");
    auto const page = bob("GET", annas);
    EXPECT_EQ(ids(page), "abcde bbbbb ");
    for (auto const* no : {"summary", "location", "recurrence", "iCalUID", "extendedProperties"})
        EXPECT_FALSE(page.items().at(0).as_object().contains(no)) << no;
    EXPECT_EQ(text_at(page.items().at(1).as_object(), "summary"), "Visit");
    EXPECT_FALSE(bob("GET", annas + "/abcde_20261126T090000Z").object().contains("summary"));
    share("writer");
    EXPECT_EQ(bob("GET", annas + "/abcde").text("summary"), "Visit");
}

TEST_F(Access, AWriterWithoutPrivateAccessDoesNotSeePrivateEvents) {
    insert(R"("id":"abcde","visibility":"confidential")");
    insert(R"("id":"bbbbb")");
    share("writerWithoutPrivateAccess");
    auto const page = bob("GET", annas);
    EXPECT_EQ(page.text("accessRole"), "writerWithoutPrivateAccess");
    EXPECT_EQ(ids(page), "bbbbb ");
    EXPECT_EQ(bob("GET", annas + "/abcde").status, 404);
    EXPECT_EQ(bob("PATCH", annas + "/abcde", R"({"summary":"x"})").status, 404);
    EXPECT_EQ(bob("DELETE", annas + "/abcde").status, 404);
    EXPECT_EQ(bob("PATCH", annas + "/bbbbb", R"({"summary":"x"})").status, 200);
    EXPECT_EQ(bob("POST", annas, event()).status, 200);
}

TEST_F(Access, AFreeBusyReaderSeesBusyOccurrencesOnly) {
    insert(R"("id":"abcde","recurrence":["RRULE:FREQ=DAILY;COUNT=2"],"attendees":[{"email":"c@else.com"}])");
    insert(R"("id":"bbbbb","transparency":"transparent")");
    share("freeBusyReader");
    auto const page = bob("GET", annas);
    EXPECT_EQ(ids(page), "abcde_20261125T090000Z abcde_20261126T090000Z ");
    for (auto const& item : page.items())
        for (auto const* no : {"summary", "attendees", "organizer", "creator", "htmlLink", "recurrence"})
            EXPECT_FALSE(item.as_object().contains(no)) << no;
    auto const token = page.text("nextSyncToken");
    api("PATCH", primary + "/abcde", R"({"transparency":"transparent"})");
    EXPECT_EQ(ids(bob("GET", annas + "?syncToken=" + percent_encode(token))),
              "abcde_20261125T090000Z:cancelled abcde_20261126T090000Z:cancelled ");
    EXPECT_EQ(bob("PATCH", annas + "/abcde", R"({"summary":"x"})").status, 403);
    EXPECT_EQ(violation_text(), "");
}

// ---- guests ----

TEST_F(Access, WhatBelongsToACopyStaysOnIt) {
    insert(
        R"("id":"abcde","colorId":"3","reminders":{"useDefault":false,"overrides":[{"method":"popup","minutes":5}]},"transparency":"transparent",)"
        R"("recurrence":["RRULE:FREQ=DAILY;COUNT=2"],"attendees":[{"email":"bob@example.com"}],"extendedProperties":{"private":{"stamp":"1"}})");
    auto const copy = bob("GET", primary + "/abcde");
    for (auto const* no : {"colorId", "extendedProperties", "transparency"}) EXPECT_FALSE(copy.object().contains(no)) << no;
    EXPECT_EQ(bj::serialize(copy.object().at("reminders")), R"({"useDefault":true})");
    EXPECT_EQ(copy.text("iCalUID"), "abcde@google.com");
    bob("PATCH", primary + "/abcde_20261126T090000Z", R"({"colorId":"7","extendedProperties":{"private":{"own":"1"}}})");
    EXPECT_EQ(api("GET", primary + "/abcde_20261126T090000Z").text("colorId"), "3");
    api("PATCH", primary + "/abcde", R"({"location":"Room 2"})");
    auto const mine = bob("GET", primary + "/abcde_20261126T090000Z");
    EXPECT_EQ(mine.text("location"), "Room 2");
    EXPECT_EQ(mine.text("colorId"), "7");
}

TEST_F(Access, AboveTwoHundredGuestsAnswersStayWhereTheyAre) {
    std::string all = R"({"email":"bob@example.com"})";
    for (int i = 0; i < 200; ++i) all += R"(,{"email":"g)" + std::to_string(i) + R"(@else.com"})";
    insert(R"("id":"abcde","attendees":[)" + all + "]");
    auto const answer = R"({"attendeesOmitted":true,"attendees":[{"email":"bob@example.com","responseStatus":"accepted"}]})";
    EXPECT_EQ(bob("PATCH", primary + "/abcde", answer).status, 200);
    auto const of = [&](outcome const& e) {
        return std::string(text_at(e.object().at("attendees").as_array().at(0).as_object(), "responseStatus"));
    };
    EXPECT_EQ(of(bob("GET", primary + "/abcde")), "accepted");
    EXPECT_EQ(of(api("GET", primary + "/abcde")), "needsAction");
    api("PATCH", primary + "/abcde", R"({"location":"Room 2"})");
    EXPECT_EQ(bob("GET", primary + "/abcde").text("location"), "Room 2");
    EXPECT_EQ(of(bob("GET", primary + "/abcde")), "accepted");
}

TEST_F(Access, AGuestInAnotherZoneMayAnswerAnEventWithoutZone) {
    api("POST", primary,
        R"({"id":"abcde","start":{"dateTime":"2026-11-25T10:00:00+01:00"},"end":{"dateTime":"2026-11-25T11:00:00+01:00"},"attendees":[{"email":"bob@example.com"}]})");
    EXPECT_EQ(bob("PATCH", primary + "/abcde", R"({"colorId":"5"})").status, 200);
}

}  // namespace
}  // namespace calbridge::emulator
