#include "common/runtime/supervisor.h"

#include "common/async/with_deadline.h"
#include "common/observe/log.h"

#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <csignal>
#include <cstdlib>
#include <unistd.h>

namespace calbridge::runtime {

namespace {

std::string reason_of(std::exception_ptr const& e) {
    try {
        std::rethrow_exception(e);
    } catch (std::exception const& known) {
        return known.what();
    } catch (...) {
        return "an exception of unknown type";
    }
}

// From now on a signal ends the process at once, also when the event loop is stuck or this is process 1 of a container (where the
// default action would be to ignore it).
void end_at_next_signal() {
    struct sigaction at_once{};
    at_once.sa_handler = [](int) { ::_exit(2); };
    ::sigaction(SIGTERM, &at_once, nullptr);
    ::sigaction(SIGINT, &at_once, nullptr);
}

task<result<void>> as_result(std::function<task<void>()> const& work) {
    co_await work();
    co_return result<void>{};
}

}  // namespace

supervisor::supervisor(asio::io_context& ioc, health& health, parts what, std::chrono::milliseconds drain_time_max)
    : health_(health), parts_(std::move(what)), drain_time_max_(drain_time_max), components_(ioc.get_executor()),
      watch_(ioc.get_executor()), signals_(ioc, SIGTERM, SIGINT), overdue_(ioc) {}

task<int> supervisor::run() {
    for (auto const& [name, start] : parts_.components) components_.spawn(name, guard(name, start));
    watch_.spawn("signals", stop_on_signal());
    try {
        co_await components_.join();
    } catch (std::exception const& unnoted) {
        note_failure(components_.failed_label(), unnoted.what());
    }
    watch_.cancel();
    co_await watch_.join();
    overdue_.cancel();
    co_return failed_component_.empty() ? 0 : 2;
}

task<void> supervisor::guard(std::string name, std::function<task<void>()> start) {
    auto const here = running_.insert(name);
    std::exception_ptr fault;
    try {
        co_await start();
    } catch (...) {
        fault = std::current_exception();
    }
    running_.erase(here);
    bool const asked = stopping_;
    if (fault && !is_cancellation(fault)) {
        note_failure(name, reason_of(fault));
        std::rethrow_exception(fault);
    }
    if (!asked) {
        // A component that is gone while the process looks healthy is the worst of both.
        note_failure(name, "ended without being asked to");
        throw std::runtime_error("component ended without being asked to: " + name);
    }
}

task<void> supervisor::stop_on_signal() {
    int const signal = co_await signals_.async_wait(asio::use_awaitable);
    signals_.clear();
    end_at_next_signal();
    log::info("service.stopping", {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
    begin_stop();
    if (parts_.drain) co_await drain_within(in(drain_time_max_));
    components_.cancel();
}

task<void> supervisor::drain_within(deadline at) {
    auto work = as_result(parts_.drain);
    std::string what = "drain";
    std::exception_ptr fault;
    try {
        auto const drained = co_await with_deadline(at, std::move(what), std::move(work));
        if (!drained) log::warn("service.drain_cut", {{"after", std::chrono::microseconds(drain_time_max_)}});
    } catch (...) {
        fault = std::current_exception();
    }
    if (!fault) co_return;
    if (is_cancellation(fault)) std::rethrow_exception(fault);  // every component ended while we drained
    note_failure("drain", reason_of(fault));
}

void supervisor::begin_stop() {
    if (std::exchange(stopping_, true)) return;
    health_.drain();
    overdue_.expires_after(drain_time_max_ + drain_time_max_ / 2);
    overdue_.async_wait([this](boost::system::error_code const& ec) {
        if (ec) return;
        log::error("service.failed", {{"component", fmt::format("{}", fmt::join(running_, ","))},
                                      {"reason", "did not stop in time"},
                                      {"first_failure", failed_component_},
                                      {"exit_code", 2}});
        ::_exit(2);
    });
}

void supervisor::note_failure(std::string const& name, std::string reason) {
    begin_stop();
    if (!failed_component_.empty()) return;
    failed_component_ = name;
    failure_ = std::move(reason);
    components_.cancel();
}

}  // namespace calbridge::runtime
