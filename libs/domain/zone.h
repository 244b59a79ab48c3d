#pragma once
// Time zones as this folder needs them. The system's zone files say what is true up to 2037.

#include <chrono>
#include <optional>
#include <string_view>

namespace date {
class time_zone;
}

namespace calbridge::domain {

// The last year the system's zone files list changes of the clock for.
inline constexpr int zone_year_max = 2037;

bool is_utc(std::string_view zone);
date::time_zone const* find_zone(std::string_view name);  // null: no such zone

// Wall times of one zone as if they were UTC, and back, for every moment: recurring events go on where single ones are refused.
// After 2037 the clocks are taken to change as they do in the last years the zone files know.
class zone_clock {
public:
    static std::optional<zone_clock> named(std::string_view name);
    static zone_clock utc() { return zone_clock(nullptr); }

    std::chrono::sys_seconds wall_at(std::chrono::sys_seconds moment) const;
    // A time the clock skips moves on by the gap, of one it shows twice it is the first.
    std::chrono::sys_seconds moment_of(std::chrono::sys_seconds wall) const;

private:
    explicit zone_clock(date::time_zone const* zone) : zone_(zone) {}
    date::time_zone const* zone_;  // null: UTC
};

}  // namespace calbridge::domain
