#pragma once
// A task whose calendar changed: the event moves within its connection.

#include "engine_rows.h"

namespace calbridge::worker {

// The task names another calendar than its event is in.
bool wants_to_move(effects const& e, surroundings const& around);
// What the task's calendar means for an event that is as it should be otherwise. Empty: it is where it belongs.
std::optional<outbound> move_gate(effects& e, surroundings const& around);

// The event is in the destination (around.destination) now; the answer to the move, or the event as it was found there.
effects move_answered(store::task_and_link rows, store::operation_row operation, domain::calendar_event const& answer, std::int64_t worked,
                      surroundings const& around);

// Where a move was to go: Google's id of the calendar.
std::string destination_of(store::operation_row const& move);
// An operation that ends the event here, because the task goes on in another connection's calendar.
bool goes_elsewhere(store::operation_row const& removal);

}  // namespace calbridge::worker
