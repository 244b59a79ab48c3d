#include "domain/footer.h"

#include "domain/event.h"
#include "domain/text.h"
#include "domain/world_for_tests.h"

#include <gtest/gtest.h>

namespace calbridge::domain {
namespace {

std::string const marker = "──── calbridge: please write above this line ────";

void expect_round_trip(std::string const& text, std::string const& footer) {
    auto const joined = join_description(text, footer);
    auto const back = split(joined);
    ASSERT_EQ(back.text, text) << joined;
    ASSERT_EQ(back.footer, footer) << joined;
}

TEST(Footer, StandsBelowTheMarker) {
    EXPECT_EQ(join_description("Hello", "Type: call"), "Hello\n\n" + marker + "\nType: call");
    EXPECT_EQ(join_description("", "Type: call"), marker + "\nType: call");
    EXPECT_EQ(join_description("Hello", ""), "Hello");
    EXPECT_EQ(join_description("", ""), "");
}

TEST(Footer, IsCutAgainExactly) {
    std::vector<std::string> const texts{
        "",
        "plain",
        "two\r\nlines\n\nand a gap",
        "-- \nsignature",
        "────\n— dashes –",
        "<b>bold</b> <p>para</p> &amp; &lt;",
        "👋 emoji",
        marker,
        "\\" + marker,
        "x\n \\ \\" + marker,
        "\\\\" + marker,
        "above\n" + marker + "\nbelow",
        "<i>" + marker + "</i>",
        "<a\\b>" + marker,
        "<a\\b>\\" + marker,
        "text " + marker + " text",
        "above\n   " + marker + "\nbelow",
        "\\",
        "Managed by calbridge",
    };
    for (auto const& text : texts) {
        for (auto const& footer : texts) expect_round_trip(canonical_text(text), canonical_text(footer));
    }
}

TEST(Footer, IsCutAgainExactlyForArbitraryText) {
    testing_world::dice random(2);
    for (int i = 0; i < 30'000; ++i) expect_round_trip(canonical_text(random.text(14)), canonical_text(random.text(8)));
}

TEST(Footer, NeverGrows) {
    testing_world::dice random(3);
    for (int i = 0; i < 200; ++i) {
        auto text = canonical_text(random.text(14));
        auto const footer = canonical_text("Type: call\n" + random.text(5));
        auto const first = join_description(text, footer);
        auto current = first;
        for (int trip = 0; trip < 100; ++trip) {
            auto const parts = split(current);
            current = join_description(parts.text, parts.footer);
        }
        ASSERT_EQ(current, first);
    }
}

// What Google's description editor was seen to do to plain text: breaks for line ends, entities, no-break spaces, a wrapper, loose blanks.
std::string through_editor(std::string const& text, testing_world::dice& random) {
    std::string out;
    for (char const c : text) {
        if (c == '\n') out += random.pick({"<br>", "<br/>", "<BR>", " <br>", "&nbsp;<br>"});
        else if (c == '&') out += "&amp;";
        else if (c == '<') out += "&lt;";
        else if (c == '>') out += "&gt;";
        else if (c == '"') out += random.pick({"\"", "&quot;", "&#34;"});
        else if (c == '\'') out += random.pick({"'", "&#39;", "&#x27;"});
        else if (c == ' ') out += random.pick({" ", " ", "&nbsp;", "\xC2\xA0"});
        else out.push_back(c);
    }
    if (random.below(2)) out = "<html-blob>" + out + "</html-blob>";
    if (random.below(2)) out += random.pick({" ", "<br>", "\n", "&nbsp;"});
    return out;
}

TEST(Footer, SurvivesGooglesEditor) {
    testing_world::dice random(4);
    std::string const footer = "Type: call\nContact: \"Kim\" & 'Lee' <kim>\nManaged by calbridge";
    for (int i = 0; i < 20'000; ++i) {
        std::string text;
        for (int n = random.below(8); n > 0; --n)
            text += random.pick({"word", " ", "\n", "R&D", "a < b", "it's", "\"q\"", "👋", "é", "\n\n", "-", "────"});
        text = canonical_text(text);

        auto const back = split(through_editor(join_description(text, footer), random));

        ASSERT_EQ(back.text, text);
        ASSERT_EQ(back.footer, footer);
    }
}

TEST(Footer, IsFoundInsideParagraphsAndStyles) {
    for (auto const& description : std::vector<std::string>{
             "<p>Hello</p><p>" + marker + "</p><p>Type: call<br></p>",
             "<div>Hello<br></div><div><span>" + marker + "</span></div><div>Type: call</div>",
             "Hello<br><b>" + marker + "</b><br>Type: call",
             "Hello<br>  ────   calbridge: please write above this line ────  <br>Type: call",
         }) {
        auto const parts = split(description);
        EXPECT_EQ(parts.text, "Hello") << description;
        EXPECT_EQ(parts.footer, "Type: call") << description;
    }
}

TEST(Footer, ParagraphsStayWhereThereIsNoMarker) {
    auto const parts = split("<p>one</p><p>two</p><br>three");
    EXPECT_EQ(parts.text, "<p>one</p><p>two</p>\nthree");
    EXPECT_EQ(parts.footer, "");
}

TEST(Footer, UnfinishedTagsAreText) {
    EXPECT_EQ(split("a <p b<br>c").text, "a <p b\nc");
    EXPECT_EQ(split("a <p <i>b</i><br>c <").text, "a <p <i>b</i>\nc <");
    EXPECT_EQ(split("x<br>&#128169999;").text, "x\n&#128169999;");
}

TEST(Footer, WhatAPersonPastesAboveIsHisText) {
    auto const copied = join_description("Hello", "Type: call");
    auto const parts = split(copied + "\n" + copied);
    EXPECT_EQ(parts.footer, "Type: call");
    EXPECT_EQ(parts.text, copied + "\nHello");
    expect_round_trip(parts.text, parts.footer);
}

TEST(Footer, TextWithoutMarkerIsAllText) {
    EXPECT_EQ(split("a human wrote this").text, "a human wrote this");
    EXPECT_EQ(split("a human wrote this").footer, "");
    EXPECT_EQ(split("<br>").text, "");
    EXPECT_EQ(split("").text, "");
}

TEST(Footer, EntitiesAreOneLevelAndOnlyTheEditors) {
    EXPECT_EQ(split("R&amp;D").text, "R&amp;D");      // as a program wrote it
    EXPECT_EQ(split("R&amp;D<br>x").text, "R&D\nx");  // as an editor wrote it
    EXPECT_EQ(split("&amp;lt;<br>x").text, "&lt;\nx");
    EXPECT_EQ(split("&#128075;&#x1F44B;&#233;&#8364;&#65;<br>x").text, "👋👋é€A\nx");
    EXPECT_EQ(split("&apos;<br>x").text, "'\nx");
    for (std::string const odd :
         {"&#0;", "&#xD800;", "&#x110000;", "&#;", "&#x;", "&#12x;", "&unknown;", "&;", "&", "&amp", "&#99999999999;"})
        EXPECT_EQ(split("x<br>" + odd).text, "x\n" + odd) << odd;
}

// --- read_event ------------------------------------------------------------------------------------------------------------------

calendar_event event_at_ten() {
    calendar_event e;
    e.id = "e1";
    e.status = "confirmed";
    e.time = time_range{.start = instant{testing_world::day(2026, 11, 25)},
                        .end = instant{testing_world::day(2026, 11, 25)} + std::chrono::hours(1),
                        .zone = "UTC"};
    return e;
}

TEST(ReadEvent, FillsEveryField) {
    auto e = event_at_ten();
    e.summary = " Title ";
    e.description = join_description("Text", "Footer");
    e.location = "Bern";
    e.color_id = "7";
    e.reminders = {.use_default = false, .overrides = {{"popup", 10}}};
    e.attendees = {{.email = "Kim@Example.com", .name = "Kim", .optional = true}};
    e.hangout_link = "https://meet.google.com/x";

    auto const f = read_event(e);

    ASSERT_TRUE(f.has_value());
    EXPECT_EQ(f->title, "Title");
    EXPECT_EQ(f->description, "Text");
    EXPECT_EQ(f->footer, "Footer");
    EXPECT_EQ(f->location, "Bern");
    EXPECT_EQ(f->time, *e.time);
    EXPECT_EQ(f->color_id, "7");
    EXPECT_EQ(f->reminders, e.reminders);
    EXPECT_EQ(f->guests, (std::vector<guest>{{"kim@example.com", "Kim", true}}));
    EXPECT_TRUE(f->meet);
    EXPECT_EQ(*f, normalise(*f));
}

TEST(ReadEvent, WithoutTimeItIsSetAside) {
    auto e = event_at_ten();
    e.time.reset();
    EXPECT_EQ(read_event(e).error().code, errc::malformed);
}

TEST(ReadEvent, OrganizerOwnerAndRoomsAreNoGuests) {
    auto e = event_at_ten();
    e.attendees = {{.email = "anna@example.com", .organizer = true, .self = true},
                   {.email = "boss@example.com", .organizer = true},
                   {.email = "room@resource.calendar.google.com", .resource = true},
                   {.email = "me@example.com", .self = true},
                   {.email = "kim@example.com"}};
    EXPECT_EQ(read_event(e)->guests.size(), 1u);

    e.organizer_self = false;  // somebody else's meeting: the CRM knows its own user, so he is none of its guests either
    EXPECT_EQ(read_event(e)->guests.size(), 1u);
}

TEST(ReadEvent, AMeetingIsThereWhenLinkedKnownOrBeingMade) {
    struct {
        std::string link, id, status;
        bool meet;
    } const cases[]{{"", "", "", false},       {"https://x", "", "", true}, {"", "abc", "success", true},
                    {"", "", "pending", true}, {"", "", "failure", false},  {"", "abc", "failure", false}};
    for (auto const& c : cases) {
        auto e = event_at_ten();
        e.hangout_link = c.link;
        e.conference_id = c.id;
        e.conference_status = c.status;
        EXPECT_EQ(read_event(e)->meet, c.meet) << c.link << c.id << c.status;
    }
}

TEST(Event, KnowsCancelledAndRecurring) {
    calendar_event e;
    EXPECT_FALSE(e.is_cancelled());
    EXPECT_FALSE(e.is_recurring());
    e.status = "cancelled";
    e.recurrence = {"RRULE:FREQ=DAILY"};
    EXPECT_TRUE(e.is_cancelled());
    EXPECT_TRUE(e.is_recurring());
    e.recurrence.clear();
    e.recurring_event_id = "master";
    EXPECT_TRUE(e.is_recurring());
}

}  // namespace
}  // namespace calbridge::domain
