#pragma once
// A server that says what it is told to, byte for byte. For this folder's tests.

#include "common/http/client.h"
#include "common/testing/testing.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace calbridge::http {

using tcp = asio::ip::tcp;

// Per connection a list of raw answers, one per request it hears.
struct said_to {
    std::vector<std::string> answers;  // "" = close without an answer; "…" after which it closes when `close_at_end`
    bool close_at_end{true};
    bool hang{false};       // after the answers: say nothing and keep the connection
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

inline void with_impostor(std::vector<said_to> script, act play, asio::ssl::context* tls = nullptr, client_options options = {}) {
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

inline client_request get(std::string url) {
    client_request request;
    request.url = std::move(url);
    return request;
}

inline client_request post(std::string url, std::string body) {
    client_request request;
    request.method = "POST";
    request.url = std::move(url);
    request.body = std::move(body);
    return request;
}

inline std::string ok(std::string const& body, std::string const& lines = {}) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + lines + "\r\n" + body;
}

#define EXPECT_FAILS(outcome, wanted)                                               \
    do {                                                                            \
        EXPECT_FALSE((outcome).has_value());                                        \
        if (!(outcome).has_value()) {                                               \
            EXPECT_EQ((outcome).error().code, wanted) << (outcome).error().context; \
        }                                                                           \
    } while (false)

inline bool not_sent(result<response> const& outcome) { return !outcome && outcome.error().context.starts_with("not sent:"); }

}  // namespace calbridge::http
