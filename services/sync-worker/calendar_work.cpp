#include "calendar_work.h"

#include "pull.h"
#include "push.h"
#include "requests.h"

#include "common/observe/log.h"
#include "common/observe/metrics.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace calbridge::worker {

using std::chrono::milliseconds;
using steady = std::chrono::steady_clock;

milliseconds pass_budget::take(steady::time_point now) {
    if (last_) left_ = std::min(burst_, left_ + std::chrono::duration<double>(now - *last_).count());
    last_ = now;
    if (left_ >= 1) {
        left_ -= 1;
        return milliseconds(0);
    }
    return milliseconds(static_cast<int>((1 - left_) * 1000) + 1);
}

namespace {

constexpr milliseconds database_pause{1000};
constexpr milliseconds held_elsewhere_pause{2000};

task<result<bool>> hold(parts const& with, tenant_id tenant, calendar_id calendar, calendar_memory& memory) {
    steady::time_point const now = steady::now();
    if (memory.lease) {
        if (now < memory.lease_safe_until - with.within.lease_renew_before) co_return true;
        if (now < memory.lease_safe_until) {
            store::held_lease const held = memory.lease->lease;
            auto renewed = co_await store::renew_lease(with.db, held, with.within.lease_life);
            if (renewed) {
                memory.lease_safe_until = now + with.within.lease_life - std::chrono::seconds(2);
                co_return true;
            }
            if (renewed.error().code != errc::conflict) co_return renewed.error();
        }
        memory.lease.reset();
    }
    auto taken = co_await store::acquire_lease(with.db, tenant, calendar, with.owner, with.within.lease_life);
    if (!taken) co_return taken.error();
    if (!*taken) co_return false;
    memory.lease = std::move(**taken);
    memory.lease_safe_until = now + with.within.lease_life - std::chrono::seconds(2);
    co_return true;
}

struct pushes {
    std::int64_t written{0};
    std::optional<push_outcome> trouble;
    std::optional<error> failed;
};

task<void> push_one(parts const& with, store::leased_calendar held, task_id id, observe::trace_context cause, semaphore& slots,
                    pushes& seen) {
    try {
        if (!seen.trouble && !seen.failed) {
            auto done = co_await push_task(with, held.lease, held.connection, held.calendar, id, cause, seen.written);
            if (!done) seen.failed = done.error();
            else if (done->calendar_trouble) seen.trouble = *done;
        }
    } catch (...) {
        slots.release();
        throw;
    }
    slots.release();
}

// Different tasks concurrently, each task's own steps in order.
task<pushes> push_all(parts const& with, store::leased_calendar const& held, std::vector<store::task_and_link> const& due,
                      observe::trace_context const& cause) {
    pushes seen;
    if (due.size() == 1) {
        auto done = co_await push_task(with, held.lease, held.connection, held.calendar, due.front().task.id, cause, seen.written);
        if (!done) seen.failed = done.error();
        else if (done->calendar_trouble) seen.trouble = *done;
        co_return seen;
    }
    auto executor = co_await asio::this_coro::executor;
    semaphore slots(executor, static_cast<std::size_t>(with.within.pushes_at_once));
    task_group group(executor);
    std::exception_ptr stopped;
    try {
        for (store::task_and_link const& rows : due) {
            co_await slots.acquire();
            group.spawn("push", push_one(with, held, rows.task.id, cause, slots, seen));
        }
    } catch (...) {
        stopped = std::current_exception();
        group.cancel();
    }
    co_await group.join();
    if (stopped) std::rethrow_exception(stopped);
    co_return seen;
}

metrics::histogram& pass_seconds() {
    static metrics::histogram& h = metrics::get_histogram("calbridge_worker_pass_seconds", "Duration of a pass over a calendar", {},
                                                          {0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60});
    return h;
}

}  // namespace

