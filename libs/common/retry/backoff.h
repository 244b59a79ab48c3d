#pragma once
// Exponential backoff with full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), pure.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace calbridge::retry {

struct policy {
    std::chrono::milliseconds base{2000};
    std::chrono::milliseconds cap{300000};
    std::chrono::milliseconds floor{0};  // never less than this
};

// Wait before attempt number `failures` + 1 (failures >= 1): uniform in [floor, min(cap, base * 2^(failures-1))],
// `random` in [0, 1). A peer's `retry_after` is obeyed as the least wait, clamped to one hour.
std::chrono::milliseconds wait(policy const& p, int failures, double random, std::optional<std::chrono::seconds> retry_after = {});

// Retry-After (RFC 9110 section 10.2.3): delta-seconds or HTTP-date relative to `now_unix`. Garbage, negative: nothing. Clamped to one
// hour.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view value, std::int64_t now_unix);

}  // namespace calbridge::retry
