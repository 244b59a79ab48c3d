#pragma once
// The only race in the code base.

#include "common/async/task.h"

namespace calbridge {

// Runs `work`; at `at` cancels it, waits for it to unwind, and returns errc::timed_out with `what` as context.
// A result produced before the cancellation wins. T = void is spelled result<void>.
// A deadline that has passed already: `work` is not started.
template <class T>
task<result<T>> with_deadline(deadline at, std::string what, task<result<T>> work);

// The race itself. True: `work` ended by itself (its exception is rethrown). False: the deadline came first, `work`
// was cancelled and has unwound. If the caller is cancelled, `work` is cancelled and its outcome handed on.
task<bool> finishes_before(deadline at, task<void> work);

}  // namespace calbridge

#include "common/async/with_deadline.ipp"
