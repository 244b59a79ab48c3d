#include "common/async/with_deadline.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace calbridge {
namespace {

// Shared with the completion handler, so that frames destroyed in any order (a stopped io_context) find it alive.
struct race {
    explicit race(asio::any_io_executor executor) : ended(std::move(executor)) {}
    asio::cancellation_signal stop;
    wakeup ended;
    std::exception_ptr failure;
    bool done{false};
};

task<void> run_later(task<void> work) {
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    co_await std::move(work);
}

}  // namespace

task<bool> finishes_before(deadline at, task<void> work) {
    if (std::chrono::steady_clock::now() >= at) co_return false;
    auto const executor = co_await asio::this_coro::executor;
    auto const both = std::make_shared<race>(executor);
    bool const throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    // One executor for the work, the timer and this coroutine: in Asio 1.26 a cancellation crossing executors can
    // fire after its target is gone.
    asio::co_spawn(executor, run_later(std::move(work)), asio::bind_cancellation_slot(both->stop.slot(), [both](std::exception_ptr e) {
                       both->failure = std::move(e);
                       both->done = true;
                       both->ended.notify();
                   }));
    bool expired = false;
    bool stopped = false;
    while (!both->done) {
        try {
            bool const notified = co_await both->ended.wait_until(stopped ? deadline::max() : at);
            if (!notified) expired = true;
        } catch (boost::system::system_error const&) {
            // This coroutine is cancelled: pass it on, and wait for the work all the same.
        }
        if (!both->done && !stopped) {
            stopped = true;
            both->stop.emit(asio::cancellation_type::terminal);
        }
    }
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (both->failure && !(expired && is_cancellation(both->failure))) std::rethrow_exception(both->failure);
    co_return !expired || !both->failure;
}

}  // namespace calbridge
