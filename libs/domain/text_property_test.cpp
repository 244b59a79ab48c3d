// Canonical forms, footers, templates and times, over very many cases.

#include "domain/footer.h"
#include "domain/properties_for_tests.h"
#include "domain/render.h"
#include "domain/stamp.h"
#include "domain/template.h"
#include "domain/text.h"

#include <algorithm>
#include <chrono>

namespace calbridge::domain {
namespace {

using testing_world::check_cases;
using testing_world::dice;

std::string bytes(dice& random, int most) {
    std::string out;
    for (int n = random.below(most + 1); n > 0; --n) out.push_back(static_cast<char>(random.below(256)));
    return out;
}

std::string hostile(dice& random, int pieces) {
    auto out = random.text(pieces);
    if (random.below(4) == 0) out += bytes(random, 12);
    return out;
}

std::string address(dice& random) {
    static std::vector<std::string> const some{"a@x.y", "A@x.y", " a@x.y", "b@x.y\n", "", "no address", "c@x.y", "C@X.Y"};
    return random.below(8) ? random.pick(some) : hostile(random, 3);
}

std::vector<std::string> recurrence(dice& random) {
    static std::vector<std::string> const some{"RRULE:FREQ=WEEKLY;BYDAY=WE,MO;WKST=SU",
                                               "rrule:count=3;freq=daily",
                                               "RRULE:FREQ=MONTHLY;BYDAY=-1FR",
                                               "RRULE:FREQ=DAILY;UNTIL=20270101",
                                               "RRULE:FREQ=DAILY;UNTIL=20270101T100000",
                                               "EXDATE;VALUE=DATE:20261126,20261125",
                                               "EXDATE;TZID=America/New_York:20261126T100000",
                                               "RDATE:20290101T000000Z",
                                               "EXRULE:FREQ=YEARLY",
                                               "RRULE:FREQ=SECONDLY",
                                               "garbage",
                                               ""};
    std::vector<std::string> out;
    if (random.below(5)) return out;
    for (int n = random.below(4); n > 0; --n) out.push_back(random.below(6) ? random.pick(some) : hostile(random, 4));
    return out;
}

fields arbitrary(dice& random) {
    fields out{.title = hostile(random, 6),
               .description = hostile(random, 10),
               .footer = hostile(random, 6),
               .location = hostile(random, 5),
               .time = random.range(),
               .color_id = random.below(2) ? std::to_string(random.below(14)) : hostile(random, 1),
               .reminders = {.use_default = random.below(3) == 0},
               .meet = random.below(2) == 0,
               .recurrence = recurrence(random)};
    for (int n = random.below(8); n > 0; --n)
        out.reminders.overrides.push_back({.method = random.pick({"popup", "email", "sms", ""}), .minutes = random.below(50'000) - 100});
    for (int n = random.below(6); n > 0; --n)
        out.guests.push_back(
            {.email = address(random), .name = random.below(2) ? hostile(random, 2) : "", .optional = random.below(2) == 0});
    return out;
}

bool identical(fields const& a, fields const& b) {
    if (!(a == b) || a.time.zone != b.time.zone || a.guests.size() != b.guests.size()) return false;
    for (std::size_t i = 0; i < a.guests.size(); ++i) {
        if (a.guests[i].name != b.guests[i].name) return false;
    }
    return true;
}

TEST(NormaliseProperty, IsIdempotent) {
    check_cases(250'000, [](dice& random) {
        auto const once = normalise(arbitrary(random));
        RC_ASSERT(identical(normalise(once), once));
    });
}

TEST(NormaliseProperty, WhatDiffersByNothingAPersonSeesIsEqual) {
    check_cases(50'000, [](dice& random) {
        auto const f = arbitrary(random);
        auto shuffled = f;
        std::ranges::shuffle(shuffled.guests, random.engine());
        std::ranges::shuffle(shuffled.reminders.overrides, random.engine());
        shuffled.description = "  \n" + shuffled.description + " \t\n";
        shuffled.title += "  ";
        RC_ASSERT(normalise(shuffled) == normalise(f));
    });
}

std::string dashed(dice& random) {
    static std::vector<std::string> const some{"──── calbridge: please write above this line ────",
                                               "\\──── calbridge: please write above this line ────",
                                               "----------",
                                               "—————",
                                               "────────────",
                                               "-- ",
                                               "___",
                                               "\n",
                                               "\n\n",
                                               "<br>",
                                               "&mdash;",
                                               "<p>",
                                               "</p>",
                                               "\\"};
    std::string out;
    for (int n = random.below(8); n > 0; --n) {
        out += random.below(3) ? random.pick(some) : random.text(3);
        if (random.below(2)) out += "\n";
    }
    return canonical_text(out);
}

TEST(FooterProperty, ComesBackExactly) {
    check_cases(250'000, [](dice& random) {
        auto const text = dashed(random);
        auto const footer = dashed(random);
        auto const back = split(join_description(text, footer));
        RC_ASSERT(back.text == text);
        RC_ASSERT(back.footer == footer);
    });
}

TEST(FooterProperty, ComesBackThroughLineBreaksAnEditorWrites) {
    check_cases(50'000, [](dice& random) {
        std::string text = canonical_text(random.pick({"a", "- b", "────", "line\nline", "", "x\n\ny"}) + random.pick({"", "\n---", " c"}));
        std::string const footer = random.pick({"Customer: ACME", "Type: call\nStatus: open"});
        std::string edited;
        for (char const c : join_description(text, footer))
            edited += c == '\n' ? random.pick({"<br>", "<br/>", "<BR />\n", "\r\n", "\n"}) : std::string(1, c);
        auto const back = split(edited);
        RC_ASSERT(back.footer.ends_with(footer.substr(footer.rfind('\n') + 1)));
        RC_ASSERT(back.text.find("calbridge") == std::string::npos);
    });
}

task_changed task(dice& random) {
    auto const maybe = [&](int pieces) { return random.below(3) ? hostile(random, pieces) : std::string(); };
    task_changed out;
    out.title = maybe(4);
    out.description = maybe(6);
    out.notes = maybe(3);
    out.customer = maybe(2);
    out.type = maybe(1);
    out.contact = maybe(2);
    out.deal = maybe(2);
    out.priority = maybe(1);
    out.status = maybe(1);
    out.location = maybe(2);
    out.video_link = maybe(1);
    return out;
}

std::string pattern(dice& random, std::string const& wanted) {
    static std::vector<std::string> const some{
        "{customer}", "{contact}", "{deal}", "{type}", "{status}", "{priority}", "{unknown}", " — ", " - ", ": ", " (",   ")", "[",
        "]",          " ",         "  ",     "\t",     "word",     "{{",         "}}",        "{",   "}",   "|",  "\xFF", "é"};
    auto const around = [&] {
        std::string out;
        for (int n = random.below(6); n > 0; --n) out += random.pick(some);
        return out;
    };
    auto before = around();
    // An open brace would take the placeholder for the end of its own name.
    while (before.ends_with('{')) before.pop_back();
    return before + wanted + around();
}

TEST(TemplateProperty, TitlesComeBack) {
    check_cases(150'000, [](dice& random) {
        auto t = task(random);
        t.title = one_line(t.title);
        if (t.title.empty()) t.title = "x";
        auto const p = pattern(random, "{title}");
        auto const rendered = render_title(p, t);
        auto const back = unrender(p, "title", t, rendered);
        if (!back) RC_LOG() << "pattern [" << p << "] title [" << t.title << "] rendered [" << rendered << "]" << std::endl;
        RC_ASSERT(back.has_value());
        RC_ASSERT(*back == t.title);
    });
}

