#include "push.h"

#include "authorised.h"
#include "engine_series.h"
#include "writer.h"

#include "domain/stamp.h"

#include "common/base/ids.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"

namespace calbridge::worker {

namespace {

constexpr int rounds_max = 5;  // decide, call, decide again: a hot event that keeps changing waits for its next turn

struct turn {
    parts const& with;
    store::held_lease held;
    surroundings around;
    task_id id;
    observe::trace_context cause;
    std::int64_t worked{};  // dirty_seq the current decision looked at
};

// One transaction under the lease: rows in, a decision, effects out. `decide` is pure and runs between the two.
task<result<bool>> decide_and_write(turn& t, std::function<std::optional<effects>(store::task_and_link)> decide) {
    auto begun = co_await t.with.db.begin(t.held.tenant);
    if (!begun) co_return begun.error();
    pg::transaction& tx = **begun;
    auto calendar = co_await store::check_lease(tx, t.held);
    if (!calendar) co_return calendar.error();
    auto rows = co_await store::lock_task(tx, t.held.tenant, t.id);
    if (!rows) co_return rows.error();
    if (!*rows) co_return false;
    std::optional<effects> change = decide(std::move(**rows));
    if (!change) co_return false;
    std::vector<store::outbox_message> messages;
    auto written = co_await write(t.with, tx, *change, messages, t.cause);
    if (!written) co_return written.error();
    auto committed = co_await commit(t.with, tx, std::move(messages));
    if (!committed) co_return committed.error();
    co_return true;
}

task<result<void>> retry_later(turn& t, google::call_error const& error) {
    auto decide = [&](store::task_and_link rows) -> std::optional<effects> {
        effects e;
        e.task = std::move(rows.task);
        e.task.failures += 1;
        e.task.reason = error.reason.empty() ? std::string(name(error.code)) : error.reason;
        e.task_changed = true;
        e.retry_in = retry::wait(t.with.within.backoff, e.task.failures, t.with.random.uniform(), error.retry_after);
        e.explanation = "Google Calendar could not be reached or asked us to wait; this is retried by itself.";
        return e;
    };
    auto r = co_await decide_and_write(t, decide);
    if (!r) co_return r.error();
    co_return result<void>{};
}

// Reads the event and lets the engine say what it means. `operation` is the unanswered write that made us look, if any.
task<google::answer<result<void>>> look(turn& t, store::link_row link, std::optional<store::operation_row> operation) {
    std::function<task<google::answer<domain::calendar_event>>(secret const&)> read = [&](secret const& token) {
        return t.with.api.get(token, link.google_calendar_id, link.event_id, in(t.with.within.call_time_max));
    };
    auto seen = co_await authorised<domain::calendar_event>(t.with, t.held.tenant, link.connection, read);
    bool const missing = !seen && (seen.error().code == errc::not_found || seen.error().code == errc::gone) && !seen.error().calendar_gone;
    if (!seen && !missing) co_return seen.error();

    domain::calendar_event event;
    if (seen) {
        event = *seen;
    } else {
        event.id = link.event_id;
        event.status = "cancelled";
    }
    auto decide = [&](store::task_and_link rows) -> std::optional<effects> {
        if (!rows.link || rows.link->id != link.id || rows.link->event_id != link.event_id) return {};
        bool const never_there = rows.link->state == domain::link_state::pending;
        if (operation && operation->kind == "delete" && event.is_cancelled())
            return delete_answered(std::move(rows), *operation, t.worked, t.around);
        if (missing && rows.task.series) return occurrence_missing(std::move(rows), operation, t.worked, t.around);
        if (never_there && missing)
            return operation ? std::optional<effects>(operation_abandoned(std::move(rows), *operation, "not_found")) : std::nullopt;
        std::optional<store::operation_row> stamped;
        if (operation && event.operation == operation->id.str()) stamped = operation;
        if (never_there && !stamped) {
            domain::stamp_place const place{rows.link->tenant, rows.link->connection, rows.link->google_calendar_id, event.id};
            auto const owner = domain::verify_stamp(t.with.stamps, place, event.stamp);
            if (event.is_cancelled() || !owner || *owner != link.id) return id_taken(std::move(rows), operation);
        }
        inbound read_result = event_seen(std::move(rows), stamped, event, t.around);
        effects change = std::move(read_result.change);
        if (operation && !stamped) {
            // If-Match or the event id made sure of it: what the event shows was not written by this operation.
            store::operation_row abandoned = *operation;
            abandoned.state = "abandoned";
            abandoned.answer_reason = "not_applied";
            change.finished_operations.push_back(std::move(abandoned));
        }
        return change;
    };
    auto written = co_await decide_and_write(t, decide);
    if (!written) co_return result<void>(written.error());
    co_return result<void>{};
}

push_outcome trouble(turn const& t, google::call_error const& error, next_move move) {
    push_outcome out;
    out.calendar_trouble = move;
    out.wait = retry::wait(t.with.within.backoff, 1, t.with.random.uniform(), error.retry_after);
    out.why = (error.reason.empty() ? std::string(name(error.code)) : error.reason);
    return out;
}

call_kind kind_of(outbound const& step) {
    if (std::holds_alternative<send_create>(step.call)) return call_kind::create;
    if (std::holds_alternative<send_patch>(step.call)) return call_kind::patch;
    if (std::holds_alternative<send_delete>(step.call)) return call_kind::remove;
    return call_kind::read;
}

task<google::answer<domain::calendar_event>> send(turn& t, outbound const& step) {
    store::link_row const& link = *step.change.link;
    deadline const at = in(t.with.within.call_time_max);
    if (auto* create = std::get_if<send_create>(&step.call)) {
        std::function<task<google::answer<domain::calendar_event>>(secret const&)> call = [&](secret const& token) {
            return t.with.api.insert(token, link.google_calendar_id, link.event_id, create->what, at);
        };
        co_return co_await authorised<domain::calendar_event>(t.with, t.held.tenant, link.connection, call);
    }
    if (auto* patch = std::get_if<send_patch>(&step.call)) {
        std::function<task<google::answer<domain::calendar_event>>(secret const&)> call = [&](secret const& token) {
            return t.with.api.patch(token, link.google_calendar_id, link.event_id, patch->if_match, patch->what, at);
        };
        co_return co_await authorised<domain::calendar_event>(t.with, t.held.tenant, link.connection, call);
    }
    auto const& removal = std::get<send_delete>(step.call);
    std::function<task<google::answer<void>>(secret const&)> call = [&](secret const& token) {
        return t.with.api.remove(token, link.google_calendar_id, link.event_id, removal.if_match, removal.send_updates, at);
    };
    auto removed = co_await authorised<void>(t.with, t.held.tenant, link.connection, call);
    if (!removed) co_return removed.error();
    domain::calendar_event gone;
    gone.id = link.event_id;
    gone.status = "cancelled";
    co_return gone;
}

}  // namespace

task<result<push_outcome>> push_task(parts const& with, store::held_lease held, store::connection_row connection,
                                     store::calendar_row calendar, task_id id, observe::trace_context cause, std::int64_t& written) {
    turn t{with, held, surroundings_of(with, std::move(connection), std::move(calendar)), id, std::move(cause), 0};
    for (int round = 0; round < rounds_max; ++round) {
        std::optional<outbound> step;
        auto decide = [&](store::task_and_link rows) -> std::optional<effects> {
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
            {{"trace_id", t.cause.trace_id}, {"tenant_id", held.tenant}, {"task_id", id}, {"why", step->change.why}, {"round", round}});
        if (std::holds_alternative<finished>(step->call)) co_return push_outcome{};

        if (std::holds_alternative<send_read>(step->call)) {
            auto looked = co_await look(t, *step->change.link, step->operation);
            if (!looked) {
                google::call_error const error = looked.error();
                next_move const move = after(error, call_kind::read);
                if (move == next_move::defer_calendar || move == next_move::stop_calendar) co_return trouble(t, error, move);
                auto later = co_await retry_later(t, error);
                if (!later) co_return later.error();
                co_return push_outcome{};
            }
            if (!*looked) co_return looked->error();
            continue;
        }

        auto answer = co_await send(t, *step);
        metrics::get_counter("calbridge_worker_google_writes_total", "Writes to Google by kind and outcome",
                             {{"kind", step->operation->kind}, {"outcome", answer ? "ok" : std::string(name(answer.error().code))}})
            .add();
        if (answer) {
            ++written;
            auto record = [&](store::task_and_link rows) -> std::optional<effects> {
                if (step->operation->kind == "delete") return delete_answered(std::move(rows), *step->operation, t.worked, t.around);
                return write_answered(std::move(rows), *step->operation, *answer, t.worked, t.around);
            };
            auto recorded = co_await decide_and_write(t, record);
            if (!recorded) co_return recorded.error();
            continue;  // another change may have come in meanwhile; if not, the next round finds nothing
        }

        google::call_error const error = answer.error();
        next_move const move = after(error, kind_of(*step));
        log::info("push.failed", {{"trace_id", t.cause.trace_id},
                                  {"tenant_id", held.tenant},
                                  {"task_id", id},
                                  {"operation_id", step->operation->id},
                                  {"kind", step->operation->kind},
                                  {"status", error.status},
                                  {"reason", error.reason},
                                  {"err", name(error.code)},
                                  {"next", name(move)}});
        switch (move) {
        case next_move::look_first: {
            auto looked = co_await look(t, *step->change.link, step->operation);
            if (!looked) {
                auto later = co_await retry_later(t, looked.error());
                if (!later) co_return later.error();
                co_return push_outcome{};
            }
            if (!*looked) co_return looked->error();
            break;
        }
        case next_move::refuse: {
            auto refuse = [&](store::task_and_link rows) -> std::optional<effects> {
                return write_refused(std::move(rows), step->operation, error, t.worked, t.around);
            };
            auto refused = co_await decide_and_write(t, refuse);
            if (!refused) co_return refused.error();
            co_return push_outcome{};
        }
        case next_move::retry_task:
        case next_move::restart_listing: {
            auto later = co_await retry_later(t, error);
            if (!later) co_return later.error();
            co_return push_outcome{};
        }
        case next_move::defer_calendar:
        case next_move::stop_calendar: {
            if (!error.outcome_unknown) {
                // Nothing happened at Google: no need to read back before the next try.
                auto forget = [&](store::task_and_link rows) -> std::optional<effects> {
                    return operation_abandoned(std::move(rows), *step->operation, error.reason);
                };
                auto forgotten = co_await decide_and_write(t, forget);
                if (!forgotten) co_return forgotten.error();
            }
            co_return trouble(t, error, move);
        }
        }
    }
    google::call_error hot;
    hot.code = errc::conflict;
    hot.reason = "event_keeps_changing";
    auto later = co_await retry_later(t, hot);
    if (!later) co_return later.error();
    co_return push_outcome{};
}

}  // namespace calbridge::worker
