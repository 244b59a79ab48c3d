#pragma once
// One RRULE or EXRULE, read strictly and written in its one spelling. Inside this folder only; recurrence.h is what others use.

#include "domain/render.h"
#include "domain/zone.h"

#include <chrono>
#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace calbridge::domain::recurrence {

// Where a series lies: a point is the UTC start of a timed occurrence, or midnight of the day of an all-day one as if it were UTC.
using point = std::chrono::sys_seconds;

struct frame {
    bool all_day{};
    zone_clock zone{zone_clock::utc()};  // UTC for all-day series
    std::string zone_name;
    point first;
    point first_wall;
    std::chrono::seconds duration{};
};

struct weekday_of {
    int weekday{};  // 0 is Monday
    int ordinal{};  // 0: each; 2: the second; -1: the last of the month or year
    auto operator<=>(weekday_of const&) const = default;
};

struct rule {
    enum class every { day, week, month, year };
    every freq{every::day};
    int interval{1};
    std::optional<int> count;
    std::optional<point> until;  // inclusive
    std::vector<int> months, week_numbers, year_days, month_days, positions;
    std::vector<weekday_of> weekdays;
    int week_start{0};
    bool operator==(rule const&) const = default;
};

// `text` behind the colon. The result is canonical: sorted, without repeats, without what changes nothing.
std::variant<rule, refusal> read_rule(std::string_view text, frame const& where);

std::string write_rule(rule const& what, bool all_day);
// The same without COUNT and UNTIL, which a library could not judge across zones.
std::string write_pattern(rule const& what);

refusal bad_recurrence(std::string_view why);

}  // namespace calbridge::domain::recurrence