TEST(TemplateProperty, RenderedTextIsCanonicalAndWhatDoesNotFitIsRefusedCalmly) {
    check_cases(50'000, [](dice& random) {
        auto const t = task(random);
        std::string const p =
            pattern(random, "{description}") + "\n" + pattern(random, random.pick({"{notes}", "{location}", "\n", "{video_link}"}));
        auto const rendered = render_text(p, t);
        RC_ASSERT(canonical_text(rendered) == rendered);
        unrender(p, "description", t, hostile(random, 6));
    });
}

TEST(TemplateProperty, DescriptionsWithoutHtmlComeBack) {
    check_cases(50'000, [](dice& random) {
        auto t = task(random);
        std::erase_if(t.description, [](char c) { return c == '<' || c == '>' || c == '&' || c == ';' || c == '/'; });
        t.description = canonical_text(t.description);
        std::string const p = random.pick({"", "For {customer}\n\n", "{contact}:\n", "Deal: {deal}\nx {customer}\n\n"}) + "{description}" +
                              random.pick({"", "\n\n— {customer}", "\n{status}\n\nAt {location}", " ({type})"});
        auto const rendered = render_text(p, t);
        auto const back = unrender(p, "description", t, rendered);
        if (back != t.description) RC_LOG() << "pattern [" << p << "] rendered [" << rendered << "]" << std::endl;
        RC_ASSERT(back == t.description);
    });
}

