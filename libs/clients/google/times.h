#pragma once
// Google's start and end objects. Internal to this folder.

#include "domain/fields.h"

#include "common/base/result.h"
#include "common/json/json.h"

#include <optional>
#include <string>
#include <string_view>

namespace calbridge::google {

// One end of a range: {"date"} or {"dateTime", "timeZone"}.
struct moment {
    bool all_day{};
    std::chrono::sys_days day{};
    instant at{};
    std::string zone;
};

// A dateTime without offset is wall time in its timeZone, else in `calendar_zone` (a gap moves forward, a doubled hour takes the
// first). errc::malformed when nothing can be made of it.
result<moment> read_moment(json::object const& from, std::string_view calendar_zone);
// errc::malformed when one is all-day and the other not, or one cannot be read.
result<domain::time_range> read_range(json::object const& start, json::object const& end, std::string_view calendar_zone);

// RFC 3339 with any offset and fraction.
std::optional<instant> parse_rfc3339(std::string_view text);

enum class write_kind { insert, patch };
// The start (`first`) or end object. For a patch the members of the other kind are nulled, because objects merge.
json::object write_moment(domain::time_range const& range, bool first, write_kind kind);

}  // namespace calbridge::google
