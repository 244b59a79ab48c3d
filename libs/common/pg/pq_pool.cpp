#include "common/pg/pq_pool.h"

#include "common/observe/log.h"
#include "common/pg/params_value.h"
#include "common/retry/backoff.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <stdexcept>

namespace calbridge::pg {

namespace {

constexpr retry::policy reconnect{
    .base = std::chrono::milliseconds(250), .cap = std::chrono::seconds(5), .floor = std::chrono::milliseconds(50)};

}  // namespace

// One coroutine in the queue. Whatever it was handed and did not take goes back.
struct pq_pool::waiter {
    explicit waiter(pq_pool& of) : pool(of), bell(of.executor_) {}
    ~waiter() {
        pool.waiters_.remove(this);
        if (given) pool.give_back(std::move(given));
    }
    waiter(waiter const&) = delete;
    waiter& operator=(waiter const&) = delete;

    pq_pool& pool;
    asio::steady_timer bell;
    std::unique_ptr<pq_connection> given;
};

// Holds a place for a session that is being opened, until it is open.
struct pq_pool::connecting {
    explicit connecting(pq_pool& of) : pool(of) {
        ++pool.open_;
        ++pool.connecting_;
    }
    ~connecting() {
        --pool.connecting_;
        if (!opened) --pool.open_;
        pool.wake_first();
    }
    connecting(connecting const&) = delete;
    connecting& operator=(connecting const&) = delete;

    pq_pool& pool;
    bool opened{false};
};

pq_pool::pq_pool(asio::any_io_executor executor, database_options options)
    : executor_(std::move(executor)), options_(std::move(options)),
      open_gauge_(metrics::get_gauge("calbridge_pg_connections_open", "Sessions with PostgreSQL that are open.")),
      connect_failures_(metrics::get_counter("calbridge_pg_connect_failures_total", "Attempts to open a session that failed.")),
      acquire_failures_(metrics::get_counter("calbridge_pg_acquire_failures_total", "Transactions that got no session in time.")) {
    session_keywords(options_);  // an unreadable connection string is found at start
    if (options_.connections_max == 0) throw std::invalid_argument("pg: connections_max is 0");
}

pq_pool::~pq_pool() { open_gauge_.add(-static_cast<double>(idle_.size())); }

std::unique_ptr<pq_connection> pq_pool::take_idle() {
    while (!idle_.empty()) {
        auto candidate = std::move(idle_.back());
        idle_.pop_back();
        if (candidate->is_alive()) return candidate;
        close(std::move(candidate));
    }
    return nullptr;
}

void pq_pool::close(std::unique_ptr<pq_connection> unwanted) {
    unwanted.reset();
    --open_;
    open_gauge_.add(-1);
    wake_first();
}

bool pq_pool::may_connect() const {
    if (open_ >= options_.connections_max) return false;
    // After a failure one borrower at a time tries the door; the others wait for what it finds.
    return failures_ == 0 || (connecting_ == 0 && std::chrono::steady_clock::now() >= retry_at_);
}

error pq_pool::unavailable() const {
    if (failures_ > 0) return last_failure_;
    return fail(errc::unavailable, "no PostgreSQL connection free within " + std::to_string(options_.acquire_time_max.count()) + " ms");
}

task<result<std::unique_ptr<pq_connection>>> pq_pool::acquire() {
    auto const self = shared_from_this();
    deadline const at = in(options_.acquire_time_max);
    bool first = true;
    while (true) {
        if (auto free = take_idle()) co_return free;
        if (may_connect()) {
            auto opened = co_await connect(at);
            if (opened) co_return opened;
        }
        bool const room = open_ < options_.connections_max;
        auto const now = std::chrono::steady_clock::now();
        // With nothing lent out and the next attempt too late, waiting cannot help.
        bool const hopeless = open_ == 0 && failures_ > 0 && retry_at_ > at;
        if (now >= at || hopeless) {
            acquire_failures_.add();
            co_return unavailable();
        }

        waiter queued(*this);
        if (first) waiters_.push_back(&queued);
        else waiters_.push_front(&queued);  // it keeps its place
        first = false;
        queued.bell.expires_at(room && failures_ > 0 && connecting_ == 0 ? std::min(at, std::max(retry_at_, now)) : at);
        boost::system::error_code rang;
        co_await queued.bell.async_wait(asio::redirect_error(asio::use_awaitable, rang));
        auto const cancelled = co_await asio::this_coro::cancellation_state;
        if (cancelled.cancelled() != asio::cancellation_type::none) {
            wake_first();  // this turn may have been meant for it
            throw boost::system::system_error(asio::error::operation_aborted);
        }
        if (queued.given) {
            auto handed = std::move(queued.given);
            co_return handed;
        }
    }
}

task<result<std::unique_ptr<pq_connection>>> pq_pool::connect(deadline at) {
    connecting place(*this);
    auto pairs = session_keywords(options_);
    auto opened = co_await pq_connection::open(executor_, std::move(pairs), at);
    if (opened) {
        place.opened = true;
        note_connected();
    } else {
        note_failure(opened.error());
    }
    co_return opened;
}

void pq_pool::note_connected() {
    if (failures_ > 0) log::info("pg.reconnected", {{"failures", failures_}});
    failures_ = 0;
    open_gauge_.add(1);
}

void pq_pool::note_failure(error const& e) {
    connect_failures_.add();
    last_failure_ = e;
    // Attempts that were under way together count once.
    if (failures_ > 0 && std::chrono::steady_clock::now() < retry_at_) return;
    ++failures_;
    auto const pause = retry::wait(reconnect, failures_, random_.uniform());
    retry_at_ = in(pause);
    log::warn("pg.connect_failed", log::with({{"failures", failures_}, {"retry_in", std::chrono::microseconds(pause)}}, e));
}

void pq_pool::give_back(std::unique_ptr<pq_connection> returned) {
    session const at = returned->standing();
    bool const sound = at == session::idle || (at == session::in_transaction && returned->send_rollback());
    if (!sound) {
        close(std::move(returned));
        return;
    }
    if (waiters_.empty()) {
        idle_.push_back(std::move(returned));
        return;
    }
    waiter* const next = waiters_.front();
    waiters_.pop_front();
    next->given = std::move(returned);
    next->bell.cancel();
}

void pq_pool::wake_first() {
    if (waiters_.empty()) return;
    waiter* const next = waiters_.front();
    waiters_.pop_front();
    next->bell.cancel();
}

prepared const* pq_pool::prepare(statement const& what, params const& with) {
    auto const [known, fresh] = sql_by_name_.try_emplace(what.name, what.sql);
    if (!fresh && known->second != what.sql) {
        throw std::logic_error(std::string("pg: two statements are named ") + what.name);
    }
    std::vector<std::uint32_t> types;
    std::string identity = what.name;
    for (auto const& v : with.values()) {
        types.push_back(v.type);
        identity += ' ' + std::to_string(v.type);
    }
    auto const found = prepared_.find(identity);
    if (found != prepared_.end()) return &found->second;
    // Servers tell statements apart by 63 bytes.
    prepared entry{
        .name = std::string(what.name).substr(0, 48) + '.' + std::to_string(prepared_.size()),
        .sql = what.sql,
        .types = std::move(types),
    };
    return &prepared_.emplace(std::move(identity), std::move(entry)).first->second;
}

}  // namespace calbridge::pg
