#include "common/http/client.h"

#include "common/http/body_reader.h"
#include "common/http/impostor_fixture.h"
#include "common/http/url.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace calbridge::http {
namespace {

using namespace std::chrono_literals;

std::string gzip(std::string const& text) {
    z_stream z{};
    deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    std::string out(text.size() + 1000, '\0');
    z.next_in = const_cast<Bytef*>(reinterpret_cast<Bytef const*>(text.data()));
    z.avail_in = static_cast<uInt>(text.size());
    z.next_out = reinterpret_cast<Bytef*>(out.data());
    z.avail_out = static_cast<uInt>(out.size());
    deflate(&z, Z_FINISH);
    out.resize(z.total_out);
    deflateEnd(&z);
    return out;
}

TEST(Client, SendsAndReadsAndReusesTheConnection) {
    with_impostor({{.answers = {ok("one", "X-A: b\r\n"), ok("two")}, .close_at_end = false}},
                  [](client& http, impostor& peer) -> task<void> {
                      auto request = post(peer.url("/a?b=c"), "body");
                      request.fields.emplace_back("X-Mine", "yes");
                      auto const first = co_await http.send(std::move(request), in(10s));
                      auto const second = co_await http.send(get(peer.url()), in(10s));
                      EXPECT_EQ(first.value().body, "one");
                      EXPECT_EQ(find(first.value().fields, "x-a"), "b");
                      EXPECT_EQ(second.value().body, "two");
                      EXPECT_EQ(peer.accepted, 1u);
                      EXPECT_TRUE(peer.heard.at(0).starts_with("POST /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:")) << peer.heard.at(0);
                      EXPECT_NE(peer.heard.at(0).find("User-Agent: calbridge/0.1 (gzip)\r\n"), std::string::npos);
                      EXPECT_NE(peer.heard.at(0).find("Accept-Encoding: gzip\r\n"), std::string::npos);
                      EXPECT_NE(peer.heard.at(0).find("X-Mine: yes\r\n"), std::string::npos);
                      EXPECT_TRUE(peer.heard.at(0).ends_with("Content-Length: 4\r\n\r\nbody"));
                  });
}

TEST(Client, StatusIsHandedOnAndRedirectsAreNotFollowed) {
    with_impostor({{.answers = {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"}}},
                  [](client& http, impostor& peer) -> task<void> {
                      auto const said = co_await http.send(get(peer.url()), in(10s));
                      EXPECT_EQ(said.value().status, 302);
                      EXPECT_EQ(peer.heard.size(), 1u);
                  });
}

TEST(Client, InterimAnswersAreSkipped) {
    with_impostor({{.answers = {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok("final")}}},
                  [](client& http, impostor& peer) -> task<void> {
                      auto const said = co_await http.send(get(peer.url()), in(10s));
                      EXPECT_EQ(said.value().status, 200);
                      EXPECT_EQ(said.value().body, "final");
                      EXPECT_FALSE(find(said.value().fields, "Link").has_value());
                  });
}

TEST(Client, ChunkedAnswerAndItsTrailersAreNotHeaders) {
    with_impostor(
        {{.answers = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: evil\r\n\r\n"}}},
        [](client& http, impostor& peer) -> task<void> {
            auto const said = co_await http.send(get(peer.url()), in(10s));
            EXPECT_EQ(said.value().body, "abcde");
            EXPECT_FALSE(find(said.value().fields, "X-Trailer").has_value());
        });
}

TEST(Client, SuccessWithoutExplicitLengthIsMalformed) {
    with_impostor({{.answers = {"HTTP/1.1 200 OK\r\n\r\n{\"items\":["}}}, [](client& http, impostor& peer) -> task<void> {
        auto const said = co_await http.send(get(peer.url()), in(10s));
        EXPECT_FAILS(said, errc::malformed);
        EXPECT_FALSE(not_sent(said));
    });
}

TEST(Client, ErrorAnswerMayEndWithTheConnection) {
    with_impostor({{.answers = {"HTTP/1.1 502 Bad Gateway\r\n\r\nproxy says no"}}}, [](client& http, impostor& peer) -> task<void> {
        auto const said = co_await http.send(get(peer.url()), in(10s));
        EXPECT_EQ(said.value().status, 502);
        EXPECT_EQ(said.value().body, "proxy says no");
    });
}

TEST(Client, AmbiguousFramingIsMalformed) {
    for (std::string const lines : {"Transfer-Encoding: gzip\r\nContent-Length: 2\r\n",
                                    "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", "Transfer-Encoding: identity\r\n"}) {
        with_impostor({{.answers = {"HTTP/1.1 200 OK\r\n" + lines + "\r\nok"}}}, [lines](client& http, impostor& peer) -> task<void> {
            auto const said = co_await http.send(get(peer.url()), in(10s));
            EXPECT_FALSE(said.has_value()) << lines;
        });
    }
}

TEST(Client, AnswerCutInItsBodyIsUnavailable) {
    with_impostor({{.answers = {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"}}}, [](client& http, impostor& peer) -> task<void> {
        auto const said = co_await http.send(get(peer.url()), in(10s));
        EXPECT_FAILS(said, errc::unavailable);
        EXPECT_FALSE(not_sent(said));
        EXPECT_EQ(peer.heard.size(), 1u) << "an answer had started: not repeated";
    });
}

TEST(Client, GarbageIsMalformed) {
    with_impostor({{.answers = {"SSH-2.0-OpenSSH_9.2\r\n\r\n"}}}, [](client& http, impostor& peer) -> task<void> {
        auto const said = co_await http.send(get(peer.url()), in(10s));
        EXPECT_FAILS(said, errc::malformed);
    });
}

TEST(Client, BodyOverItsMaximum) {
    for (std::string const& answer : {ok(std::string(101, 'x')), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" +
                                                                     std::string(101, 'x') + "\r\n0\r\n\r\n"}) {
        with_impostor({{.answers = {answer}}}, [](client& http, impostor& peer) -> task<void> {
            auto request = get(peer.url());
            request.answer_bytes_max = 100;
            auto const said = co_await http.send(std::move(request), in(10s));
            EXPECT_FAILS(said, errc::too_large);
        });
    }
}

TEST(Client, GzipIsInflatedAndItsHeadersAreGone) {
    std::string const text(50000, 'a');
    with_impostor({{.answers = {ok(gzip(text), "Content-Encoding: gzip\r\n")}}}, [text](client& http, impostor& peer) -> task<void> {
        auto const said = co_await http.send(get(peer.url()), in(10s));
        EXPECT_EQ(said.value().body, text);
        EXPECT_FALSE(find(said.value().fields, "Content-Encoding").has_value());
        EXPECT_FALSE(find(said.value().fields, "Content-Length").has_value());
    });
}

TEST(Client, GzipBombCutAndUnknownEncoding) {
    auto const packed = gzip(std::string(200000, 'a'));
    with_impostor({{.answers = {ok(packed, "Content-Encoding: gzip\r\n"),
                                ok(packed.substr(0, packed.size() - 9), "Content-Encoding: gzip\r\n"), ok("x", "Content-Encoding: br\r\n")},
                    .close_at_end = false}},
                  [](client& http, impostor& peer) -> task<void> {
                      auto request = get(peer.url());
                      request.answer_bytes_max = 100000;
                      auto const bomb = co_await http.send(request, in(10s));
                      EXPECT_FAILS(bomb, errc::too_large);
                      auto const cut = co_await http.send(get(peer.url()), in(10s));
                      EXPECT_FAILS(cut, errc::malformed);
                      auto const unknown = co_await http.send(get(peer.url()), in(10s));
                      EXPECT_FAILS(unknown, errc::malformed);
                  });
}

TEST(Gunzip, MembersFollowEachOtherAndExactMaximumFits) {
    EXPECT_EQ(gunzip(gzip("one") + gzip("two"), 6).value(), "onetwo");
    EXPECT_EQ(gunzip(gzip(std::string(100, 'x')), 100).value(), std::string(100, 'x'));
    EXPECT_EQ(gunzip(gzip(std::string(101, 'x')), 100).error().code, errc::too_large);
    EXPECT_EQ(gunzip(gzip("one") + "tail", 100).error().code, errc::malformed);
    EXPECT_EQ(gunzip("", 100).error().code, errc::malformed);
}

TEST(Client, StaleConnectionIsRepeatedOnceForIdempotentMethods) {
    // The first connection answers once, takes the next request and closes without a word.
    with_impostor({{.answers = {ok("1"), ""}}, {.answers = {ok("2")}}}, [](client& http, impostor& peer) -> task<void> {
        auto const first = co_await http.send(get(peer.url()), in(10s));
        EXPECT_EQ(first.value().body, "1");
        auto const second = co_await http.send(get(peer.url()), in(10s));
        EXPECT_EQ(second.value().body, "2");
        EXPECT_EQ(peer.accepted, 2u);
        EXPECT_EQ(peer.heard.size(), 3u);
    });
}

TEST(Client, PostOnAStaleConnectionIsNotRepeatedOnceItMayHaveArrived) {
    with_impostor({{.answers = {ok("1"), ""}}, {.answers = {ok("2")}}}, [](client& http, impostor& peer) -> task<void> {
        (void)co_await http.send(get(peer.url()), in(10s));
        auto const said = co_await http.send(post(peer.url(), "pay"), in(10s));
        EXPECT_FAILS(said, errc::unavailable);
        EXPECT_FALSE(not_sent(said));
        EXPECT_EQ(peer.accepted, 1u);
    });
}

TEST(Client, FreshConnectionThatClosesWithoutAnAnswerIsNotRepeated) {
    with_impostor({{.answers = {""}}, {.answers = {ok("2")}}}, [](client& http, impostor& peer) -> task<void> {
        auto const said = co_await http.send(get(peer.url()), in(10s));
        EXPECT_FAILS(said, errc::unavailable);
        EXPECT_EQ(peer.accepted, 1u);
    });
}

TEST(Client, ConnectionClosedWhileIdleIsNotUsedAgainEvenForPost) {
    with_impostor({{.answers = {ok("1")}}, {.answers = {ok("2")}}}, [](client& http, impostor& peer) -> task<void> {
        (void)co_await http.send(get(peer.url()), in(10s));
        // The impostor has closed; let its FIN arrive.
        for (int turn = 0; turn < 20; ++turn) co_await yield_now();
        auto const said = co_await http.send(post(peer.url(), "x"), in(10s));
        EXPECT_EQ(said.value().body, "2");
    });
}

TEST(Client, ConnectionCloseIsObeyed) {
    with_impostor({{.answers = {ok("1", "Connection: close\r\n")}, .close_at_end = false}, {.answers = {ok("2")}}},
                  [](client& http, impostor& peer) -> task<void> {
                      (void)co_await http.send(get(peer.url()), in(10s));
                      auto const said = co_await http.send(get(peer.url()), in(10s));
                      EXPECT_EQ(said.value().body, "2");
                      EXPECT_EQ(peer.accepted, 2u);
                  });
}

TEST(Client, PeerThatNeverAnswersIsATimeoutWithOutcomeUnknown) {
    with_impostor({{.answers = {}, .hang = true}}, [](client& http, impostor& peer) -> task<void> {
        auto const said = co_await http.send(post(peer.url(), "x"), in(50ms));
        EXPECT_FAILS(said, errc::timed_out);
        EXPECT_FALSE(not_sent(said));
        auto const half = co_await http.send(get(peer.url()), in(50ms));
        EXPECT_FAILS(half, errc::timed_out);
    });
}

TEST(Client, AnswerThatStopsHalfWayIsATimeout) {
    with_impostor({{.answers = {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"}, .hang = true}},
                  [](client& http, impostor& peer) -> task<void> {
                      auto const said = co_await http.send(get(peer.url()), in(50ms));
                      EXPECT_FAILS(said, errc::timed_out);
                  });
}

TEST(Client, NothingListeningIsNotSent) {
    asio::io_context ioc;
    testing::run_coro(ioc, []() -> task<void> {
        auto const executor = co_await asio::this_coro::executor;
        std::uint16_t port = 0;
        {
            tcp::acceptor const taken(executor, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
            port = taken.local_endpoint().port();
        }
        auto const http = make_client(executor, {});
        auto const said = co_await http->send(post("http://127.0.0.1:" + std::to_string(port) + "/", "x"), in(10s));
        EXPECT_FAILS(said, errc::unavailable);
        EXPECT_TRUE(not_sent(said)) << said.error().context;
    }());
}

TEST(Client, WaitingForAConnectionOfThePoolIsNotSent) {
    client_options options;
    options.connections_per_origin_max = 1;
    with_impostor(
        {{.answers = {}, .hang = true}},
        [](client& http, impostor& peer) -> task<void> {
            task_group group(co_await asio::this_coro::executor);
            group.spawn("holder", [](client& c, std::string url) -> task<void> {
                (void)co_await c.send(get(std::move(url)), in(1h));
            }(http, peer.url()));
            while (peer.accepted == 0) co_await yield_now();
            auto const said = co_await http.send(post(peer.url(), "x"), in(30ms));
            EXPECT_FAILS(said, errc::timed_out);
            EXPECT_TRUE(not_sent(said)) << said.error().context;
            EXPECT_EQ(peer.accepted, 1u);
            group.cancel();
            co_await group.join();
        },
        nullptr, options);
}

TEST(Client, PassedDeadlineSendsNothing) {
    with_impostor({{.answers = {ok("1")}}}, [](client& http, impostor& peer) -> task<void> {
        auto const said = co_await http.send(post(peer.url(), "x"), in(-1s));
        EXPECT_FAILS(said, errc::timed_out);
        EXPECT_TRUE(not_sent(said));
        EXPECT_EQ(peer.accepted, 0u);
    });
}

TEST(Client, WhatCannotBeSentSafelyIsNotSent) {
    asio::io_context ioc;
    testing::run_coro(ioc, []() -> task<void> {
        auto const http = make_client(co_await asio::this_coro::executor, {});
        for (std::string const url : {"ftp://h/", "http://", "http://u:p@h/", "http://h/#f", "http://h/a b", "http://h/\r\nX: y",
                                      "http://h:0/", "http://h:99999/", "h/x"}) {
            auto const said = co_await http->send(get(url), in(10s));
            EXPECT_FAILS(said, errc::malformed);
            EXPECT_TRUE(not_sent(said)) << url;
        }
        auto split = get("http://127.0.0.1:1/");
        split.fields.emplace_back("X-A", "b\r\nX-Evil: 1");
        auto const refused = co_await http->send(split, in(10s));
        EXPECT_FAILS(refused, errc::malformed);
    }());
}

TEST(Url, PartsAndDefaults) {
    auto const plain = parse_url("http://Example.org?x=1").value();
    EXPECT_EQ(plain.authority, "example.org");
    EXPECT_EQ(plain.port, 80);
    EXPECT_EQ(plain.target, "/?x=1");
    auto const v6 = parse_url("https://[::1]:8443/a").value();
    EXPECT_EQ(v6.host, "::1");
    EXPECT_EQ(v6.port, 8443);
    EXPECT_EQ(v6.origin(), "https://[::1]:8443");
    EXPECT_EQ(parse_url("https://h:443/").value().authority, "h");
}

}  // namespace
}  // namespace calbridge::http
