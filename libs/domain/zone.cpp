#include "domain/zone.h"

#include <date/tz.h>

namespace calbridge::domain {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year_month_day;

// Whole weeks to go back from `at` to the same weekday and date in a year the zone files cover. Every date falls on every weekday within
// eleven years, so none older than that is asked.
days back_into_known_years(sys_seconds at) {
    auto const day = std::chrono::floor<days>(at);
    year_month_day const ymd{day};
    if (static_cast<int>(ymd.year()) <= zone_year_max) return days(0);
    bool const leap_day = ymd.month() == std::chrono::February && ymd.day() == std::chrono::day(29);
    sys_days const anchor = leap_day ? day + days(1) : day;
    year_month_day const anchor_date{anchor};
    for (int year = zone_year_max; year > zone_year_max - 12; --year) {
        sys_days const candidate = std::chrono::year(year) / anchor_date.month() / anchor_date.day();
        if (std::chrono::weekday(candidate) == std::chrono::weekday(anchor)) return anchor - candidate;
    }
    return days(0);
}

}  // namespace

bool is_utc(std::string_view zone) { return zone == "UTC" || zone == "Etc/UTC" || zone == "GMT" || zone == "Etc/GMT"; }

date::time_zone const* find_zone(std::string_view name) {
    try {
        return date::locate_zone(name);
    } catch (std::runtime_error const&) {
        return nullptr;
    }
}

std::optional<zone_clock> zone_clock::named(std::string_view name) {
    if (is_utc(name)) return utc();
    auto const* const found = name.empty() ? nullptr : find_zone(name);
    if (!found) return {};
    return zone_clock(found);
}

sys_seconds zone_clock::wall_at(sys_seconds moment) const {
    if (!zone_) return moment;
    auto const known = moment - back_into_known_years(moment);
    return moment + zone_->get_info(date::sys_seconds{known.time_since_epoch()}).offset;
}

sys_seconds zone_clock::moment_of(sys_seconds wall) const {
    if (!zone_) return wall;
    auto const known = wall - back_into_known_years(wall);
    // For a skipped time `first` is the offset before the gap, for a doubled one that of its first showing.
    return wall - zone_->get_info(date::local_seconds{known.time_since_epoch()}).first.offset;
}

}  // namespace calbridge::domain
