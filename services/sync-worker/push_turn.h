#pragma once
// The steps of one task's turn: transactions under the lease, reading back, the call itself. Internal to push*.cpp.

#include "engine.h"
#include "outcome.h"
#include "push.h"

#include <functional>

namespace calbridge::worker {

struct turn {
    parts const& with;
    store::held_lease held;
    surroundings around;
    task_id id;
    observe::trace_context cause;
    std::int64_t worked{};                    // dirty_seq the current decision looked at
    std::optional<store::held_lease> second;  // of the calendar the event moves to
};

// One transaction under the lease (under both, while an event moves): rows in, a decision, effects out. `decide` is pure and runs between
// the two. False: it decided nothing.
task<result<bool>> decide_and_write(turn& t, std::function<std::optional<effects>(store::task_and_link)> decide);
task<result<void>> retry_later(turn& t, google::call_error const& error);
// Due again after `wait`, with nothing wrong.
task<result<void>> wait_for_turn(turn& t, std::chrono::milliseconds wait);

// Reads the event and lets the engine say what it means. `operation` is the unanswered write that made us look, if any. True: decide
// again; false: something has to be waited for.
task<google::answer<result<bool>>> look(turn& t, store::link_row link, std::optional<store::operation_row> operation);
// The same for an unanswered move: it is looked for where it was to go.
task<google::answer<result<bool>>> look_for_moved(turn& t, store::link_row link, store::operation_row operation);

// The calendar a task wants to move to, and its lease. True: decide again; false: another worker has it, wait.
task<result<bool>> look_for_calendar(turn& t, std::string google_id);

task<google::answer<domain::calendar_event>> send(turn& t, outbound const& step);
call_kind kind_of(outbound const& step);

}  // namespace calbridge::worker
