#pragma once
// Dates and times as people's programs spell them (ISO 8601), before any zone is applied.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace calbridge::domain {

struct spelled {
    std::chrono::sys_days day{};
    bool all_day{true};
    std::chrono::seconds time_of_day{};
    std::optional<std::chrono::seconds> offset;
};

// "2026-11-25", "2026-11-25T10:00", "…:30", "….250", each with "Z", "+01:00", "+0100" or nothing behind; a space may stand for the T.
std::optional<spelled> read_spelled(std::string_view text);

int year_of(std::chrono::sys_days day);
std::string date_text(std::chrono::sys_days day);  // "2026-11-25"

// The spelling of RFC 5545: "20261125", "20261125T100000", "20261125T100000Z" (offset 0). Years 1 to 9998.
std::optional<spelled> read_compact(std::string_view text);
std::string compact_date(std::chrono::sys_days day);       // "20261125"
std::string compact_utc(std::chrono::sys_seconds moment);  // "20261125T090000Z"

}  // namespace calbridge::domain
