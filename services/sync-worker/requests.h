#pragma once
// What people asked for, carried out under the calendar's lease.

#include "parts.h"

#include "domain/render.h"
#include "store/requests.h"
#include "store/work.h"

namespace calbridge::worker {

// One look at one request: it ends, goes a step on, or waits. Effects commit together with the request's row, so that a crash in between
// leaves it to be found again and nothing is done twice. errc::conflict: the lease was lost.
task<result<void>> carry_out(parts const& with, store::leased_calendar held, request_id id, observe::trace_context cause);

// Shared by the files of the kinds.
struct request_turn {
    parts const& with;
    store::leased_calendar held;
    observe::trace_context cause;
    store::request_row row;
};
// The request's row after this look; it is saved under a fresh check of the lease.
task<result<void>> save(request_turn& t, std::chrono::milliseconds wait = {});
void end_with(store::request_row& row, std::optional<domain::refusal> const& refused, std::string more_members = {});

task<result<void>> bulk_sync(request_turn& t);
task<result<void>> retry_quarantined(request_turn& t);

}  // namespace calbridge::worker
