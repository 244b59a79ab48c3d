#pragma once
// RFC 3339 and IANA zones. The date library stays in the .cpp file.

#include "common/base/clock.h"

#include <optional>
#include <string>
#include <string_view>

namespace calbridge::emulator {

bool is_zone(std::string_view name);
// "2026-11-25T10:00:00+01:00" or with Z; fractions allowed. Without an offset: empty.
std::optional<instant> parse_with_offset(std::string_view text);
// The same, but a text without offset is wall time in `zone` (a gap moves forward, a doubled hour takes the first).
std::optional<instant> parse_in_zone(std::string_view text, std::string_view zone);
// "2026-11-25" as midnight UTC; empty when it is no date of the calendar.
std::optional<instant> parse_date(std::string_view text);
// Midnight of that UTC-based date in a zone.
instant midnight_in(instant date, std::string_view zone);

// The wall clock of a zone, as if it were UTC, and back (a gap moves forward, a doubled hour takes the first).
instant wall_of(instant at, std::string_view zone);
instant at_wall(instant wall, std::string_view zone);

std::string format_date(instant date);
// "20261125T090000Z" and "20261125", as instance ids and recurrence lines spell them.
std::string format_basic_utc(instant at);
std::string format_basic_date(instant date);
// Wall time with offset in the zone, seconds precision, "Z" for zero offset in UTC.
std::string format_in_zone(instant at, std::string_view zone);
// "2026-11-20T09:12:03.417Z"
std::string format_utc(instant at);
// "Fri, 27 Nov 2026 09:00:00 GMT"
std::string format_http_date(instant at);
inline std::int64_t unix_us(instant at) { return at.time_since_epoch().count(); }
inline std::int64_t unix_ms(instant at) { return std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count(); }

}  // namespace calbridge::emulator
