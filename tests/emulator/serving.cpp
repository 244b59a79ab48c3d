#include "tests/emulator/serving.h"

#include "common/http/client.h"
#include "tests/emulator/text.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>

namespace calbridge::emulator {

namespace {

namespace beast = boost::beast;
using tcp = asio::ip::tcp;

constexpr std::size_t request_bytes_max = 64 << 20;

request to_request(beast::http::request<beast::http::string_body>&& m) {
    request r;
    r.method = std::string(m.method_string());
    std::string_view const target(m.target().data(), m.target().size());
    auto const mark = target.find('?');
    r.path = std::string(target.substr(0, mark));
    if (mark != std::string_view::npos) r.query = std::string(target.substr(mark + 1));
    for (auto const& f : m) r.fields.emplace_back(std::string(f.name_string()), std::string(f.value()));
    r.body = std::move(m.body());
    return r;
}

bool wants_gzip(request const& r) {
    auto const has = [&](std::string_view name) { return header(r.fields, name).value_or("").find("gzip") != std::string_view::npos; };
    return has("Accept-Encoding") && has("User-Agent");
}

std::string to_bytes(answer& a, bool gzipped, bool keep_open) {
    if (gzipped && a.body.size() > 150) {
        a.body = gzip(a.body);
        a.fields.emplace_back("Content-Encoding", "gzip");
    }
    std::string out = "HTTP/1.1 " + std::to_string(a.status) + " " +
                      std::string(beast::http::obsolete_reason(static_cast<beast::http::status>(a.status))) + "\r\n";
    for (auto const& [name, value] : a.fields) out += name + ": " + value + "\r\n";
    if (a.status != 204 && a.status != 304) out += "Content-Length: " + std::to_string(a.body.size()) + "\r\n";
    if (!keep_open) out += "Connection: close\r\n";
    out += "\r\n";
    if (a.status != 204 && a.status != 304) out += a.sent == answer::how::cut ? a.body.substr(0, a.body.size() / 2) : a.body;
    return out;
}

class beast_serving final : public serving {
public:
    beast_serving(asio::any_io_executor executor, world& w, serving_options options)
        : world_(w), options_(std::move(options)), acceptor_(executor), wake_(executor), group_(executor),
          client_(http::make_client(executor, {.user_agent = "APIs-Google", .connections_per_origin_max = 32})) {
        tcp::endpoint const at(asio::ip::make_address(options_.address), options_.port);
        acceptor_.open(at.protocol());
        acceptor_.set_option(tcp::acceptor::reuse_address(true));
        acceptor_.bind(at);
        acceptor_.listen(1024);
    }

    std::uint16_t port() const override { return acceptor_.local_endpoint().port(); }
    void wake() override { wake_.notify(); }

    task<void> run() override {
        group_.spawn("accept", accept());
        group_.spawn("push", pump());
        co_await group_.join();
    }

private:
    task<void> accept() {
        for (;;) {
            beast::error_code ec;
            auto socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, ec));
            if (ec == asio::error::operation_aborted) throw boost::system::system_error(ec);
            if (ec) {
                // Out of descriptors or an impatient peer; the next one may fare better.
                co_await sleep_for(std::chrono::milliseconds(10));
                continue;
            }
            beast::error_code ignored;
            socket.set_option(tcp::no_delay(true), ignored);
            group_.spawn("connection", serve(beast::tcp_stream(std::move(socket))));
        }
    }

    task<void> serve(beast::tcp_stream stream) {
        beast::flat_buffer buffer;
        for (;;) {
            beast::http::request_parser<beast::http::string_body> parser;
            parser.body_limit(request_bytes_max);
            stream.expires_after(std::chrono::minutes(2));
            beast::error_code ec;
            co_await beast::http::async_read(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, ec));
            if (ec == asio::error::operation_aborted) throw boost::system::system_error(ec);
            if (ec) co_return;
            bool const keep_open = parser.get().keep_alive();
            auto r = to_request(parser.release());
            auto a = handle(r);
            if (a.deliver_first != 0) {
                if (auto d = world_.take_delivery(a.deliver_first)) co_await deliver(std::move(*d));
            }
            wake_.notify();
            if (a.delay.count() > 0) co_await sleep_for(a.delay);
            if (a.sent == answer::how::dropped) {
                // Linger zero turns the close into a reset.
                stream.socket().set_option(asio::socket_base::linger(true, 0), ec);
                stream.socket().close(ec);
                co_return;
            }
            auto const bytes = to_bytes(a, wants_gzip(r), keep_open && a.sent == answer::how::whole);
            auto const all = asio::buffer(bytes);
            co_await asio::async_write(stream, all, asio::redirect_error(asio::use_awaitable, ec));
            if (ec == asio::error::operation_aborted) throw boost::system::system_error(ec);
            if (ec || !keep_open || a.sent == answer::how::cut) {
                stream.socket().shutdown(tcp::socket::shutdown_send, ec);
                co_return;
            }
        }
    }

    answer handle(request& r) {
        for (auto const& [prefix, service] : options_.mounted) {
            if (!r.path.starts_with(prefix + "/")) continue;
            r.path.erase(0, prefix.size());
            return service(r);
        }
        return world_.handle(r);
    }

    task<void> pump() {
        for (;;) {
            for (auto& d : world_.take_due_deliveries(world_.now())) group_.spawn("delivery", deliver(std::move(d)));
            auto const due = world_.next_due();
            // Once a second at the latest: the world's clock may have been moved from outside.
            auto wait = std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::seconds(1));
            if (due)
                wait = std::clamp(std::chrono::duration_cast<std::chrono::steady_clock::duration>(*due - world_.now()),
                                  std::chrono::steady_clock::duration::zero(), wait);
            (void)co_await wake_.wait_until(in(wait));
        }
    }

    task<void> deliver(delivery d) {
        http::client_request out{.method = "POST", .url = mapped(options_.push_map, d.address), .fields = d.fields};
        auto const answer = co_await client_->send(std::move(out), in(options_.push_time_max));
        world_.delivery_answered(d.id, answer ? answer->status : 0);
        wake_.notify();
    }

    world& world_;
    serving_options options_;
    tcp::acceptor acceptor_;
    wakeup wake_;
    task_group group_;
    std::unique_ptr<http::client> client_;
};

}  // namespace

std::string mapped(std::map<std::string, std::string> const& map, std::string_view address) {
    std::pair<std::string, std::string> const* best = nullptr;
    std::pair<std::string, std::string> found;
    for (auto const& [from, to] : map) {
        bool const whole =
            address.starts_with(from) && (address.size() == from.size() || address[from.size()] == '/' || address[from.size()] == '?');
        if (!whole || (best != nullptr && found.first.size() >= from.size())) continue;
        found = {from, to};
        best = &found;
    }
    return best == nullptr ? std::string(address) : found.second + std::string(address.substr(found.first.size()));
}

std::unique_ptr<serving> make_serving(asio::any_io_executor executor, world& w, serving_options options) {
    return std::make_unique<beast_serving>(std::move(executor), w, std::move(options));
}

}  // namespace calbridge::emulator
