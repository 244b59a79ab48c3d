#include "common/async/task.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/channel_error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <cassert>
#include <deque>
#include <list>
#include <utility>

namespace calbridge {
namespace {

[[noreturn]] void throw_cancelled() { throw boost::system::system_error(asio::error::operation_aborted, "cancelled"); }

// Runs `work` one turn later: whatever it does, cancelling its own group included, happens after the spawn is complete.
task<void> run_later(task<void> work) {
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    co_await std::move(work);
}

}  // namespace

task<void> sleep_until(deadline at) {
    asio::steady_timer timer(co_await asio::this_coro::executor, at);
    co_await timer.async_wait(asio::use_awaitable);
}

task<void> sleep_for(std::chrono::steady_clock::duration d) {
    asio::steady_timer timer(co_await asio::this_coro::executor, d);
    co_await timer.async_wait(asio::use_awaitable);
}

task<void> yield_now() { co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable); }

bool is_cancellation(std::exception_ptr const& e) {
    if (!e) return false;
    try {
        std::rethrow_exception(e);
    } catch (boost::system::system_error const& failure) {
        return failure.code() == asio::error::operation_aborted || failure.code() == asio::experimental::error::channel_closed ||
               failure.code() == asio::experimental::error::channel_cancelled;
    } catch (...) {
        return false;
    }
}

// ---- wakeup

struct wakeup::impl {
    explicit impl(asio::any_io_executor executor) : timer(std::move(executor)) {}
    asio::steady_timer timer;
    bool notified{false};
};

wakeup::wakeup(asio::any_io_executor executor) : impl_(std::make_unique<impl>(std::move(executor))) {}
wakeup::~wakeup() = default;

void wakeup::notify() {
    impl_->notified = true;
    impl_->timer.cancel();
}

task<void> wakeup::wait() { (void)co_await wait_until(deadline::max()); }

task<bool> wakeup::wait_until(deadline at) {
    if (!std::exchange(impl_->notified, false)) {
        boost::system::error_code ec;
        impl_->timer.expires_at(at);
        co_await impl_->timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
        if (!std::exchange(impl_->notified, false)) {
            if (ec) throw_cancelled();
            co_return false;
        }
    }
    co_return true;
}

// ---- semaphore

struct semaphore::impl {
    struct waiter {
        explicit waiter(asio::any_io_executor const& executor) : timer(executor, deadline::max()) {}
        asio::steady_timer timer;
        bool granted{false};
    };
    asio::any_io_executor executor;
    std::size_t permits;
    std::deque<waiter*> waiting;
};

namespace {

// Takes a waiter out of the queue even when its coroutine is destroyed while it waits.
template <class Queue, class Waiter>
struct queue_entry {
    Queue& queue;
    Waiter* waiter;
    queue_entry(Queue& q, Waiter* w) : queue(q), waiter(w) { queue.push_back(waiter); }
    queue_entry(queue_entry const&) = delete;
    queue_entry& operator=(queue_entry const&) = delete;
    ~queue_entry() { std::erase(queue, waiter); }
};

}  // namespace

semaphore::semaphore(asio::any_io_executor executor, std::size_t permits) : impl_(std::make_shared<impl>(std::move(executor), permits)) {}
semaphore::~semaphore() = default;

task<void> semaphore::acquire() {
    auto const keep = impl_;
    if (keep->permits > 0 && keep->waiting.empty()) {
        --keep->permits;
        co_return;
    }
    impl::waiter self(keep->executor);
    queue_entry entry(keep->waiting, &self);
    boost::system::error_code ec;
    co_await self.timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (!self.granted) throw_cancelled();
}

void semaphore::release() {
    if (impl_->waiting.empty()) {
        ++impl_->permits;
        return;
    }
    auto* const next = impl_->waiting.front();
    impl_->waiting.pop_front();
    next->granted = true;
    next->timer.cancel();
}

std::size_t semaphore::available() const { return impl_->permits; }

// ---- task_group

struct task_group::state {
    struct child {
        std::string label;
        asio::cancellation_signal stop;
    };
    using children = std::list<child>;

    explicit state(asio::any_io_executor ex) : executor(ex), ended(std::move(ex)) {}

    void finished(children::iterator one, std::exception_ptr const& e) {
        // The signal is still referred to by the coroutine that is just ending: it is destroyed at a later event.
        buried.clear();
        buried.splice(buried.end(), running, one);
        if (e && !is_cancellation(e) && !failure) {
            failure = e;
            failed_label = buried.back().label;
            cancel();
        }
        ended.notify();
    }

    void cancel() {
        if (std::exchange(cancelled, true)) return;
        for (auto one = running.begin(); one != running.end();) (one++)->stop.emit(asio::cancellation_type::terminal);
    }

    asio::any_io_executor executor;
    wakeup ended;
    children running;
    children buried;
    std::exception_ptr failure;
    std::string failed_label;
    bool cancelled{false};
};

task_group::task_group(asio::any_io_executor executor) : state_(std::make_shared<state>(std::move(executor))) {}

task_group::~task_group() { assert(state_->running.empty() && "task_group destroyed before join()"); }

void task_group::spawn(std::string label, task<void> work) {
    auto& group = *state_;
    auto const one = group.running.emplace(group.running.end());
    one->label = std::move(label);
    asio::co_spawn(
        group.executor, run_later(std::move(work)),
        asio::bind_cancellation_slot(one->stop.slot(), [state = state_, one](std::exception_ptr const& e) { state->finished(one, e); }));
    if (group.cancelled) one->stop.emit(asio::cancellation_type::terminal);
}

void task_group::cancel() { state_->cancel(); }

task<void> task_group::join() {
    auto const group = state_;
    bool const throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!group->running.empty()) {
        auto const cancel_state = co_await asio::this_coro::cancellation_state;
        if (cancel_state.cancelled() != asio::cancellation_type::none && !group->cancelled) group->cancel();
        try {
            co_await group->ended.wait();
        } catch (boost::system::system_error const&) {
            group->cancel();  // The caller is cancelled; its children must still unwind before it may go on.
        }
    }
    group->buried.clear();
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (group->failure) std::rethrow_exception(std::exchange(group->failure, nullptr));
}

std::size_t task_group::running() const { return state_->running.size(); }
std::string const& task_group::failed_label() const { return state_->failed_label; }

}  // namespace calbridge
