#include "engine_requests.h"

#include "engine_rows.h"

#include "domain/history.h"
#include "domain/recurrence.h"
#include "store/conflicts.h"
#include "store/history.h"

#include <algorithm>

namespace calbridge::worker {

namespace {

using domain::field;
using domain::field_set;
using domain::whole_choice;

verdict refuse(std::string code, std::string explanation) {
    verdict out;
    out.refused = domain::refusal{std::move(code), std::move(explanation)};
    return out;
}

verdict carried_out(effects e, std::string_view why) {
    e.why = why;
    verdict out;
    if (!e.new_operations.empty()) out.operation = e.new_operations.back().id;
    out.change = std::move(e);
    return out;
}

void make_due(effects& e, std::string state) {
    e.task.state = std::move(state);
    e.task.reason.clear();
    e.task.failures = 0;
    e.explanation.clear();
    e.raise_dirty = true;
    e.task_changed = true;
}

store::operation_row& record(effects& e, std::string kind, std::string who, std::string why, surroundings const& around) {
    store::operation_row row = new_operation(e, std::move(kind), around);
    row.state = "done";
    row.who = std::move(who);
    row.why = std::move(why);
    e.new_operations.push_back(std::move(row));
    return e.new_operations.back();
}

// The user's own value for `f`, into `to`.
std::optional<domain::refusal> say(field f, domain::field_choice const& said, domain::fields& to, surroundings const& around) {
    if (f == field::title) to.title = said.text;
    if (f == field::description) to.description = said.text;
    if (f == field::location) to.location = said.text;
    if (f == field::time) {
        std::string const zone = around.calendar.time_zone.empty() ? "UTC" : around.calendar.time_zone;
        auto const range = domain::understand_time(said.start, said.end, said.time_zone, zone, std::chrono::minutes(60));
        if (auto const* refused = std::get_if<domain::refusal>(&range)) return *refused;
        to.time = std::get<domain::time_range>(range);
    }
    if (f == field::recurrence) {
        auto const lines = domain::canonical_recurrence(said.lines, to.time);
        if (auto const* refused = std::get_if<domain::refusal>(&lines)) return *refused;
        to.recurrence = std::get<std::vector<std::string>>(lines);
    }
    to = domain::normalise(std::move(to));
    return {};
}

verdict resolve_fields(effects e, store::open_conflict const& open, domain::conflict_choice const& choice, std::string who,
                       surroundings const& around) {
    store::link_row& link = *e.link;
    if (!e.task.local || !link.remote || !link.base || !link.google_base)
        return refuse("conflict_changed", "This conflict is not there any more. Look at the task again.");
    field_set chosen;
    for (auto const& [f, one] : choice.fields) {
        bool const stands = std::any_of(open.fields.begin(), open.fields.end(), [&](auto const& c) { return c.which == f; });
        if (!stands) return refuse("not_in_conflict", "There is no conflict about the " + std::string(domain::name(f)) + ".");
        chosen.add(f);
    }
    domain::fields const local = *e.task.local;
    domain::fields const remote = effective_remote(link, *link.remote);
    domain::fields settled = local, lost = local;
    for (field f : domain::all_fields) {  // in order: a recurrence is read with the time it begins at
        if (!chosen.has(f)) continue;
        domain::field_choice const& one = choice.fields.at(f);
        if (one.from == domain::field_choice::source::crm) domain::copy(f, remote, lost);
        if (one.from == domain::field_choice::source::google) domain::copy(f, remote, settled);
        if (one.from == domain::field_choice::source::value)
            if (auto refused = say(f, one, settled, around)) return refuse(refused->code, refused->explanation);
    }
    for (field f : domain::all_fields) {
        if (!chosen.has(f)) continue;
        // Google's value is what both know from here on; where the choice differs, it is the CRM's edit against it.
        domain::copy(f, remote, *link.base);
        domain::copy(f, *link.remote, *link.google_base);
        domain::copy(f, settled, *e.task.local);
    }
    std::erase_if(link.conflicts, [&](auto const& c) { return chosen.has(c.which); });
    link.has_conflict = !link.conflicts.empty() || link.frozen;
    store::operation_row& history = record(e, "resolve", std::move(who), "conflict settled", around);
    history.pushed = chosen.names();
    history.before = lost;
    history.expected = *e.task.local;
    for (domain::field_conflict c : open.fields) {
        if (!chosen.has(c.which)) continue;
        domain::field_choice::source const from = choice.fields.at(c.which).from;
        if (from == domain::field_choice::source::crm) c.winner = domain::side::crm;
        if (from == domain::field_choice::source::google) c.winner = domain::side::google;
        history.conflicts.push_back(std::move(c));
    }
    std::string const operation = history.id.str();
    // Told also where the CRM's own version stays: by that it knows that there is nothing to choose any more.
    domain::task_update& update = tell_changes(e, chosen, around);
    update.reason = "conflict_settled";
    update.operation_id = operation;
    make_due(e, link.has_conflict ? "conflict" : "pending");
    return carried_out(std::move(e), "conflict_settled");
}

verdict put_event_back(effects e, std::string kind, std::string who, std::string why, surroundings const& around) {
    if (e.link) {
        store::operation_row& history = record(e, std::move(kind), std::move(who), std::move(why), around);
        history.expected = e.task.local;
        if (e.task.series) {
            // An occurrence comes back by saying that it takes place, under the same id.
            e.link->frozen = false;
            e.link->has_conflict = !e.link->conflicts.empty();
            if (e.link->state != domain::link_state::ended) e.link->state_reason = "restore";
        } else {
            next_generation(e);
        }
        e.link_changed = true;
    }
    make_due(e, "pending");
    return carried_out(std::move(e), "put_back");
}

verdict resolve_whole(effects e, store::open_conflict const& open, whole_choice choice, std::string who, surroundings const& around) {
    bool const against_delete = open.whole != "cancelled_and_edited";
    bool const fits = against_delete ? choice == whole_choice::put_back || choice == whole_choice::cancel_task
                                     : choice == whole_choice::remove_event || choice == whole_choice::keep_event;
    if (!fits)
        return refuse("no_such_choice", against_delete ? "The event was deleted: choose put_back or cancel_task."
                                                       : "The task was cancelled: choose remove_event or keep_event.");
    if (choice == whole_choice::put_back) return put_event_back(std::move(e), "resolve", std::move(who), "put_back", around);
    std::string const why(domain::name(choice));
    if (e.link) record(e, "resolve", std::move(who), why, around);
    if (choice == whole_choice::remove_event) {
        // What was edited is known to both now, and goes with the event.
        store::link_row& link = *e.link;
        if (link.remote && link.base && link.google_base) {
            link.base = effective_remote(link, *link.remote);
            link.google_base = link.remote;
        }
        link.frozen = false;
        link.conflicts.clear();
        link.has_conflict = false;
        link.state_reason.clear();
        e.link_changed = true;
        make_due(e, "pending");
        return carried_out(std::move(e), "remove_event");
    }
    bool const kept = choice == whole_choice::keep_event;
    if (e.link) end_link(e, kept ? "kept_in_google" : "deleted_in_google");
    settle(e, e.task.dirty_seq, "removed");
    e.task.reason = kept ? "kept_in_google" : "deleted_in_google";
    if (!kept) {
        domain::task_update& update = tell(e, domain::update_kind::cancelled, around);
        e.task.pulled_seq = update.sequence;
        update.reason = "deleted_in_google";
    } else {
        tell(e, domain::update_kind::synced, around).reason = "kept_in_google";
    }
    return carried_out(std::move(e), kept ? "keep_event" : "cancel_task");
}

// The fields of `item` that hold something else by now, on either side.
std::vector<std::string> changed_since(effects const& e, domain::history_item const& item, field_set const& fields) {
    domain::fields const remote = effective_remote(*e.link, *e.link->remote);
    field_set moved;
    for (field f : domain::all_fields)
        if (fields.has(f) && (!domain::same(f, *e.task.local, *item.expected) || !domain::same(f, remote, *item.expected))) moved.add(f);
    return moved.names();
}

verdict undo_deletion(effects e, store::placed_operation const& placed, std::string who, surroundings const& around) {
    if (e.link) return refuse("changed_since", "The task has an event again.");
    if (e.task.deleted) return refuse("task_deleted", "The task was deleted in the CRM.");
    domain::task_changed open = e.task.snapshot;
    open.status = "open";
    if (e.task.user != around.connection.user || !domain::wants_event(open))
        return refuse("not_wanted", "The CRM does not want an event for this task any more.");
    if (placed.link.state != domain::link_state::ended) return refuse("changed_since", "The task has an event again.");
    bool const reopened = !domain::wants_event(e.task.snapshot);
    e.link = placed.link;
    verdict out = put_event_back(std::move(e), "undo", std::move(who), "undo " + placed.operation.id.str(), around);
    effects& done = *out.change;
    if (reopened) {
        out.reopen_task = true;
        done.task.snapshot.status = "open";
    }
    domain::task_update& update = tell(done, domain::update_kind::changed, around);
    done.task.pulled_seq = update.sequence;
    update.reason = "put_back";
    update.explanation = "The deletion in Google Calendar was taken back: the task takes place again.";
    update.operation_id = out.operation->str();
    return out;
}

}  // namespace

verdict resolve_conflict(store::task_and_link rows, domain::conflict_choice const& choice, std::string who, surroundings const& around) {
    if (rows.unanswered) {
        verdict out;
        out.later = true;
        return out;
    }
    effects e = start(std::move(rows));
    auto const shown = store::conflict_of(e.task, e.link);
    if (!shown) return refuse("no_conflict", "This task has no open conflict: it was settled already.");
    if (shown->version != choice.version)
        return refuse("conflict_changed", "The conflict has changed since it was shown. Look at both versions again.");
    if (choice.whole.has_value() != !shown->whole.empty())
        return refuse("no_such_choice", shown->whole.empty() ? "Choose a version for each field in conflict."
                                                             : "The whole task is in conflict: choose what becomes of its event.");
    // A message of the CRM that came meanwhile may have changed what there is to decide.
    if (e.task.absorbed_version < e.task.version) {
        if (absorb_snapshot(e, around) || (e.link && freeze_is_over(*e.link, is_wanted(e, around))))
            return refuse("conflict_changed", "The CRM has changed the task since the conflict was shown. Look at both versions again.");
        for (auto const& c : shown->fields)
            if (!e.task.local || domain::describe(c.which, *e.task.local) != c.crm)
                return refuse("conflict_changed",
                              "The CRM has changed the task since the conflict was shown. Look at both versions again.");
    }
    if (choice.whole) return resolve_whole(std::move(e), *shown, *choice.whole, std::move(who), around);
    return resolve_fields(std::move(e), *shown, choice, std::move(who), around);
}

verdict undo(store::task_and_link rows, store::placed_operation const& placed, std::string who, surroundings const& around) {
    domain::history_item const item = store::history_of(placed.operation, placed.created_at);
    if (auto refused = domain::undo_refusal(item, around.now)) return refuse(refused->code, refused->explanation);
    if (rows.unanswered) {
        verdict out;
        out.later = true;
        return out;
    }
    effects e = start(std::move(rows));
    if (domain::is_deletion_from_google(item)) return undo_deletion(std::move(e), placed, std::move(who), around);
    if (!e.link || e.link->id != placed.link.id || e.link->state != domain::link_state::live || !e.link->remote || !e.link->base ||
        !e.link->google_base || !e.task.local)
        return refuse("changed_since", "The task does not have that event any more.");
    if (e.link->frozen) return refuse("in_conflict", "Settle the task's conflict first.");
    if (!e.link->read_only.empty()) return refuse("read_only", "This event can only be changed by its organizer.");
    domain::sync_mode const mode = around.connection.mode;
    if (mode == domain::sync_mode::google_to_crm || mode == domain::sync_mode::busy_only)
        return refuse("mode", "This connection does not write to Google Calendar.");
    if (absorb_snapshot(e, around)) return refuse("changed_since", "The task has changed since and cannot be read; correct it first.");
    field_set const fields = domain::undo_fields(item);
    for (auto const& c : e.link->conflicts)
        if (fields.has(c.which)) return refuse("in_conflict", "Settle the task's conflict first.");
    auto const moved = changed_since(e, item, fields);
    if (!moved.empty()) {
        std::string named;
        for (std::string const& f : moved) named += (named.empty() ? "" : ", ") + f;
        return refuse("changed_since", "Changed since: " + named + ". Nothing was taken back.");
    }
    store::operation_row& history = record(e, "undo", std::move(who), "undo " + placed.operation.id.str(), around);
    history.pushed = fields.names();
    history.before = *e.task.local;
    for (field f : domain::all_fields)
        if (fields.has(f)) domain::copy(f, *item.before, *e.task.local);
    history.expected = *e.task.local;
    std::string const operation = history.id.str();
    domain::task_update& update = tell_changes(e, fields, around);
    update.reason = "undone";
    update.operation_id = operation;
    make_due(e, e.link->has_conflict ? "conflict" : "pending");
    return carried_out(std::move(e), "undone");
}

std::string_view name(prospect p) {
    switch (p) {
    case prospect::create: return "create";
    case prospect::update: return "update";
    case prospect::remove: return "remove";
    case prospect::conflict: return "conflict";
    case prospect::failed: return "failed";
    case prospect::waiting: return "waiting";
    case prospect::in_step: return "inStep";
    }
    return "unknown";
}

namespace {

prospect prospect_of(outbound const& step) {
    if (std::holds_alternative<send_create>(step.call)) return prospect::create;
    if (std::holds_alternative<send_patch>(step.call)) return prospect::update;
    if (std::holds_alternative<send_delete>(step.call)) return prospect::remove;
    if (!std::holds_alternative<finished>(step.call)) return prospect::waiting;
    std::string const& state = step.change.task.state;
    if (state == "conflict") return prospect::conflict;
    if (state == "failed" || state == "parked") return prospect::failed;
    return state == "waiting" || state == "pending" ? prospect::waiting : prospect::in_step;
}

}  // namespace

void add(outlook& to, store::task_and_link rows, surroundings const& around) {
    task_id const id = rows.task.id;
    std::string const title = rows.task.snapshot.title.substr(0, 200);
    outbound const step = next_call(std::move(rows), around);
    prospect const what = prospect_of(step);
    outlook::group& group = to.groups[what];
    ++to.looked;
    ++group.count;
    if (what == prospect::in_step || group.first.size() >= outlook_names_max) return;
    std::string const why = step.change.task.reason.empty() ? std::string(step.change.why) : step.change.task.reason;
    group.first.push_back({id, scrub_text(title), why});
}

verdict retry_task(store::task_and_link rows, surroundings const&) {
    effects e = start(std::move(rows));
    bool const waits = e.task.synced_seq < e.task.dirty_seq && e.task.failures > 0;
    if (e.task.state != "parked" && e.task.state != "failed" && !waits)
        return refuse("nothing_to_retry", "This task is not waiting for another try.");
    make_due(e, "pending");
    return carried_out(std::move(e), "retried");
}

}  // namespace calbridge::worker
