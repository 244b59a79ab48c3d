#include "push.h"

#include "engine_move.h"
#include "push_turn.h"
#include "push_zoom.h"
#include "writer.h"

#include "common/observe/log.h"
#include "common/observe/metrics.h"

namespace calbridge::worker {

namespace {

constexpr int rounds_max = 8;  // decide, call, decide again: a hot event that keeps changing waits for its next turn
constexpr std::chrono::milliseconds held_elsewhere_pause{2000};

// What a step of the turn came to: the turn goes on, or ends like this.
using step_end = std::optional<push_outcome>;

push_outcome trouble(turn const& t, google::call_error const& error, next_move move) {
    push_outcome out;
    out.calendar_trouble = move;
    out.wait = retry::wait(t.with.within.backoff, 1, t.with.random.uniform(), error.retry_after);
    out.why = (error.reason.empty() ? std::string(name(error.code)) : error.reason);
    return out;
}

task<result<step_end>> later(turn& t, google::call_error const& error) {
    auto r = co_await retry_later(t, error);
    if (!r) co_return r.error();
    co_return step_end(push_outcome{});
}

task<result<step_end>> read_back(turn& t, store::link_row link, std::optional<store::operation_row> operation) {
    bool const moved = operation && operation->kind == "move";
    google::answer<result<bool>> looked = result<bool>(false);
    if (moved) looked = co_await look_for_moved(t, link, *operation);
    else looked = co_await look(t, link, operation);
    if (!looked) {
        google::call_error const error = looked.error();
        next_move const move = after(error, call_kind::read);
        if (move == next_move::defer_calendar || move == next_move::stop_calendar) co_return step_end(trouble(t, error, move));
        co_return co_await later(t, error);
    }
    if (!*looked) co_return looked->error();
    if (**looked) co_return step_end{};
    if (moved) {
        auto waits = co_await wait_for_turn(t, held_elsewhere_pause);
        if (!waits) co_return waits.error();
    }
    co_return step_end(push_outcome{});
}

task<result<step_end>> look_up(turn& t, std::string google_id) {
    auto ready = co_await look_for_calendar(t, std::move(google_id));
    if (!ready) co_return ready.error();
    if (*ready) co_return step_end{};
    auto waits = co_await wait_for_turn(t, held_elsewhere_pause);
    if (!waits) co_return waits.error();
    co_return step_end(push_outcome{});
}

task<result<step_end>> failed(turn& t, outbound const& step, google::call_error const& error) {
    next_move const move = after(error, kind_of(step));
    log::info("push.failed", {{"trace_id", t.cause.trace_id},
                              {"tenant_id", t.held.tenant},
                              {"task_id", t.id},
                              {"operation_id", step.operation->id},
                              {"kind", step.operation->kind},
                              {"status", error.status},
                              {"reason", error.reason},
                              {"err", name(error.code)},
                              {"next", name(move)}});
    switch (move) {
    case next_move::look_first: co_return co_await read_back(t, *step.change.link, step.operation);
    case next_move::refuse: {
        auto refuse = [&](store::task_and_link rows) -> std::optional<effects> {
            return write_refused(std::move(rows), step.operation, error, t.worked, t.around);
        };
        auto refused = co_await decide_and_write(t, refuse);
        if (!refused) co_return refused.error();
        co_return step_end(push_outcome{});
    }
    case next_move::retry_task:
    case next_move::restart_listing: co_return co_await later(t, error);
    case next_move::defer_calendar:
    case next_move::stop_calendar: break;
    }
    if (!error.outcome_unknown) {
        // Nothing happened at Google: no need to read back before the next try.
        auto forget = [&](store::task_and_link rows) -> std::optional<effects> {
            return operation_abandoned(std::move(rows), *step.operation, error.reason);
        };
        auto forgotten = co_await decide_and_write(t, forget);
        if (!forgotten) co_return forgotten.error();
    }
    co_return step_end(trouble(t, error, move));
}

task<result<step_end>> look_for_zoom(turn& t) {
    t.around.zoom = false;
    if (t.with.zoom == nullptr || t.with.zoom_accounts == nullptr) co_return step_end{};
    auto account = co_await t.with.zoom_accounts->find(t.held.tenant);
    if (!account) co_return account.error();
    t.around.zoom = account->has_value();
    co_return step_end{};
}

// Whatever Zoom says, the turn goes on: the event does not wait for its meeting.
task<result<step_end>> call_zoom(turn& t, outbound const& step) {
    send_zoom const what = std::get<send_zoom>(step.call);
    store::operation_row const operation = *step.operation;
    auto answer = co_await ask_zoom(t, what, operation);
    if (!answer) co_return answer.error();
    auto recorded = co_await decide_and_write(t, *answer);
    if (!recorded) co_return recorded.error();
    co_return step_end{};
}

task<result<step_end>> call_google(turn& t, outbound const& step, std::int64_t& written) {
    auto answer = co_await send(t, step);
    metrics::get_counter("calbridge_worker_google_writes_total", "Writes to Google by kind and outcome",
                         {{"kind", step.operation->kind}, {"outcome", answer ? "ok" : std::string(name(answer.error().code))}})
        .add();
    if (!answer) {
        google::call_error const error = answer.error();
        co_return co_await failed(t, step, error);
    }
    ++written;
    auto record = [&](store::task_and_link rows) -> std::optional<effects> {
        if (step.operation->kind == "delete") return delete_answered(std::move(rows), *step.operation, t.worked, t.around);
        if (step.operation->kind == "move") return move_answered(std::move(rows), *step.operation, *answer, t.worked, t.around);
        return write_answered(std::move(rows), *step.operation, *answer, t.worked, t.around);
    };
    auto recorded = co_await decide_and_write(t, record);
    if (!recorded) co_return recorded.error();
    // What a moved event still needs is done under its new calendar.
    if (step.operation->kind == "move") co_return step_end(push_outcome{});
    co_return step_end{};  // another change may have come in meanwhile; if not, the next round finds nothing
}

task<result<push_outcome>> rounds(turn& t, std::int64_t& written) {
    for (int round = 0; round < rounds_max; ++round) {
        std::optional<outbound> step;
        auto decide = [&](store::task_and_link rows) -> std::optional<effects> {
            // Somebody moved the event: its own calendar's turn looks after it.
            if (rows.link && rows.link->calendar != t.held.calendar && !t.second) return {};
            if (rows.task.synced_seq >= rows.task.dirty_seq) return {};
            t.worked = rows.task.dirty_seq;
            step = next_call(std::move(rows), t.around);
            return step->change;
        };
        auto decided = co_await decide_and_write(t, decide);
        if (!decided) co_return decided.error();
        if (!step) co_return push_outcome{};
        log::debug(
            "push.decided",
            {{"trace_id", t.cause.trace_id}, {"tenant_id", t.held.tenant}, {"task_id", t.id}, {"why", step->change.why}, {"round", round}});
        if (std::holds_alternative<finished>(step->call)) co_return push_outcome{};
        result<step_end> end = step_end{};
        if (std::holds_alternative<send_read>(step->call)) end = co_await read_back(t, *step->change.link, step->operation);
        else if (auto* wanted = std::get_if<find_calendar>(&step->call)) end = co_await look_up(t, wanted->google_id);
        else if (std::holds_alternative<find_zoom>(step->call)) end = co_await look_for_zoom(t);
        else if (std::holds_alternative<send_zoom>(step->call)) end = co_await call_zoom(t, *step);
        else end = co_await call_google(t, *step, written);
        if (!end) co_return end.error();
        if (*end) co_return **end;
    }
    google::call_error hot;
    hot.code = errc::conflict;
    hot.reason = "event_keeps_changing";
    auto waits = co_await retry_later(t, hot);
    if (!waits) co_return waits.error();
    co_return push_outcome{};
}

}  // namespace

task<result<push_outcome>> push_task(parts const& with, store::held_lease held, store::connection_row connection,
                                     store::calendar_row calendar, task_id id, observe::trace_context cause, std::int64_t& written) {
    turn t{with, held, surroundings_of(with, std::move(connection), std::move(calendar)), id, std::move(cause), 0, {}};
    auto done = co_await rounds(t, written);
    if (t.second) {
        auto released = co_await store::release_lease(with.db, *t.second);
        if (!released && released.error().code != errc::conflict)
            log::warn("lease.not_released", log::with({{"tenant_id", held.tenant}, {"calendar_id", t.second->calendar}}, released.error()));
    }
    co_return done;
}

}  // namespace calbridge::worker
