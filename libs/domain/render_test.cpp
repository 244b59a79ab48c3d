#include "domain/render.h"

#include "domain/event.h"
#include "domain/footer.h"
#include "domain/world_for_tests.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <set>

namespace calbridge::domain {
namespace {

task_changed meeting() {
    task_changed t;
    t.tenant = tenant_id("acme");
    t.user = user_id("anna");
    t.task = task_id("T-1");
    t.version = 1;
    t.type = "meeting";
    t.title = "Appointment";
    t.customer = "Bosch";
    t.description = "Bring the plan.\r\nAll of it. ";
    t.start = "2026-11-25T10:00:00";
    t.end = "2026-11-25T11:00:00";
    t.time_zone = "Europe/Zurich";
    return t;
}

fields rendered(task_changed const& t, render_settings const& s = {}) {
    auto const out = render(t, s);
    if (auto const* const why = std::get_if<refusal>(&out)) {
        ADD_FAILURE() << why->code << ": " << why->explanation;
        return {};
    }
    return std::get<fields>(out);
}

std::string refused(task_changed const& t, render_settings const& s = {}) {
    auto const out = render(t, s);
    auto const* const why = std::get_if<refusal>(&out);
    if (!why) return "rendered";
    EXPECT_GT(why->explanation.size(), 20u);
    EXPECT_TRUE(why->explanation.ends_with('.')) << why->explanation;
    return why->code;
}

// --- the whole task --------------------------------------------------------------------------------------------------------------

TEST(Render, ATaskBecomesAnEvent) {
    auto t = meeting();
    t.notes = "Ask for Lee.\nThird floor.";
    t.location = " Bern ";
    t.priority = "high";
    t.status = "open";
    t.contact = "Kim";
    t.deal = "D-9";
    t.video_link = "https://zoom.us/j/1";
    t.attendees = {{.email = "Lee@example.com", .name = "Lee", .optional = true},
                   {.email = "kim@example.com", .name = "", .optional = false}};
    t.reminders = std::vector<task_reminder>{{.method = "popup", .minutes = 30}, {.method = "Email", .minutes = 10}};
    t.google_meet = true;

    auto const f = rendered(t);

    EXPECT_EQ(f.title, "Appointment");
    EXPECT_EQ(f.description, "Bring the plan.\nAll of it.");
    EXPECT_EQ(f.footer,
              "Video: https://zoom.us/j/1\nNotes:\nAsk for Lee.\nThird floor.\nType: meeting\nPriority: high\nStatus: open\nCustomer: "
              "Bosch\nContact: Kim\nDeal: "
              "D-9\nManaged by calbridge");
    EXPECT_EQ(f.location, "Bern");
    EXPECT_EQ(f.time.zone, "Europe/Zurich");
    EXPECT_EQ(f.time.start, instant{testing_world::day(2026, 11, 25)} + std::chrono::hours(9));
    EXPECT_EQ(f.color_id, "9");
    EXPECT_FALSE(f.reminders.use_default);
    EXPECT_EQ(f.reminders.overrides, (std::vector<reminder>{{"email", 10}, {"popup", 30}}));
    EXPECT_EQ(f.guests, (std::vector<guest>{{"kim@example.com", "", false}, {"lee@example.com", "Lee", true}}));
    EXPECT_TRUE(f.meet);
    EXPECT_EQ(normalise(f), f);
}

TEST(Render, AnEmptyTaskHasOnlyOurLineInTheFooter) {
    task_changed t;
    t.start = "2026-11-25";
    auto const f = rendered(t);
    EXPECT_EQ(f.footer, "Managed by calbridge");
    EXPECT_EQ(f.title, "");
    EXPECT_EQ(f.color_id, "");
    EXPECT_TRUE(f.reminders.use_default);
    EXPECT_FALSE(f.meet);
    EXPECT_TRUE(f.time.all_day);
}

TEST(Render, NotesAloneStartTheFooter) {
    task_changed t;
    t.start = "2026-11-25";
    t.notes = "n";
    EXPECT_EQ(rendered(t).footer, "Notes:\nn\nManaged by calbridge");
}

// What was written comes back as it was: nothing to push, nothing to pull, no growth.
TEST(Render, ComesBackFromTheEventUnchanged) {
    testing_world::dice random(20);
    for (int i = 0; i < 10'000; ++i) {
        auto t = meeting();
        t.title = random.text(4);
        t.description = random.text(12);
        t.notes = random.text(6);
        t.location = random.text(3);
        t.customer = random.text(2);
        t.contact = random.text(2);
        auto const f = rendered(t);
        calendar_event e;
        e.summary = f.title;
        e.description = join_description(f.description, f.footer);
        e.location = f.location;
        e.time = f.time;
        e.color_id = f.color_id;
        e.reminders = f.reminders;
        auto const back = read_event(e);
        ASSERT_TRUE(back.has_value());
        ASSERT_EQ(*back, f) << e.description;
    }
}

TEST(Render, GuestsAreCheckedAndTheOwnerIsNone) {
    auto t = meeting();
    t.attendees = {{.email = " Anna@Example.com "}, {.email = "kim@example.com"}};
    EXPECT_EQ(rendered(t).guests.size(), 2u);
    EXPECT_EQ(rendered(t, {.owner_email = "anna@EXAMPLE.com"}).guests, (std::vector<guest>{{"kim@example.com", "", false}}));
    for (std::string const bad : {"", "kim", "@example.com", "kim@", "kim@a@b", "kim lee@example.com", "kim\n@example.com",
                                  "<kim@example.com>", "a@b,c@d", "a@b;c@d", "kim@example.com>", "kim@exam\x7Fple.com"}) {
        t.attendees = {{.email = bad}};
        EXPECT_EQ(refused(t), "bad_attendee") << bad;
    }
    t.attendees = {{.email = std::string(250, 'a') + "@b.ch"}};
    EXPECT_EQ(refused(t), "bad_attendee");
}

TEST(Render, TwoHundredGuestsAreEnough) {
    auto t = meeting();
    for (int i = 0; i < 200; ++i) t.attendees.push_back({.email = "g" + std::to_string(i) + "@example.com"});
    EXPECT_EQ(rendered(t).guests.size(), 200u);
    t.attendees.push_back({.email = "one.more@example.com"});
    EXPECT_EQ(refused(t), "too_many_attendees");
}

TEST(Render, RemindersAreChecked) {
    auto t = meeting();
    t.reminders.emplace();
    EXPECT_FALSE(rendered(t).reminders.use_default);
    EXPECT_TRUE(rendered(t).reminders.overrides.empty());
    for (int i = 0; i < 5; ++i) t.reminders->push_back({.method = "popup", .minutes = i});
    EXPECT_EQ(rendered(t).reminders.overrides.size(), 5u);
    t.reminders->push_back({.method = "popup", .minutes = 6});
    EXPECT_EQ(refused(t), "too_many_reminders");
    for (auto const& bad :
         std::vector<task_reminder>{{"sms", 1}, {"", 1}, {"popup", -1}, {"email", 40321}, {"popup", std::int64_t{1} << 40}}) {
        t.reminders = {bad};
        EXPECT_EQ(refused(t), "bad_reminder");
    }
    t.reminders = {{.method = "popup", .minutes = 40320}};
    EXPECT_EQ(rendered(t).reminders.overrides[0].minutes, 40320);
}

TEST(Render, TooLongTextsAreRefusedNotCut) {
    auto t = meeting();
    t.title = std::string(1024, 'x');
    EXPECT_EQ(rendered(t).title.size(), 1024u);
    t.title += "x";
    EXPECT_EQ(refused(t), "too_long");
    t = meeting();
    for (int i = 0; i < 1024; ++i) t.location += "é";  // characters, not bytes
    EXPECT_EQ(rendered(t).location.size(), 2048u);
    t.location += "é";
    EXPECT_EQ(refused(t), "too_long");
    t = meeting();
    t.description = std::string(7000, 'x');
    EXPECT_EQ(rendered(t).description.size(), 7000u);
    t.notes = std::string(1000, 'y');
    EXPECT_EQ(refused(t), "too_long");
}

TEST(Render, ARecurringTaskKeepsItsRuleInOneSpelling) {
    auto t = meeting();
    t.recurrence = {"exdate:20261126T090000Z", "rrule:count=5;interval=1;freq=daily"};
    EXPECT_EQ(rendered(t).recurrence, (std::vector<std::string>{"RRULE:FREQ=DAILY;COUNT=5", "EXDATE:20261126T090000Z"}));
}

TEST(Render, ARuleNobodyCanReadIsRefusedInWords) {
    auto t = meeting();
    t.recurrence = {"RRULE:FREQ=SOMETIMES"};
    EXPECT_EQ(refused(t), "bad_recurrence");
    t.recurrence = {"RRULE:FREQ=SECONDLY"};
    EXPECT_EQ(refused(t), "recurrence_too_often");
}

TEST(Render, OneOccurrenceDoesNotRepeat) {
    auto t = meeting();
    t.scope = edit_scope::this_one;
    t.recurrence = {"RRULE:FREQ=DAILY"};
    EXPECT_TRUE(rendered(t).recurrence.empty());
}

TEST(Render, WantsEvent) {
    auto t = meeting();
    EXPECT_TRUE(wants_event(t));
    for (std::string const status : {"cancelled", "Cancelled", " CANCELED "}) {
        t.status = status;
        EXPECT_FALSE(wants_event(t)) << status;
    }
    for (std::string const status : {"", "open", "completed", "waiting"}) {
        t.status = status;
        EXPECT_TRUE(wants_event(t)) << status;
        EXPECT_EQ(is_completed(t), status == "completed");
    }
    t.deleted = true;
    EXPECT_FALSE(wants_event(t));
    t.deleted = false;
    t.sync_to_calendar = false;
    EXPECT_FALSE(wants_event(t));
}

// --- title -----------------------------------------------------------------------------------------------------------------------

TEST(Title, TheTemplateOfTheTypeIsUsed) {
    render_settings s;
    s.title_templates = {{"", "{type}: {title}"}, {"meeting", "Appointment — {customer}"}, {"Follow up", "F {title}"}};
    auto t = meeting();
    EXPECT_EQ(rendered(t, s).title, "Appointment — Bosch");
    t.type = "MEETING";
    EXPECT_EQ(rendered(t, s).title, "Appointment — Bosch");
    t.type = "follow_up";
    EXPECT_EQ(rendered(t, s).title, "F Appointment");
    t.type = "call";
    EXPECT_EQ(rendered(t, s).title, "call: Appointment");
    t.type = "";
    EXPECT_EQ(rendered(t, s).title, "Appointment");
    s.title_templates.erase("");
    EXPECT_EQ(rendered(t, s).title, "Appointment");
}

TEST(Title, PlaceholdersBracesAndGaps) {
    task_changed full = meeting();
    full.contact = "Kim";
    full.deal = "D-9";
    full.priority = "high";
    full.status = "open";
    full.title = "T";
    struct {
        std::string pattern, with_all, with_only_title;
    } const cases[]{
        {"{title}", "T", "T"},
        {"{title} {customer} {type} {contact} {deal} {priority} {status}", "T Bosch meeting Kim D-9 high open", "T"},
        {"Appointment — {customer}", "Appointment — Bosch", "Appointment"},
        {"{customer} — {title}", "Bosch — T", "T"},
        {"{title} — {customer} — {contact}", "T — Bosch — Kim", "T"},
        {"{customer} – {contact}", "Bosch – Kim", "T"},
        {"{customer}{contact}", "BoschKim", "T"},
        {"{title} ({customer})", "T (Bosch)", "T"},
        {"{title} [{customer}] done", "T [Bosch] done", "T done"},
        {"{title} ( {customer} )", "T ( Bosch )", "T"},
        {"({customer}) {title}", "(Bosch) T", "T"},
        {"Call {customer} now", "Call Bosch now", "Call now"},
        {"Call {customer}, {title}", "Call Bosch, T", "Call, T"},
        {"A: {customer} / {contact} / {title}", "A: Bosch / Kim / T", "A / T"},
        {"Deal #{deal}", "Deal #D-9", "Deal"},
        {"Re: - {customer}", "Re: - Bosch", "Re"},
        {"x{customer}y", "xBoschy", "x y"},
        {"{{title}} {title}", "{title} T", "{title} T"},
        {"}}{{", "}{", "}{"},
        {"{unknown} {title}", "{unknown} T", "{unknown} T"},
        {"{title", "{title", "{title"},
        {"{ {title}", "{ T", "{ T"},
        {"}", "}", "}"},
        {"", "T", "T"},
        {"   ", "T", "T"},
        {"constant", "constant", "constant"},
        {"{title} ({customer}", "T (Bosch", "T ("},
        {"{title} [{customer} x", "T [Bosch x", "T [ x"},
        {"{title} {customer})", "T Bosch)", "T)"},
        {"{title} {customer}]", "T Bosch]", "T]"},
        {"{title} {customer}.", "T Bosch.", "T."},
    };
    task_changed bare;
    bare.title = "T";
    for (auto const& c : cases) {
        EXPECT_EQ(render_title(c.pattern, full), c.with_all) << c.pattern;
        EXPECT_EQ(render_title(c.pattern, bare), c.with_only_title) << c.pattern;
    }
}

TEST(Title, ValuesAreOneLineAndNeverTakenForTemplates) {
    auto t = meeting();
    t.customer = "{title}\nand\tCo ";
    EXPECT_EQ(render_title("For {customer}", t), "For {title} and Co");
}

// --- colour ----------------------------------------------------------------------------------------------------------------------

// colors.get's event palette as published.
constexpr unsigned palette[11]{0xa4bdfc, 0x7ae7bf, 0xdbadff, 0xff887c, 0xfbd75b, 0xffb878,
                               0x46d6db, 0xe1e1e1, 0x5484ed, 0x51b749, 0xdc2127};

std::string hex_of(unsigned rgb) {
    char text[8];
    std::snprintf(text, sizeof text, "#%06x", rgb);
    return text;
}

TEST(Colour, EachOfGooglesIsItself) {
    for (unsigned i = 0; i < 11; ++i) EXPECT_EQ(nearest_color_id(hex_of(palette[i])), std::to_string(i + 1));
    EXPECT_EQ(nearest_color_id("#DC2127"), "11");
}

TEST(Colour, NoOtherIsNearerAnywhereOnAGrid) {
    for (int r = 0; r < 256; r += 15)
        for (int g = 0; g < 256; g += 15)
            for (int b = 0; b < 256; b += 15) {
                auto const distance = [&](unsigned rgb) {
                    return std::hypot(r - static_cast<int>(rgb >> 16), g - static_cast<int>(rgb >> 8 & 255),
                                      b - static_cast<int>(rgb & 255));
                };
                auto const id = nearest_color_id(hex_of(static_cast<unsigned>(r << 16 | g << 8 | b)));
                auto const chosen = distance(palette[std::stoi(id) - 1]);
                for (auto const other : palette) ASSERT_LE(chosen, distance(other) + 1e-9) << r << " " << g << " " << b;
            }
}

TEST(Colour, WhatIsNoHexHasNone) {
    for (std::string const bad : {"", "#", "red", "#12345", "#1234567", "123456#", "#12345g", "#12 456", "0x123456", "#12345G", "#12345`",
                                  "#12345@", "#12345/", "#12345:"})
        EXPECT_EQ(nearest_color_id(bad), "") << bad;
}

TEST(Colour, ComesFromTheTaskThenTheUsersTypesThenTheDefaults) {
    auto t = meeting();
    EXPECT_EQ(rendered(t).color_id, "9");
    render_settings s;
    s.type_colors = {{"meeting", "#dc2127"}, {"broken", "red"}};
    EXPECT_EQ(rendered(t, s).color_id, "11");
    t.color = "#51b749";
    EXPECT_EQ(rendered(t, s).color_id, "10");
    t.color = "green";
    EXPECT_EQ(refused(t, s), "bad_color");
    t.color = "";
    t.type = "broken";
    EXPECT_EQ(rendered(t, s).color_id, "");
    t.type = "something else";
    EXPECT_EQ(rendered(t, s).color_id, "");
}

TEST(Colour, TheFiveDefaultTypesHaveFiveColours) {
    std::set<std::string> ids;
    for (auto const& [type, hex] : default_type_colors()) {
        auto t = meeting();
        t.type = type;
        EXPECT_EQ(rendered(t).color_id, nearest_color_id(hex));
        ids.insert(rendered(t).color_id);
    }
    EXPECT_EQ(ids.size(), 5u);
    for (std::string const type : {"call", "meeting", "email", "deadline", "follow_up"}) EXPECT_TRUE(default_type_colors().contains(type));
    auto t = meeting();
    t.type = "Follow-Up";
    EXPECT_EQ(rendered(t).color_id, "5");
}

}  // namespace
}  // namespace calbridge::domain
