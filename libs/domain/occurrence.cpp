#include "domain/recurrence.h"

#include "domain/recurrence_series.h"
#include "domain/spelled.h"
#include "domain/zone.h"

namespace calbridge::domain {

using std::chrono::days;

std::string occurrence_key(time_range const& original_start) {
    auto const at = recurrence::point_of(original_start);
    return original_start.all_day ? compact_date(std::chrono::floor<days>(at)) : compact_utc(at);
}

std::optional<time_range> start_of_occurrence(std::string_view key, std::string_view zone) {
    auto const said = read_compact(key);
    if (!said || (!said->all_day && !said->offset)) return {};
    if (said->all_day) return time_range{.all_day = true, .first_day = said->day, .end_day = said->day + days(1)};
    instant const at{said->day + said->time_of_day};
    time_range out{.start = at, .end = at, .zone = std::string(zone)};
    if (occurrence_key(out) != key) return {};
    return out;
}

std::optional<std::string> understand_occurrence(std::string_view said, time_range const& first) {
    if (auto const start = start_of_occurrence(said, first.zone)) {
        if (start->all_day != first.all_day) return {};
        return std::string(said);
    }
    auto const read = read_spelled(said);
    if (!read || read->all_day != first.all_day || year_of(read->day) < 1 || year_of(read->day) > 9998) return {};
    if (read->all_day) return compact_date(read->day);
    auto const wall = read->day + read->time_of_day;
    if (read->offset) return compact_utc(wall - *read->offset);
    auto const zone = zone_clock::named(first.zone);
    if (!zone) return {};
    return compact_utc(zone->moment_of(wall));
}

std::string instance_id(std::string_view master_event_id, std::string_view key) {
    return std::string(master_event_id) + "_" + std::string(key);
}

}  // namespace calbridge::domain