TEST(TickProperty, IsIdempotentBothWays) {
    check_cases(50'000, [](dice& random) {
        auto const title = one_line(random.pick({"", "✓", "✓ ", "✓ ✓", "✓✓ "}) + hostile(random, 3));
        auto const with = with_tick(title);
        auto const without = without_tick(title);
        RC_ASSERT(with_tick(with) == with);
        RC_ASSERT(without_tick(without) == without);
        RC_ASSERT(without_tick(with_tick(without)) == without);
        RC_ASSERT(without_tick(with) == without);
    });
}

TEST(TimeProperty, WhatIsSpokenIsUnderstood) {
    static std::vector<std::string> const zones{
        "Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "UTC", "", "Nowhere/Land"};
    check_cases(100'000, [](dice& random) {
        using namespace std::chrono;
        auto start = instant{testing_world::day(1970, 1, 3)} + minutes(random.below(1'200'000) * 100) + seconds(random.below(60));
        // Half of them near the ends of March, October and 2011.
        if (random.below(2)) {
            auto const turn = random.below(3);
            start = instant{turn == 0   ? testing_world::day(2026, 3, 29)
                            : turn == 1 ? testing_world::day(2026, 10, 25)
                                        : testing_world::day(2011, 12, 30)} +
                    minutes(random.below(2880) - 1440);
        }
        time_range const range{.start = start, .end = start + minutes(1 + random.below(3000)), .zone = random.pick(zones)};
        auto const said = speak(range);
        auto const back = understand_time(said.start, said.end, said.time_zone, "Asia/Tokyo", minutes(60));
        RC_ASSERT(std::holds_alternative<time_range>(back));
        RC_ASSERT(std::get<time_range>(back) == range);
    });
}

TEST(StampProperty, HoldsInItsPlaceAndNowhereElse) {
    auto const ring = *crypto::key_ring::parse(secret("k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="));
    check_cases(40'000, [&](dice& random) {
        auto const id = [&] {
            uuid out;
            for (auto& byte : out.bytes) byte = static_cast<std::uint8_t>(random.below(256));
            return out;
        };
        stamp_place const place{tenant_id(hostile(random, 2)), connection_id{id()}, hostile(random, 2), hostile(random, 2)};
        link_id const link{id()};
        auto const stamp = make_stamp(ring, place, link);
        RC_ASSERT(verify_stamp(ring, place, stamp) == link);

        auto elsewhere = place;
        (random.below(2) ? elsewhere.event_id : elsewhere.google_calendar_id) += "x";
        RC_ASSERT(!verify_stamp(ring, elsewhere, stamp).has_value());
        auto forged = stamp;
        forged[static_cast<std::size_t>(random.below(static_cast<int>(forged.size())))] ^= 1;
        RC_ASSERT(!verify_stamp(ring, place, forged).has_value());
    });
}

}  // namespace
}  // namespace calbridge::domain
