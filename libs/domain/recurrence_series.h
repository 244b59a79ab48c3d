#pragma once
// A whole series in pieces. Inside this folder only; recurrence.h is what others use.

#include "domain/recurrence_rule.h"

#include <string>
#include <variant>
#include <vector>

namespace calbridge::domain::recurrence {

struct series {
    frame where;
    std::vector<rule> rules, except_rules;
    std::vector<point> dates, except_dates;  // sorted, without repeats, after the first occurrence (an exception may be the first)
    bool repeats() const { return !rules.empty() || !dates.empty(); }
};

std::variant<series, refusal> read_series(std::vector<std::string> const& lines, time_range const& first);
std::vector<std::string> write_series(series const& what);

time_range occurrence_at(frame const& where, point start);
point point_of(time_range const& range);

}  // namespace calbridge::domain::recurrence
