#include "common/http/client.h"

#include "common/base/secret.h"
#include "common/http/body_reader.h"
#include "common/http/url.h"
#include "common/testing/testing.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <zlib.h>

#include <unistd.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <vector>

namespace calbridge::http {
namespace {

using namespace std::chrono_literals;
using tcp = asio::ip::tcp;

// ---- certificates of our own

struct free_x509 { void operator()(X509* p) const { X509_free(p); } };
struct free_pkey { void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); } };
using x509 = std::unique_ptr<X509, free_x509>;
using pkey = std::unique_ptr<EVP_PKEY, free_pkey>;

std::string pem_of(X509* cert) {
    BIO* const out = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(out, cert);
    char* data = nullptr;
    auto const size = BIO_get_mem_data(out, &data);
    std::string text(data, static_cast<std::size_t>(size));
    BIO_free(out);
    return text;
}

std::string pem_of(EVP_PKEY* key) {
    BIO* const out = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
    char* data = nullptr;
    auto const size = BIO_get_mem_data(out, &data);
    std::string text(data, static_cast<std::size_t>(size));
    BIO_free(out);
    return text;
}

void extend(X509* cert, X509* issuer, int nid, std::string const& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
}

struct authority {
    pkey key{EVP_EC_gen("P-256")};
    x509 cert{X509_new()};

    authority() {
        ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1);
        X509_set_version(cert.get(), 2);
        X509_gmtime_adj(X509_getm_notBefore(cert.get()), -86400);
        X509_gmtime_adj(X509_getm_notAfter(cert.get()), 86400);
        X509_set_pubkey(cert.get(), key.get());
        auto* const name = X509_get_subject_name(cert.get());
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<unsigned char const*>("test authority"), -1, -1, 0);
        X509_set_issuer_name(cert.get(), name);
        extend(cert.get(), cert.get(), NID_basic_constraints, "critical,CA:TRUE");
        X509_sign(cert.get(), key.get(), EVP_sha256());
    }
};

// A server certificate for `alt_names` ("DNS:localhost", "IP:127.0.0.1"), valid until `seconds_left` from now.
std::pair<std::string, std::string> issue(authority const& ca, std::string const& alt_names, long seconds_left) {
    pkey const key(EVP_EC_gen("P-256"));
    x509 const cert(X509_new());
    ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 2);
    X509_set_version(cert.get(), 2);
    X509_gmtime_adj(X509_getm_notBefore(cert.get()), -7200);
    X509_gmtime_adj(X509_getm_notAfter(cert.get()), seconds_left);
    X509_set_pubkey(cert.get(), key.get());
    X509_set_issuer_name(cert.get(), X509_get_subject_name(ca.cert.get()));
    extend(cert.get(), ca.cert.get(), NID_subject_alt_name, alt_names);
    X509_sign(cert.get(), ca.key.get(), EVP_sha256());
    return {pem_of(cert.get()), pem_of(key.get())};
}

struct ca_file {
    std::string path = "/tmp/calbridge_client_test_ca." + std::to_string(::getpid());
    explicit ca_file(authority const& ca) {
        auto* const file = std::fopen(path.c_str(), "w");
        auto const text = pem_of(ca.cert.get());
        std::fwrite(text.data(), 1, text.size(), file);
        std::fclose(file);
    }
    ca_file(ca_file const&) = delete;
    ca_file& operator=(ca_file const&) = delete;
    ~ca_file() { std::remove(path.c_str()); }
};

// ---- an impostor: per connection a list of raw answers, one per request it hears

struct said_to {
    std::vector<std::string> answers;  // "" = close without an answer; "…" after which it closes when `close_at_end`
    bool close_at_end{true};
    bool hang{false};  // after the answers: say nothing and keep the connection
    bool abort_tls{false};  // close the TCP connection without TLS's closing message
};

class impostor {
public:
    impostor(asio::any_io_executor const& executor, std::vector<said_to> script, asio::ssl::context* tls = nullptr)
        : acceptor_(executor, tcp::endpoint(asio::ip::address_v4::loopback(), 0)), script_(std::move(script)), tls_(tls) {}

