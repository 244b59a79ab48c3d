#include "requests.h"

#include "engine_requests.h"
#include "writer.h"

#include "store/brake.h"
#include "wire/requests.h"

#include "common/json/json.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"

#include <fmt/format.h>

namespace calbridge::worker {

namespace {

constexpr int attempts_max = 600;  // looks at a task whose last call has no answer yet, one a second
constexpr std::chrono::milliseconds look_again{1000};

bool is_passing(errc code) { return code == errc::conflict || code == errc::unavailable || code == errc::timed_out; }

json::object detail_of(store::request_row const& row) {
    auto const parsed = json::parse(row.detail, "request", {}, true);
    return parsed && parsed->is_object() ? parsed->get_object() : json::object{};
}

void wait_or_give_up(store::request_row& row) {
    if (row.attempts < attempts_max) return;
    domain::refusal const busy{"busy", "Google has not answered an earlier change of this task. Ask again later."};
    end_with(row, busy);
}

// Under another calendar by now: its worker carries it out.
bool goes_elsewhere(request_turn& t, std::optional<calendar_id> const& place) {
    if (place == t.held.calendar.id) return false;
    if (place) {
        t.row.calendar = *place;
    } else {
        domain::refusal const homeless{"no_calendar", "This task has no calendar. Connect an account or choose a calendar first."};
        end_with(t.row, homeless);
    }
    return true;
}

task<result<verdict>> decide(request_turn& t, pg::transaction& tx, surroundings const& around) {
    verdict out;
    json::object const detail = detail_of(t.row);
    std::optional<store::placed_operation> placed;
    task_id task(t.row.subject);
    if (t.row.kind == domain::request_kind::undo) {
        auto const id = parse_uuid(t.row.subject);
        if (id) {
            operation_id const wanted{*id};
            auto found = co_await store::find_operation(tx, t.row.tenant, wanted);
            if (!found) co_return found.error();
            placed = std::move(*found);
        }
        if (!placed) {
            out.refused = domain::refusal{"not_found", "This operation is not in the history any more."};
            co_return out;
        }
        task = placed->link.task;
    }
    auto rows = co_await store::lock_task(tx, t.row.tenant, task);
    if (!rows) co_return rows.error();
    // Somebody else's by now: the one who asked has nothing to say about it any more.
    if (!*rows || (**rows).task.user != t.row.user) {
        out.refused = domain::refusal{"not_found", "There is no such task."};
        co_return out;
    }
    if (goes_elsewhere(t, placed ? std::optional(placed->link.calendar) : (**rows).task.calendar)) {
        out.later = true;
        co_return out;
    }
    switch (t.row.kind) {
    case domain::request_kind::resolve_conflict: {
        auto const choice = wire::load_choice(detail);
        if (choice) out = resolve_conflict(std::move(**rows), *choice, t.row.who, around);
        else out.refused = domain::refusal{"malformed", choice.error().context};
        break;
    }
    case domain::request_kind::undo: out = undo(std::move(**rows), *placed, t.row.who, around); break;
    default: out = retry_task(std::move(**rows), around); break;
    }
    co_return out;
}

task<result<void>> on_task(request_turn& t, pg::transaction& tx, surroundings const& around) {
    auto decided = co_await decide(t, tx, around);
    if (!decided) co_return decided.error();
    std::vector<store::outbox_message> messages;
    if (decided->change) {
        effects const change = std::move(*decided->change);
        if (decided->reopen_task) {
            auto reopened = co_await store::reopen_task(tx, t.row.tenant, change.task.id);
            if (!reopened) co_return reopened.error();
        }
        auto written = co_await write(t.with, tx, change, messages, t.cause);
        if (!written) co_return written.error();
    }
    if (decided->later) {
        if (t.row.is_open() && t.row.calendar == t.held.calendar.id) wait_or_give_up(t.row);
    } else {
        json::object more;
        if (decided->operation) more["operation"] = decided->operation->str();
        end_with(t.row, decided->refused, json::serialize(more));
    }
    bool const waits = decided->later && t.row.calendar == t.held.calendar.id;
    auto saved = co_await store::save_request(tx, t.row, waits ? look_again : std::chrono::milliseconds(0));
    if (!saved) co_return saved.error();
    auto done = co_await commit(t.with, tx, std::move(messages));
    co_return done;
}

task<result<void>> full_resync(request_turn& t, pg::transaction& tx) {
    auto dropped = co_await store::drop_cursor(tx, t.held.lease);
    if (!dropped) co_return dropped.error();
    end_with(t.row, {});
    auto saved = co_await store::save_request(tx, t.row);
    if (!saved) co_return saved.error();
    auto done = co_await tx.commit();
    co_return done;
}

constexpr std::chrono::hours answer_life{1};

// What the mass-delete brake asks. Exactly as many deletions as were held back are let through, or undone in Google, by the next pass.
task<result<void>> decide_deletions(request_turn& t, pg::transaction& tx) {
    json::object const detail = detail_of(t.row);
    auto const& brake = t.held.calendar.brake;
    std::int64_t const shown = json::integer_or(detail, "missing", brake ? brake->missing : 0);
    std::optional<domain::refusal> refused;
    if (!brake) refused = domain::refusal{"nothing_held_back", "No deletions are held back in this calendar."};
    else if (shown != brake->missing)
        refused = domain::refusal{"changed_since", fmt::format("By now {} events are missing. Look at them again.", brake->missing)};
    if (!refused) {
        auto const answer = json::text_or(detail, "decision") == "confirm" ? store::brake_answer::confirm : store::brake_answer::put_back;
        auto answered = co_await store::answer_brake(tx, t.row.tenant, t.held.calendar.id, answer, brake->missing, answer_life);
        if (!answered) co_return answered.error();
    }
    end_with(t.row, refused);
    auto saved = co_await store::save_request(tx, t.row);
    if (!saved) co_return saved.error();
    auto done = co_await tx.commit();
    co_return done;
}

// The kinds that are one transaction are done with in it; of the others the row is left in `t`. True: done with.
task<result<bool>> at_once(request_turn& t, request_id id) {
    auto begun = co_await t.with.db.begin(t.held.lease.tenant);
    if (!begun) co_return begun.error();
    pg::transaction& tx = **begun;
    auto calendar = co_await store::check_lease(tx, t.held.lease);
    if (!calendar) co_return calendar.error();
    auto row = co_await store::lock_request(tx, t.held.lease.tenant, id);
    if (!row) co_return row.error();
    if (!*row) co_return true;
    t.row = std::move(**row);
    t.held.calendar = std::move(*calendar);
    surroundings const around = surroundings_of(t.with, t.held.connection, t.held.calendar);
    switch (t.row.kind) {
    case domain::request_kind::resolve_conflict:
    case domain::request_kind::undo:
    case domain::request_kind::retry: {
        auto done = co_await on_task(t, tx, around);
        if (!done) co_return done.error();
        co_return true;
    }
    case domain::request_kind::full_resync: {
        auto done = co_await full_resync(t, tx);
        if (!done) co_return done.error();
        co_return true;
    }
    case domain::request_kind::deletions: {
        auto done = co_await decide_deletions(t, tx);
        if (!done) co_return done.error();
        co_return true;
    }
    case domain::request_kind::drop_quarantine: {
        if (auto const id_of_item = parse_uuid(t.row.subject)) {
            quarantine_id const item{*id_of_item};
            auto dropped = co_await store::settle_quarantined(tx, t.row.tenant, item, "dropped");
            if (!dropped) co_return dropped.error();
        }
        end_with(t.row, {});
        auto saved = co_await store::save_request(tx, t.row);
        if (!saved) co_return saved.error();
        auto done = co_await tx.commit();
        if (!done) co_return done.error();
        co_return true;
    }
    case domain::request_kind::bulk_sync:
    case domain::request_kind::retry_quarantine: break;
    }
    co_return false;
}

task<result<void>> step(request_turn& t, request_id id) {
    auto done = co_await at_once(t, id);
    if (!done) co_return done.error();
    if (*done) co_return result<void>{};
    if (t.row.kind == domain::request_kind::bulk_sync) co_return co_await bulk_sync(t);
    co_return co_await retry_quarantined(t);
}

}  // namespace

void end_with(store::request_row& row, std::optional<domain::refusal> const& refused, std::string more_members) {
    row.state = refused ? "failed" : "done";
    json::object out;
    if (auto const more = json::parse(more_members.empty() ? "{}" : more_members, "result"); more && more->is_object())
        out = more->get_object();
    if (refused) {
        out["reason"] = refused->code;
        out["explanation"] = refused->explanation;
    }
    row.result = json::serialize(out);
}

task<result<void>> save(request_turn& t, std::chrono::milliseconds wait) {
    auto begun = co_await t.with.db.begin(t.held.lease.tenant);
    if (!begun) co_return begun.error();
    auto calendar = co_await store::check_lease(**begun, t.held.lease);
    if (!calendar) co_return calendar.error();
    auto saved = co_await store::save_request(**begun, t.row, wait);
    if (!saved) co_return saved.error();
    auto done = co_await (*begun)->commit();
    co_return done;
}

task<result<void>> carry_out(parts const& with, store::leased_calendar held, request_id id, observe::trace_context cause) {
    request_turn t{with, std::move(held), std::move(cause), {}};
    auto done = co_await step(t, id);
    if (!done && !is_passing(done.error().code) && !t.row.id.is_nil()) {
        // A request that cannot be carried out must not stand in the calendar's way for ever.
        log::error("request.failed", log::with({{"tenant_id", t.row.tenant}, {"request_id", id}}, done.error()));
        domain::refusal const broken{"internal", "Something went wrong on our side. Nothing was changed."};
        end_with(t.row, broken);
        done = co_await save(t);
    }
    if (done && !t.row.is_open()) {
        metrics::get_counter("calbridge_worker_requests_total", "What people asked for, by kind and outcome",
                             {{"kind", std::string(domain::name(t.row.kind))}, {"outcome", t.row.state}})
            .add();
        log::info("request.finished", {{"trace_id", t.cause.trace_id},
                                       {"tenant_id", t.row.tenant},
                                       {"request_id", id},
                                       {"kind", domain::name(t.row.kind)},
                                       {"state", t.row.state}});
    }
    co_return done;
}

}  // namespace calbridge::worker
