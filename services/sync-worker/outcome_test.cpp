#include "outcome.h"

#include <gtest/gtest.h>

namespace calbridge::worker {
namespace {

google::call_error with(errc code, int status = 0) {
    google::call_error e;
    e.code = code;
    e.status = status;
    return e;
}

TEST(Outcome, QuotaAndOutagesConcernTheWholeCalendarWhenListing) {
    EXPECT_EQ(after(with(errc::rate_limited, 403), call_kind::list), next_move::defer_calendar);
    EXPECT_EQ(after(with(errc::unavailable, 503), call_kind::list), next_move::defer_calendar);
    EXPECT_EQ(after(with(errc::timed_out), call_kind::list), next_move::defer_calendar);
}

TEST(Outcome, AWriteWithoutAnAnswerIsReadBackLater) {
    EXPECT_EQ(after(with(errc::timed_out), call_kind::create), next_move::retry_task);
    EXPECT_EQ(after(with(errc::unavailable, 503), call_kind::patch), next_move::retry_task);
    google::call_error garbage = with(errc::malformed, 200);
    garbage.outcome_unknown = true;
    EXPECT_EQ(after(garbage, call_kind::create), next_move::retry_task);
}

TEST(Outcome, AMoveIsReadBackOrRefusedAsAnyWrite) {
    EXPECT_EQ(after(with(errc::unavailable, 503), call_kind::move), next_move::retry_task);
    EXPECT_EQ(after(with(errc::not_found, 404), call_kind::move), next_move::look_first);
    EXPECT_EQ(after(with(errc::forbidden, 403), call_kind::move), next_move::refuse);
    EXPECT_EQ(after(with(errc::malformed, 400), call_kind::move), next_move::refuse);
}

TEST(Outcome, RateLimitsOfAWriteHoldTheCalendar) {
    EXPECT_EQ(after(with(errc::rate_limited, 429), call_kind::create), next_move::defer_calendar);
    EXPECT_EQ(after(with(errc::client_rejected, 401), call_kind::patch), next_move::defer_calendar);
}

TEST(Outcome, AnEventThatIsNotAsWeThoughtIsLookedAtFirst) {
    EXPECT_EQ(after(with(errc::conflict, 412), call_kind::patch), next_move::look_first);
    EXPECT_EQ(after(with(errc::exists, 409), call_kind::create), next_move::look_first);
    EXPECT_EQ(after(with(errc::not_found, 404), call_kind::patch), next_move::look_first);
    EXPECT_EQ(after(with(errc::gone, 410), call_kind::patch), next_move::look_first);
}

TEST(Outcome, RefusalsParkTheTaskAndNotTheCalendar) {
    EXPECT_EQ(after(with(errc::forbidden, 403), call_kind::patch), next_move::refuse);
    EXPECT_EQ(after(with(errc::malformed, 400), call_kind::create), next_move::refuse);
}

TEST(Outcome, AMissingCalendarIsAConnectionProblemNeverADeletion) {
    google::call_error gone = with(errc::not_found, 404);
    gone.calendar_gone = true;
    EXPECT_EQ(after(gone, call_kind::list), next_move::stop_calendar);
    EXPECT_EQ(after(gone, call_kind::patch), next_move::stop_calendar);
    EXPECT_EQ(after(with(errc::grant_revoked), call_kind::create), next_move::stop_calendar);
}

TEST(Outcome, ADeadSyncTokenRestartsTheListing) {
    google::call_error dead = with(errc::gone, 410);
    dead.cursor_dead = true;
    EXPECT_EQ(after(dead, call_kind::list), next_move::restart_listing);
}

TEST(Outcome, AMissingScopeStopsListingAndParksWrites) {
    google::call_error scope = with(errc::forbidden, 403);
    scope.scope_missing = true;
    EXPECT_EQ(after(scope, call_kind::list), next_move::stop_calendar);
    EXPECT_EQ(after(scope, call_kind::create), next_move::refuse);
}

}  // namespace
}  // namespace calbridge::worker