    std::string url(std::string const& path = "/", std::string const& host = "127.0.0.1") const {
        return (tls_ ? "https://" : "http://") + host + ":" + std::to_string(acceptor_.local_endpoint().port()) + path;
    }

    task<void> run() {
        task_group connections(co_await asio::this_coro::executor);
        std::exception_ptr stopped;
        try {
            for (;;) {
                auto socket = co_await acceptor_.async_accept(asio::use_awaitable);
                auto const index = std::min(accepted++, script_.size() - 1);
                connections.spawn("connection", serve(std::move(socket), script_[index]));
            }
        } catch (boost::system::system_error const&) {
            stopped = std::current_exception();
        }
        co_await asio::this_coro::reset_cancellation_state();
        connections.cancel();
        co_await connections.join();
    }

    std::vector<std::string> heard;  // heads with bodies, in order
    std::size_t accepted{0};

private:
    template <class Stream>
    task<void> talk(Stream& stream, said_to const& script) {
        std::string buffer;
        boost::system::error_code ec;
        for (auto const& answer : script.answers) {
            bool const whole = co_await hear(stream, buffer);
            if (!whole || answer.empty()) co_return;
            co_await asio::async_write(stream, asio::buffer(answer), asio::redirect_error(asio::use_awaitable, ec));
        }
        if (script.hang) co_await sleep_until(deadline::max());
        if (!script.close_at_end) (void)co_await hear(stream, buffer);
    }

    template <class Stream>
    task<bool> hear(Stream& stream, std::string& buffer) {
        for (;;) {
            auto const end = buffer.find("\r\n\r\n");
            if (end != std::string::npos) {
                auto const field = buffer.find("Content-Length: ");
                std::size_t const length = field < end ? std::stoul(buffer.substr(field + 16)) : 0;
                if (buffer.size() >= end + 4 + length) {
                    heard.push_back(buffer.substr(0, end + 4 + length));
                    buffer.erase(0, end + 4 + length);
                    co_return true;
                }
            }
            std::array<char, 4096> chunk{};
            boost::system::error_code ec;
            auto const got = co_await stream.async_read_some(asio::buffer(chunk), asio::redirect_error(asio::use_awaitable, ec));
            buffer.append(chunk.data(), got);
            if (ec) co_return false;
        }
    }

    task<void> serve(tcp::socket socket, said_to script) {
        if (!tls_) {
            co_await talk(socket, script);
            co_return;
        }
        asio::ssl::stream<tcp::socket> stream(std::move(socket), *tls_);
        boost::system::error_code ec;
        co_await stream.async_handshake(asio::ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, ec));
        if (ec) co_return;
        co_await talk(stream, script);
        if (!script.abort_tls) co_await stream.async_shutdown(asio::redirect_error(asio::use_awaitable, ec));
    }

    tcp::acceptor acceptor_;
    std::vector<said_to> script_;
    asio::ssl::context* tls_;
};

using act = std::function<task<void>(client&, impostor&)>;

void with_impostor(std::vector<said_to> script, act play, asio::ssl::context* tls = nullptr, client_options options = {}) {
    asio::io_context ioc;
    testing::run_coro(ioc, [](std::vector<said_to> s, act const& p, asio::ssl::context* t, client_options o) -> task<void> {
        auto const executor = co_await asio::this_coro::executor;
        impostor peer(executor, std::move(s), t);
        auto const http = make_client(executor, std::move(o));
        task_group group(executor);
        group.spawn("impostor", [](impostor& i) -> task<void> { co_await i.run(); }(peer));
        co_await p(*http, peer);
        group.cancel();
        co_await group.join();
    }(std::move(script), play, tls, std::move(options)));
}

client_request get(std::string url) {
    client_request request;
    request.url = std::move(url);
    return request;
}

client_request post(std::string url, std::string body) {
    client_request request;
    request.method = "POST";
    request.url = std::move(url);
    request.body = std::move(body);
    return request;
}

