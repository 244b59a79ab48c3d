#pragma once
// RFC 5545 recurrences read naively, day by day, without libical and without our zone code (the C library's zones, whose knowledge does not
// end in 2037). For this folder's property tests only.

#include "domain/recurrence.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace calbridge::domain::brute_force {

enum class freq { daily, weekly, monthly, yearly };
struct day_rule {
    freq every{};
    int interval{1};
    std::optional<int> count;
    std::optional<std::time_t> until;  // timed: a moment; all-day: midnight UTC of the last day
    std::vector<int> months, week_numbers, year_days, month_days, positions;
    std::vector<std::pair<int, int>> weekdays;  // ordinal (0: each), weekday (0 is Monday)
    int week_start{0};
};

struct day_series {
    bool all_day{};
    std::string zone{"UTC"};
    std::time_t first{};  // timed: the moment; all-day: midnight UTC
    std::vector<day_rule> rules, except_rules;
    std::vector<std::time_t> dates, except_dates;
};

// Dates as the C library counts them.
struct civil {
    int year, month, day, weekday, year_day;
    int month_length, year_length;
};
inline long day_of(int year, int month, int day) {
    std::tm in{};
    in.tm_year = year - 1900;
    in.tm_mon = month - 1;
    in.tm_mday = day;
    return timegm(&in) / 86'400;
}
inline civil ask_civil(long day) {
    std::time_t const at = day * 86'400;
    std::tm out{};
    gmtime_r(&at, &out);
    int const year = out.tm_year + 1900;
    int const month = out.tm_mon + 1;
    auto const month_end = month == 12 ? day_of(year + 1, 1, 1) : day_of(year, month + 1, 1);
    return {.year = year,
            .month = month,
            .day = out.tm_mday,
            .weekday = (out.tm_wday + 6) % 7,
            .year_day = out.tm_yday + 1,
            .month_length = static_cast<int>(month_end - day_of(year, month, 1)),
            .year_length = static_cast<int>(day_of(year + 1, 1, 1) - day_of(year, 1, 1))};
}
// Days since 1970; asked once each, for they are asked for very often.
inline civil civil_of(long day) {
    constexpr long begin = 10'000;
    static std::vector<civil> const known = [] {
        std::vector<civil> out;
        for (long d = begin; d < 55'000; ++d) out.push_back(ask_civil(d));
        return out;
    }();
    bool const is_known = day >= begin && day < begin + static_cast<long>(known.size());
    return is_known ? known[static_cast<std::size_t>(day - begin)] : ask_civil(day);
}

// The C library knows one zone at a time.
class c_zone {
public:
    explicit c_zone(std::string const& name) {
        static std::string current;
        if (current == name) return;
        setenv("TZ", (":" + name).c_str(), 1);
        tzset();
        current = name;
    }
    static std::time_t wall_of(std::time_t moment) { return moment + offset_at(moment); }
    // The first moment that shows this wall time; of a skipped one what the offset before the gap makes of it.
    static std::time_t moment_of(std::time_t wall) {
        constexpr std::time_t far = 26 * 3600;
        std::optional<std::time_t> found;
        for (auto const near : {wall - far, wall - far / 2, wall, wall + far / 2, wall + far}) {
            auto const at = wall - offset_at(near);
            if (wall_of(at) == wall && (!found || at < *found)) found = at;
        }
        return found.value_or(wall - offset_at(wall - far));
    }

private:
    static long offset_at(std::time_t moment) {
        std::tm out{};
        localtime_r(&moment, &out);
        return out.tm_gmtoff;
    }
};

inline bool listed(std::vector<int> const& values, int value) { return std::ranges::find(values, value) != values.end(); }

// The week's number in its own year, and how many weeks that year has.
inline std::pair<int, int> week_number(long day, int week_start) {
    auto const first_week = [&](int year) {
        long const fourth = day_of(year, 1, 4);
        return fourth - (civil_of(fourth).weekday - week_start + 7) % 7;
    };
    int year = civil_of(day).year;
    if (day >= first_week(year + 1)) ++year;
    if (day < first_week(year)) --year;
    return {static_cast<int>((day - first_week(year)) / 7) + 1, static_cast<int>((first_week(year + 1) - first_week(year)) / 7)};
}

inline bool weekday_fits(day_rule const& r, civil const& c) {
    bool const in_month = r.every == freq::monthly || !r.months.empty();
    int const length = in_month ? c.month_length : c.year_length;
    int const place = in_month ? c.day : c.year_day;
    return std::ranges::any_of(r.weekdays, [&](auto const& one) {
        auto const [ordinal, weekday] = one;
        if (weekday != c.weekday) return false;
        return ordinal == 0 || ordinal == (place - 1) / 7 + 1 || ordinal == -((length - place) / 7 + 1);
    });
}

inline bool fits(day_rule const& r, long day, civil const& first) {
    civil const c = civil_of(day);
    if (!r.months.empty() && !listed(r.months, c.month)) return false;
    if (!r.month_days.empty() && !listed(r.month_days, c.day) && !listed(r.month_days, c.day - c.month_length - 1)) return false;
    if (!r.year_days.empty() && !listed(r.year_days, c.year_day) && !listed(r.year_days, c.year_day - c.year_length - 1)) return false;
    if (!r.week_numbers.empty()) {
        auto const [number, weeks] = week_number(day, r.week_start);
        if (!listed(r.week_numbers, number) && !listed(r.week_numbers, number - weeks - 1)) return false;
    }
    if (!r.weekdays.empty()) return weekday_fits(r, c);
    bool const days_said = !r.month_days.empty() || !r.year_days.empty();
    switch (r.every) {
    case freq::daily: return true;
    case freq::weekly: return c.weekday == first.weekday;
    case freq::monthly: return days_said || c.day == first.day;
    case freq::yearly:
        if (days_said) return true;
        if (!r.week_numbers.empty()) return c.weekday == first.weekday;
        return c.day == first.day && (!r.months.empty() || c.month == first.month);
    }
    return false;
}

// First day and day after the last of the `index`th period from the one `first` lies in.
inline std::pair<long, long> period(day_rule const& r, long first, long index) {
    civil const c = civil_of(first);
    long const step = index * r.interval;
    switch (r.every) {
    case freq::daily: return {first + step, first + step + 1};
    case freq::weekly: {
        long const week = first - (c.weekday - r.week_start + 7) % 7 + 7 * step;
        return {week, week + 7};
    }
    case freq::monthly: {
        long const month = c.year * 12L + c.month - 1 + step;
        auto const start = [](long m) { return day_of(static_cast<int>(m / 12), static_cast<int>(m % 12) + 1, 1); };
        return {start(month), start(month + 1)};
    }
    case freq::yearly: {
        int const year = c.year + static_cast<int>(step);
        return {day_of(year, 1, 1), day_of(year + 1, 1, 1)};
    }
    }
    return {0, 0};
}

// Moments of one rule up to `horizon`. The first occurrence counts as an instance of an RRULE always, of an EXRULE when it fits.
inline std::vector<std::time_t> instances(day_series const& s, day_rule const& r, std::time_t horizon, bool including) {
    c_zone const zone(s.all_day ? "UTC" : s.zone);
    std::time_t const first_wall = c_zone::wall_of(s.first);
    long const first_day = first_wall >= 0 ? first_wall / 86'400 : (first_wall + 1) / 86'400 - 1;
    std::time_t const time_of_day = first_wall - first_day * 86'400;
    civil const first = civil_of(first_day);
    std::vector<std::time_t> out;
    int left = r.count ? *r.count - (including ? 1 : 0) : 1'000'000'000;
    for (long index = 0; left > 0; ++index) {
        auto const [begin, end] = period(r, first_day, index);
        if (begin * 86'400 > horizon + 3 * 86'400) break;
        std::vector<long> days;
        for (long day = begin; day < end; ++day) {
            if (fits(r, day, first)) days.push_back(day);
        }
        int const size = static_cast<int>(days.size());
        for (int i = 0; i < size && left > 0; ++i) {
            if (!r.positions.empty() && !listed(r.positions, i + 1) && !listed(r.positions, i - size)) continue;
            long const day = days[static_cast<std::size_t>(i)];
            if (day < first_day || (day == first_day && including)) continue;
            std::time_t const at = day == first_day ? s.first : c_zone::moment_of(day * 86'400 + time_of_day);
            if ((r.until && at > *r.until) || at > horizon) return out;
            --left;
            out.push_back(at);
        }
    }
    return out;
}

// Starts of all occurrences before `horizon`.
inline std::set<std::time_t> occurrences(day_series const& s, std::time_t horizon) {
    std::set<std::time_t> out{s.first};
    for (auto const& r : s.rules) {
        auto const made = instances(s, r, horizon, true);
        out.insert(made.begin(), made.end());
    }
    for (auto const at : s.dates) {
        if (at < horizon) out.insert(at);
    }
    for (auto const& r : s.except_rules) {
        for (auto const at : instances(s, r, horizon, false)) out.erase(at);
    }
    for (auto const at : s.except_dates) out.erase(at);
    std::erase_if(out, [&](std::time_t at) { return at >= horizon; });
    return out;
}

}  // namespace calbridge::domain::brute_force
