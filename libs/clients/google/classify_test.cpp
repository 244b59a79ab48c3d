#include "clients/google/google.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace calbridge::google {
namespace {

constexpr std::int64_t now = 1795600000;

std::string envelope(std::string_view domain, std::string_view reason, std::string_view message = "x") {
    return fmt::format(R"({{"error":{{"errors":[{{"domain":"{}","reason":"{}","message":"{}"}}],"code":0,"message":"{}"}}}})", domain,
                       reason, message, message);
}

struct row {
    char const* name;
    int status;
    std::string body;
    errc code;
    bool scope{}, dead{}, gone{};
    std::optional<int> wait{};
};

class GoogleErrors : public ::testing::TestWithParam<row> {};

TEST_P(GoogleErrors, IsTreatedAsItsReasonSays) {
    row const& r = GetParam();

    call_error const got = classify(r.status, r.body, {}, now);

    EXPECT_EQ(name(got.code), name(r.code));
    EXPECT_EQ(got.scope_missing, r.scope);
    EXPECT_EQ(got.cursor_dead, r.dead);
    EXPECT_EQ(got.calendar_gone, r.gone);
    EXPECT_EQ(got.outcome_unknown, r.status >= 500);
    EXPECT_EQ(got.retry_after.has_value(), r.wait.has_value());
    if (r.wait) EXPECT_EQ(got.retry_after->count(), *r.wait);
    EXPECT_EQ(got.status, r.status);
}

INSTANTIATE_TEST_SUITE_P(
    Table, GoogleErrors,
    ::testing::Values(
        row{"EmptyRange", 400, envelope("calendar", "timeRangeEmpty"), errc::malformed},
        row{"Required", 400, envelope("global", "required"), errc::malformed},
        row{"BadRequest", 400, envelope("global", "badRequest"), errc::malformed},
        row{"InvalidOther", 400, envelope("global", "invalid", "Invalid value."), errc::malformed},
        row{"InvalidSyncToken", 400, envelope("global", "invalid", "Invalid sync token value."), errc::gone, false, true},
        row{"ChannelIdTaken", 400, envelope("global", "channelIdNotUnique"), errc::exists},
        row{"NoPushHere", 400, envelope("calendar", "pushNotSupportedForRequestedResource"), errc::forbidden},
        row{"NotHttps", 400, envelope("global", "push.webhookUrlNotHttps"), errc::malformed},
        row{"AuthError", 401, envelope("global", "authError"), errc::unauthorized},
        row{"LoginRequired", 401,
            R"({"error":{"code":401,"message":"m","errors":[{"message":"Login Required.","domain":"global","reason":"required"}],"status":"UNAUTHENTICATED"}})",
            errc::unauthorized},
        row{"UserRate", 403, envelope("usageLimits", "userRateLimitExceeded"), errc::rate_limited},
        row{"Rate403", 403, envelope("usageLimits", "rateLimitExceeded"), errc::rate_limited},
        row{"Rate429", 429, envelope("usageLimits", "rateLimitExceeded"), errc::rate_limited},
        row{"Rate429Html", 429, "<html>slow down</html>", errc::rate_limited},
        row{"Quota", 403, envelope("usageLimits", "quotaExceeded"), errc::rate_limited, false, false, false, 3600},
        row{"Daily", 403, envelope("usageLimits", "dailyLimitExceeded"), errc::rate_limited, false, false, false, 3600},
        row{"Scope", 403, envelope("global", "insufficientPermissions"), errc::forbidden, true},
        row{"ScopeInDetails", 403,
            R"({"error":{"code":403,"message":"m","errors":[{"reason":"forbidden"}],"status":"PERMISSION_DENIED","details":[{"reason":"ACCESS_TOKEN_SCOPE_INSUFFICIENT"}]}})",
            errc::forbidden, true},
        row{"ScopeOnlyInDetails", 403,
            R"({"error":{"code":403,"status":"PERMISSION_DENIED","details":[{"@type":"x"},{"reason":"ACCESS_TOKEN_SCOPE_INSUFFICIENT"}]}})",
            errc::forbidden, true},
        row{"NonOrganizer", 403, envelope("calendar", "forbiddenForNonOrganizer"), errc::forbidden},
        row{"NonCreator", 403, envelope("calendar", "forbiddenForNonCreator"), errc::forbidden},
        row{"AccessLevel", 403, envelope("calendar", "requiredAccessLevel"), errc::forbidden},
        row{"NoCalendarUser", 403, envelope("calendar", "notACalendarUser"), errc::forbidden, false, false, true},
        row{"AdminDisabled", 403, envelope("global", "domainPolicy"), errc::forbidden, false, false, true},
        row{"ApiOff", 403, envelope("usageLimits", "accessNotConfigured"), errc::client_rejected},
        row{"Html403", 403, "<html>no</html>", errc::forbidden}, row{"NotFound", 404, envelope("global", "notFound"), errc::not_found},
        row{"Duplicate", 409, envelope("global", "duplicate"), errc::exists},
        row{"Conflict", 409, envelope("global", "conflict"), errc::conflict},
        row{"FullSync", 410, envelope("calendar", "fullSyncRequired"), errc::gone, false, true},
        row{"UpdatedMin", 410, envelope("calendar", "updatedMinTooLongAgo"), errc::gone, false, true},
        row{"Deleted", 410, envelope("global", "deleted"), errc::gone},
        row{"Precondition", 412, envelope("global", "conditionNotMet"), errc::conflict}, row{"TooLarge", 413, "", errc::too_large},
        row{"Backend", 500, envelope("global", "backendError"), errc::unavailable},
        row{"Html502", 502, "<!doctype html><title>502</title>", errc::unavailable}, row{"Empty503", 503, "", errc::unavailable},
        row{"Teapot", 418, "{}", errc::malformed}),
    [](auto const& info) { return std::string(info.param.name); });

TEST(GoogleErrorReason, IsTakenFromErrorsThenDetailsThenStatus) {
    EXPECT_EQ(classify(400, R"({"error":{"errors":[{"reason":"a"}],"details":[{"reason":"b"}],"status":"C"}})", {}, now).reason, "a");
    EXPECT_EQ(classify(400, R"({"error":{"errors":[],"details":[{"reason":"b"}],"status":"C"}})", {}, now).reason, "b");
    EXPECT_EQ(classify(400, R"({"error":{"status":"C"}})", {}, now).reason, "C");
    EXPECT_EQ(classify(400, "no json", {}, now).reason, "");
}

TEST(GoogleErrorReason, HoldsNothingAStrangerCouldSmuggleIntoALog) {
    call_error const got = classify(400, R"({"error":{"errors":[{"reason":"a\n{\"level\":\"fake\"} <b>"}]}})", {}, now);

    EXPECT_EQ(got.reason, "alevelfakeb");
    EXPECT_LE(classify(400, envelope("x", std::string(5000, 'r')), {}, now).reason.size(), 80u);
}

TEST(RetryAfter, IsObeyedOnAnyAnswer) {
    EXPECT_EQ(classify(503, "", "120", now).retry_after, std::chrono::seconds{120});
    EXPECT_EQ(classify(403, envelope("usageLimits", "quotaExceeded"), "7", now).retry_after, std::chrono::seconds{7});
    EXPECT_EQ(classify(503, "", "nonsense", now).retry_after, std::nullopt);
}

TEST(Redirect, IsNeverFollowedAndCountsAsAnAnswerFromSomebodyElse) {
    call_error const got = classify(302, "", {}, now);

    EXPECT_EQ(got.code, errc::unavailable);
    EXPECT_EQ(got.reason, "redirect");
}

}  // namespace
}  // namespace calbridge::google
