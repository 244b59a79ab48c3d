#include "port.h"

#include "common/http/descriptors.h"
#include "common/http/reply.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

namespace calbridge::ingest {
namespace {

using steady = std::chrono::steady_clock;

constexpr std::chrono::milliseconds sweep_every{250};
constexpr std::chrono::milliseconds linger_max{1000};
constexpr std::size_t linger_bytes_max = 256 * 1024;
constexpr int events_per_turn = 256;
constexpr int accepts_per_turn = 64;
constexpr std::uint32_t listener_slot = UINT32_MAX;

// Whole answers, made anew once a second for their Date. Every refusal of a push is the same bytes.
struct answers {
    std::string ok, ok_last, not_found, unavailable;
    std::time_t made_for{0};

    void refresh() {
        auto const now = std::time(nullptr);
        if (now == made_for) return;
        made_for = now;
        auto const date = "Date: " + http::imf_fixdate(now) + "\r\n";
        ok = "HTTP/1.1 200 OK\r\n" + date + "Content-Length: 0\r\n\r\n";
        ok_last = "HTTP/1.1 200 OK\r\n" + date + "Content-Length: 0\r\nConnection: close\r\n\r\n";
        not_found = "HTTP/1.1 404 Not Found\r\n" + date + "Content-Length: 0\r\nConnection: close\r\n\r\n";
        unavailable = "HTTP/1.1 503 Service Unavailable\r\n" + date + "Retry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    }
};

struct connection {
    enum class stage { reading, waiting, lingering };
    std::uint32_t slot{};
    int fd{-1};
    std::uint32_t generation{0};  // grows with every request and with every new peer
    stage at{stage::reading};
    bool has_more{false};   // the socket may hold bytes that were left there while a request waited
    bool last{false};       // close after the answer
    bool partial{false};    // the start of a request is here, and its time runs
    bool continued{false};  // 100 Continue was said
    std::size_t wanted{0};  // bytes of the whole request, once its head is here
    std::size_t served{0};
    std::size_t lingered{0};
    std::string held;  // the start of a request whose rest is still to come
    deadline closes_at;
};

class epoll_port final : public port {
public:
    epoll_port(asio::any_io_executor executor, port_options options, request_handler& handler)
        : options_(std::move(options)), handler_(handler), set_(executor, ::epoll_create1(EPOLL_CLOEXEC)), drained_(executor) {
        rules_.chunked_allowed = false;
        rules_.hosts = options_.hosts;
        answers_.refresh();
        asio::ip::tcp::endpoint const where(asio::ip::make_address(options_.address), options_.port);
        asio::ip::tcp::acceptor bound(executor);
        bound.open(where.protocol());
        bound.set_option(asio::ip::tcp::acceptor::reuse_address(true));
        bound.bind(where);
        bound.listen(4096);
        bound.native_non_blocking(true);
        number_ = bound.local_endpoint().port();
        listener_ = bound.release();
        if (!http::allow_descriptors(options_.connections_max)) {
            log::warn("port.descriptor_limit", {{"connections_max", static_cast<std::uint64_t>(options_.connections_max)}});
        }
        watch_listener(true);
    }
    ~epoll_port() override {
        if (listener_ >= 0) ::close(listener_);
        for (auto const& one : slots_) {
            if (one->fd >= 0) ::close(one->fd);
        }
    }

    std::uint16_t number() const override { return number_; }
    std::size_t connections() const override { return open_; }

    task<void> run() override {
        task_group sweeper(co_await asio::this_coro::executor);
        sweeper.spawn("port.deadlines", sweep_for_ever());
        std::exception_ptr stopped;
        try {
            for (;;) {
                co_await set_.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
                turn();
            }
        } catch (...) {
            stopped = std::current_exception();
        }
        co_await asio::this_coro::reset_cancellation_state();
        stop_accepting();
        for (auto const& one : slots_) {
            if (one->fd >= 0) close(*one);
        }
        sweeper.cancel();
        co_await sweeper.join();
        std::rethrow_exception(stopped);
    }

    task<void> drain(deadline at) override {
        draining_ = true;
        stop_accepting();
        for (auto const& one : slots_) {
            if (one->fd >= 0 && one->at == connection::stage::reading && one->held.empty()) close(*one);
        }
        while (open_ > 0) {
            bool const notified = co_await drained_.wait_until(at);
            if (!notified) co_return;
        }
    }

    void send_answer(ticket whose, answer what) override {
        if (whose.slot >= slots_.size()) return;
        auto& one = *slots_[whose.slot];
        if (one.fd < 0 || one.generation != whose.generation || one.at != connection::stage::waiting) return;
        now_ = steady::now();
        finish(one, what);
        go_on(one);
        handler_.on_batch_end();
    }

private:
    void watch_listener(bool on) {
        epoll_event event{.events = EPOLLIN, .data = {.u64 = listener_slot}};
        ::epoll_ctl(set_.native_handle(), on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, listener_, &event);
        accepting_ = on;
    }

