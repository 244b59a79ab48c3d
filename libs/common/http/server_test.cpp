#include "common/http/server.h"

#include "common/http/descriptors.h"
#include "common/observe/log.h"
#include "common/testing/testing.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <vector>

namespace calbridge::http {
namespace {

using namespace std::chrono_literals;
using tcp = asio::ip::tcp;

// A peer that says exactly the bytes it is given.
class raw_peer {
public:
    explicit raw_peer(asio::any_io_executor const& executor) : socket_(executor) {}

    task<void> connect(std::uint16_t port) {
        tcp::endpoint const to(asio::ip::address_v4::loopback(), port);
        co_await socket_.async_connect(to, asio::use_awaitable);
    }
    task<void> say(std::string bytes) {
        boost::system::error_code ignored;
        co_await asio::async_write(socket_, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, ignored));
    }
    // One answer with Content-Length (or none for 1xx), or what came until the connection closed.
    task<std::string> answer(bool to_head = false) {
        for (;;) {
            auto const end = heard_.find("\r\n\r\n");
            if (end != std::string::npos) {
                auto const field = heard_.find("Content-Length: ");
                std::size_t const length = field < end && !to_head ? std::stoul(heard_.substr(field + 16)) : 0;
                if (heard_.size() >= end + 4 + length) {
                    auto const one = heard_.substr(0, end + 4 + length);
                    heard_.erase(0, one.size());
                    co_return one;
                }
            }
            bool const more = co_await hear();
            if (!more) co_return std::exchange(heard_, {});
        }
    }
    task<bool> is_closed() {
        bool more = true;
        while (more) more = co_await hear();
        co_return true;
    }
    void leave() { socket_.close(); }

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

struct fixture {
    std::vector<server_request> seen;
    std::unique_ptr<wakeup> release;
    bool holding{false};

