#include "domain/fields.h"

#include "domain/recurrence.h"
#include "domain/render.h"
#include "domain/text.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace calbridge::domain {
namespace {

constexpr std::size_t reminders_max = 5;     // Google refuses more
constexpr int reminder_minutes_max = 40320;  // four weeks

time_range normalise(time_range t) {
    if (t.all_day) return {.all_day = true, .first_day = t.first_day, .end_day = std::max(t.end_day, t.first_day + std::chrono::days(1))};
    auto const start = std::chrono::floor<std::chrono::seconds>(t.start);
    auto const end = std::max(std::chrono::floor<std::chrono::seconds>(t.end), start);
    return {.start = start, .end = end, .zone = std::move(t.zone)};
}

reminder_list normalise(reminder_list r) {
    if (r.use_default) return {};
    std::erase_if(r.overrides, [](reminder const& one) {
        return (one.method != "popup" && one.method != "email") || one.minutes < 0 || one.minutes > reminder_minutes_max;
    });
    std::ranges::sort(r.overrides);
    auto const repeats = std::ranges::unique(r.overrides);
    r.overrides.erase(repeats.begin(), repeats.end());
    if (r.overrides.size() > reminders_max) r.overrides.resize(reminders_max);
    return r;
}

std::vector<guest> normalise(std::vector<guest> guests) {
    for (auto& g : guests) {
        g.email = lower_ascii(one_line(g.email));
        g.name = one_line(g.name);
    }
    std::erase_if(guests, [](guest const& g) { return g.email.empty(); });
    // Of two entries for one address the one that must come wins, then the one with a name.
    std::ranges::sort(guests, {}, [](guest const& g) {
        return std::tuple(std::cref(g.email).get(), g.optional, g.name.empty(), std::cref(g.name).get());
    });
    auto const repeats = std::ranges::unique(guests, {}, &guest::email);
    guests.erase(repeats.begin(), repeats.end());
    return guests;
}

bool is_event_color(std::string_view id) {
    if (id.size() == 1) return id[0] >= '1' && id[0] <= '9';
    return id == "10" || id == "11";
}

std::string words(time_range const& t) {
    auto const said = speak(t);
    return said.all_day ? said.start + " to " + said.end + " (all day, end not included)"
                        : said.start + " to " + said.end + " " + said.time_zone;
}

std::string words(reminder_list const& r) {
    if (r.use_default) return "the calendar's default";
    if (r.overrides.empty()) return "none";
    std::string out;
    for (auto const& one : r.overrides) out += (out.empty() ? "" : ", ") + one.method + " " + std::to_string(one.minutes) + " min before";
    return out;
}

bool same_series_time(fields const& a, fields const& b) {
    if (!(a.time == b.time)) return false;
    bool const series = !a.recurrence.empty() && !b.recurrence.empty();
    return !series || a.time.all_day || a.time.zone.empty() || b.time.zone.empty() || a.time.zone == b.time.zone;
}

std::string words(std::vector<std::string> const& lines) {
    std::string out;
    for (auto const& line : lines) out += (out.empty() ? "" : "\n") + line;
    return out.empty() ? "does not repeat" : out;
}

std::string words(std::vector<guest> const& guests) {
    std::string out;
    for (auto const& g : guests) out += (out.empty() ? "" : ", ") + g.email + (g.optional ? " (optional)" : "");
    return out;
}

}  // namespace

std::string_view name(field f) {
    switch (f) {
    case field::title: return "title";
    case field::description: return "description";
    case field::footer: return "footer";
    case field::location: return "location";
    case field::time: return "time";
    case field::color: return "color";
    case field::reminders: return "reminders";
    case field::guests: return "guests";
    case field::meet: return "meet";
    case field::recurrence: return "recurrence";
    }
    return "unknown";
}

std::optional<field> field_named(std::string_view n) {
    for (auto const f : all_fields) {
        if (name(f) == n) return f;
    }
    return {};
}

std::vector<std::string> field_set::names() const {
    std::vector<std::string> out;
    for (auto const f : all_fields) {
        if (has(f)) out.emplace_back(name(f));
    }
    return out;
}

bool same(field f, fields const& a, fields const& b) {
    switch (f) {
    case field::title: return a.title == b.title;
    case field::description: return a.description == b.description;
    case field::footer: return a.footer == b.footer;
    case field::location: return a.location == b.location;
    case field::time: return same_series_time(a, b);
    case field::color: return a.color_id == b.color_id;
    case field::reminders: return a.reminders == b.reminders;
    case field::guests: return a.guests == b.guests;
    case field::meet: return a.meet == b.meet;
    case field::recurrence: return a.recurrence == b.recurrence;
    }
    return false;
}

field_set differences(fields const& a, fields const& b) {
    field_set out;
    for (auto const f : all_fields) {
        if (!same(f, a, b)) out.add(f);
    }
    return out;
}

void copy(field f, fields const& from, fields& to) {
    switch (f) {
    case field::title: to.title = from.title; return;
    case field::description: to.description = from.description; return;
    case field::footer: to.footer = from.footer; return;
    case field::location: to.location = from.location; return;
    case field::time: to.time = from.time; return;
    case field::color: to.color_id = from.color_id; return;
    case field::reminders: to.reminders = from.reminders; return;
    case field::guests: to.guests = from.guests; return;
    case field::meet: to.meet = from.meet; return;
    case field::recurrence: to.recurrence = from.recurrence; return;
    }
}

std::string describe(field f, fields const& of) {
    switch (f) {
    case field::title: return of.title;
    case field::description: return of.description;
    case field::footer: return of.footer;
    case field::location: return of.location;
    case field::time: return words(of.time);
    case field::color: return of.color_id.empty() ? "the calendar's colour" : "colour " + of.color_id;
    case field::reminders: return words(of.reminders);
    case field::guests: return words(of.guests);
    case field::meet: return of.meet ? "yes" : "no";
    case field::recurrence: return words(of.recurrence);
    }
    return {};
}

bool is_push_only(field f) { return f == field::footer || f == field::color || f == field::reminders || f == field::meet; }

fields normalise(fields raw) {
    raw.title = one_line(raw.title);
    raw.description = canonical_text(raw.description);
    raw.footer = canonical_text(raw.footer);
    raw.location = plain_text(raw.location);
    raw.time = normalise(std::move(raw.time));
    if (!is_event_color(raw.color_id)) raw.color_id.clear();
    raw.reminders = normalise(std::move(raw.reminders));
    raw.guests = normalise(std::move(raw.guests));
    if (!raw.recurrence.empty()) {
        // What cannot be read stays as it is; whoever sends or receives it says so.
        auto lines = canonical_recurrence(raw.recurrence, raw.time);
        if (auto* const known = std::get_if<std::vector<std::string>>(&lines)) raw.recurrence = std::move(*known);
    }
    return raw;
}

}  // namespace calbridge::domain
