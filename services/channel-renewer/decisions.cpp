#include "decisions.h"

#include "common/retry/backoff.h"

#include <algorithm>

namespace calbridge::renewer {

using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds refused_wait = 168h;

// While the old channel still delivers there is time; as its end nears, tries come closer (at most every ten minutes, as without one).
std::chrono::milliseconds wait_after(int failures_before, std::optional<std::chrono::milliseconds> old_left, double random,
                                     std::optional<std::chrono::seconds> retry_after) {
    bool const urgent = !old_left || *old_left < 12h;
    retry::policy const p{.base = 5s, .cap = urgent ? 10min : 60min, .floor = 1s};
    return retry::wait(p, failures_before + 1, random, retry_after);
}

}  // namespace

instant renewal_time(instant now, instant expires_at, std::chrono::milliseconds before, double random) {
    auto const life = std::max(std::chrono::duration_cast<std::chrono::milliseconds>(expires_at - now), 0ms);
    auto const margin = std::min(before, life / 2);
    auto const jitter = std::chrono::milliseconds(static_cast<std::int64_t>(static_cast<double>(margin.count()) / 6.0 * random));
    return expires_at - margin + jitter;
}

watch_failure judge_watch_failure(google::call_error const& error, int failures_before, std::optional<std::chrono::milliseconds> old_left,
                                  double random) {
    watch_failure f;
    f.why = error.reason.empty() ? std::string(name(error.code)) : error.reason;
    if (error.reason == "pushNotSupportedForRequestedResource" || error.scope_missing) {
        f.permanent = true;
        f.scope_missing = error.scope_missing;
        f.retry_in = refused_wait;
        return f;
    }
    // A taken id was made by us before, so Google has such a channel.
    f.outcome_unknown = error.outcome_unknown || error.code == errc::timed_out || error.reason == "channelIdNotUnique";
    f.retry_in = wait_after(failures_before, old_left, random, error.retry_after);
    return f;
}

watch_failure judge_missing_token(error const& error, int failures_before, std::optional<std::chrono::milliseconds> old_left,
                                  double random) {
    watch_failure f;
    f.why = "no access token: " + std::string(name(error.code));
    f.retry_in = wait_after(failures_before, old_left, random, {});
    return f;
}

std::chrono::milliseconds discovery_wait(int failures, double random) {
    retry::policy const p{.base = 1min, .cap = 6h, .floor = 30s};
    return retry::wait(p, failures, random);
}

verdict judge_misses(int before, int now) {
    if (now > before && now >= misses_before_alert) return verdict::silent;
    return before >= misses_before_alert && now == 0 ? verdict::heard : verdict::nothing;
}

bool is_stop_final(google::call_error const& error) {
    switch (error.code) {
    case errc::timed_out:
    case errc::unavailable:
    case errc::rate_limited:
    case errc::conflict:
    case errc::unauthorized:
    case errc::client_rejected:
    case errc::shutting_down:
    case errc::internal: return false;
    case errc::not_found:
    case errc::gone:
    case errc::exists:
    case errc::forbidden:
    case errc::grant_revoked:
    case errc::malformed:
    case errc::too_large: return true;
    }
    return true;
}

}  // namespace calbridge::renewer
