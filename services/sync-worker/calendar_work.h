#pragma once
// All that is due on one calendar, under its lease: passes and pushes until nothing is left or something must wait.

#include "own_echoes.h"
#include "parts.h"

#include "store/look.h"
#include "store/work.h"

#include <chrono>
#include <optional>

namespace calbridge::worker {

// Passes of one calendar: a small burst, then one a second, so that bursts of pushes fold into few listings (pure).
class pass_budget {
public:
    explicit pass_budget(int burst) : burst_(burst), left_(burst) {}
    // Zero: go ahead (one is taken); else how long to wait.
    std::chrono::milliseconds take(std::chrono::steady_clock::time_point now);

private:
    double burst_;
    double left_;
    std::optional<std::chrono::steady_clock::time_point> last_;
};

struct calendar_memory {
    std::optional<store::leased_calendar> lease;  // held since an earlier turn
    std::chrono::steady_clock::time_point lease_safe_until{};
    pass_budget budget;
    observe::trace_context cause{};  // of the newest message that woke it; empty: nobody's, a timer or the sweep
    int denied{0};                   // turns in a row in which the lease was not to be had
    own_echoes echoes{std::chrono::milliseconds(0)};
};

struct turn_outcome {
    // When this calendar wants another turn without a new message; nothing when it has no more work.
    std::optional<std::chrono::milliseconds> again_in;
};

// One turn. `memory` keeps the sticky lease between turns. Never throws but for cancellation: failures become again_in.
task<turn_outcome> work_on(parts const& with, tenant_id tenant, calendar_id calendar, calendar_memory& memory);
task<void> let_go(parts const& with, calendar_memory& memory);

}  // namespace calbridge::worker
