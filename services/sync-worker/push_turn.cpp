#include "push_turn.h"

#include "authorised.h"
#include "engine_meet.h"
#include "engine_move.h"
#include "engine_series.h"
#include "writer.h"

#include "store/destination.h"

#include "domain/stamp.h"

namespace calbridge::worker {

namespace {

// Calendars are locked in key order.
task<result<void>> check_leases(turn const& t, pg::transaction& tx) {
    std::vector<store::held_lease> leases{t.held};
    if (t.second) leases.insert(t.second->calendar < t.held.calendar ? leases.begin() : leases.end(), *t.second);
    for (store::held_lease const& each : leases) {
        auto calendar = co_await store::check_lease(tx, each);
        if (!calendar) co_return calendar.error();
    }
    co_return result<void>{};
}

}  // namespace

task<result<bool>> decide_and_write(turn& t, std::function<std::optional<effects>(store::task_and_link)> decide) {
    auto begun = co_await t.with.db.begin(t.held.tenant);
    if (!begun) co_return begun.error();
    pg::transaction& tx = **begun;
    auto leased = co_await check_leases(t, tx);
    if (!leased) co_return leased.error();
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

task<result<void>> wait_for_turn(turn& t, std::chrono::milliseconds wait) {
    auto decide = [&](store::task_and_link rows) -> std::optional<effects> {
        effects e;
        e.task = std::move(rows.task);
        e.retry_in = wait;
        return e;
    };
    auto r = co_await decide_and_write(t, decide);
    if (!r) co_return r.error();
    co_return result<void>{};
}

task<google::answer<result<bool>>> look(turn& t, store::link_row link, std::optional<store::operation_row> operation) {
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
    bool waits = false;
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
        if (!operation) waits = wait_for_meet(change, t.worked, t.around);
        return change;
    };
    auto written = co_await decide_and_write(t, decide);
    if (!written) co_return result<bool>(written.error());
    co_return result<bool>(!waits);
}

task<google::answer<result<bool>>> look_for_moved(turn& t, store::link_row link, store::operation_row operation) {
    std::string const where = destination_of(operation);
    std::function<task<google::answer<domain::calendar_event>>(secret const&)> read = [&](secret const& token) {
        return t.with.api.get(token, where, link.event_id, in(t.with.within.call_time_max));
    };
    auto seen = co_await authorised<domain::calendar_event>(t.with, t.held.tenant, link.connection, read);
    bool const missing = !seen && (seen.error().code == errc::not_found || seen.error().code == errc::gone);
    if (!seen && !missing) co_return seen.error();
    bool const there = seen && !seen->is_cancelled();
    if (there) {
        auto ready = co_await look_for_calendar(t, where);
        if (!ready) co_return result<bool>(ready.error());
        if (!*ready) co_return result<bool>(false);
    }
    auto decide = [&](store::task_and_link rows) -> std::optional<effects> {
        if (there && t.around.destination->calendar) return move_answered(std::move(rows), operation, *seen, t.worked, t.around);
        return operation_abandoned(std::move(rows), operation, "not_applied");
    };
    auto written = co_await decide_and_write(t, decide);
    if (!written) co_return result<bool>(written.error());
    co_return result<bool>(true);
}

task<result<bool>> look_for_calendar(turn& t, std::string google_id) {
    auto found = co_await store::find_destination(t.with.db, t.held.tenant, t.around.connection.id, t.around.connection.user, google_id);
    if (!found) co_return found.error();
    destination to{google_id, std::move(found->calendar), found->elsewhere};
    if (to.calendar && !t.second) {
        // Under this worker's name the lease is ours at once; whoever else works on that calendar is waited for.
        auto taken = co_await store::acquire_lease(t.with.db, t.held.tenant, to.calendar->id, t.with.owner, t.with.within.lease_life);
        if (!taken) co_return taken.error();
        if (!*taken) co_return false;
        t.second = (*taken)->lease;
    }
    t.around.destination = std::move(to);
    co_return true;
}

call_kind kind_of(outbound const& step) {
    if (std::holds_alternative<send_create>(step.call)) return call_kind::create;
    if (std::holds_alternative<send_patch>(step.call)) return call_kind::patch;
    if (std::holds_alternative<send_delete>(step.call)) return call_kind::remove;
    if (std::holds_alternative<send_move>(step.call)) return call_kind::move;
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
    if (auto* move = std::get_if<send_move>(&step.call)) {
        std::function<task<google::answer<domain::calendar_event>>(secret const&)> call = [&](secret const& token) {
            return t.with.api.move(token, link.google_calendar_id, link.event_id, move->destination, at);
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

}  // namespace calbridge::worker
