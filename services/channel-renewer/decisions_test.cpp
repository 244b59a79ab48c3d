#include "decisions.h"

#include <gtest/gtest.h>

#include <array>

namespace calbridge::renewer {
namespace {

using namespace std::chrono_literals;

constexpr instant opened{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20} + 9h};

google::call_error failure(errc code, std::string reason = {}) {
    google::call_error e;
    e.code = code;
    e.reason = std::move(reason);
    return e;
}

TEST(RenewalTime, IsDaySixWithUpToFourHoursOfJitter) {
    instant const expires = opened + 168h;

    EXPECT_EQ(renewal_time(opened, expires, 24h, 0.0), opened + 144h);
    EXPECT_EQ(renewal_time(opened, expires, 24h, 0.5), opened + 146h);
    EXPECT_LT(renewal_time(opened, expires, 24h, 0.999999), opened + 148h);
}

TEST(RenewalTime, KeepsProportionInShortLives) {
    EXPECT_EQ(renewal_time(opened, opened + 60s, 12s, 0.0), opened + 48s);
    EXPECT_EQ(renewal_time(opened, opened + 60s, 12s, 0.5), opened + 49s);
}

TEST(RenewalTime, NeverComesBeforeHalfOfWhatGoogleGranted) {
    EXPECT_EQ(renewal_time(opened, opened + 2h, 24h, 0.0), opened + 1h);
    EXPECT_EQ(renewal_time(opened, opened - 1h, 24h, 0.9), opened - 1h) << "an expiry in the past is due at once";
}

TEST(WatchFailure, ARefusedCalendarIsAskedAgainRarely) {
    auto const f = judge_watch_failure(failure(errc::forbidden, "pushNotSupportedForRequestedResource"), 0, {}, 0.5);

    EXPECT_TRUE(f.permanent);
    EXPECT_FALSE(f.outcome_unknown);
    EXPECT_EQ(f.retry_in, 168h);
    EXPECT_EQ(f.why, "pushNotSupportedForRequestedResource");
}

TEST(WatchFailure, AnUnknownOutcomeKeepsTheChannelInMind) {
    auto unknown = failure(errc::unavailable);
    unknown.outcome_unknown = true;

    EXPECT_TRUE(judge_watch_failure(unknown, 0, {}, 0.5).outcome_unknown);
    EXPECT_TRUE(judge_watch_failure(failure(errc::timed_out), 0, {}, 0.5).outcome_unknown);
    EXPECT_TRUE(judge_watch_failure(failure(errc::malformed, "channelIdNotUnique"), 0, {}, 0.5).outcome_unknown);
    EXPECT_FALSE(judge_watch_failure(failure(errc::unavailable), 0, {}, 0.5).outcome_unknown);
}

TEST(WatchFailure, WaitsGrowAreCappedAndObeyGoogle) {
    auto const error = failure(errc::unavailable);

    EXPECT_LE(judge_watch_failure(error, 0, {}, 0.999).retry_in, 5s);
    EXPECT_GT(judge_watch_failure(error, 3, {}, 0.999).retry_in, 35s);
    EXPECT_LE(judge_watch_failure(error, 30, {}, 0.999).retry_in, 10min);
    auto limited = failure(errc::rate_limited, "rateLimitExceeded");
    limited.retry_after = 120s;
    EXPECT_GE(judge_watch_failure(limited, 0, {}, 0.0).retry_in, 120s);
}

TEST(WatchFailure, AReplacementHasTimeUntilTheOldChannelsEndIsNear) {
    auto const error = failure(errc::unavailable);

    EXPECT_GT(judge_watch_failure(error, 30, 24h, 0.999).retry_in, 50min);
    EXPECT_LE(judge_watch_failure(error, 30, 24h, 0.999).retry_in, 60min);
    EXPECT_LE(judge_watch_failure(error, 30, 11h, 0.999).retry_in, 10min);
}

TEST(WatchFailure, WithoutATokenNothingWasSent) {
    auto const f = judge_missing_token(fail(errc::unavailable, "somewhere"), 1, {}, 0.5);

    EXPECT_FALSE(f.permanent);
    EXPECT_FALSE(f.outcome_unknown);
    EXPECT_EQ(f.why, "no access token: unavailable");
    EXPECT_GE(f.retry_in, 1s);
}

TEST(WatchFailure, AMissingScopeIsPermanentUntilMoreIsAllowed) {
    auto error = failure(errc::forbidden, "insufficientPermissions");
    error.scope_missing = true;

    auto const f = judge_watch_failure(error, 0, {}, 0.5);

    EXPECT_TRUE(f.permanent && f.scope_missing);
    EXPECT_EQ(f.retry_in, 168h);
}

TEST(Discovery, IsTriedMoreAndMoreRarely) {
    EXPECT_GE(discovery_wait(1, 0.0), 30s);
    EXPECT_LE(discovery_wait(1, 0.999), 60s);
    EXPECT_GT(discovery_wait(6, 0.999), 30min);
    EXPECT_LE(discovery_wait(60, 0.999), 6h);
}

TEST(Misses, AreToldOfAfterThreeReplacementsInVainAndOverWithADelivery) {
    EXPECT_EQ(judge_misses(1, 2), verdict::nothing);
    EXPECT_EQ(judge_misses(5, 6), verdict::silent);
    EXPECT_EQ(judge_misses(6, 7), verdict::silent);
    EXPECT_EQ(judge_misses(7, 7), verdict::nothing);
    EXPECT_EQ(judge_misses(7, 0), verdict::heard);
    EXPECT_EQ(judge_misses(5, 0), verdict::nothing);
}

TEST(StopFailure, OnlyWhatMayPassIsTriedAgain) {
    for (errc const passing : {errc::timed_out, errc::unavailable, errc::rate_limited, errc::conflict, errc::unauthorized,
                               errc::client_rejected, errc::shutting_down, errc::internal}) {
        EXPECT_FALSE(is_stop_final(failure(passing))) << name(passing);
    }
    for (errc const final :
         {errc::not_found, errc::gone, errc::exists, errc::forbidden, errc::grant_revoked, errc::malformed, errc::too_large}) {
        EXPECT_TRUE(is_stop_final(failure(final))) << name(final);
    }
}

}  // namespace
}  // namespace calbridge::renewer
