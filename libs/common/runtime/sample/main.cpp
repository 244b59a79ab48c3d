// A small real service for the tests: it behaves as SAMPLE_MODE says.
#include "common/observe/log.h"
#include "common/runtime/service.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <csignal>
#include <stdexcept>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace {

using namespace calbridge;

task<void> steady(runtime::health& health, std::string mode) {
    health.report("database", true);
    if (mode == "sigpipe") ::raise(SIGPIPE);
    rlimit core{};
    ::getrlimit(RLIMIT_CORE, &core);
    log::info("sample.ready",
              {{"dumpable", ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)}, {"core_max", static_cast<std::uint64_t>(core.rlim_max)}});
    for (;;) co_await sleep_for(std::chrono::hours(1));
}

task<void> second(std::string mode) {
    if (mode == "failing") throw std::runtime_error("the well is dry");
    if (mode == "ends") co_return;
    try {
        for (;;) co_await sleep_for(std::chrono::hours(1));
    } catch (...) {
        if (mode == "fails-late") throw std::runtime_error("could not tidy up");
        if (mode != "stuck") throw;
    }
    co_await asio::this_coro::reset_cancellation_state();
    for (;;) co_await sleep_for(std::chrono::hours(1));
}

task<void> drain(std::string mode) {
    log::info("sample.draining");
    if (mode == "drain-throws") throw std::runtime_error("the drain is blocked");
    if (mode == "slow-drain") co_await sleep_for(std::chrono::hours(1));
}

}  // namespace

int main(int argc, char** argv) {
    config::table settings("sample");
    runtime::common_settings common;
    std::string mode;
    secret password;
    std::int64_t unused{};
    common.declare(settings, 0);
    settings.text({"SAMPLE_MODE", "How to behave."}, mode, "steady").required_secret({"CALBRIDGE_PASSWORD", "A secret."}, password);
    settings.integer({"CALBRIDGE_NUMBER", "A number."}, unused, 5, 1, 10);
    auto make = [&](asio::any_io_executor executor, runtime::health& health) {
        if (mode == "handler-throws") asio::post(executor, [] { throw std::runtime_error("a callback threw"); });
        if (mode == "bad-start") throw std::runtime_error("no such broker");
        health.expect("database");
        runtime::parts parts;
        parts.components.emplace_back("steady",
                                      [&health, &mode] { return mode == "never-ready" ? second("steady") : steady(health, mode); });
        parts.components.emplace_back("second", [&mode] { return second(mode); });
        auto const waiting = std::make_shared<asio::steady_timer>(executor, std::chrono::hours(1));
        if (mode == "kept-wait" || mode == "lost-wait") waiting->async_wait([](boost::system::error_code const&) {});
        if (mode == "lost-wait") new std::shared_ptr<asio::steady_timer>(waiting);  // nobody will ever cancel it
        parts.keep_alive = waiting;
        parts.drain = [&mode] { return drain(mode); };
        return parts;
    };
    return runtime::service_main(argc, argv, settings, common, make);
}