std::string ok(std::string const& body, std::string const& lines = {}) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + lines + "\r\n" + body;
}

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

#define EXPECT_FAILS(outcome, wanted)                                                          \
    do {                                                                                       \
        EXPECT_FALSE((outcome).has_value());                                                   \
        if (!(outcome).has_value()) { EXPECT_EQ((outcome).error().code, wanted) << (outcome).error().context; } \
    } while (false)

bool not_sent(result<response> const& outcome) { return !outcome && outcome.error().context.starts_with("not sent:"); }

TEST(Client, SendsAndReadsAndReusesTheConnection) {
    with_impostor({{.answers = {ok("one", "X-A: b\r\n"), ok("two")}, .close_at_end = false}}, [](client& http, impostor& peer) -> task<void> {
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
    with_impostor({{.answers = {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"}}}, [](client& http, impostor& peer) -> task<void> {
        auto const said = co_await http.send(get(peer.url()), in(10s));
        EXPECT_EQ(said.value().status, 302);
        EXPECT_EQ(peer.heard.size(), 1u);
    });
}

TEST(Client, InterimAnswersAreSkipped) {
    with_impostor({{.answers = {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok("final")}}}, [](client& http, impostor& peer) -> task<void> {
        auto const said = co_await http.send(get(peer.url()), in(10s));
        EXPECT_EQ(said.value().status, 200);
        EXPECT_EQ(said.value().body, "final");
        EXPECT_FALSE(find(said.value().fields, "Link").has_value());
    });
}

TEST(Client, ChunkedAnswerAndItsTrailersAreNotHeaders) {
    with_impostor({{.answers = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: evil\r\n\r\n"}}}, [](client& http, impostor& peer) -> task<void> {
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
    for (std::string const lines : {"Transfer-Encoding: gzip\r\nContent-Length: 2\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", "Transfer-Encoding: identity\r\n"}) {
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
    for (std::string const& answer : {ok(std::string(101, 'x')), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + std::string(101, 'x') + "\r\n0\r\n\r\n"}) {
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
    with_impostor({{.answers = {ok(packed, "Content-Encoding: gzip\r\n"), ok(packed.substr(0, packed.size() - 9), "Content-Encoding: gzip\r\n"), ok("x", "Content-Encoding: br\r\n")},
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
    with_impostor({{.answers = {ok("1", "Connection: close\r\n")}, .close_at_end = false}, {.answers = {ok("2")}}}, [](client& http, impostor& peer) -> task<void> {
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
    with_impostor({{.answers = {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"}, .hang = true}}, [](client& http, impostor& peer) -> task<void> {
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
    with_impostor({{.answers = {}, .hang = true}}, [](client& http, impostor& peer) -> task<void> {
        task_group group(co_await asio::this_coro::executor);
        group.spawn("holder", [](client& c, std::string url) -> task<void> { (void)co_await c.send(get(std::move(url)), in(1h)); }(http, peer.url()));
        while (peer.accepted == 0) co_await yield_now();
        auto const said = co_await http.send(post(peer.url(), "x"), in(30ms));
        EXPECT_FAILS(said, errc::timed_out);
        EXPECT_TRUE(not_sent(said)) << said.error().context;
        EXPECT_EQ(peer.accepted, 1u);
        group.cancel();
        co_await group.join();
    }, nullptr, options);
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
        for (std::string const url : {"ftp://h/", "http://", "http://u:p@h/", "http://h/#f", "http://h/a b", "http://h/\r\nX: y", "http://h:0/", "http://h:99999/", "h/x"}) {
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

// ---- TLS

struct tls_server {
    asio::ssl::context context{asio::ssl::context::tls_server};
    explicit tls_server(std::pair<std::string, std::string> const& pem) {
        context.use_certificate_chain(asio::buffer(pem.first));
        context.use_private_key(asio::buffer(pem.second), asio::ssl::context::pem);
    }
};

TEST(ClientTls, VerifiedServerIsTalkedToByNameAndByAddress) {
    authority const ca;
    ca_file const file(ca);
    tls_server server(issue(ca, "DNS:localhost,IP:127.0.0.1", 3600));
    client_options options;
    options.ca_file = file.path;
    with_impostor({{.answers = {ok("secret"), ok("again")}, .close_at_end = false}}, [](client& http, impostor& peer) -> task<void> {
        auto const by_name = co_await http.send(get(peer.url("/", "localhost")), in(10s));
        EXPECT_EQ(by_name.value().body, "secret");
        auto const reused = co_await http.send(get(peer.url("/", "localhost")), in(10s));
        EXPECT_EQ(reused.value().body, "again");
        EXPECT_EQ(peer.accepted, 1u);
        auto const by_address = co_await http.send(get(peer.url("/", "127.0.0.1")), in(10s));
        EXPECT_EQ(by_address.value().body, "secret");
    }, &server.context, options);
}

void expect_refused(asio::ssl::context& server, client_options options) {
    with_impostor({{.answers = {ok("secret")}}}, [](client& http, impostor& peer) -> task<void> {
        auto const said = co_await http.send(post(peer.url("/", "localhost"), "token"), in(10s));
        EXPECT_FAILS(said, errc::unavailable);
        EXPECT_TRUE(not_sent(said)) << said.error().context;
        EXPECT_TRUE(peer.heard.empty());
    }, &server, std::move(options));
}

TEST(ClientTls, WrongHostExpiredAndUntrustedAreRefusedBeforeAnythingIsSent) {
    authority const ca;
    authority const stranger;
    ca_file const file(ca);
    client_options options;
    options.ca_file = file.path;

    tls_server wrong_host(issue(ca, "DNS:other.example,DNS:localhost.evil.example", 3600));
    expect_refused(wrong_host.context, options);
    tls_server expired(issue(ca, "DNS:localhost", -60));
    expect_refused(expired.context, options);
    tls_server untrusted(issue(stranger, "DNS:localhost", 3600));
    expect_refused(untrusted.context, options);
    tls_server unknown_to_the_system(issue(ca, "DNS:localhost", 3600));
    expect_refused(unknown_to_the_system.context, {});
}

TEST(ClientTls, OldTlsIsRefused) {
    authority const ca;
    ca_file const file(ca);
    client_options options;
    options.ca_file = file.path;
    tls_server server(issue(ca, "DNS:localhost", 3600));
    SSL_CTX_set_security_level(server.context.native_handle(), 0);
    SSL_CTX_set_min_proto_version(server.context.native_handle(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(server.context.native_handle(), TLS1_1_VERSION);
    expect_refused(server.context, options);
}

TEST(ClientTls, CutStreamIsAnErrorEvenWhereAPlainOneWouldBeComplete) {
    authority const ca;
    ca_file const file(ca);
    client_options options;
    options.ca_file = file.path;
    tls_server server(issue(ca, "DNS:localhost", 3600));
    with_impostor({{.answers = {"HTTP/1.1 502 Bad Gateway\r\n\r\nhalf of the re"}, .abort_tls = true}}, [](client& http, impostor& peer) -> task<void> {
        auto const said = co_await http.send(get(peer.url("/", "localhost")), in(10s));
        EXPECT_FAILS(said, errc::malformed);
    }, &server.context, options);
}

TEST(ClientTls, PlainPeerWhereTlsWasExpected) {
    with_impostor({{.answers = {ok("x")}, .close_at_end = true}}, [](client& http, impostor& peer) -> task<void> {
        auto url = peer.url();
        url.replace(0, 4, "https");
        auto const said = co_await http.send(get(url), in(300ms));
        EXPECT_FALSE(said.has_value());
        EXPECT_TRUE(not_sent(said));
    });
}

TEST(ClientTls, MissingAuthorityFileIsSaidAtConstruction) {
    asio::io_context ioc;
    client_options options;
    options.ca_file = "/nonexistent/ca.pem";
    EXPECT_THROW((void)make_client(ioc.get_executor(), options), std::runtime_error);
}

}  // namespace
}  // namespace calbridge::http
