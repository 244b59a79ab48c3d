#include "domain/fields.h"

#include "domain/text.h"
#include "domain/world_for_tests.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace calbridge::domain {
namespace {

using testing_world::day;
using testing_world::sample;

TEST(Field, EveryNameLeadsBackToItsField) {
    for (auto const f : all_fields) EXPECT_EQ(field_named(name(f)), f);
    EXPECT_FALSE(field_named("colour").has_value());
    EXPECT_FALSE(field_named("").has_value());
}

TEST(FieldSet, RemembersWhatIsIn) {
    field_set s;
    EXPECT_TRUE(s.empty());
    s.add(field::time).add(field::title).add(field::time);
    EXPECT_EQ(s.size(), 2u);
    EXPECT_TRUE(s.has(field::time));
    EXPECT_EQ(s.names(), (std::vector<std::string>{"title", "time"}));
    s.remove(field::time);
    EXPECT_FALSE(s.has(field::time));
}

TEST(Field, OnlyWhatCalbridgeAloneWritesIsPushOnly) {
    field_set push_only;
    for (auto const f : all_fields) {
        if (is_push_only(f)) push_only.add(f);
    }
    EXPECT_EQ(push_only.names(), (std::vector<std::string>{"footer", "color", "reminders", "meet"}));
}

TEST(Fields, EachFieldIsComparedAndCopiedAlone) {
    auto const a = sample(0);
    auto const b = sample(1);
    ASSERT_EQ(differences(a, b).size(), field_count);
    for (auto const f : all_fields) {
        auto c = a;
        copy(f, b, c);
        EXPECT_TRUE(same(f, c, b)) << name(f);
        EXPECT_EQ(differences(a, c), field_set().add(f)) << name(f);
        EXPECT_NE(describe(f, a), describe(f, b)) << name(f);
    }
}

TEST(TimeRange, TheZonesNameIsPresentation) {
    auto const at = instant{day(2026, 11, 25)} + std::chrono::hours(9);
    time_range const zurich{.start = at, .end = at + std::chrono::hours(1), .zone = "Europe/Zurich"};
    time_range const berlin{.start = at, .end = at + std::chrono::hours(1), .zone = "Europe/Berlin"};
    time_range const later{.start = at, .end = at + std::chrono::hours(2), .zone = "Europe/Zurich"};
    time_range const whole_day{.all_day = true, .first_day = day(2026, 11, 25), .end_day = day(2026, 11, 26)};
    EXPECT_EQ(zurich, berlin);
    EXPECT_NE(zurich, later);
    EXPECT_NE(zurich, whole_day);
}

TEST(Normalise, EachFieldHasOneSpelling) {
    fields raw;
    raw.title = "  a\r\nb\xC2\xA0 ";
    raw.description = "\r\n one \r\ntwo<BR />three&nbsp;<html-blob>x</html-blob>\x01 \n\n";
    raw.footer = "f \n";
    raw.location = " Bern \r\n Mitte<br> ";
    raw.color_id = "12";
    raw.reminders = {.use_default = false,
                     .overrides = {{"popup", 10}, {"email", 5}, {"popup", 10}, {"sms", 1}, {"popup", -1}, {"popup", 40321}}};
    raw.guests = {
        {" KIM@Example.com ", " Kim ", true}, {"lee@example.com", "", false}, {"kim@example.com", "", false}, {"  ", "nobody", false}};
    raw.time.start = instant{day(2026, 11, 25)} + std::chrono::microseconds(1'500'000);
    raw.time.end = raw.time.start - std::chrono::hours(1);

    auto const f = normalise(raw);

    EXPECT_EQ(f.title, "a b");
    EXPECT_EQ(f.description, "one\ntwo\nthree x");
    EXPECT_EQ(f.footer, "f");
    EXPECT_EQ(f.location, "Bern\n Mitte<br>");
    EXPECT_EQ(f.color_id, "");
    EXPECT_EQ(f.reminders.overrides, (std::vector<reminder>{{"email", 5}, {"popup", 10}}));
    ASSERT_EQ(f.guests.size(), 2u);
    EXPECT_EQ(f.guests[0], (guest{"kim@example.com", "", false}));
    EXPECT_EQ(f.guests[1].email, "lee@example.com");
    EXPECT_EQ(f.time.start, instant{day(2026, 11, 25)} + std::chrono::seconds(1));
    EXPECT_EQ(f.time.end, f.time.start);
}

TEST(Normalise, KnownColoursStay) {
    for (int id = 1; id <= 11; ++id) EXPECT_EQ(normalise({.color_id = std::to_string(id)}).color_id, std::to_string(id));
    for (std::string const id : {"0", "12", "1x", "", "x", "111"}) EXPECT_EQ(normalise({.color_id = id}).color_id, "");
}

TEST(Normalise, AtMostFiveRemindersAndNoneBesideTheDefault) {
    fields raw;
    raw.reminders = {.use_default = false};
    for (int i = 9; i > 0; --i) raw.reminders.overrides.push_back({"popup", i});
    EXPECT_EQ(normalise(raw).reminders.overrides.size(), 5u);
    EXPECT_EQ(normalise(raw).reminders.overrides.front().minutes, 1);
    raw.reminders.use_default = true;
    EXPECT_TRUE(normalise(raw).reminders.overrides.empty());
    raw.reminders = {.use_default = false};
    EXPECT_FALSE(normalise(raw).reminders.use_default);
}

TEST(Normalise, AWholeDayLastsAtLeastOneAndHasNoClock) {
    fields raw;
    raw.time = {
        .all_day = true, .first_day = day(2026, 1, 1), .end_day = day(2025, 1, 1), .start = instant{day(2026, 1, 1)}, .zone = "UTC"};
    auto const t = normalise(raw).time;
    EXPECT_TRUE(t.all_day);
    EXPECT_EQ(t.end_day, day(2026, 1, 2));
    EXPECT_EQ(t.start, instant{});
    EXPECT_EQ(t.zone, "");
}

// Everything that a text can go through, mixed at random; the canonical form must not move a second time.
TEST(Normalise, IsIdempotentForArbitraryInput) {
    testing_world::dice random(1);
    for (int i = 0; i < 20'000; ++i) {
        fields raw;
        raw.title = random.text(6);
        raw.description = random.text(12);
        raw.footer = random.text(8);
        raw.location = random.text(4);
        raw.color_id = std::to_string(random.below(14));
        raw.time = random.range();
        raw.reminders.use_default = random.below(3) == 0;
        for (int n = random.below(8); n > 0; --n)
            raw.reminders.overrides.push_back({random.below(2) ? "popup" : "email", random.below(50'000) - 100});
        for (int n = random.below(6); n > 0; --n)
            raw.guests.push_back({random.pick({"A@x.y", "a@x.y ", "b@x.y", "", "C@X.Y"}), random.text(1), random.below(2) == 0});

        auto const once = normalise(raw);
        auto const twice = normalise(once);

        ASSERT_EQ(once, twice) << raw.description;
        ASSERT_EQ(once.time.zone, twice.time.zone);
        for (std::size_t g = 0; g < once.guests.size(); ++g) ASSERT_EQ(once.guests[g].name, twice.guests[g].name);
        ASSERT_FALSE(was_html(once.description)) << once.description;
        ASSERT_TRUE(std::ranges::is_sorted(once.guests, {}, &guest::email));
    }
}

TEST(Normalise, NestedWrappersDoNotCostQuadraticTime) {
    std::string nested;
    for (int i = 0; i < 40'000; ++i) nested += "<html-";
    for (int i = 0; i < 40'000; ++i) nested += "<html-blob>blob>";
    EXPECT_FALSE(was_html(canonical_text(nested)));
    EXPECT_EQ(canonical_text("<html-<html-blob>blob>x"), "x");
    EXPECT_EQ(canonical_text("<b<html-blob>r>x"), "x");
    EXPECT_EQ(canonical_text("a<br&nbsp;/>x"), "a\nx");
}

TEST(Describe, SaysWhatAPersonWouldCompare) {
    auto f = sample(0);
    f.time = {.start = instant{day(2026, 11, 25)} + std::chrono::hours(9),
              .end = instant{day(2026, 11, 25)} + std::chrono::hours(10),
              .zone = "Europe/Zurich"};
    EXPECT_EQ(describe(field::time, f), "2026-11-25T10:00:00 to 2026-11-25T11:00:00 Europe/Zurich");
    f.time = {.all_day = true, .first_day = day(2026, 11, 25), .end_day = day(2026, 11, 26)};
    EXPECT_EQ(describe(field::time, f), "2026-11-25 to 2026-11-26 (all day, end not included)");
    f.guests = {{"a@x.y", "", false}, {"b@x.y", "", true}};
    EXPECT_EQ(describe(field::guests, f), "a@x.y, b@x.y (optional)");
    f.reminders = {};
    EXPECT_EQ(describe(field::reminders, f), "the calendar's default");
    f.reminders = {.use_default = false};
    EXPECT_EQ(describe(field::reminders, f), "none");
    f.reminders.overrides = {{"popup", 10}, {"email", 60}};
    EXPECT_EQ(describe(field::reminders, f), "popup 10 min before, email 60 min before");
    f.color_id = "";
    EXPECT_EQ(describe(field::color, f), "the calendar's colour");
    f.color_id = "3";
    EXPECT_EQ(describe(field::color, f), "colour 3");
}

}  // namespace
}  // namespace calbridge::domain
