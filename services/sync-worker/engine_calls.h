#pragma once
// Shared by the decisions that end in a call to Google.

#include "engine_rows.h"

namespace calbridge::worker {

bool may_write(std::string_view access_role);

// "all", "externalOnly" or "none" for an operation that changes `pushed` of the event (absent: makes or removes it). Guests hear of what
// matters to them, when the task says so, and never about the past or what is finished.
std::string mail_for(effects const& e, std::optional<domain::field_set> pushed, surroundings const& around);

// The link a task without one gets before anything is made for it.
void ensure_link(effects& e, surroundings const& around);

google::event_write write_of(effects const& e, store::operation_row const& operation, surroundings const& around);

// Removes the event.
outbound remove(effects e, std::string why, surroundings const& around);

outbound done_with(effects e);
// Nothing is sent: the task stays in `state` with a reason, and the CRM hears it once.
outbound refuse(effects e, std::int64_t worked, std::string code, std::string explanation, std::string state, surroundings const& around);
// The event is read before anything is decided.
outbound read_first(effects e, std::string_view why);

}  // namespace calbridge::worker
