#pragma once
// Carries out what one task still owes Google, under the calendar's lease.

#include "outcome.h"
#include "parts.h"

#include "store/work.h"

#include <optional>
#include <string>

namespace calbridge::worker {

struct push_outcome {
    // Set when the trouble is the calendar's, not the task's: nothing more for it until `wait` has passed.
    std::optional<next_move> calendar_trouble;
    std::chrono::milliseconds wait{};
    std::string why;
};

// errc::conflict: the lease was lost; nothing of ours was written after that. Other errors: PostgreSQL could not be used; the
// task stays due. `written` counts the writes that Google answered, also when an error follows.
task<result<push_outcome>> push_task(parts const& with, store::held_lease held, store::connection_row connection,
                                     store::calendar_row calendar, task_id id, observe::trace_context cause, std::int64_t& written);

}  // namespace calbridge::worker
