#pragma once
// Which starts a series has. libical's rule iterator walks floating wall time; the zone's rules come in when a wall time becomes an
// instant, so an occurrence keeps its wall time across clock changes. Pure.

#include "tests/emulator/core.h"

#include <functional>

namespace calbridge::emulator {

// Rules are followed no further than this, whatever they say.
inline constexpr int last_year_of_a_series = 2200;

struct series {
    instant first;  // all-day: midnight UTC of the date, as everywhere
    std::chrono::microseconds length{};
    bool all_day{false};
    std::string zone;  // of the start; unused when all-day
    std::vector<std::string> lines;
};

series series_of(event const& master, calendar const& cal);

// What is wrong with the lines; empty: nothing.
std::string fault_in(series const& s);

// Original starts in order, the first one included whatever the rules say, EXDATE and EXRULE taken out. Ends when `each` answers false.
void walk(series const& s, std::function<bool(instant)> const& each);
// The original starts whose occurrence ends after `from` and starts before `to`, at most `most` of them.
std::vector<instant> starts_within(series const& s, std::optional<instant> from, std::optional<instant> to, std::size_t most);
bool has_start(series const& s, instant at);

// "{master}_20261125T090000Z" or "{master}_20261125".
std::string instance_id(std::string_view master, instant original, bool all_day);
struct instance_name {
    std::string_view master;
    instant original;
    bool all_day{false};
};
std::optional<instance_name> read_instance_id(std::string_view id);

// The lines of the series without `from` and what follows, as the web UI writes them: UNTIL in UTC one second before (all-day: the day
// before), or COUNT lowered when there is one. Dates after the cut go.
std::vector<std::string> lines_before(series const& s, instant from);
// The lines of what follows: COUNT less what came before, dates before the cut go.
std::vector<std::string> lines_from(series const& s, instant from);
// The lines of `from` when its first start becomes that of `to`: UNTIL and dates move along, weekdays and the day of the month turn with
// the day.
std::vector<std::string> lines_shifted(series const& from, series const& to);

}  // namespace calbridge::emulator
