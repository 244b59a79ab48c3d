#pragma once
// Moments as RFC 3339 says them.

#include "common/base/clock.h"

#include <string>

namespace calbridge {

// "2026-11-20T09:00:00.000001Z": UTC, always six digits of fraction.
std::string rfc3339(instant at);

}  // namespace calbridge
