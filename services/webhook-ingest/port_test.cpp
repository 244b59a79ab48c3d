#include "port.h"

#include "common/http/descriptors.h"
#include "common/testing/testing.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <gtest/gtest.h>

#include <array>

namespace calbridge::ingest {
namespace {

using namespace std::chrono_literals;
using tcp = asio::ip::tcp;

class peer {
public:
    explicit peer(asio::any_io_executor const& executor) : socket_(executor) {}
    task<void> connect(std::uint16_t number) {
        tcp::endpoint const to(asio::ip::address_v4::loopback(), number);
        co_await socket_.async_connect(to, asio::use_awaitable);
    }
    task<void> say(std::string bytes) {
        boost::system::error_code ignored;
        co_await asio::async_write(socket_, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, ignored));
    }
    // The next answer's head (no answer here has a body), or what came until the end.
    task<std::string> answer() {
        for (;;) {
            auto const end = heard_.find("\r\n\r\n");
            if (end != std::string::npos) {
                auto const one = heard_.substr(0, end + 4);
                heard_.erase(0, end + 4);
                co_return one;
            }
            bool const more = co_await hear();
            if (!more) co_return std::exchange(heard_, {});
        }
    }
    task<bool> hears_the_end() {
        bool more = true;
        while (more) more = co_await hear();
        co_return true;
    }
    void leave() { socket_.close(); }
    void end_sending() { socket_.shutdown(tcp::socket::shutdown_send); }

private:
    task<bool> hear() {
        std::array<char, 4096> chunk{};
        boost::system::error_code ec;
        auto const got = co_await socket_.async_read_some(asio::buffer(chunk), asio::redirect_error(asio::use_awaitable, ec));
        heard_.append(chunk.data(), got);
        co_return !ec;
    }
    tcp::socket socket_;
    std::string heard_;
};

// Answers "/ok" and "/404" at once and leaves everything else waiting.
class scripted final : public request_handler {
public:
    std::optional<answer> on_request(http::request_head const& head, ticket whose) override {
        targets.emplace_back(head.target);
        if (head.path == "/ok") return answer::ok;
        if (head.path == "/404") return answer::not_found;
        waiting.push_back(whose);
        return std::nullopt;
    }
    void on_batch_end() override { ++batches; }
    std::vector<std::string> targets;
    std::vector<ticket> waiting;
    int batches{0};
};

using scene = task<void> (*)(peer&, port&, scripted&);

void play(scene act, port_options options = {}) {
    asio::io_context ioc;
    testing::run_coro(ioc, [](scene a, port_options o) -> task<void> {
        auto const executor = co_await asio::this_coro::executor;
        scripted handler;
        auto const served = make_port(executor, std::move(o), handler);
        task_group group(executor);
        group.spawn("port", served->run());
        peer one(executor);
        co_await one.connect(served->number());
        co_await a(one, *served, handler);
        group.cancel();
        co_await group.join();
    }(act, std::move(options)));
}

std::string post(std::string const& target, std::string const& lines = {}, std::string const& body = {}) {
    return "POST " + target + " HTTP/1.1\r\nHost: h\r\n" + lines +
           (body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") + "\r\n" + body;
}

task<bool> waits(scripted& handler, std::size_t count) {
    co_return co_await testing::eventually([&handler, count] { return handler.waiting.size() >= count; });
}

TEST(Port, AnswersAndKeepsTheConnection) {
    play([](peer& one, port&, scripted& handler) -> task<void> {
        for (int i = 0; i < 3; ++i) {
            co_await one.say(post("/ok"));
            auto const said = co_await one.answer();
            EXPECT_TRUE(said.starts_with("HTTP/1.1 200 OK\r\nDate: ")) << said;
            EXPECT_NE(said.find("\r\nContent-Length: 0\r\n"), std::string::npos);
            EXPECT_EQ(said.find("Connection"), std::string::npos);
        }
        EXPECT_EQ(handler.targets.size(), 3u);
        EXPECT_GE(handler.batches, 3);
    });
}

TEST(Port, RefusalIsUniformAndCloses) {
    play([](peer& one, port& p, scripted&) -> task<void> {
        co_await one.say(post("/404", "X-A: b\r\n", "body"));
        auto const said = co_await one.answer();
        EXPECT_TRUE(said.starts_with("HTTP/1.1 404 Not Found\r\n")) << said;
        EXPECT_TRUE(said.ends_with("Content-Length: 0\r\nConnection: close\r\n\r\n")) << said;
        bool const ended = co_await one.hears_the_end();
        EXPECT_TRUE(ended);
        one.leave();
        bool const closed = co_await testing::eventually([&p] { return p.connections() == 0; });
        EXPECT_TRUE(closed);
    });
}

TEST(Port, LateAnswersGoToWhoAskedAndPipelinedRequestsWait) {
    play([](peer& one, port& p, scripted& handler) -> task<void> {
        co_await one.say(post("/a") + post("/b") + post("/ok"));
        bool first = co_await waits(handler, 1);
        EXPECT_TRUE(first);
        EXPECT_EQ(handler.waiting.size(), 1u) << "one at a time";
        p.send_answer(handler.waiting[0], answer::ok);
        auto const a = co_await one.answer();
        EXPECT_TRUE(a.starts_with("HTTP/1.1 200"));
        bool const second = co_await waits(handler, 2);
        EXPECT_TRUE(second);
        p.send_answer(handler.waiting[0], answer::unavailable);  // an old ticket finds nobody
        p.send_answer(handler.waiting[1], answer::ok);
        auto const b = co_await one.answer();
        EXPECT_TRUE(b.starts_with("HTTP/1.1 200"));
        auto const c = co_await one.answer();
        EXPECT_TRUE(c.starts_with("HTTP/1.1 200"));
        EXPECT_EQ(handler.targets, (std::vector<std::string>{"/a", "/b", "/ok"}));
    });
}

TEST(Port, BytesThatCameWhileARequestWaitedAreServedAfterIt) {
    play([](peer& one, port& p, scripted& handler) -> task<void> {
        co_await one.say(post("/a"));
        (void)co_await waits(handler, 1);
        co_await one.say(post("/ok"));
        for (int turn = 0; turn < 10; ++turn) co_await yield_now();
        EXPECT_EQ(handler.targets.size(), 1u);
        p.send_answer(handler.waiting[0], answer::ok);
        (void)co_await one.answer();
        auto const next = co_await one.answer();
        EXPECT_TRUE(next.starts_with("HTTP/1.1 200")) << next;
    });
}

TEST(Port, AnswerForAPeerThatLeftIsDroppedAndItsPlaceIsSafe) {
    play([](peer& one, port& p, scripted& handler) -> task<void> {
        co_await one.say(post("/a"));
        (void)co_await waits(handler, 1);
        one.leave();
        p.send_answer(handler.waiting[0], answer::ok);
        bool const closed = co_await testing::eventually([&p] { return p.connections() == 0; });
        EXPECT_TRUE(closed);
        peer two(co_await asio::this_coro::executor);
        co_await two.connect(p.number());
        co_await two.say(post("/b"));
        (void)co_await waits(handler, 2);
        EXPECT_EQ(handler.waiting[1].slot, handler.waiting[0].slot);
        p.send_answer(handler.waiting[0], answer::not_found);
        p.send_answer(handler.waiting[1], answer::ok);
        auto const said = co_await two.answer();
        EXPECT_TRUE(said.starts_with("HTTP/1.1 200")) << said;
    });
}

TEST(Port, RequestInPiecesHeadAndBody) {
    play([](peer& one, port&, scripted& handler) -> task<void> {
        for (char const c : post("/ok", "X-A: b\r\n", "0123456789") + post("/ok?second")) {
            co_await one.say(std::string(1, c));
            co_await yield_now();
        }
        auto const first = co_await one.answer();
        auto const second = co_await one.answer();
        EXPECT_TRUE(first.starts_with("HTTP/1.1 200")) << first;
        EXPECT_TRUE(second.starts_with("HTTP/1.1 200")) << second;
        EXPECT_EQ(handler.targets, (std::vector<std::string>{"/ok", "/ok?second"}));
    });
}

TEST(Port, PeerThatEndsSendingWithItsRequestIsStillAnswered) {
    play([](peer& one, port&, scripted&) -> task<void> {
        co_await one.say(post("/ok"));
        one.end_sending();
        auto const said = co_await one.answer();
        EXPECT_TRUE(said.starts_with("HTTP/1.1 200")) << said;
        bool const ended = co_await one.hears_the_end();
        EXPECT_TRUE(ended);
    });
}

TEST(Port, GateRulesHoldHere) {
    for (auto const* bytes :
         {"POST /ok HTTP/1.1\r\n\r\n", "POST /ok HTTP/1.0\r\nHost: h\r\n\r\n",
          "POST /ok HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          "POST /ok HTTP/1.1\r\nHost: h\r\nX-Goog-Channel-ID: a\r\nX-Goog-Channel-ID: a\r\n\r\n", "POST /ok HTTP/1.1\nHost: h\n\n",
          "POST /ok HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"}) {
        static char const* what = nullptr;
        what = bytes;
        play([](peer& one, port&, scripted& handler) -> task<void> {
            co_await one.say(what);
            auto const said = co_await one.answer();
            EXPECT_TRUE(said.starts_with("HTTP/1.1 400")) << what << said;
            EXPECT_TRUE(handler.targets.empty()) << what;
        });
    }
}

TEST(Port, BodyMaximumHostListAndContinue) {
    play([](peer& one, port&, scripted& handler) -> task<void> {
        co_await one.say(post("/ok", {}, std::string(1025, 'x')));
        auto const said = co_await one.answer();
        EXPECT_TRUE(said.starts_with("HTTP/1.1 413")) << said;
        EXPECT_TRUE(handler.targets.empty());
    });
    play([](peer& one, port&, scripted&) -> task<void> {
        co_await one.say(post("/ok", {}, std::string(1024, 'x')));
        auto const said = co_await one.answer();
        EXPECT_TRUE(said.starts_with("HTTP/1.1 200")) << said;
    });
    port_options options;
    options.hosts = {"hooks.example"};
    play(
        [](peer& one, port&, scripted&) -> task<void> {
            co_await one.say(post("/ok"));
            auto const said = co_await one.answer();
            EXPECT_TRUE(said.starts_with("HTTP/1.1 421")) << said;
        },
        options);
    play([](peer& one, port&, scripted&) -> task<void> {
        co_await one.say("POST /ok HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
        auto const go_on = co_await one.answer();
        EXPECT_EQ(go_on, "HTTP/1.1 100 Continue\r\n\r\n");
        co_await one.say("ok");
        auto const said = co_await one.answer();
        EXPECT_TRUE(said.starts_with("HTTP/1.1 200")) << said;
    });
}

TEST(Port, SlowRequestIs408AndIdleOneIsClosed) {
    port_options options;
    options.request_time_max = 1ms;
    play(
        [](peer& one, port&, scripted&) -> task<void> {
            co_await one.say("POST /ok HT");
            auto const said = co_await one.answer();
            EXPECT_TRUE(said.starts_with("HTTP/1.1 408")) << said;
        },
        options);
    port_options idle;
    idle.idle_max = 1ms;
    play(
        [](peer& one, port&, scripted&) -> task<void> {
            auto const said = co_await one.answer();
            EXPECT_EQ(said, "");
        },
        idle);
}

TEST(Port, ConnectionMaximumIs503) {
    port_options options;
    options.connections_max = 1;
    play(
        [](peer& one, port& p, scripted&) -> task<void> {
            co_await one.say(post("/ok"));
            (void)co_await one.answer();
            peer two(co_await asio::this_coro::executor);
            co_await two.connect(p.number());
            auto const said = co_await two.answer();
            EXPECT_TRUE(said.starts_with("HTTP/1.1 503")) << said;
        },
        options);
}

TEST(Port, RequestMaximumPerConnectionAndConnectionClose) {
    port_options options;
    options.requests_per_connection_max = 2;
    play(
        [](peer& one, port&, scripted&) -> task<void> {
            co_await one.say(post("/ok") + post("/ok") + post("/ok"));
            auto const first = co_await one.answer();
            auto const last = co_await one.answer();
            auto const nothing = co_await one.answer();
            EXPECT_EQ(first.find("Connection: close"), std::string::npos);
            EXPECT_NE(last.find("Connection: close"), std::string::npos);
            EXPECT_EQ(nothing, "");
        },
        options);
    play([](peer& one, port&, scripted&) -> task<void> {
        co_await one.say(post("/ok", "Connection: close\r\n"));
        auto const said = co_await one.answer();
        EXPECT_NE(said.find("Connection: close"), std::string::npos);
    });
}

TEST(Port, DrainLetsWaitingRequestsFinishAndClosesIdleOnes) {
    play([](peer& one, port& p, scripted& handler) -> task<void> {
        auto const executor = co_await asio::this_coro::executor;
        peer idle(executor);
        co_await idle.connect(p.number());
        co_await idle.say(post("/ok"));
        (void)co_await idle.answer();
        co_await one.say(post("/a"));
        (void)co_await waits(handler, 1);
        task_group group(executor);
        bool drained = false;
        group.spawn("drain", [](port& which, bool& done) -> task<void> {
            co_await which.drain(in(10s));
            done = true;
        }(p, drained));
        bool const idle_ended = co_await idle.hears_the_end();
        EXPECT_TRUE(idle_ended);
        EXPECT_FALSE(drained);
        p.send_answer(handler.waiting[0], answer::ok);
        auto const said = co_await one.answer();
        EXPECT_TRUE(said.starts_with("HTTP/1.1 200")) << said;
        EXPECT_NE(said.find("Connection: close"), std::string::npos);
        one.leave();
        co_await group.join();
        EXPECT_TRUE(drained);
    });
}

TEST(Port, ThousandConnectionsAtOnce) {
    // Both ends live in this process.
    http::allow_descriptors(2500);
    play([](peer&, port& p, scripted& handler) -> task<void> {
        auto const executor = co_await asio::this_coro::executor;
        std::vector<std::unique_ptr<peer>> all;
        for (int i = 0; i < 1000; ++i) {
            all.push_back(std::make_unique<peer>(executor));
            co_await all.back()->connect(p.number());
            co_await all.back()->say(post("/a"));
        }
        bool const arrived = co_await waits(handler, 1000);
        EXPECT_TRUE(arrived);
        for (auto const& whose : handler.waiting) p.send_answer(whose, answer::ok);
        int answered = 0;
        for (auto& one : all) {
            auto const said = co_await one->answer();
            answered += said.starts_with("HTTP/1.1 200") ? 1 : 0;
        }
        EXPECT_EQ(answered, 1000);
    });
}

}  // namespace
}  // namespace calbridge::ingest
