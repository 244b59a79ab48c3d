#include "common/pg/pq_socket.h"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace calbridge::pg {

// Shared with the readiness handlers, which may run after the socket's owner is gone.
struct pq_socket::state {
    explicit state(asio::any_io_executor const& executor) : watched(executor), bell(executor) {}
    asio::posix::stream_descriptor watched;
    asio::steady_timer bell;  // rings at the deadline, or is cancelled by readiness
    std::uint64_t turn{0};    // handlers of an earlier wait are ignored
    bool ready{false};
};

pq_socket::pq_socket(asio::any_io_executor executor) : state_(std::make_shared<state>(executor)) {}

pq_socket::~pq_socket() { let_go(); }

void pq_socket::watch(int descriptor) {
    let_go();
    state_->watched.assign(descriptor);
}

void pq_socket::let_go() {
    ++state_->turn;
    if (state_->watched.is_open()) state_->watched.release();
}

task<bool> pq_socket::wait(wait_for what, deadline at) {
    // A timer is what the coroutine waits on; both directions may be watched at once, because a server that is busy
    // sending does not read, and we would wait for each other.
    auto const s = state_;
    std::uint64_t const mine = ++s->turn;
    s->ready = false;
    s->bell.expires_at(at);
    auto const on_ready = [s, mine](boost::system::error_code const& ec) {
        if (ec == asio::error::operation_aborted || s->turn != mine) return;
        s->ready = true;
        s->bell.cancel();
    };
    using descriptor = asio::posix::stream_descriptor;
    if (what != wait_for::writable) s->watched.async_wait(descriptor::wait_read, on_ready);
    if (what != wait_for::readable) s->watched.async_wait(descriptor::wait_write, on_ready);

    boost::system::error_code rang;
    co_await s->bell.async_wait(asio::redirect_error(asio::use_awaitable, rang));
    bool const ready = s->ready;
    ++s->turn;
    if (s->watched.is_open()) s->watched.cancel();
    auto const cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none) {
        throw boost::system::system_error(asio::error::operation_aborted);
    }
    co_return ready;
}

}  // namespace calbridge::pg
