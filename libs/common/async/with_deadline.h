#pragma once
// The only race in the code base. Include in .cpp files only: it instantiates Asio's parallel group.

#include "common/async/task.h"

#include <boost/asio/awaitable.hpp>

namespace calbridge {

// Runs `work`; at `at` cancels it, waits for it to unwind, and returns errc::timed_out with `what` as context.
// A result produced before the cancellation wins. T = void is spelled result<void>.
template <class T>
task<result<T>> with_deadline(deadline at, std::string what, task<result<T>> work);

}  // namespace calbridge

#include "common/async/with_deadline.ipp"
