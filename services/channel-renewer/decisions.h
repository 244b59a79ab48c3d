#pragma once
// What the clock decides about channels: pure, tested to the last branch.

#include "clients/google/google.h"

#include "common/base/clock.h"

#include <chrono>
#include <optional>
#include <string>

namespace calbridge::renewer {

// When to replace a channel that lives from `now` to `expires_at`: `before` its end, up to a sixth of that later (so that channels opened
// in one minute are not all replaced in one). Google may grant less than was asked: never before half of what it granted has passed.
// `random` in [0, 1).
instant renewal_time(instant now, instant expires_at, std::chrono::milliseconds before, double random);

struct watch_failure {
    bool permanent{};        // this calendar takes no channels: poll it, and ask again rarely
    bool outcome_unknown{};  // Google may have opened it
    bool scope_missing{};    // permanent, until the user allows more
    std::chrono::milliseconds retry_in{};
    std::string why;  // stable, for rows and logs
};
// What a failed watch call means. `failures_before` counts those in a row before this one; `old_left` is how long the channel to replace
// still lives.
watch_failure judge_watch_failure(google::call_error const& error, int failures_before, std::optional<std::chrono::milliseconds> old_left,
                                  double random);
// The same when there was no access token to call with.
watch_failure judge_missing_token(error const& error, int failures_before, std::optional<std::chrono::milliseconds> old_left,
                                  double random);

inline constexpr int failures_before_alert = 3;

// How long to wait after reading a calendar list failed for the `failures`-th time in a row: a minute, doubling to six hours.
std::chrono::milliseconds discovery_wait(int failures, double random);

// What the polls of a calendar say about its channel.
enum class verdict { nothing, silent, heard };
// silent: three replacements in a row delivered nothing of what polls found (raise the alert); heard: it was silent and delivers again.
verdict judge_misses(int before, int now);
inline constexpr int misses_before_alert = 6;  // a replacement for every second one

// A grant that could not be revoked is kept this long for further tries; then its keys are destroyed all the same.
inline constexpr std::chrono::hours departure_time_max{72};
inline constexpr std::chrono::minutes departure_retry{5};

// After a stop call: true when the channel is done with; false: try again later (until it expires by itself).
bool is_stop_final(google::call_error const& error);

}  // namespace calbridge::renewer
