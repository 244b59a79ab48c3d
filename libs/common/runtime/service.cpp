#include "common/runtime/service.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"
#include "common/runtime/private_port.h"
#include "common/runtime/supervisor.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/version.hpp>
#include <fmt/format.h>
#include <openssl/crypto.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace calbridge::runtime {

namespace {

constexpr int stopped = 0, bad_settings = 1, failed = 2;
constexpr std::chrono::milliseconds lag_probe_every{1000};
constexpr std::chrono::seconds leftovers_max{2};

void print(std::FILE* to, std::string const& text) { std::fwrite(text.data(), 1, text.size(), to); }

std::string usage(config::table const& settings) {
    std::string out =
        fmt::format("usage: {} [--help | --version | --print-config]\n\nSettings are environment variables:\n", settings.service());
    for (auto const& s : settings.settings()) {
        std::string const value = s.required ? "required" : s.fallback.empty() ? std::string("optional") : "default " + s.fallback;
        out += fmt::format("  {}  ({}, {}; {})\n      {}\n", s.name, s.type, value, s.bounds, s.meaning);
        if (s.is_secret) out += fmt::format("      Or {}_FILE, the path of a file that holds it.\n", s.name);
    }
    return out;
}

std::string version(std::string const& service) {
    return fmt::format("{} {}\ncompiler {}\nBoost {}.{}.{}\n{}\n", service, CALBRIDGE_VERSION, __VERSION__, BOOST_VERSION / 100000,
                       BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100, ::OpenSSL_version(OPENSSL_VERSION));
}

int refuse(config::table const& settings, error const& faults) {
    log::error("service.refused", {{"faults", faults.context}, {"exit_code", bad_settings}});
    print(stderr, fmt::format("{} does not start, its settings are wrong:\n{}\n", settings.service(), faults.context));
    return bad_settings;
}

log::level level_named(std::string_view name) {
    if (name == "debug") return log::level::debug;
    if (name == "warn") return log::level::warn;
    return name == "error" ? log::level::error : log::level::info;
}

// The settings hold the secrets from here on; neither /proc/PID/environ nor our copy keeps them.
void forget_secrets(config::table const& settings, config::environment& env) {
    for (auto const& s : settings.settings()) {
        if (!s.is_secret) continue;
        if (auto const copy = env.find(s.name); copy != env.end()) wipe(copy->second.data(), copy->second.size());
        if (char* const original = std::getenv(s.name.c_str())) wipe(original, std::char_traits<char>::length(original));
    }
}

void harden(common_settings const& common) {
    std::signal(SIGPIPE, SIG_IGN);  // a peer that closed is an error code where we write
    if (common.core_dumps) return;
    rlimit const none{.rlim_cur = 0, .rlim_max = 0};
    bool const held = ::setrlimit(RLIMIT_CORE, &none) == 0 && ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
    if (!held) log::warn("service.dumpable", {{"reason", "core dumps could not be switched off"}});
}

void log_settings(config::table const& settings, config::environment const& env) {
    std::vector<log::field> fields;
    for (std::string const& line : config::summary(settings, env)) {
        auto const equals = line.find('=');
        fields.emplace_back(line.substr(0, equals), line.substr(equals + 1));
    }
    log::info("service.settings", std::move(fields));
}

// How late the loop is: what every other latency of this process rests on.
task<void> measure_lag() {
    auto& lag = metrics::get_histogram("calbridge_loop_lag_seconds", "Delay of a timer on the event loop.");
    for (;;) {
        deadline const due = in(lag_probe_every);
        co_await sleep_until(due);
        lag.observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - due).count());
    }
}

int fail_with(std::string_view component, std::string_view reason) {
    log::error("service.failed", {{"component", component}, {"reason", reason}, {"exit_code", failed}});
    return failed;
}

// For states in which coroutines may still run: destroying their frames after the objects they refer to is worse than ending here.
[[noreturn]] void end_now(std::string_view component, std::string_view reason) { std::_Exit(fail_with(component, reason)); }

// Runs `step`; what it throws came out of a callback nobody owns.
template <class Step>
void on_loop(Step step) {
    try {
        step();
    } catch (std::exception const& e) {
        end_now("event loop", e.what());
    }
}

int run(asio::io_context& ioc, health& state, parts all, std::chrono::milliseconds drain_time_max) {
    supervisor boss(ioc, state, std::move(all), drain_time_max);
    std::optional<int> code;
    asio::co_spawn(ioc, boss.run(), [&code](std::exception_ptr const& bug, int ended_with) {
        if (bug) std::rethrow_exception(bug);
        code = ended_with;
    });
    on_loop([&] {
        while (!code && ioc.run_one() > 0) {}
    });
    if (!code) end_now("event loop", "nothing left to do, but components have not ended");
    boss.let_go();
    on_loop([&] { ioc.run_for(leftovers_max); });
    if (!ioc.stopped()) end_now("event loop", "a component left work behind after it ended");
    if (*code != stopped) return fail_with(boss.failed_component(), boss.failure());
    log::info("service.stopped", {{"exit_code", stopped}});
    return stopped;
}

int serve(config::table& settings, common_settings& common, std::function<parts(asio::any_io_executor, health&)> const& make) {
    asio::io_context ioc(1);
    health state;
    std::string_view starting = "private-http";
    try {
        auto const private_server = make_private_server(ioc.get_executor(), common, state, settings.service());
        starting = "start";
        parts all = make(ioc.get_executor(), state);
        all.components.emplace_back("private-http", [&server = *private_server] { return server.run(); });
        all.components.emplace_back("loop-lag", measure_lag);
        log::info("service.started", {{"instance", common.instance_id}, {"private_port", static_cast<int>(private_server->port())}});
        starting = "supervisor";
        return run(ioc, state, std::move(all), common.drain_time_max);
    } catch (std::exception const& e) {
        return fail_with(starting, e.what());
    }
}

}  // namespace

int service_main(int argc, char** argv, config::table& settings, common_settings& common,
                 std::function<parts(asio::any_io_executor, health&)> make, std::vector<std::string> const& also_known) {
    std::string_view const option = argc > 1 ? argv[1] : "";
    if (argc > 2 || (!option.empty() && option != "--help" && option != "--version" && option != "--print-config")) {
        print(stderr, usage(settings));
        return bad_settings;
    }
    if (option == "--help") return print(stdout, usage(settings)), stopped;
    if (option == "--version") return print(stdout, version(settings.service())), stopped;

    config::environment env = config::process_environment();
    auto const loaded = config::load(settings, env, also_known);
    if (option == "--print-config") {
        for (std::string const& line : config::summary(settings, env)) print(stdout, line + "\n");
        if (!loaded) print(stderr, loaded.error().context + "\n");
        return loaded ? stopped : bad_settings;
    }
    log::start(settings.service(), log::level::info);
    if (!loaded) return refuse(settings, loaded.error());
    log::start(settings.service(), level_named(common.log_level));
    log_settings(settings, env);
    forget_secrets(settings, env);
    harden(common);
    return serve(settings, common, make);
}

}  // namespace calbridge::runtime
