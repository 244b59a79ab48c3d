#include "common/base/rfc3339.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace calbridge {

std::string rfc3339(instant at) {
    auto const seconds = std::chrono::floor<std::chrono::seconds>(at);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(seconds.time_since_epoch().count()), (at - seconds).count());
}

}  // namespace calbridge
