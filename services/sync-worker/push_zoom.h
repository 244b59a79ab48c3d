#pragma once
// One call to Zoom for a task. Internal to push*.cpp.

#include "push_turn.h"

namespace calbridge::worker {

// What the answer means for the rows, to be decided in a transaction. Fails only when the account cannot be read.
task<result<std::function<std::optional<effects>(store::task_and_link)>>> ask_zoom(turn& t, send_zoom what, store::operation_row operation);

}  // namespace calbridge::worker
