#include "common/http/server.h"

#include "common/async/with_deadline.h"
#include "common/http/descriptors.h"
#include "common/http/server_connection.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>

namespace calbridge::http {
namespace {

using tcp = asio::ip::tcp;

constexpr std::chrono::milliseconds sweep_every{250};
constexpr std::string_view full_answer =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\nRetry-After: 1\r\n\r\n";

tcp::acceptor listen_on(asio::any_io_executor const& executor, std::string const& address, std::uint16_t port) {
    tcp::endpoint const where(asio::ip::make_address(address), port);
    tcp::acceptor acceptor(executor);
    acceptor.open(where.protocol());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    acceptor.bind(where);
    acceptor.listen(4096);
    return acceptor;
}

std::vector<std::string> lower(std::vector<std::string> names) {
    for (auto& name : names) {
        std::ranges::transform(name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    }
    return names;
}

// A bug in one connection is said and ends that connection, not the server.
task<void> guarded(server_shared& shared, tcp::socket socket) {
    try {
        co_await serve_connection(shared, std::move(socket));
    } catch (boost::system::system_error const& e) {
        if (e.code() == asio::error::operation_aborted) throw;
        log::error("http.connection_failed", {{"what", e.what()}});
    } catch (std::exception const& e) {
        log::error("http.connection_failed", {{"what", e.what()}});
    }
}

class tcp_server final : public server {
public:
    tcp_server(asio::any_io_executor executor, server_options options, std::vector<route> routes)
        : executor_(std::move(executor)), acceptor_(listen_on(executor_, options.address, options.port)),
          shared_{.options = std::move(options), .routes = route_table(std::move(routes)), .rules = {}, .watched = {}} {
        shared_.options.hosts = lower(std::move(shared_.options.hosts));
        shared_.rules.hosts = shared_.options.hosts;
        port_ = acceptor_.local_endpoint().port();
        if (!allow_descriptors(shared_.options.connections_max)) {
            log::warn("http.descriptor_limit", {{"connections_max", static_cast<std::uint64_t>(shared_.options.connections_max)}});
        }
    }

    std::uint16_t port() const override { return port_; }

    task<void> run() override {
        task_group connections(executor_);
        task_group helpers(executor_);
        helpers.spawn("http.deadlines", shared_.watched.run(sweep_every));
        std::exception_ptr reason;
        try {
            co_await accept(connections);
        } catch (...) {
            reason = std::current_exception();
        }
        // From here on this coroutine is not cancelled any more: the drain has its own end.
        co_await asio::this_coro::reset_cancellation_state();
        boost::system::error_code ignored;
        acceptor_.close(ignored);
        shared_.draining = true;
        shared_.watched.for_each([](socket_watch& one) {
            boost::system::error_code ec;
            if (one.idle) one.socket().cancel(ec);
        });
        (void)co_await finishes_before(in(shared_.options.total_time_max), connections.join());
        helpers.cancel();
        co_await helpers.join();
        std::rethrow_exception(reason);
    }

private:
    task<void> accept(task_group& connections) {
        for (;;) {
            boost::system::error_code ec;
            tcp::socket socket(executor_);
            co_await acceptor_.async_accept(socket, asio::redirect_error(asio::use_awaitable, ec));
            if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor) throw boost::system::system_error(ec);
            if (ec) {
                // Out of descriptors, or the peer has gone already: neither may end the server nor make it spin.
                log::warn("http.accept_failed", {{"what", ec.message()}});
                co_await sleep_for(std::chrono::milliseconds(50));
                continue;
            }
            socket.set_option(tcp::no_delay(true), ec);
            if (connections.running() >= shared_.options.connections_max) {
                metrics::get_counter("calbridge_http_server_refused_total", "Requests refused before a handler saw them, by reason.",
                                     {{"reason", "connections_max"}})
                    .add();
                socket.non_blocking(true, ec);
                (void)socket.write_some(asio::buffer(full_answer), ec);
                continue;
            }
            connections.spawn("http.connection", guarded(shared_, std::move(socket)));
        }
    }

    asio::any_io_executor executor_;
    tcp::acceptor acceptor_;
    server_shared shared_;
    std::uint16_t port_{0};
};

}  // namespace

std::string_view server_request::param(std::string_view name) const {
    for (auto const& [key, value] : path_params) {
        if (key == name) return value;
    }
    return {};
}

std::unique_ptr<server> make_server(asio::any_io_executor executor, server_options options, std::vector<route> routes) {
    return std::make_unique<tcp_server>(std::move(executor), std::move(options), std::move(routes));
}

}  // namespace calbridge::http