    void stop_accepting() {
        if (accepting_) watch_listener(false);
        if (listener_ >= 0) ::close(std::exchange(listener_, -1));
    }

    // Everything that is ready now, once; the wait is asked again and returns at once when there is more.
    void turn() {
        std::array<epoll_event, events_per_turn> events;
        int const count = ::epoll_wait(set_.native_handle(), events.data(), events_per_turn, 0);
        now_ = steady::now();
        answers_.refresh();
        for (int i = 0; i < count; ++i) {
            auto const& event = events[static_cast<std::size_t>(i)];
            if (event.data.u64 == listener_slot) {
                accept();
                continue;
            }
            auto& one = *slots_[event.data.u64];
            if (one.fd < 0) continue;
            if (one.at == connection::stage::waiting) {
                one.has_more = true;
                continue;
            }
            // After a short read the socket is empty, unless the peer's end of stream is in the queue as well.
            read(one, (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
        }
        handler_.on_batch_end();
    }

    void accept() {
        for (int i = 0; i < accepts_per_turn; ++i) {
            int const fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) {
                if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                    // The waiting peer would wake us without end: look again at the next sweep.
                    watch_listener(false);
                    log::warn("port.accept_failed", {{"errno", errno}});
                }
                return;
            }
            if (open_ >= options_.connections_max) {
                refused_.add();
                send_bytes(fd, answers_.unavailable);
                ::close(fd);
                continue;
            }
            int const on = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            auto& one = take_slot();
            one.fd = fd;
            one.closes_at = now_ + options_.idle_max;
            ++open_;
            epoll_event event{.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data = {.u64 = one.slot}};
            if (::epoll_ctl(set_.native_handle(), EPOLL_CTL_ADD, fd, &event) != 0) close(one);
        }
    }

    connection& take_slot() {
        if (free_.empty()) {
            slots_.push_back(std::make_unique<connection>());
            slots_.back()->slot = static_cast<std::uint32_t>(slots_.size() - 1);
            return *slots_.back();
        }
        auto const slot = free_.back();
        free_.pop_back();
        return *slots_[slot];
    }

    void close(connection& one) {
        ::close(one.fd);
        auto const slot = one.slot;
        auto const generation = one.generation + 1;
        one = {};
        one.slot = slot;
        one.generation = generation;
        free_.push_back(slot);
        --open_;
        if (draining_) drained_.notify();
    }

    static bool send_bytes(int fd, std::string const& bytes) {
        // Answers are small. A peer whose receive window cannot take one is not reading: it is let go.
        return ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(bytes.size());
    }

    // Reads while there is something and no request waits for its answer.
    void read(connection& one, bool to_the_end) {
        for (;;) {
            auto const got = ::recv(one.fd, incoming_.data(), incoming_.size(), MSG_DONTWAIT);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
            if (got <= 0) return close(one);
            auto const size = static_cast<std::size_t>(got);
            if (one.at == connection::stage::lingering) {
                one.lingered += size;
                if (one.lingered > linger_bytes_max) return close(one);
                continue;
            }
            take(one, {incoming_.data(), size});
            if (one.fd < 0) return;
            bool const maybe_more = to_the_end || size == incoming_.size();
            if (one.at == connection::stage::waiting) {
                one.has_more = maybe_more;
                return;
            }
            if (!maybe_more) return;
        }
    }

    // Adds bytes to what is held and serves what is complete.
    void take(connection& one, std::string_view fresh) {
        if (one.held.empty()) {
            auto const used = serve(one, fresh);
            if (one.fd >= 0 && one.at != connection::stage::lingering) one.held.assign(fresh.substr(used));
        } else {
            auto const had = one.held.size();
            one.held.append(fresh);
            bool const is_enough = one.wanted > 0
                                       ? one.held.size() >= one.wanted
                                       : http::may_be_complete(one.held, had) || one.held.size() >= rules_.request_line_bytes_max;
            if (!is_enough) return;
            serve_held(one);
        }
    }

    void serve_held(connection& one) {
        // Serving may close the connection and reuse its place, so the bytes it looks at are taken out first.
        auto const bytes = std::exchange(one.held, {});
        auto const used = serve(one, bytes);
        if (one.fd >= 0 && one.at != connection::stage::lingering) one.held.assign(bytes, used);
    }

