#pragma once
// The Zoom meeting of a task: made once, kept in step, removed with it. Nothing here keeps the calendar event waiting.

#include "engine_rows.h"

#include "clients/zoom/zoom.h"

namespace calbridge::worker {

// What is to be done about the task's meeting now. Empty: nothing, or it has to rest; the event goes on.
std::optional<outbound> zoom_gate(effects& e, bool wanted, surroundings const& around);
// When the meeting rests after a failure: until when the task stays due for it.
std::optional<std::chrono::milliseconds> zoom_rests(effects const& e, surroundings const& around);

// Answers. `made`: the meeting that was created, or found by its marker; empty when it is certain that there is none.
effects zoom_made(store::task_and_link rows, store::operation_row operation, std::optional<zoom::meeting> const& made,
                  surroundings const& around);
effects zoom_updated(store::task_and_link rows, store::operation_row operation, surroundings const& around);
// Removed, or gone without us (`lost`: it is made again if the task still wants it).
effects zoom_removed(store::task_and_link rows, store::operation_row operation, bool lost, surroundings const& around);
effects zoom_failed(store::task_and_link rows, store::operation_row operation, zoom::call_error const& error, surroundings const& around);

// What the agenda of a meeting made by this operation begins with.
std::string zoom_marker(operation_id operation);

}  // namespace calbridge::worker
