// google-emulator: Google's OAuth, Calendar and push on loopback, for tests and the demo. See README.md beside this file.
#include "common/async/task.h"
#include "tests/emulator/serving.h"
#include "tests/emulator/world.h"
#include "tests/zoom_emulator/zoom_world.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>

namespace {

using namespace calbridge;

struct settings {
    emulator::serving_options serving;
    std::string discovery{"build/discovery"}, base_url;
    std::vector<std::string> users;
    bool check_answers{false};
};

constexpr char usage[] =
    "google-emulator [--address A] [--port N] [--discovery DIR] [--push-map FROM=TO]... [--user EMAIL]... [--base-url URL] "
    "[--check-answers]\n"
    "  --discovery DIR     holds calendar.v3.json and oauth2.v2.json (./dev setup puts them in build/discovery)\n"
    "  --push-map FROM=TO  deliveries to addresses that begin with FROM go to TO, for example https://hooks.example=http://127.0.0.1:8081\n"
    "  --user EMAIL        a Google account that exists from the start (more by POST /_control/users)\n"
    "  GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET, GOOGLE_REDIRECT_URI in the environment register an OAuth client.\n"
    "  Zoom is under /zoom; ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET register an account in which everybody is a user.\n";

std::string from_environment(char const* name) {
    char const* value = std::getenv(name);
    return value != nullptr ? value : "";
}

// Empty: understood.
std::string read(int argc, char** argv, settings& out) {
    for (int i = 1; i < argc; ++i) {
        std::string_view const name = argv[i];
        if (name == "--check-answers") {
            out.check_answers = true;
            continue;
        }
        if (i + 1 == argc) return fmt::format("{} needs a value, or is not known", name);
        std::string const value = argv[++i];
        if (name == "--address") {
            out.serving.address = value;
        } else if (name == "--port") {
            auto const n = emulator::to_integer(value);
            if (!n || *n < 0 || *n > 65535) return "--port is no port";
            out.serving.port = static_cast<std::uint16_t>(*n);
        } else if (name == "--discovery") {
            out.discovery = value;
        } else if (name == "--base-url") {
            out.base_url = value;
        } else if (name == "--user") {
            out.users.push_back(value);
        } else if (name == "--push-map") {
            auto const eq = value.find('=');
            if (eq == std::string::npos) return "--push-map needs FROM=TO";
            out.serving.push_map[value.substr(0, eq)] = value.substr(eq + 1);
        } else {
            return fmt::format("{} is not known", name);
        }
    }
    return {};
}

task<void> cancel_on_signal(task_group& group) {
    asio::signal_set signals(co_await asio::this_coro::executor, SIGTERM, SIGINT);
    boost::system::error_code ec;
    (void)co_await signals.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    group.cancel();
}

task<void> serve_until_signal(emulator::serving& server) {
    task_group group(co_await asio::this_coro::executor);
    group.spawn("serving", server.run());
    group.spawn("signal", cancel_on_signal(group));
    co_await group.join();
}

}  // namespace

int main(int argc, char** argv) {
    settings s;
    s.serving.port = 8090;
    if (argc == 2 && std::string_view(argv[1]) == "--help") {
        fmt::print("{}", usage);
        return 0;
    }
    if (auto const wrong = read(argc, argv, s); !wrong.empty()) {
        fmt::print(stderr, "google-emulator: {}\n{}", wrong, usage);
        return 1;
    }
    auto const rules = emulator::discovery::load(s.discovery);
    if (!rules) {
        fmt::print(stderr, "google-emulator: {}\n", rules.error().context);
        return 1;
    }
    try {
        system_clock const time;
        asio::io_context context(1);
        emulator::world world(*rules, time, {.base_url = s.base_url, .seed = std::random_device{}(), .check_answers = s.check_answers});
        world.warm_up();
        for (auto const& email : s.users) world.add_user(email);
        if (auto const id = from_environment("GOOGLE_CLIENT_ID"); !id.empty())
            world.add_client(
                {.id = id, .secret = from_environment("GOOGLE_CLIENT_SECRET"), .redirect_uris = {from_environment("GOOGLE_REDIRECT_URI")}});
        zoom_emulator::zoom_world zoom(time, {.seed = std::random_device{}()});
        if (auto const id = from_environment("ZOOM_ACCOUNT_ID"); !id.empty())
            zoom.add_account({.id = id,
                              .client_id = from_environment("ZOOM_CLIENT_ID"),
                              .client_secret = from_environment("ZOOM_CLIENT_SECRET"),
                              .any_user = true});
        s.serving.mounted["/zoom"] = [&zoom](emulator::request const& r) { return zoom.handle(r); };
        auto const server = emulator::make_serving(context.get_executor(), world, s.serving);
        if (s.base_url.empty()) world.set_base_url(fmt::format("http://{}:{}", s.serving.address, server->port()));
        fmt::print("google-emulator on http://{}:{}/\n", s.serving.address, server->port());
        std::fflush(stdout);
        std::exception_ptr failure;
        asio::co_spawn(context, serve_until_signal(*server), [&](std::exception_ptr e) { failure = e; });
        context.run();
        if (failure && !is_cancellation(failure)) std::rethrow_exception(failure);
    } catch (std::exception const& e) {
        fmt::print(stderr, "google-emulator: {}\n", e.what());
        return 2;
    }
    return 0;
}