    task<response> echo(server_request const& request) {
        seen.push_back(request);
        co_return text_response(200, request.body);
    }
    task<response> hold(server_request const& request) {
        seen.push_back(request);
        holding = true;
        co_await release->wait();
        co_return text_response(200, "held");
    }
    static task<response> broken(server_request const&) {
        throw std::runtime_error("the handler broke");
        co_return response{};
    }
    static task<response> splitting(server_request const&) {
        auto answer = text_response(200, "x");
        answer.fields.emplace_back("Location", "/a\r\nSet-Cookie: evil=1");
        co_return answer;
    }
    std::vector<route> routes() {
        auto const to_echo = [this](server_request const& r) { return echo(r); };
        return {
            {"GET", "/echo", to_echo},
            {"POST", "/echo", to_echo, 1000},
            {"GET", "/things/{id}", to_echo},
            {"GET", "/things/special", [](server_request const&) -> task<response> { co_return text_response(200, "special"); }},
            {"DELETE", "/things/{id}", to_echo},
            {"GET", "/files/{rest*}", to_echo},
            {"GET", "/hold", [this](server_request const& r) { return hold(r); }},
            {"GET", "/broken", broken},
            {"GET", "/splitting", splitting},
            {"GET", "/problem", [](server_request const&) -> task<response> { co_return problem(409, "busy", "Busy", "Wait."); }},
        };
    }
};

using scenario = task<void> (*)(raw_peer&, fixture&, server&, task_group&);

// Runs a server and `act` against it; both end before this returns.
void with_server(scenario act, server_options options = {}) {
    asio::io_context ioc;
    testing::run_coro(ioc, [](scenario play, server_options how) -> task<void> {
        auto const executor = co_await asio::this_coro::executor;
        fixture stage;
        stage.release = std::make_unique<wakeup>(executor);
        auto const served = make_server(executor, std::move(how), stage.routes());
        task_group group(executor);
        group.spawn("server", [](server& s) -> task<void> { co_await s.run(); }(*served));
        raw_peer peer(executor);
        co_await peer.connect(served->port());
        co_await play(peer, stage, *served, group);
        peer.leave();
        stage.release->notify();
        group.cancel();
        co_await group.join();
    }(act, std::move(options)));
}

bool has(std::string const& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(Server, AnswersWithLengthRequestIdAndKeepsTheConnection) {
    with_server([](raw_peer& peer, fixture& stage, server&, task_group&) -> task<void> {
        for (int i = 0; i < 3; ++i) {
            co_await peer.say("POST /echo?q=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX-Request-Id: my-id.1\r\n\r\nhello");
            auto const said = co_await peer.answer();
            EXPECT_TRUE(said.starts_with("HTTP/1.1 200 OK\r\n")) << said;
            EXPECT_TRUE(has(said, "X-Request-Id: my-id.1\r\n"));
            EXPECT_TRUE(has(said, "Connection: keep-alive\r\n"));
            EXPECT_TRUE(has(said, "\r\nDate: "));
            EXPECT_TRUE(said.ends_with("\r\n\r\nhello"));
        }
        EXPECT_EQ(stage.seen.size(), 3u);
        EXPECT_EQ(stage.seen[0].path, "/echo");
        EXPECT_EQ(stage.seen[0].query, "q=1");
        EXPECT_EQ(stage.seen[0].peer, "127.0.0.1");
    });
}

TEST(Server, PipelinedRequestsAreAnsweredInOrder) {
    with_server([](raw_peer& peer, fixture&, server&, task_group&) -> task<void> {
        co_await peer.say(
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\naPOST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nb");
        auto const first = co_await peer.answer();
        auto const second = co_await peer.answer();
        EXPECT_TRUE(first.ends_with("\r\n\r\na"));
        EXPECT_TRUE(second.ends_with("\r\n\r\nb"));
    });
}

TEST(Server, HeadDripsInByteByByte) {
    with_server([](raw_peer& peer, fixture&, server&, task_group&) -> task<void> {
        for (char const c : std::string("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok")) {
            co_await peer.say(std::string(1, c));
            co_await yield_now();
        }
        auto const said = co_await peer.answer();
        EXPECT_TRUE(said.ends_with("\r\n\r\nok")) << said;
    });
}

TEST(Server, ChunkedBodyIsReadAndTrailersAreNotHeaders) {
    with_server([](raw_peer& peer, fixture& stage, server&, task_group&) -> task<void> {
        co_await peer.say(
            "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nAuthorization: Bearer "
            "evil\r\n\r\n"
            "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
        auto const said = co_await peer.answer();
        EXPECT_TRUE(said.ends_with("\r\n\r\nabcde")) << said;
        auto const next = co_await peer.answer();
        EXPECT_TRUE(next.starts_with("HTTP/1.1 200")) << next;
        EXPECT_FALSE(find(stage.seen.at(0).fields, "Authorization").has_value());
    });
}

TEST(Server, ChunkExtensionsAndTrailersHaveAMaximum) {
    for (auto const* bytes : {"1;", "0\r\nX: "}) {
        static char const* start = nullptr;
        start = bytes;
        with_server([](raw_peer& peer, fixture& stage, server&, task_group&) -> task<void> {
            co_await peer.say("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(start) +
                              std::string(100000, 'x'));
            auto const said = co_await peer.answer();
            EXPECT_TRUE(said.starts_with("HTTP/1.1 413") || said.starts_with("HTTP/1.1 400")) << said;
            EXPECT_TRUE(stage.seen.empty());
        });
    }
}

TEST(Server, BodyOverTheRoutesMaximumIsRefusedUnread) {
    with_server([](raw_peer& peer, fixture& stage, server&, task_group&) -> task<void> {
        co_await peer.say("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n");
        auto const said = co_await peer.answer();
        EXPECT_TRUE(said.starts_with("HTTP/1.1 413")) << said;
        EXPECT_TRUE(has(said, "Connection: close\r\n"));
        EXPECT_TRUE(stage.seen.empty());
    });
    with_server([](raw_peer& peer, fixture&, server&, task_group&) -> task<void> {
        co_await peer.say("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x') +
                          "\r\n0\r\n\r\n");
        auto const said = co_await peer.answer();
        EXPECT_TRUE(said.starts_with("HTTP/1.1 413")) << said;
    });
}

TEST(Server, SmuggledSecondRequestNeverReachesAHandler) {
    for (auto const* trick :
         {"Transfer-Encoding: gzip\r\nContent-Length: 40\r\n", "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding: identity\r\n",
          "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "Content-Length: 0\r\nContent-Length: 40\r\n", "Content-Length: 0, 40\r\n",
          "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "X: y\r\n Content-Length: 40\r\n"}) {
        static char const* lines = nullptr;
        lines = trick;
        with_server([](raw_peer& peer, fixture& stage, server&, task_group&) -> task<void> {
            co_await peer.say("POST /echo HTTP/1.1\r\nHost: h\r\n" + std::string(lines) +
                              "\r\nGET /things/smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
            auto const said = co_await peer.answer();
            EXPECT_TRUE(said.starts_with("HTTP/1.1 400")) << lines << said;
            auto const rest = co_await peer.answer();
            EXPECT_EQ(rest, "") << lines;
            EXPECT_TRUE(stage.seen.empty()) << lines;
        });
    }
}

TEST(Server, RefusalsCloseAndSayWhy) {
    with_server([](raw_peer& peer, fixture&, server&, task_group&) -> task<void> {
        co_await peer.say("GET / HTTP/1.1\r\n\r\n");
        auto const said = co_await peer.answer();
        EXPECT_TRUE(said.starts_with("HTTP/1.1 400 Bad Request\r\n")) << said;
        EXPECT_TRUE(has(said, "application/problem+json"));
        EXPECT_TRUE(has(said, R"("code":"host")")) << said;
        EXPECT_TRUE(has(said, "Connection: close\r\n"));
        bool const closed = co_await peer.is_closed();
        EXPECT_TRUE(closed);
    });
}

TEST(Server, HostAllowList) {
    server_options options;
    options.hosts = {"Sync.Example"};
    with_server(
        [](raw_peer& peer, fixture&, server&, task_group&) -> task<void> {
            co_await peer.say("GET /echo HTTP/1.1\r\nHost: sync.example:8080\r\n\r\n");
            auto const fine = co_await peer.answer();
            EXPECT_TRUE(fine.starts_with("HTTP/1.1 200")) << fine;
            co_await peer.say("GET /echo HTTP/1.1\r\nHost: evil\r\n\r\n");
            auto const said = co_await peer.answer();
            EXPECT_TRUE(said.starts_with("HTTP/1.1 421")) << said;
        },
        options);
}

TEST(Server, RoutesLiteralBeforeParameterAndDecodesParameters) {
    with_server([](raw_peer& peer, fixture& stage, server&, task_group&) -> task<void> {
        co_await peer.say("GET /things/special HTTP/1.1\r\nHost: h\r\n\r\n");
        auto const special = co_await peer.answer();
        EXPECT_TRUE(special.ends_with("special"));
        co_await peer.say("GET /things/a%20b%40c HTTP/1.1\r\nHost: h\r\n\r\nGET /files/x/y%20z HTTP/1.1\r\nHost: h\r\n\r\n");
        (void)co_await peer.answer();
        (void)co_await peer.answer();
        EXPECT_EQ(stage.seen.at(0).param("id"), "a b@c");
        EXPECT_EQ(stage.seen.at(1).param("rest"), "x/y z");
        EXPECT_EQ(stage.seen.at(1).param("absent"), "");
    });
}

TEST(Server, UnknownPathIs404AndOtherMethodIs405WithAllow) {
    with_server([](raw_peer& peer, fixture&, server& s, task_group&) -> task<void> {
        co_await peer.say("GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n");
        auto const unknown = co_await peer.answer();
        EXPECT_TRUE(unknown.starts_with("HTTP/1.1 404")) << unknown;
        raw_peer second(co_await asio::this_coro::executor);
        co_await second.connect(s.port());
        co_await second.say("PUT /things/x HTTP/1.1\r\nHost: h\r\n\r\n");
        auto const other = co_await second.answer();
        EXPECT_TRUE(other.starts_with("HTTP/1.1 405")) << other;
        EXPECT_TRUE(has(other, "Allow: GET, DELETE\r\n")) << other;
    });
}

TEST(Server, HeadIsGetWithoutBody) {
    with_server([](raw_peer& peer, fixture&, server&, task_group&) -> task<void> {
        co_await peer.say("HEAD /things/special HTTP/1.1\r\nHost: h\r\n\r\nGET /things/special HTTP/1.1\r\nHost: h\r\n\r\n");
        auto const head = co_await peer.answer(true);
        EXPECT_TRUE(has(head, "Content-Length: 7\r\n")) << head;
        EXPECT_TRUE(head.ends_with("\r\n\r\n"));
        auto const get = co_await peer.answer();
        EXPECT_TRUE(get.ends_with("special")) << get;
    });
}

TEST(Server, ExpectContinueIsAnsweredBeforeTheBody) {
    with_server([](raw_peer& peer, fixture&, server&, task_group&) -> task<void> {
        co_await peer.say("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
        auto const go_on = co_await peer.answer();
        EXPECT_EQ(go_on, "HTTP/1.1 100 Continue\r\n\r\n");
        co_await peer.say("ok");
        auto const said = co_await peer.answer();
        EXPECT_TRUE(said.ends_with("\r\n\r\nok")) << said;
    });
}

TEST(Server, HandlersExceptionIs500WithTheRequestIdLoggedOnce) {
    std::vector<std::string> lines;
    log::capture(&lines);
    with_server([](raw_peer& peer, fixture&, server&, task_group&) -> task<void> {
        co_await peer.say("GET /broken HTTP/1.1\r\nHost: h\r\nX-Request-Id: r1\r\n\r\n");
        auto const said = co_await peer.answer();
        EXPECT_TRUE(said.starts_with("HTTP/1.1 500")) << said;
        EXPECT_TRUE(has(said, R"("instance":"r1")")) << said;
        EXPECT_FALSE(has(said, "the handler broke")) << "details stay inside";
    });
    log::capture(nullptr);
    auto const failures = std::ranges::count_if(lines, [](std::string const& l) { return has(l, "http.handler_failed") && has(l, "r1"); });
    EXPECT_EQ(failures, 1);
}

TEST(Server, ProblemsCarryTheRequestIdAndOddIdsAreReplaced) {
    with_server([](raw_peer& peer, fixture&, server&, task_group&) -> task<void> {
        co_await peer.say("GET /problem HTTP/1.1\r\nHost: h\r\nX-Request-Id: a b\"c\r\n\r\n");
        auto const said = co_await peer.answer();
        EXPECT_TRUE(has(said, R"("instance":")")) << said;
        EXPECT_FALSE(has(said, "a b")) << said;
    });
}

TEST(Server, HeaderThatWouldSplitTheAnswerIsNotSent) {
    with_server([](raw_peer& peer, fixture&, server&, task_group&) -> task<void> {
        co_await peer.say("GET /splitting HTTP/1.1\r\nHost: h\r\n\r\n");
        auto const said = co_await peer.answer();
        EXPECT_TRUE(said.starts_with("HTTP/1.1 500")) << said;
        EXPECT_FALSE(has(said, "Set-Cookie")) << said;
    });
}

TEST(Server, HeadersForEveryAnswerAreOnErrorsTooAndAHandlersOwnWins) {
    server_options options;
    options.always = {{"X-Content-Type-Options", "nosniff"}, {"Content-Type", "application/never"}};
    with_server(
        [](raw_peer& peer, fixture&, server&, task_group&) -> task<void> {
            co_await peer.say("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
            auto const fine = co_await peer.answer();
            EXPECT_TRUE(has(fine, "X-Content-Type-Options: nosniff\r\n"));
            EXPECT_FALSE(has(fine, "application/never"));
            co_await peer.say("GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n");
            auto const error = co_await peer.answer();
            EXPECT_TRUE(has(error, "X-Content-Type-Options: nosniff\r\n"));
        },
        options);
}

TEST(Server, SlowHeadAndSlowBodyAreCutOff) {
    server_options options;
    options.header_time_max = 0s;
    with_server(
        [](raw_peer& peer, fixture&, server&, task_group&) -> task<void> {
            co_await peer.say("GET /echo HT");
            auto const said = co_await peer.answer();
            EXPECT_TRUE(said.starts_with("HTTP/1.1 408")) << said;
            bool const closed = co_await peer.is_closed();
            EXPECT_TRUE(closed);
        },
        options);
    with_server(
        [](raw_peer& peer, fixture& stage, server&, task_group&) -> task<void> {
            co_await peer.say("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
            auto const said = co_await peer.answer();
            EXPECT_TRUE(said.starts_with("HTTP/1.1 408")) << said;
            EXPECT_TRUE(stage.seen.empty());
        },
        options);
}

TEST(Server, IdleConnectionIsClosedSilently) {
    server_options options;
    options.idle_max = 0s;
    with_server(
        [](raw_peer& peer, fixture&, server&, task_group&) -> task<void> {
            auto const said = co_await peer.answer();
            EXPECT_EQ(said, "");
        },
        options);
}

TEST(Server, HandlerThatTakesTooLongIs503) {
    server_options options;
    options.total_time_max = 0s;
    with_server(
        [](raw_peer& peer, fixture&, server&, task_group&) -> task<void> {
            co_await peer.say("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
            auto const said = co_await peer.answer();
            EXPECT_TRUE(said.starts_with("HTTP/1.1 503")) << said;
        },
        options);
}

TEST(Server, RequestMaximumPerConnection) {
    server_options options;
    options.requests_per_connection_max = 2;
    with_server(
        [](raw_peer& peer, fixture&, server&, task_group&) -> task<void> {
            co_await peer.say("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
            auto const first = co_await peer.answer();
            EXPECT_TRUE(has(first, "Connection: keep-alive"));
            co_await peer.say("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
            auto const last = co_await peer.answer();
            EXPECT_TRUE(has(last, "Connection: close"));
            bool const closed = co_await peer.is_closed();
            EXPECT_TRUE(closed);
        },
        options);
}

TEST(Server, ConnectionMaximumIsAnsweredWith503AndFreedAgain) {
    server_options options;
    options.connections_max = 1;
    with_server(
        [](raw_peer& peer, fixture&, server& s, task_group&) -> task<void> {
            co_await peer.say("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
            (void)co_await peer.answer();
            auto const executor = co_await asio::this_coro::executor;
            raw_peer second(executor);
            co_await second.connect(s.port());
            auto const full = co_await second.answer();
            EXPECT_TRUE(full.starts_with("HTTP/1.1 503")) << full;
            peer.leave();
            for (int tries = 0; tries < 200; ++tries) {
                raw_peer third(executor);
                co_await third.connect(s.port());
                co_await third.say("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
                auto const said = co_await third.answer();
                if (said.starts_with("HTTP/1.1 200")) co_return;
                co_await yield_now();
            }
            ADD_FAILURE() << "the place of a closed connection was never free again";
        },
        options);
}

TEST(Server, DrainFinishesOpenRequestsClosesIdleOnesAndRefusesNew) {
    with_server([](raw_peer& peer, fixture& stage, server& s, task_group& group) -> task<void> {
        auto const executor = co_await asio::this_coro::executor;
        raw_peer idle(executor);
        co_await idle.connect(s.port());
        co_await idle.say("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
        (void)co_await idle.answer();
        co_await peer.say("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
        while (!stage.holding) co_await yield_now();

        group.cancel();
        bool const closed = co_await idle.is_closed();
        EXPECT_TRUE(closed);
        raw_peer late(executor);
        bool refused = false;
        try {
            co_await late.connect(s.port());
        } catch (boost::system::system_error const&) {
            refused = true;
        }
        EXPECT_TRUE(refused);
        EXPECT_EQ(group.running(), 1u) << "still draining";
        stage.release->notify();
        auto const said = co_await peer.answer();
        EXPECT_TRUE(said.ends_with("held")) << said;
        EXPECT_TRUE(has(said, "Connection: close\r\n")) << said;
    });
}

TEST(Server, OneThousandConnectionsAtOnce) {
    // Both ends live in this process.
    allow_descriptors(2500);
    with_server([](raw_peer&, fixture&, server& s, task_group&) -> task<void> {
        auto const executor = co_await asio::this_coro::executor;
        std::vector<std::unique_ptr<raw_peer>> peers;
        for (int i = 0; i < 1000; ++i) {
            peers.push_back(std::make_unique<raw_peer>(executor));
            co_await peers.back()->connect(s.port());
        }
        for (auto& one : peers) co_await one->say("GET /things/special HTTP/1.1\r\nHost: h\r\n\r\n");
        int answered = 0;
        for (auto& one : peers) {
            auto const said = co_await one->answer();
            answered += said.ends_with("special") ? 1 : 0;
        }
        EXPECT_EQ(answered, 1000);
    });
}

TEST(Server, AddressInUseIsSaidAtConstruction) {
    asio::io_context ioc;
    auto const first = make_server(ioc.get_executor(), {}, {});
    server_options options;
    options.port = first->port();
    EXPECT_THROW((void)make_server(ioc.get_executor(), options, {}), boost::system::system_error);
}

}  // namespace
}  // namespace calbridge::http
