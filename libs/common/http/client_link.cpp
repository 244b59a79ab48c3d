#include "common/http/client_link.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>
#include <vector>

namespace calbridge::http {
namespace {

using tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t read_size = 16 * 1024;

// Failure is a value here, being told to stop is not.
void throw_if_stopped(error_code const& ec) {
    if (ec == asio::error::operation_aborted) throw boost::system::system_error(ec);
}

template <class Stream>
task<client_link::wrote> write_all(Stream& stream, std::string const& bytes) {
    client_link::wrote done{};
    done.bytes = co_await asio::async_write(stream, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, done.ec));
    throw_if_stopped(done.ec);
    co_return done;
}

template <class Stream>
task<error_code> read_some(Stream& stream, std::string& buffer) {
    error_code ec;
    auto const had = buffer.size();
    buffer.resize(had + read_size);
    auto const got =
        co_await stream.async_read_some(asio::buffer(buffer.data() + had, read_size), asio::redirect_error(asio::use_awaitable, ec));
    buffer.resize(had + got);
    throw_if_stopped(ec);
    co_return ec;
}

bool is_quiet(tcp::socket& socket) {
    char byte = 0;
    auto const got = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

class plain_link final : public client_link {
public:
    explicit plain_link(tcp::socket socket) : socket_(std::move(socket)) {}
    task<wrote> write(std::string const& bytes) override { return write_all(socket_, bytes); }
    task<error_code> read(std::string& buffer) override { return read_some(socket_, buffer); }
    bool is_usable() override { return is_quiet(socket_); }

private:
    tcp::socket socket_;
};

class tls_link final : public client_link {
public:
    tls_link(tcp::socket socket, asio::ssl::context& tls) : stream_(std::move(socket), tls) {}
    task<wrote> write(std::string const& bytes) override { return write_all(stream_, bytes); }
    task<error_code> read(std::string& buffer) override { return read_some(stream_, buffer); }
    bool is_usable() override { return is_quiet(stream_.next_layer()); }
    asio::ssl::stream<tcp::socket>& stream() { return stream_; }

private:
    asio::ssl::stream<tcp::socket> stream_;
};

// getaddrinfo() cannot be interrupted. Its answer goes to a place of its own, so that a cancelled caller need not wait for it.
struct resolution {
    explicit resolution(asio::any_io_executor const& executor) : resolver(executor), ended(executor) {}
    tcp::resolver resolver;
    wakeup ended;
    bool done{false};
    error_code ec;
    std::vector<tcp::endpoint> endpoints;
};

task<result<std::vector<tcp::endpoint>>> resolve(std::string host, std::uint16_t port) {
    error_code not_numeric;
    auto const address = asio::ip::make_address(host, not_numeric);
    if (!not_numeric) co_return std::vector<tcp::endpoint>{{address, port}};
    auto const shared = std::make_shared<resolution>(co_await asio::this_coro::executor);
    shared->resolver.async_resolve(host, std::to_string(port), tcp::resolver::numeric_service,
                                   [shared](error_code ec, tcp::resolver::results_type const& found) {
                                       shared->ec = ec;
                                       for (auto const& one : found) shared->endpoints.push_back(one.endpoint());
                                       shared->done = true;
                                       shared->ended.notify();
                                   });
    while (!shared->done) co_await shared->ended.wait();
    if (shared->ec) co_return fail(errc::unavailable, "resolve " + host + ": " + shared->ec.message());
    co_return std::move(shared->endpoints);
}

task<result<tcp::socket>> connect(std::vector<tcp::endpoint> endpoints) {
    error_code ec = asio::error::host_not_found;
    for (auto const& endpoint : endpoints) {
        tcp::socket socket(co_await asio::this_coro::executor);
        ec = {};
        co_await socket.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, ec));
        throw_if_stopped(ec);
        if (ec) continue;
        error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        co_return std::move(socket);
    }
    co_return fail(errc::unavailable, ec.message());
}

bool is_ip_address(std::string const& host) {
    error_code ec;
    (void)asio::ip::make_address(host, ec);
    return !ec;
}

}  // namespace

std::unique_ptr<asio::ssl::context> make_tls_context(std::string const& ca_file) {
    auto tls = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
    error_code ec;
    if (SSL_CTX_set_min_proto_version(tls->native_handle(), TLS1_2_VERSION) != 1) throw std::runtime_error("TLS 1.2 is not available");
    if (ca_file.empty()) tls->set_default_verify_paths(ec);
    else tls->load_verify_file(ca_file, ec);
    if (ec) throw std::runtime_error("certificate authorities " + (ca_file.empty() ? "of the system" : ca_file) + ": " + ec.message());
    tls->set_verify_mode(asio::ssl::verify_peer);
    return tls;
}

task<result<std::unique_ptr<client_link>>> open_link(target_url const& to, asio::ssl::context& tls) {
    auto endpoints = co_await resolve(to.host, to.port);
    if (!endpoints) co_return endpoints.error();
    auto socket = co_await connect(std::move(*endpoints));
    if (!socket) co_return fail(socket.error().code, "connect " + to.authority + ": " + socket.error().context);
    if (!to.tls) co_return std::unique_ptr<client_link>(std::make_unique<plain_link>(std::move(*socket)));

    auto link = std::make_unique<tls_link>(std::move(*socket), tls);
    error_code ec;
    if (!is_ip_address(to.host) && SSL_set_tlsext_host_name(link->stream().native_handle(), to.host.c_str()) != 1) {
        co_return fail(errc::internal, "tls " + to.authority + ": server name");
    }
    link->stream().set_verify_callback(asio::ssl::host_name_verification(to.host), ec);
    if (ec) co_return fail(errc::internal, "tls " + to.authority + ": " + ec.message());
    co_await link->stream().async_handshake(asio::ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, ec));
    throw_if_stopped(ec);
    if (ec) co_return fail(errc::unavailable, "tls " + to.authority + ": " + ec.message());
    co_return std::unique_ptr<client_link>(std::move(link));
}

}  // namespace calbridge::http
