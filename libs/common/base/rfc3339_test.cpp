#include "common/base/rfc3339.h"

#include <gtest/gtest.h>

namespace calbridge {
namespace {

TEST(Rfc3339, SaysUtcWithSixDigitsOfFraction) {
    instant const nine = std::chrono::sys_days{std::chrono::year{2026} / 11 / 20} + std::chrono::hours{9};

    EXPECT_EQ(rfc3339(nine), "2026-11-20T09:00:00.000000Z");
    EXPECT_EQ(rfc3339(nine + std::chrono::microseconds(1)), "2026-11-20T09:00:00.000001Z");
}

TEST(Rfc3339, AFractionBefore1970CountsForward) {
    EXPECT_EQ(rfc3339(instant{} - std::chrono::microseconds(1)), "1969-12-31T23:59:59.999999Z");
}

}  // namespace
}  // namespace calbridge
