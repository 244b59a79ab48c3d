#include "calendar_work.h"

#include <gtest/gtest.h>

namespace calbridge::worker {
namespace {

using std::chrono::milliseconds;

TEST(PassBudget, ABurstGoesAtOnceAndTheRestOneASecond) {
    pass_budget budget(3);
    auto const t0 = std::chrono::steady_clock::time_point{} + std::chrono::hours(1);

    EXPECT_EQ(budget.take(t0).count(), 0);
    EXPECT_EQ(budget.take(t0).count(), 0);
    EXPECT_EQ(budget.take(t0).count(), 0);
    milliseconds const wait = budget.take(t0);
    EXPECT_GT(wait.count(), 900);
    EXPECT_LE(wait.count(), 1001);
    EXPECT_EQ(budget.take(t0 + wait).count(), 0);
    EXPECT_GT(budget.take(t0 + wait).count(), 0);
}

TEST(PassBudget, RestRefillsNoMoreThanTheBurst) {
    pass_budget budget(2);
    auto const t0 = std::chrono::steady_clock::time_point{} + std::chrono::hours(1);
    budget.take(t0);
    auto const later = t0 + std::chrono::hours(5);

    EXPECT_EQ(budget.take(later).count(), 0);
    EXPECT_EQ(budget.take(later).count(), 0);
    EXPECT_GT(budget.take(later).count(), 0);
}

}  // namespace
}  // namespace calbridge::worker
