#include "domain/recurrence_rule.h"

#include "domain/spelled.h"
#include "domain/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

namespace calbridge::domain::recurrence {
namespace {

constexpr std::array<std::string_view, 7> weekday_names{"MO", "TU", "WE", "TH", "FR", "SA", "SU"};
constexpr int interval_max = 9999;
constexpr int count_max = 999999;

struct part {
    std::string name;
    std::string_view value;
};

using outcome = std::optional<refusal>;

std::string upper(std::string_view text) {
    std::string out(text);
    for (auto& c : out) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    return out;
}

std::optional<int> whole_number(std::string_view text) {
    bool const plus = text.starts_with('+');
    if (plus) text.remove_prefix(1);
    int value = 0;
    auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || problem != std::errc{} || end != text.data() + text.size() || (plus && value < 0)) return {};
    return value;
}

template <class Each>
bool each_in_list(std::string_view list, Each take) {
    for (;;) {
        auto const comma = list.find(',');
        if (!take(list.substr(0, comma))) return false;
        if (comma == std::string_view::npos) return true;
        list.remove_prefix(comma + 1);
    }
}

template <class Value>
void sort_unique(std::vector<Value>& values) {
    std::ranges::sort(values);
    auto const repeats = std::ranges::unique(values);
    values.erase(repeats.begin(), repeats.end());
}

enum class sign { plus_only, both };

// Sorted, without repeats; false: not such numbers.
bool read_numbers(std::string_view list, int least, int most, sign signs, std::vector<int>& out) {
    bool const fine = each_in_list(list, [&](std::string_view one) {
        auto const value = whole_number(one);
        if (!value || std::abs(*value) < least || std::abs(*value) > most || (*value < 0 && signs == sign::plus_only)) return false;
        out.push_back(*value);
        return true;
    });
    sort_unique(out);
    return fine;
}

std::optional<int> weekday_named(std::string_view name) {
    auto const found = std::ranges::find(weekday_names, name);
    if (found == weekday_names.end()) return {};
    return static_cast<int>(found - weekday_names.begin());
}

bool read_weekdays(std::string_view list, std::vector<weekday_of>& out) {
    bool const fine = each_in_list(list, [&](std::string_view one) {
        if (one.size() < 2) return false;
        auto const weekday = weekday_named(one.substr(one.size() - 2));
        auto const before = one.substr(0, one.size() - 2);
        auto const ordinal = before.empty() ? std::optional(0) : whole_number(before);
        if (!weekday || !ordinal || std::abs(*ordinal) > 53 || (!before.empty() && *ordinal == 0)) return false;
        out.push_back({.weekday = *weekday, .ordinal = *ordinal});
        return true;
    });
    sort_unique(out);
    return fine;
}

std::optional<point> read_until(std::string_view text, frame const& where) {
    auto const said = read_compact(text);
    if (!said) return {};
    if (where.all_day) return point{said->day};
    if (said->all_day) return where.zone.moment_of(said->day + std::chrono::days(1) - std::chrono::seconds(1));
    if (said->offset) return said->day + said->time_of_day;
    return where.zone.moment_of(said->day + said->time_of_day);
}

outcome read_freq(std::string const& value, rule& out) {
    if (value == "DAILY") out.freq = rule::every::day;
    else if (value == "WEEKLY") out.freq = rule::every::week;
    else if (value == "MONTHLY") out.freq = rule::every::month;
    else if (value == "YEARLY") out.freq = rule::every::year;
    else if (value == "HOURLY" || value == "MINUTELY" || value == "SECONDLY")
        return refusal{"recurrence_too_often", "The task repeats more often than daily. A calendar series repeats daily at most."};
    else return bad_recurrence("FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY");
    return {};
}

// One time of day is the start's own; RFC 5545 ignores these parts for all-day series.
outcome read_time_of_day(part const& p, frame const& where) {
    std::vector<int> values;
    if (!read_numbers(p.value, 0, p.name == "BYHOUR" ? 23 : 60, sign::plus_only, values)) return bad_recurrence(p.name + " cannot be read");
    if (where.all_day) return {};
    if (values.size() > 1)
        return refusal{"recurrence_too_often", "The task repeats more often than daily. A calendar series repeats daily at most."};
    std::chrono::hh_mm_ss const of_day{where.first_wall - std::chrono::floor<std::chrono::days>(where.first_wall)};
    auto const own = p.name == "BYHOUR"     ? of_day.hours().count()
                     : p.name == "BYMINUTE" ? of_day.minutes().count()
                                            : of_day.seconds().count();
    if (values.front() != own) return bad_recurrence(p.name + " does not fit the start's time of day");
    return {};
}

outcome read_number(part const& p, int most, int& out) {
    auto const value = whole_number(p.value);
    if (!value || *value < 1 || *value > most) return bad_recurrence(fmt::format("{} must be a number from 1 to {}", p.name, most));
    out = *value;
    return {};
}

outcome read_part(part const& p, frame const& where, rule& out) {
    auto const unless = [&](bool fine) { return fine ? outcome{} : bad_recurrence(p.name + " cannot be read"); };
    if (p.name == "FREQ") return read_freq(std::string(p.value), out);
    if (p.name == "INTERVAL") return read_number(p, interval_max, out.interval);
    if (p.name == "COUNT") return read_number(p, count_max, out.count.emplace());
    if (p.name == "UNTIL") {
        out.until = read_until(p.value, where);
        return unless(out.until.has_value());
    }
    if (p.name == "BYMONTH") return unless(read_numbers(p.value, 1, 12, sign::plus_only, out.months));
    if (p.name == "BYWEEKNO") return unless(read_numbers(p.value, 1, 53, sign::both, out.week_numbers));
    if (p.name == "BYYEARDAY") return unless(read_numbers(p.value, 1, 366, sign::both, out.year_days));
    if (p.name == "BYMONTHDAY") return unless(read_numbers(p.value, 1, 31, sign::both, out.month_days));
    if (p.name == "BYSETPOS") return unless(read_numbers(p.value, 1, 366, sign::both, out.positions));
    if (p.name == "BYDAY") return unless(read_weekdays(p.value, out.weekdays));
    if (p.name == "BYHOUR" || p.name == "BYMINUTE" || p.name == "BYSECOND") return read_time_of_day(p, where);
    if (p.name == "WKST") {
        auto const weekday = weekday_named(p.value);
        out.week_start = weekday.value_or(0);
        return unless(weekday.has_value());
    }
    // RFC 7529: the Gregorian calendar and leaving out what does not exist are what everybody does anyway.
    if (p.name == "RSCALE" && p.value == "GREGORIAN") return {};
    if (p.name == "SKIP" && p.value == "OMIT") return {};
    return bad_recurrence("it holds a part that is not known");
}

// What RFC 5545 forbids together, and what no two programs read alike.
outcome check_combination(rule const& r) {
    using enum rule::every;
    bool const ordinals = std::ranges::any_of(r.weekdays, [](weekday_of const& day) { return day.ordinal != 0; });
    if (r.count && r.until) return bad_recurrence("COUNT and UNTIL exclude each other");
    if (ordinals && r.freq != month && r.freq != year) return bad_recurrence("a numbered weekday needs FREQ=MONTHLY or YEARLY");
    if (ordinals && !r.week_numbers.empty()) return bad_recurrence("a numbered weekday and BYWEEKNO exclude each other");
    if (ordinals && r.freq == year && (!r.year_days.empty() || (!r.month_days.empty() && r.months.empty())))
        return bad_recurrence("a numbered weekday of the year does not go with BYMONTHDAY or BYYEARDAY");
    if (!r.week_numbers.empty() && r.freq != year) return bad_recurrence("BYWEEKNO needs FREQ=YEARLY");
    // Weeks lie across the ends of years: whose year counts is anybody's guess.
    if (!r.week_numbers.empty() && (r.interval > 1 || !r.positions.empty()))
        return bad_recurrence("BYWEEKNO goes neither with INTERVAL nor with BYSETPOS");
    if (!r.year_days.empty() && r.freq != year) return bad_recurrence("BYYEARDAY needs FREQ=YEARLY");
    if (!r.month_days.empty() && r.freq == week) return bad_recurrence("BYMONTHDAY does not go with FREQ=WEEKLY");
    if (!r.week_numbers.empty() + !r.year_days.empty() + !r.month_days.empty() > 1)
        return bad_recurrence("BYWEEKNO, BYYEARDAY and BYMONTHDAY exclude each other");
    if (!r.year_days.empty() && !r.months.empty() && !r.positions.empty())
        return bad_recurrence("BYSETPOS does not go with both BYMONTH and BYYEARDAY");
    if (!r.positions.empty() && r.months.empty() && r.week_numbers.empty() && r.year_days.empty() && r.month_days.empty() &&
        r.weekdays.empty())
        return bad_recurrence("BYSETPOS needs another BY part");
    // The library that expands rules holds this many.
    if (r.month_days.size() > 31 || r.week_numbers.size() > 53 || r.year_days.size() > 366 || r.positions.size() > 366 ||
        r.weekdays.size() > 366)
        return bad_recurrence("a part lists too many values");
    return {};
}

int longest(int month_number) {
    if (month_number == 2) return 29;
    return month_number == 4 || month_number == 6 || month_number == 9 || month_number == 11 ? 30 : 31;
}

// At most so many days one period can hold, as far as can be said without a calendar.
int period_size_max(rule const& r) {
    using enum rule::every;
    if (r.freq == day) return 1;
    if (r.freq == week) return std::max(1, static_cast<int>(r.weekdays.size()));
    int const months = r.freq == month ? 1 : r.months.empty() ? 12 : static_cast<int>(r.months.size());
    int by_weekday = 0;
    bool const in_months = r.freq == month || !r.months.empty();
    for (auto const& one : r.weekdays) by_weekday += one.ordinal != 0 ? (in_months ? months : 1) : (in_months ? 5 * months : 53);
    int const by_day = static_cast<int>(r.month_days.size()) * months;
    int size = r.freq == month ? 31 : 366;
    if (!r.weekdays.empty()) size = std::min(size, by_weekday);
    if (!r.month_days.empty()) size = std::min(size, by_day);
    if (r.weekdays.empty() && r.month_days.empty() && r.year_days.empty() && r.week_numbers.empty()) size = std::min(size, months);
    return size;
}

// A day no calendar has would make every reader search for it until the end of time.
outcome check_possible(rule const& r) {
    using enum rule::every;
    auto const impossible = [] { return bad_recurrence("it asks for a day no calendar has"); };
    if (!r.months.empty() && !r.month_days.empty()) {
        int const longest_month = std::ranges::max(r.months, {}, longest);
        bool const possible =
            std::ranges::any_of(r.month_days, [&](int month_day) { return std::abs(month_day) <= longest(longest_month); });
        if (!possible) return impossible();
    }
    bool const in_months = r.freq == month || !r.months.empty();
    if (in_months && !r.weekdays.empty() && std::ranges::all_of(r.weekdays, [](auto const& one) { return std::abs(one.ordinal) > 5; }))
        return impossible();
    int const size = period_size_max(r);
    if (!r.positions.empty() && std::ranges::all_of(r.positions, [&](int position) { return std::abs(position) > size; }))
        return impossible();
    return {};
}

bool week_start_matters(rule const& r) {
    if (r.freq == rule::every::year) return !r.week_numbers.empty();
    return r.freq == rule::every::week && !r.weekdays.empty() && (r.interval > 1 || !r.positions.empty());
}

std::string list(std::vector<int> const& values) { return fmt::format("{}", fmt::join(values, ",")); }

std::string list(std::vector<weekday_of> const& values) {
    std::string out;
    for (auto const& one : values) {
        if (!out.empty()) out += ',';
        if (one.ordinal != 0) out += fmt::format("{}", one.ordinal);
        out += weekday_names[static_cast<std::size_t>(one.weekday)];
    }
    return out;
}

std::string_view freq_name(rule::every freq) {
    switch (freq) {
    case rule::every::day: return "DAILY";
    case rule::every::week: return "WEEKLY";
    case rule::every::month: return "MONTHLY";
    case rule::every::year: return "YEARLY";
    }
    return "DAILY";
}

std::string write(rule const& r, std::string const& end) {
    std::string out = fmt::format("FREQ={}", freq_name(r.freq));
    if (r.interval != 1) out += fmt::format(";INTERVAL={}", r.interval);
    out += end;
    auto const add = [&out](std::string_view name, auto const& values) {
        if (!values.empty()) out += fmt::format(";{}={}", name, list(values));
    };
    add("BYMONTH", r.months);
    add("BYWEEKNO", r.week_numbers);
    add("BYYEARDAY", r.year_days);
    add("BYMONTHDAY", r.month_days);
    add("BYDAY", r.weekdays);
    add("BYSETPOS", r.positions);
    if (r.week_start != 0) out += fmt::format(";WKST={}", weekday_names[static_cast<std::size_t>(r.week_start)]);
    return out;
}

}  // namespace

