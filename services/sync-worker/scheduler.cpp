#include "scheduler.h"

#include "common/observe/log.h"
#include "common/observe/metrics.h"

#include <boost/asio/this_coro.hpp>

namespace calbridge::worker {

using steady = std::chrono::steady_clock;

scheduler::scheduler(asio::any_io_executor executor, parts const& with, store::intake& intake, std::chrono::milliseconds sweep_every)
    : executor_(executor), with_(with), intake_(intake), sweep_every_(sweep_every), changed_(executor) {}

scheduler::~scheduler() = default;

void scheduler::queue(entry& e) {
    if (e.running) {
        e.again = true;
        return;
    }
    if (e.queued) return;
    e.queued = true;
    e.due.reset();
    ready_.push_back(e.calendar.value);
    changed_.notify();
}

void scheduler::wake(store::wake const& where, std::optional<observe::trace_context> cause) {
    std::unique_ptr<entry>& slot = entries_[where.calendar.value];
    if (!slot) {
        calendar_memory memory{std::nullopt, {}, pass_budget(with_.within.passes_burst), {}, 0, own_echoes(with_.within.echo_patience)};
        slot = std::make_unique<entry>(entry{where.tenant, where.calendar, std::move(memory), false, false, false, {}, steady::now()});
    }
    if (cause) slot->memory.cause = std::move(*cause);
    queue(*slot);
}

task<void> scheduler::turn(key id) {
    entry& e = *entries_.at(id);
    turn_outcome const done = co_await work_on(with_, e.tenant, e.calendar, e.memory);
    e.running = false;
    --running_;
    e.idle_since = steady::now();
    if (!e.again) e.memory.cause = {};
    if (e.again) {
        e.again = false;
        queue(e);
    } else if (done.again_in) {
        e.due = steady::now() + *done.again_in;
        timers_.emplace(*e.due, id);
    }
    changed_.notify();
}

task<void> scheduler::dispatch(task_group& group) {
    for (;;) {
        steady::time_point const now = steady::now();
        while (!timers_.empty() && timers_.begin()->first <= now) {
            auto const [due, id] = *timers_.begin();
            timers_.erase(timers_.begin());
            auto const found = entries_.find(id);
            // A timer that was overtaken by a message no longer matches.
            if (found != entries_.end() && found->second->due == due) queue(*found->second);
        }
        while (!draining_ && !ready_.empty() && running_ < static_cast<std::size_t>(with_.within.calendars_at_once)) {
            key const id = ready_.front();
            ready_.pop_front();
            entry& e = *entries_.at(id);
            e.queued = false;
            e.running = true;
            ++running_;
            group.spawn("calendar", turn(id));
        }
        if (timers_.empty()) {
            co_await changed_.wait();
        } else {
            deadline const first = timers_.begin()->first;
            co_await changed_.wait_until(first);
        }
    }
}

task<void> scheduler::drain() {
    draining_ = true;
    while (running_ > 0) co_await sleep_for(std::chrono::milliseconds(20));
}

task<void> scheduler::sweep() {
    // Work whose wake-up was lost (a crash, a message taken in elsewhere) is found in PostgreSQL itself.
    for (;;) {
        auto due = co_await intake_.due_work(200);
        if (due) {
            for (store::wake const& where : *due) wake(where);
        } else {
            log::warn("sweep.failed", log::with({}, due.error()));
        }
        co_await sleep_for(sweep_every_);
    }
}

task<void> scheduler::release_idle() {
    for (;;) {
        co_await sleep_for(std::chrono::seconds(1));
        steady::time_point const now = steady::now();
        std::vector<key> idle;
        for (auto const& [id, e] : entries_)
            if (!e->running && !e->queued && now - e->idle_since > with_.within.idle_release) idle.push_back(id);
        for (key const& id : idle) {
            auto const found = entries_.find(id);
            if (found == entries_.end() || found->second->running || found->second->queued) continue;
            entry& e = *found->second;
            e.running = true;  // keeps a new turn away while the lease goes
            ++running_;
            co_await let_go(with_, e.memory);
            e.running = false;
            --running_;
            if (e.again) {
                e.again = false;
                queue(e);
            } else if (!e.due) {
                entries_.erase(id);
            } else {
                e.idle_since = steady::time_point::max() - std::chrono::hours(1);  // its lease is gone; only the timer is left
            }
            changed_.notify();
        }
    }
}

task<void> scheduler::run() {
    task_group group(executor_);
    group.spawn("dispatch", dispatch(group));
    group.spawn("sweep", sweep());
    group.spawn("idle-leases", release_idle());
    std::exception_ptr stopped;
    try {
        co_await group.join();
    } catch (...) {
        stopped = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    deadline const last = in(std::chrono::seconds(5));
    for (auto const& [id, e] : entries_) {
        if (steady::now() > last) break;
        co_await let_go(with_, e->memory);
    }
    if (stopped) std::rethrow_exception(stopped);
}

}  // namespace calbridge::worker