    // Answers complete requests until one has to wait; returns how much of `bytes` is done with.
    std::size_t serve(connection& one, std::string_view bytes) {
        std::size_t used = 0;
        while (used < bytes.size() && one.fd >= 0 && one.at == connection::stage::reading) {
            http::refusal why;
            auto const rest = bytes.substr(used);
            auto const said = http::read_head(rest, rules_, head_, why);
            if (said == http::verdict::refused) {
                refuse(one, why.status, why.reason);
                break;
            }
            auto const body = said == http::verdict::accepted ? head_.content_length.value_or(0) : 0;
            if (body > options_.body_bytes_max) {
                refuse(one, 413, "body_too_large");
                break;
            }
            if (said == http::verdict::incomplete || rest.size() < head_.bytes + body) {
                await_rest(one, said == http::verdict::accepted ? head_.bytes + body : 0);
                break;
            }
            used += head_.bytes + body;
            start(one);
        }
        return used;
    }

    void await_rest(connection& one, std::size_t wanted) {
        one.wanted = wanted;
        if (!std::exchange(one.partial, true)) one.closes_at = now_ + options_.request_time_max;
        if (wanted == 0 || !head_.expects_continue || std::exchange(one.continued, true)) return;
        static std::string const go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        if (!send_bytes(one.fd, go_on)) close(one);
    }

    void start(connection& one) {
        one.at = connection::stage::waiting;
        one.partial = false;
        one.continued = false;
        one.wanted = 0;
        one.closes_at = deadline::max();  // The handler answers in bounded time.
        one.last = !head_.keeps_alive || draining_ || ++one.served >= options_.requests_per_connection_max;
        ++one.generation;
        auto const at_once = handler_.on_request(head_, ticket{one.slot, one.generation});
        if (at_once) finish(one, *at_once);
    }

    void finish(connection& one, answer what) {
        bool const closes = one.last || draining_ || what != answer::ok;
        auto const& bytes = what == answer::ok          ? (closes ? answers_.ok_last : answers_.ok)
                            : what == answer::not_found ? answers_.not_found
                                                        : answers_.unavailable;
        one.at = connection::stage::reading;
        one.closes_at = now_ + options_.idle_max;
        if (!send_bytes(one.fd, bytes)) close(one);
        else if (closes) linger(one);
    }

    // What came in the meantime.
    void go_on(connection& one) {
        if (one.fd >= 0 && one.at == connection::stage::reading && !one.held.empty()) serve_held(one);
        if (one.fd < 0 || one.at == connection::stage::waiting || !std::exchange(one.has_more, false)) return;
        read(one, true);
    }

    // Closing at once with unread bytes in the queue would reset the connection and could take the answer with it.
    void linger(connection& one) {
        ::shutdown(one.fd, SHUT_WR);
        one.at = connection::stage::lingering;
        one.held.clear();
        one.closes_at = now_ + linger_max;
        if (draining_) drained_.notify();
    }

    void refuse(connection& one, int status, std::string_view reason) {
        metrics::get_counter("calbridge_http_server_refused_total", "Requests refused before a handler saw them, by reason.",
                             {{"reason", std::string(reason)}})
            .add();
        std::string const bytes = "HTTP/1.1 " + std::to_string(status) + " " + std::string(http::reason_phrase(status)) +
                                  "\r\nDate: " + http::imf_fixdate(answers_.made_for) +
                                  "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        if (!send_bytes(one.fd, bytes)) close(one);
        else linger(one);
    }

    task<void> sweep_for_ever() {
        for (;;) {
            co_await sleep_for(sweep_every);
            now_ = steady::now();
            answers_.refresh();
            gauge_.set(static_cast<double>(open_));
            if (!accepting_ && !draining_ && listener_ >= 0) watch_listener(true);
            for (auto const& one : slots_) {
                if (one->fd < 0 || one->closes_at > now_) continue;
                if (one->at == connection::stage::reading && one->partial) refuse(*one, 408, "request_time");
                else close(*one);
            }
        }
    }

    port_options options_;
    request_handler& handler_;
    http::gate_rules rules_;
    asio::posix::stream_descriptor set_;
    int listener_{-1};
    wakeup drained_;
    std::uint16_t number_{0};
    bool accepting_{false};
    bool draining_{false};
    std::vector<std::unique_ptr<connection>> slots_;
    std::vector<std::uint32_t> free_;
    std::size_t open_{0};
    deadline now_{steady::now()};
    answers answers_;
    http::request_head head_;
    std::array<char, 16 * 1024> incoming_;
    metrics::counter& refused_ = metrics::get_counter(
        "calbridge_http_server_refused_total", "Requests refused before a handler saw them, by reason.", {{"reason", "connections_max"}});
    metrics::gauge& gauge_ = metrics::get_gauge("calbridge_http_server_connections", "Connections open now.");
};

}  // namespace

std::unique_ptr<port> make_port(asio::any_io_executor executor, port_options options, request_handler& handler) {
    return std::make_unique<epoll_port>(std::move(executor), std::move(options), handler);
}

}  // namespace calbridge::ingest