refusal bad_recurrence(std::string_view why) {
    return {"bad_recurrence", fmt::format("The recurrence cannot be read: {}. Write it like RRULE:FREQ=WEEKLY;BYDAY=MO.", why)};
}

std::variant<rule, refusal> read_rule(std::string_view text, frame const& where) {
    std::string const value = upper(text);
    rule out;
    std::vector<std::string> seen;
    std::string_view rest = value;
    while (!rest.empty()) {
        auto const piece = rest.substr(0, rest.find(';'));
        rest.remove_prefix(std::min(piece.size() + 1, rest.size()));
        if (piece.empty()) continue;
        auto const equals = piece.find('=');
        if (equals == std::string_view::npos) return bad_recurrence("a part has no value");
        part const p{.name = std::string(piece.substr(0, equals)), .value = piece.substr(equals + 1)};
        if (std::ranges::find(seen, p.name) != seen.end()) return bad_recurrence("a part stands there twice");
        if (auto problem = read_part(p, where, out)) return std::move(*problem);
        seen.push_back(p.name);
    }
    if (std::ranges::find(seen, "FREQ") == seen.end()) return bad_recurrence("FREQ is missing");
    if (auto problem = check_combination(out)) return std::move(*problem);
    if (auto problem = check_possible(out)) return std::move(*problem);
    if (out.freq == rule::every::day) out.positions.clear();
    if (!week_start_matters(out)) out.week_start = 0;
    return out;
}

std::string write_rule(rule const& what, bool all_day) {
    std::string end;
    if (what.count) end = fmt::format(";COUNT={}", *what.count);
    if (what.until)
        end = ";UNTIL=" + (all_day ? compact_date(std::chrono::floor<std::chrono::days>(*what.until)) : compact_utc(*what.until));
    return write(what, end);
}

std::string write_pattern(rule const& what) { return write(what, {}); }

}  // namespace calbridge::domain::recurrence
