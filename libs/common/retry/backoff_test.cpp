#include "common/retry/backoff.h"

#include <gtest/gtest.h>

#include <limits>

namespace calbridge::retry {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double almost_one = 0.999999999999;
constexpr std::int64_t now_unix = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT

TEST(Backoff, RandomZeroGivesTheFloor) {
    policy const p{.base = milliseconds(2000), .cap = milliseconds(300000), .floor = milliseconds(150)};

    for (int failures : {1, 2, 5, 50}) EXPECT_EQ(wait(p, failures, 0.0), milliseconds(150));
}

TEST(Backoff, RandomNearlyOneDoublesUpToTheCap) {
    policy const p{};

    milliseconds const expected[] = {milliseconds(2000), milliseconds(4000), milliseconds(8000), milliseconds(16000)};
    for (int i = 0; i < 4; ++i) {
        milliseconds const got = wait(p, i + 1, almost_one);
        EXPECT_LE(got, expected[i]);
        EXPECT_GE(got, expected[i] - milliseconds(1));
    }
    for (int failures : {9, 10, 63, 64, 65, 1000, std::numeric_limits<int>::max()}) {
        milliseconds const got = wait(p, failures, almost_one);
        EXPECT_LE(got, p.cap) << failures;
        EXPECT_GE(got, p.cap - milliseconds(1)) << failures;
    }
}

TEST(Backoff, HalfWayIsHalfTheCeiling) { EXPECT_EQ(wait(policy{}, 3, 0.5), milliseconds(4000)); }

TEST(Backoff, FailuresBelowOneCountAsOne) {
    EXPECT_EQ(wait(policy{}, 0, 0.5), milliseconds(1000));
    EXPECT_EQ(wait(policy{}, -7, 0.5), milliseconds(1000));
}

TEST(Backoff, FloorAboveTheCeilingWins) {
    policy const p{.base = milliseconds(10), .cap = milliseconds(20), .floor = milliseconds(500)};

    EXPECT_EQ(wait(p, 1, 0.0), milliseconds(500));
    EXPECT_EQ(wait(p, 9, almost_one), milliseconds(500));
}

TEST(Backoff, ZeroBaseNeverLoopsOrGrows) {
    policy const p{.base = milliseconds(0), .cap = milliseconds(1000)};

    EXPECT_EQ(wait(p, std::numeric_limits<int>::max(), almost_one), milliseconds(0));
}

TEST(Backoff, RandomOutsideItsRangeIsClamped) {
    EXPECT_EQ(wait(policy{}, 1, -3.0), milliseconds(0));
    EXPECT_EQ(wait(policy{}, 1, 7.0), milliseconds(2000));
}

TEST(Backoff, RetryAfterIsTheLeastWait) {
    EXPECT_EQ(wait(policy{}, 1, 0.0, seconds(30)), milliseconds(30000));
    EXPECT_GT(wait(policy{}, 8, almost_one, seconds(30)), milliseconds(30000));
}

TEST(Backoff, RetryAfterIsClampedToAnHour) {
    EXPECT_EQ(wait(policy{}, 1, 0.0, seconds(999999)), seconds(3600));
    EXPECT_EQ(wait(policy{}, 1, 0.0, seconds(-5)), milliseconds(0));
}

TEST(RetryAfter, DeltaSeconds) {
    EXPECT_EQ(parse_retry_after("0", now_unix), seconds(0));
    EXPECT_EQ(parse_retry_after("120", now_unix), seconds(120));
    EXPECT_EQ(parse_retry_after("  7\t", now_unix), seconds(7));
}

TEST(RetryAfter, HugeIsOneHour) {
    EXPECT_EQ(parse_retry_after("3601", now_unix), seconds(3600));
    EXPECT_EQ(parse_retry_after("99999999999999999999999999", now_unix), seconds(3600));
    EXPECT_EQ(parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", now_unix), seconds(3600));
}

TEST(RetryAfter, AllThreeDateForms) {
    EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:50:37 GMT", now_unix), seconds(60));
    EXPECT_EQ(parse_retry_after("Sunday, 06-Nov-94 08:50:37 GMT", now_unix), seconds(60));
    EXPECT_EQ(parse_retry_after("Sun Nov  6 08:50:37 1994", now_unix), seconds(60));
    EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now_unix), seconds(0));
}

TEST(RetryAfter, TwoDigitYearsTurnAtFiftyYearsAhead) {
    std::int64_t const in_2026 = 1795219200;  // Sat, 21 Nov 2026 00:00:00 GMT

    EXPECT_EQ(parse_retry_after("Saturday, 21-Nov-26 00:00:05 GMT", in_2026), seconds(5));
    EXPECT_EQ(parse_retry_after("Sunday, 06-Nov-94 08:50:37 GMT", in_2026), std::nullopt);
}

TEST(RetryAfter, PastDatesAndNegativesAreNothing) {
    EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:36 GMT", now_unix), std::nullopt);
    EXPECT_EQ(parse_retry_after("-1", now_unix), std::nullopt);
    EXPECT_EQ(parse_retry_after("-99999999999999999999", now_unix), std::nullopt);
}

TEST(RetryAfter, GarbageIsNothing) {
    for (char const* text : {"",
                             " ",
                             "soon",
                             "1.5",
                             "+3",
                             "1 2",
                             "0x10",
                             "12s",
                             "Sun, 31 Feb 2030 00:00:00 GMT",
                             "Sun, 06 Nov 2030 24:00:00 GMT",
                             "Sun, 06 Nov 2030 08:60:00 GMT",
                             "Sun, 06 Foo 2030 08:49:37 GMT",
                             "Sun, 06 Nov 2030 08:49:37 CET",
                             "Sun, 06 Nov 20300 08:49:37 GMT",
                             "Sun, 06 Nov 2030 08-49-37 GMT",
                             "GMT",
                             ", , , , , GMT",
                             "Sun, -6 Nov 2030 08:49:37 GMT",
                             "Sunday, 06-Nov-2094 08:49:37 GMT",
                             "a b c d e f g h"}) {
        EXPECT_EQ(parse_retry_after(text, now_unix), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace calbridge::retry
