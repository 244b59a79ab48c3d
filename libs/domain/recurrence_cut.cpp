#include "domain/recurrence.h"

#include "domain/recurrence_walk.h"

#include <algorithm>
#include <iterator>

namespace calbridge::domain {

using recurrence::count_before;
using recurrence::frame;
using recurrence::point;
using recurrence::read_series;
using recurrence::rule;
using recurrence::rule_kind;
using recurrence::series;
using recurrence::walker;

namespace {

// How far two ways to say the same endless rest are compared.
constexpr int compared_max = 400;

std::optional<series> understood(std::vector<std::string> const& lines, time_range const& first) {
    auto read = read_series(lines, first);
    auto* const found = std::get_if<series>(&read);
    return found ? std::optional(std::move(*found)) : std::nullopt;
}

std::optional<point> point_named(std::string_view key, time_range const& first) {
    auto const start = start_of_occurrence(key, first.zone);
    if (!start || start->all_day != first.all_day) return {};
    return recurrence::point_of(*start);
}

// The last moment a rule may name before `at`: one second, or one day, earlier.
point just_before(point at, frame const& where) { return where.all_day ? at - std::chrono::days(1) : at - std::chrono::seconds(1); }

bool end_rule(series const& of, rule& r, point cut) {
    auto const last = just_before(cut, of.where);
    if (r.until) {
        r.until = std::min(*r.until, last);
        return true;
    }
    if (r.count) {
        auto const made = count_before(of, r, rule_kind::including, cut);
        if (!made) return false;
        // A rule that is through by then must not be prolonged.
        if (made->before >= *r.count) return true;
    }
    r.count.reset();
    r.until = last;
    return true;
}

std::string key_at(frame const& where, point at) { return occurrence_key(occurrence_at(where, at)); }

// What may stand in a rule unsaid because the start says it.
void say_what_start_implies(rule& r, frame const& where) {
    using enum rule::every;
    auto const date = std::chrono::floor<std::chrono::days>(where.first_wall);
    std::chrono::year_month_day const ymd{date};
    int const weekday = static_cast<int>(std::chrono::weekday(date).iso_encoding()) - 1;
    bool const no_days = r.weekdays.empty() && r.month_days.empty() && r.year_days.empty();
    if (!no_days) return;
    if (r.freq == week || !r.week_numbers.empty()) {
        r.weekdays.push_back({.weekday = weekday});
    } else if (r.freq == month || r.freq == year) {
        r.month_days.push_back(static_cast<int>(static_cast<unsigned>(ymd.day())));
        if (r.freq == year && r.months.empty()) r.months.push_back(static_cast<int>(static_cast<unsigned>(ymd.month())));
    }
}

// The rules as they go on at `start`; absent: more work than one walk may do.
std::optional<std::vector<rule>> rules_from(series const& of, std::vector<rule> const& rules, rule_kind kind, point start) {
    std::vector<rule> out;
    for (auto r : rules) {
        auto const made = count_before(of, r, kind, start);
        if (!made) return {};
        if (r.count) {
            int const left = *r.count - made->before;
            if (left <= 0) continue;
            // The new start counts as an instance of every RRULE, also of one that does not make it.
            r.count = left + (kind == rule_kind::including && !made->makes_limit ? 1 : 0);
        }
        if (r.until && *r.until < start) continue;
        if (!made->makes_limit) say_what_start_implies(r, of.where);
        out.push_back(std::move(r));
    }
    return out;
}

std::vector<point> dates_from(std::vector<point> const& dates, point start) {
    std::vector<point> out;
    std::ranges::copy_if(dates, std::back_inserter(out), [&](point at) { return at > start; });
    return out;
}

// Both from `start` on, as far as they are compared.
bool same_rest(series const& a, series const& b, point start) {
    walker in_a(a, start, point::max());
    walker in_b(b, start, point::max());
    auto const next = [&](walker& walk) {
        auto at = walk.next();
        while (at && *at < start) at = walk.next();
        return at;
    };
    for (int i = 0; i < compared_max; ++i) {
        auto const one = next(in_a);
        auto const other = next(in_b);
        if (one != other || in_a.cut() || in_b.cut()) return false;
        if (!one) return true;
    }
    return true;
}

// The rest date by date, when it ends soon enough to be listed.
std::optional<series> listed_rest(series const& of, frame const& where) {
    series out{.where = where};
    walker walk(of, where.first, point::max());
    while (auto const at = walk.next()) {
        if (*at > where.first) out.dates.push_back(*at);
        if (out.dates.size() >= recurrence_lines_max) return {};
    }
    if (walk.cut()) return {};
    return out;
}

frame frame_from(frame const& before, point start) {
    auto out = before;
    out.first = start;
    out.first_wall = out.zone.wall_at(start);
    return out;
}

}  // namespace

std::optional<std::vector<std::string>> end_before(std::vector<std::string> const& lines, time_range const& first, std::string_view key) {
    auto const what = understood(lines, first);
    auto const cut = point_named(key, first);
    if (!what || !cut || *cut <= what->where.first) return {};
    auto out = *what;
    for (auto& r : out.rules) {
        if (!end_rule(*what, r, *cut)) return {};
    }
    std::erase_if(out.dates, [&](point at) { return at >= *cut; });
    std::erase_if(out.except_dates, [&](point at) { return at >= *cut; });

    walker walk(out);
    auto const kept = walk.next();
    if (!kept) return {};
    if (*kept == out.where.first && !walk.next()) return std::vector<std::string>{};
    return write_series(out);
}

std::optional<tail> tail_from(std::vector<std::string> const& lines, time_range const& first, std::string_view key) {
    auto const what = understood(lines, first);
    auto const start = point_named(key, first);
    if (!what || !start || !has_occurrence(lines, first, key)) return {};
    auto const begins = occurrence_at(what->where, *start);
    if (*start == what->where.first) return tail{.lines = write_series(*what), .first = begins};

    series out{.where = frame_from(what->where, *start),
               .dates = dates_from(what->dates, *start),
               .except_dates = dates_from(what->except_dates, *start)};
    auto rules = rules_from(*what, what->rules, rule_kind::including, *start);
    auto except_rules = rules_from(*what, what->except_rules, rule_kind::excluding, *start);
    if (!rules || !except_rules) return {};
    out.rules = std::move(*rules);
    out.except_rules = std::move(*except_rules);
    if (!same_rest(*what, out, *start)) {
        auto listed = listed_rest(*what, out.where);
        if (!listed) return {};
        out = std::move(*listed);
    }

    walker walk(out);
    walk.next();
    bool const alone = !walk.next();
    return tail{.lines = alone ? std::vector<std::string>{} : write_series(out), .first = begins};
}

std::optional<std::string> cut_at(std::vector<std::string> const& before, std::vector<std::string> const& after, time_range const& first) {
    auto const longer = understood(before, first);
    auto const shorter = understood(after, first);
    if (!longer || !shorter) return {};
    walker in_longer(*longer);
    walker in_shorter(*shorter);
    for (;;) {
        auto const kept = in_shorter.next();
        auto const was = in_longer.next();
        if (in_shorter.cut() || in_longer.cut()) return {};
        if (!kept && was) return key_at(longer->where, *was);
        if (kept != was || !kept) return {};
    }
}

}  // namespace calbridge::domain
