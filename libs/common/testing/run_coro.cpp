#include "common/testing/testing.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <stdexcept>

namespace calbridge::testing {

namespace {

struct outcome {
    bool ended{false};
    std::exception_ptr failure;
};

// True when the body ended before `until`.
bool turn(asio::io_context& ioc, outcome const& seen, deadline until) {
    while (!seen.ended) {
        ioc.restart();
        if (ioc.run_one_until(until) == 0 && std::chrono::steady_clock::now() >= until) return seen.ended;
    }
    return true;
}

}  // namespace

void run_coro(asio::io_context& ioc, task<void> body, std::chrono::seconds limit) {
    outcome seen;
    asio::cancellation_signal stop;
    auto on_end = [&seen](std::exception_ptr failure) {
        seen.ended = true;
        seen.failure = std::move(failure);
    };
    asio::co_spawn(ioc, std::move(body), asio::bind_cancellation_slot(stop.slot(), on_end));

    if (!turn(ioc, seen, in(limit))) {
        // The frame is unwound before the objects it refers to go away.
        stop.emit(asio::cancellation_type::terminal);
        bool const unwound = turn(ioc, seen, in(std::chrono::seconds(5)));
        throw std::runtime_error("run_coro: the coroutine did not end within " + std::to_string(limit.count()) + " s" +
                                 (unwound ? "" : " and ignored its cancellation"));
    }
    ioc.restart();
    ioc.poll();
    if (seen.failure) std::rethrow_exception(seen.failure);
}

task<bool> eventually(std::function<bool()> condition, std::chrono::milliseconds limit) {
    asio::steady_timer pause(co_await asio::this_coro::executor);
    deadline const until = in(limit);
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= until) co_return false;
        pause.expires_after(std::chrono::milliseconds(3));
        co_await pause.async_wait(asio::use_awaitable);
    }
    co_return true;
}

}  // namespace calbridge::testing
