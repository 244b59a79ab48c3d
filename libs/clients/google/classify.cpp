#include "clients/google/google.h"

#include "common/json/json.h"
#include "common/retry/backoff.h"

#include <boost/throw_exception.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace calbridge::google {

namespace {

constexpr std::size_t error_bytes_max = 1 << 20;
constexpr std::size_t reason_bytes_max = 80;
// Anti-abuse and daily limits last for hours; an hour is the longest wait we obey before asking again.
constexpr std::chrono::seconds long_cooldown{3600};

struct envelope {
    std::string reason, domain, message, location, detail_reason;
};

// Reasons end up in logs and metrics: short, and without anything a stranger could smuggle in.
std::string tame(std::string_view reason) {
    std::string out(reason.substr(0, reason_bytes_max));
    std::erase_if(out, [](char c) {
        return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-');
    });
    return out;
}

std::string detail_reason(json::object const& error) {
    json::array const* const details = json::array_at(error, "details");
    if (!details) return {};
    for (auto const& one : *details) {
        if (!one.is_object()) continue;
        if (auto const reason = json::text_or(one.get_object(), "reason"); !reason.empty()) return tame(reason);
    }
    return {};
}

// Google's Calendar API and its front end agree on {"error": {"errors": [{"reason"}], "status", "details"}}.
envelope open_envelope(std::string_view body) {
    envelope out;
    auto const document = json::parse(body, "error answer", {.bytes_max = error_bytes_max, .depth_max = 32}, true);
    if (!document || !document->is_object()) return out;
    json::object const* const error = json::object_at(document->get_object(), "error");
    if (!error) {
        out.reason = tame(json::text_or(document->get_object(), "error"));  // OAuth's {"error": "…"}
        return out;
    }
    out.message = json::text_or(*error, "message");
    out.detail_reason = detail_reason(*error);
    json::array const* const errors = json::array_at(*error, "errors");
    if (errors && !errors->empty() && errors->front().is_object()) {
        auto const& first = errors->front().get_object();
        out.reason = tame(json::text_or(first, "reason"));
        out.domain = tame(json::text_or(first, "domain"));
        out.location = json::text_or(first, "location");
    }
    if (out.reason.empty()) out.reason = out.detail_reason;
    if (out.reason.empty()) out.reason = tame(json::text_or(*error, "status"));
    return out;
}

template <std::size_t N>
bool one_of(std::string_view reason, std::array<std::string_view, N> const& among) {
    return std::ranges::find(among, reason) != among.end();
}

void classify_400(envelope const& from, call_error& out) {
    // Some dead tokens answer 400 instead of 410; the message is the only place that says so.
    if (from.reason == "invalid" && (from.location == "syncToken" || from.message.starts_with("Invalid sync token value"))) {
        out.code = errc::gone;
        out.cursor_dead = true;
    } else if (from.reason == "channelIdNotUnique") {
        out.code = errc::exists;
    } else if (from.reason == "pushNotSupportedForRequestedResource") {
        out.code = errc::forbidden;
    } else {
        out.code = errc::malformed;
    }
}

void classify_403(envelope const& from, call_error& out) {
    static constexpr std::array<std::string_view, 3> soon{"userRateLimitExceeded", "rateLimitExceeded", "RATE_LIMIT_EXCEEDED"};
    static constexpr std::array<std::string_view, 3> later{"quotaExceeded", "dailyLimitExceeded", "dailyLimitExceededUnreg"};
    static constexpr std::array<std::string_view, 3> scope{"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
                                                           "insufficientScopes"};
    static constexpr std::array<std::string_view, 2> ours{"accessNotConfigured", "SERVICE_DISABLED"};
    static constexpr std::array<std::string_view, 2> account{"notACalendarUser", "domainPolicy"};
    if (one_of(from.reason, soon)) {
        out.code = errc::rate_limited;
    } else if (one_of(from.reason, later)) {
        out.code = errc::rate_limited;
        if (!out.retry_after) out.retry_after = long_cooldown;
    } else if (one_of(from.reason, scope) || one_of(from.detail_reason, scope)) {
        out.code = errc::forbidden;
        out.scope_missing = true;
    } else if (one_of(from.reason, ours)) {
        out.code = errc::client_rejected;  // The API is switched off in our project: no user is touched.
    } else {
        out.code = errc::forbidden;
        out.calendar_gone = one_of(from.reason, account);
    }
}

void classify_410(envelope const& from, call_error& out) {
    out.code = errc::gone;
    out.cursor_dead = from.reason != "deleted";
}

}  // namespace

void throw_exception_from_error(call_error const& e, boost::source_location const& where) {
    boost::throw_exception(std::logic_error("value() of a failed call: " + std::string(calbridge::name(e.code)) + ": " + e.context), where);
}

call_error classify(int status, std::string_view body, std::optional<std::string_view> retry_after, std::int64_t now_unix) {
    envelope const from = open_envelope(body);
    call_error out{.status = status,
                   .reason = from.reason,
                   .context = fmt::format("HTTP {} {}", status, from.reason.empty() ? "without a reason" : from.reason)};
    if (retry_after) out.retry_after = retry::parse_retry_after(*retry_after, now_unix);
    switch (status) {
    case 400: classify_400(from, out); return out;
    case 401: out.code = errc::unauthorized; return out;
    case 403: classify_403(from, out); return out;
    case 404: out.code = errc::not_found; return out;
    case 408:
        out.code = errc::timed_out;
        out.outcome_unknown = true;
        return out;
    case 409: out.code = from.reason == "duplicate" ? errc::exists : errc::conflict; return out;
    case 410: classify_410(from, out); return out;
    case 412: out.code = errc::conflict; return out;
    case 413: out.code = errc::too_large; return out;
    case 429: out.code = errc::rate_limited; return out;
    default: break;
    }
    if (status >= 500) {
        out.code = errc::unavailable;
        out.outcome_unknown = true;
    } else if (status >= 400) {
        out.code = errc::malformed;
    } else {
        // Redirects are never followed: something between us and Google answered.
        out.code = errc::unavailable;
        out.reason = "redirect";
        out.outcome_unknown = true;
    }
    return out;
}

}  // namespace calbridge::google
