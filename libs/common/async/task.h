#pragma once
// Coroutine vocabulary: task, task_group, deadline, timers. One io_context per process, run by one thread.

#include "common/base/clock.h"
#include "common/base/result.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <string>

namespace calbridge {

namespace asio = boost::asio;

template <class T>
using task = asio::awaitable<T>;

// An absolute point on the monotonic clock, handed inward; never a fresh timeout per layer.
using deadline = std::chrono::steady_clock::time_point;
inline deadline in(std::chrono::steady_clock::duration d) { return std::chrono::steady_clock::now() + d; }

// Completes after `d`. Throws operation_aborted (boost::system::system_error) when the coroutine is cancelled.
task<void> sleep_for(std::chrono::steady_clock::duration d);
task<void> sleep_until(deadline at);
// Lets other ready work run first.
task<void> yield_now();

// True when `e` means "stop now": operation aborted or channel closed.
bool is_cancellation(std::exception_ptr const& e);

// Runs coroutines that belong together. An exception in one (other than cancellation) cancels all and is
// rethrown by join(). The group must outlive its coroutines: join() before destruction (asserted).
class task_group {
public:
    explicit task_group(asio::any_io_executor executor);
    ~task_group();
    task_group(task_group const&) = delete;
    task_group& operator=(task_group const&) = delete;

    // Starts `work`; `label` names it in the last log line when it is the one that fails.
    void spawn(std::string label, task<void> work);
    // Asks every coroutine to stop (terminal cancellation). Idempotent.
    void cancel();
    // Completes when all have ended; rethrows the first failure. If the caller is cancelled, cancels the group and still waits.
    task<void> join();
    std::size_t running() const;
    // Label of the first coroutine that failed, or empty.
    std::string const& failed_label() const;

private:
    struct state;
    std::shared_ptr<state> state_;
};

// A waiting place: wait() completes at the next notify (or at once when one happened since the last wait).
class wakeup {
public:
    explicit wakeup(asio::any_io_executor executor);
    ~wakeup();
    void notify();                       // same thread as the executor
    task<void> wait();                   // one waiter at a time
    task<bool> wait_until(deadline at);  // false when the deadline came first

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

// Counts permits; acquire() waits in order. Used to bound concurrent work.
class semaphore {
public:
    semaphore(asio::any_io_executor executor, std::size_t permits);
    ~semaphore();
    task<void> acquire();
    void release();
    std::size_t available() const;

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace calbridge