task<turn_outcome> work_on(parts const& with, tenant_id tenant, calendar_id calendar, calendar_memory& memory) {
    if (memory.cause.trace_id.empty()) memory.cause = observe::new_trace();
    auto failed = [&](error const& e, std::string_view what) {
        if (e.code == errc::conflict) {
            // Somebody else took the calendar over; our next attempt starts with a fresh lease.
            memory.lease.reset();
            log::info("lease.lost", {{"tenant_id", tenant}, {"calendar_id", calendar}, {"during", what}});
            return turn_outcome{held_elsewhere_pause};
        }
        log::warn("work.failed", log::with({{"tenant_id", tenant}, {"calendar_id", calendar}, {"during", what}}, e));
        return turn_outcome{database_pause};
    };

    for (;;) {
        auto holding = co_await hold(with, tenant, calendar, memory);
        if (!holding) co_return failed(holding.error(), "lease");
        if (!*holding) {
            // Held by another worker, or paused. After a few tries the sweep looks after it: it sees what is free and active.
            if (++memory.denied > 3) {
                memory.denied = 0;
                co_return turn_outcome{};
            }
            co_return turn_outcome{held_elsewhere_pause};
        }
        memory.denied = 0;
        store::held_lease const held = memory.lease->lease;

        auto due = co_await store::look_at_work(with.db, held, with.within.tasks_per_look);
        if (!due) co_return failed(due.error(), "look");
        memory.lease->calendar = due->calendar;
        store::calendar_row const& row = memory.lease->calendar;
        bool const must_wait = due->calendar_waits.count() > 0;
        if (must_wait) co_return turn_outcome{due->calendar_waits};
        if (due->request) {
            store::leased_calendar const held_now = *memory.lease;
            auto carried = co_await carry_out(with, held_now, *due->request, memory.cause);
            if (!carried) co_return failed(carried.error(), "request");
            continue;  // what it made due is looked at anew
        }
        // Where a mass deletion waits for a person's word, only the CRM's changes go on.
        bool const may_pull = !row.brake || !row.brake->answer.empty();
        bool const dirty = row.selected && may_pull && row.synced_seq < row.dirty_seq;
        if (!dirty && due->tasks.empty()) {
            auto next = due->next_task_in;
            if (due->next_request_in && (!next || *due->next_request_in < *next)) next = due->next_request_in;
            if (next) co_return turn_outcome{*next};
            co_return turn_outcome{};
        }

        // Reckoned before anything is pushed: what is announced already cannot be about writes still to come.
        std::int64_t const announced = dirty ? row.dirty_seq - row.synced_seq : 0;
        milliseconds const patience = dirty && row.sync_token ? memory.echoes.wait(announced, steady::now()) : milliseconds(0);
        if (patience.count() == 0) memory.echoes.listed(announced);

        // What the CRM wants goes out first: it is one call each, and a following pass acknowledges its echo.
        if (!due->tasks.empty()) {
            pushes const seen = co_await push_all(with, *memory.lease, due->tasks, memory.cause);
            memory.echoes.wrote(seen.written, steady::now());
            if (seen.failed) co_return failed(*seen.failed, "push");
            if (seen.trouble) {
                auto deferred = co_await store::defer_calendar(with.db, held, seen.trouble->wait, seen.trouble->why);
                if (!deferred) co_return failed(deferred.error(), "defer");
                log::info("calendar.deferred", {{"tenant_id", tenant},
                                                {"calendar_id", calendar},
                                                {"reason", seen.trouble->why},
                                                {"next", name(*seen.trouble->calendar_trouble)},
                                                {"wait", std::chrono::microseconds(seen.trouble->wait)}});
                co_return turn_outcome{seen.trouble->wait};
            }
            if (!dirty) continue;
        }

        if (patience.count() > 0) co_return turn_outcome{patience};
        milliseconds const wait = memory.budget.take(steady::now());
        if (wait.count() > 0) co_return turn_outcome{wait};
        steady::time_point const began = steady::now();
        auto pass = co_await pull_pass(with, held, memory.cause);
        if (!pass) co_return failed(pass.error(), "pass");
        auto const took = std::chrono::duration_cast<std::chrono::microseconds>(steady::now() - began);
        pass_seconds().observe(std::chrono::duration<double>(took).count());
        log::info("pass.finished", {{"trace_id", memory.cause.trace_id},
                                    {"tenant_id", tenant},
                                    {"calendar_id", calendar},
                                    {"full", pass->full},
                                    {"complete", pass->complete},
                                    {"pages", pass->pages},
                                    {"items", static_cast<std::int64_t>(pass->items)},
                                    {"changed", static_cast<std::int64_t>(pass->changed)},
                                    {"linked", static_cast<std::int64_t>(pass->linked)},
                                    {"imported", static_cast<std::int64_t>(pass->imported)},
                                    {"set_aside", static_cast<std::int64_t>(pass->odd)},
                                    {"why", pass->why},
                                    {"took", took}});
        if (pass->trouble && *pass->trouble != next_move::restart_listing) {
            auto deferred = co_await store::defer_calendar(with.db, held, pass->wait, pass->why);
            if (!deferred) co_return failed(deferred.error(), "defer");
            co_return turn_outcome{pass->wait};
        }
    }
}

task<void> let_go(parts const& with, calendar_memory& memory) {
    if (!memory.lease) co_return;
    store::held_lease const held = memory.lease->lease;
    memory.lease.reset();
    auto released = co_await store::release_lease(with.db, held);
    if (!released && released.error().code != errc::conflict)
        log::warn("lease.not_released", log::with({{"tenant_id", held.tenant}, {"calendar_id", held.calendar}}, released.error()));
}

}  // namespace calbridge::worker
