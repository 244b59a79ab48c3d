#include "engine_calls.h"
#include "engine_meet.h"
#include "engine_move.h"
#include "engine_series.h"
#include "engine_zoom.h"

#include "domain/stamp.h"
#include "domain/template.h"

#include <algorithm>

namespace calbridge::worker {

namespace {

using domain::field;
using domain::field_set;

// Footer, colour, reminders and a tick say nothing new to guests, and that a series ends where another goes on is told by that one.
bool matters_to_guests(effects const& e, field_set const& pushed) {
    for (field f : {field::time, field::location, field::guests, field::description})
        if (pushed.has(f)) return true;
    if (pushed.has(field::recurrence) && e.task.cut_at.empty()) return true;
    if (!pushed.has(field::title)) return false;
    bool const known = e.link && e.link->remote && e.task.local;
    return !known || domain::without_tick(e.link->remote->title) != domain::without_tick(e.task.local->title);
}

field_set fields_named(std::vector<std::string> const& names) {
    field_set out;
    for (std::string const& n : names)
        if (auto f = domain::field_named(n)) out.add(*f);
    return out;
}

// The task stays due for a meeting that could not be made or changed yet.
void stay_for_zoom(effects& e, surroundings const& around) {
    auto const rest = zoom_rests(e, around);
    if (!rest) return;
    e.raise_dirty = true;
    e.retry_in = *rest;
}

void record_conflicts(effects& e, std::vector<domain::field_conflict> const& found, surroundings const& around) {
    std::vector<domain::field_conflict> open;
    std::copy_if(found.begin(), found.end(), std::back_inserter(open), [](auto const& c) { return !c.winner; });
    auto same_versions = [](auto const& a, auto const& b) { return a.which == b.which && a.crm == b.crm && a.google == b.google; };
    bool const news = !std::equal(open.begin(), open.end(), e.link->conflicts.begin(), e.link->conflicts.end(), same_versions);
    e.link->conflicts = open;
    e.link->has_conflict = !open.empty() || e.link->frozen;
    e.link_changed = true;
    if (!news || open.empty()) return;
    domain::task_update& update = tell(e, domain::update_kind::conflict, around);
    e.task.pulled_seq = update.sequence;
    update.reason = "edited_on_both_sides";
    update.explanation = "The task and the calendar event were changed at the same time. Both versions are kept; choose one.";
    for (domain::field_conflict const& c : open) update.conflicts.push_back({std::string(domain::name(c.which)), c.base, c.crm, c.google});
}

// A new wish for a meeting has an id of its own; repeating the same one repeats the id, so that no second meeting is made.
void ask_for_meet(effects& e, store::operation_row const& operation) {
    if (!e.link->meet_request.empty() && !e.link->meet_failed) return;
    e.link->meet_request = domain::meet_request_id(e.link->id, static_cast<int>(operation.sequence));
    e.link->meet_failed = false;
    e.link_changed = true;
}

outbound create(effects e, surroundings const& around) {
    if (!may_write(around.calendar.access_role))
        return refuse(std::move(e), e.task.dirty_seq, "calendar_read_only",
                      "The calendar chosen for this task can only be read. Choose another calendar or ask its owner for write access.",
                      "failed", around);
    ensure_link(e, around);
    store::operation_row operation = new_operation(e, "create", around);
    operation.expected = e.task.local;
    if (e.task.local->meet) ask_for_meet(e, operation);
    operation.why = "task without an event";
    operation.send_updates = mail_for(e, std::nullopt, around);
    google::event_write what = write_of(e, operation, around);
    what.values = *e.task.local;
    what.attendees_data = "[]";
    for (field f : domain::all_fields) what.pushed.add(f);
    if (what.values.location.empty()) what.pushed.remove(field::location);
    if (what.values.color_id.empty()) what.pushed.remove(field::color);
    if (what.values.guests.empty()) what.pushed.remove(field::guests);
    if (!what.values.meet) what.pushed.remove(field::meet);
    operation.pushed = what.pushed.names();
    e.new_operations.push_back(operation);
    e.why = "create";
    outbound out;
    out.change = std::move(e);
    out.operation = std::move(operation);
    out.call = send_create{std::move(what)};
    return out;
}

outbound patch(effects e, domain::merge const& what_to_do, surroundings const& around) {
    record_conflicts(e, what_to_do.conflicts, around);
    store::operation_row operation = new_operation(e, "patch", around);
    domain::fields const remote = *e.link->remote;
    operation.before = remote;
    operation.pushed = what_to_do.push.names();
    if (what_to_do.push.has(field::meet) && what_to_do.merged.meet) ask_for_meet(e, operation);
    operation.why = std::string(what_to_do.reason);
    operation.if_match = e.link->etag;
    operation.send_updates = mail_for(e, what_to_do.push, around);
    operation.conflicts = what_to_do.conflicts;
    domain::fields expected = effective_remote(*e.link, remote);
    for (field f : domain::all_fields)
        if (what_to_do.push.has(f)) domain::copy(f, what_to_do.merged, expected);
    operation.expected = expected;

    google::event_write what = write_of(e, operation, around);
    what.pushed = what_to_do.push;
    what.values = expected;
    if (what.pushed.has(field::description) || what.pushed.has(field::footer)) {
        // Text and footer share one property in Google: the one that did not change is sent as Google holds it.
        if (!what.pushed.has(field::description)) what.values.description = remote.description;
        if (!what.pushed.has(field::footer)) what.values.footer = remote.footer;
        what.pushed.add(field::description).add(field::footer);
    }
    e.new_operations.push_back(operation);
    e.why = "patch";
    outbound out;
    out.change = std::move(e);
    out.call = send_patch{std::move(what), operation.if_match};
    out.operation = std::move(operation);
    return out;
}

// An occurrence that was called off takes place again, as the task is now.
outbound restore(effects e, surroundings const& around) {
    store::operation_row operation = new_operation(e, "patch", around);
    operation.expected = e.task.local;
    operation.before = e.link->remote;
    operation.why = "occurrence takes place again";
    operation.send_updates = mail_for(e, std::nullopt, around);
    google::event_write what = write_of(e, operation, around);
    what.values = *e.task.local;
    what.restore = true;
    for (field f : domain::all_fields) what.pushed.add(f);
    what.pushed.remove(field::recurrence).remove(field::meet);
    operation.pushed = what.pushed.names();
    e.new_operations.push_back(operation);
    e.why = "restore";
    outbound out;
    out.change = std::move(e);
    out.call = send_patch{std::move(what), {}};
    out.operation = std::move(operation);
    return out;
}

// Other people's event: the task goes, the event stays.
outbound leave_alone(effects e, surroundings const& around) {
    end_link(e, "task_removed");
    settle(e, e.task.dirty_seq, "removed");
    tell(e, domain::update_kind::synced, around).reason = "event_left_alone";
    e.why = "left_alone";
    return done_with(std::move(e));
}

// Google's side deleted the event earlier. What a later snapshot means for it; empty: go on as usual.
std::optional<outbound> after_deletion(effects& e, store::task_row const& before, surroundings const& around) {
    if (e.link || e.task.reason != "deleted_in_google") return {};
    bool const edited = !before.seen || !e.task.seen || !domain::differences(*before.seen, *e.task.seen).empty();
    bool const knows = e.task.snapshot.applied_update_seq >= e.task.pulled_seq && e.task.snapshot.applied_update_seq > 0;
    // A message that does not say when its change was made arrived after the deletion was taken in.
    auto const newer = e.task.snapshot.changed_at ? std::nullopt : std::optional(domain::side::crm);
    auto const winner = whole_winner(around.connection.policy, newer);
    if (edited && (knows || winner == domain::side::crm)) return {};
    std::int64_t const worked = e.task.dirty_seq;
    if (!edited || winner == domain::side::google) {
        settle(e, worked, "removed");
        e.why = "stays_deleted";
    } else {
        settle(e, worked, "conflict");
        domain::task_update& update = tell(e, domain::update_kind::conflict, around);
        e.task.pulled_seq = update.sequence;
        update.reason = "edited_after_delete";
        update.explanation =
            "The event was deleted in Google Calendar while the task was edited. Save the task again to put the event back, or cancel the "
            "task.";
        e.why = "edited_after_delete";
    }
    e.task.reason = "deleted_in_google";
    return done_with(std::move(e));
}

}  // namespace

bool may_write(std::string_view access_role) {
    return access_role == "owner" || access_role == "writer" || access_role == "writerWithoutPrivateAccess";
}

// Guests hear of what matters to them, when the task says so, and never about the past.
std::string mail_for(effects const& e, std::optional<field_set> pushed, surroundings const& around) {
    std::string const& asked = e.task.snapshot.send_updates;
    if (asked != "all" && asked != "externalOnly") return "none";
    if (domain::is_completed(e.task.snapshot)) return "none";
    if (e.task.local) {
        domain::time_range const& t = e.task.local->time;
        instant const over = t.all_day ? std::chrono::time_point_cast<std::chrono::microseconds>(t.end_day) : t.end;
        if (over < around.now) return "none";
    }
    if (pushed && !matters_to_guests(e, *pushed)) return "none";
    return asked;
}

google::event_write write_of(effects const& e, store::operation_row const& operation, surroundings const& around) {
    google::event_write what;
    store::link_row const& link = *e.link;
    domain::stamp_place const place{link.tenant, link.connection, link.google_calendar_id, link.event_id};
    what.stamp = domain::make_stamp(*around.stamps, place, link.id);
    what.operation = operation.id.str();
    what.attendees_data = link.attendees_data;
    what.meet_request_id = link.meet_request;
    what.send_updates = operation.send_updates;
    return what;
}

outbound remove(effects e, std::string why, surroundings const& around) {
    store::operation_row operation = new_operation(e, "delete", around);
    operation.before = e.link->remote;
    operation.why = std::move(why);
    operation.if_match = e.link->etag;
    operation.send_updates = mail_for(e, std::nullopt, around);
    e.new_operations.push_back(operation);
    e.why = "delete";
    outbound out;
    out.change = std::move(e);
    out.call = send_delete{operation.if_match, operation.send_updates};
    out.operation = std::move(operation);
    return out;
}

outbound done_with(effects e) {
    outbound out;
    out.change = std::move(e);
    out.call = finished{};
    return out;
}

outbound refuse(effects e, std::int64_t worked, std::string code, std::string explanation, std::string state, surroundings const& around) {
    bool const news = e.task.reason != code || e.task.state != state;
    settle(e, worked, std::move(state));
    e.task.reason = code;
    e.explanation = explanation;
    if (news) {
        domain::task_update& update = tell(e, domain::update_kind::failed, around);
        update.reason = std::move(code);
        update.explanation = std::move(explanation);
    }
    e.why = "refused";
    return done_with(std::move(e));
}

void ensure_link(effects& e, surroundings const& around) {
    if (e.link) return;
    store::link_row link;
    link.tenant = e.task.tenant;
    link.id = link_id{around.fresh_id()};
    link.task = e.task.id;
    link.connection = around.connection.id;
    link.calendar = around.calendar.id;
    link.google_calendar_id = around.calendar.google_id;
    link.event_id = domain::event_id_for(link.tenant, link.connection, link.id, link.generation);
    e.link = std::move(link);
    e.link_is_new = true;
}

outbound read_first(effects e, std::string_view why) {
    e.why = why;
    outbound out;
    out.change = std::move(e);
    out.call = send_read{};
    return out;
}

outbound next_call(store::task_and_link rows, surroundings const& around) {
    std::optional<store::operation_row> unanswered = rows.unanswered;
    store::task_row const before = rows.task;
    std::optional<store::link_row> const series = rows.series;
    std::optional<store::link_row> const ended = rows.ended;
    effects e = start(std::move(rows));
    std::int64_t const worked = e.task.dirty_seq;
    if (unanswered && e.link) {
        e.why = "unanswered_operation";
        outbound out;
        out.change = std::move(e);
        out.operation = std::move(unanswered);
        out.call = send_read{};
        return out;
    }
    if (auto refused = absorb_snapshot(e, around))
        return refuse(std::move(e), worked, refused->code, refused->explanation, "failed", around);

    if (auto stopped = series_gate(e, before, series, around)) return std::move(*stopped);

    bool const wanted = is_wanted(e, around);
    if (e.link && freeze_is_over(*e.link, wanted)) {
        e.link->frozen = false;
        e.link->has_conflict = !e.link->conflicts.empty();
        e.link_changed = true;
    }
    if (wanted)
        if (auto stopped = after_deletion(e, before, around)) return std::move(*stopped);
    if (wanted && !e.task.local)
        return refuse(std::move(e), worked, "internal", "This task could not be read; send it again.", "parked", around);

    if (e.task.series && series) {
        if (wanted || !ended || !was_called_off(*ended)) link_occurrence(e, ended, *series, around);
        if (wanted && e.link && e.link->state_reason == "restore" && !e.link->frozen) return restore(std::move(e), around);
        if (e.link && !e.link->remote && !e.link->frozen) return read_first(std::move(e), "first_look");
    }

    if (auto zoom = zoom_gate(e, wanted, around)) return std::move(*zoom);
    if (wanted) keep_google_values(e, around);
    if (wanted && e.link && e.link->state == domain::link_state::live && e.link->base && e.link->remote && e.task.local &&
        !e.link->frozen) {
        // What Google holds may have become news through the snapshot alone (a conflict settled, an older message of ours taken over).
        domain::fields const remote = *e.link->remote;
        domain::fields const effective = effective_remote(*e.link, remote);
        domain::merge const what = domain::plan(*e.link->base, *e.task.local, effective, around.connection.policy, around.connection.mode,
                                                newer_side(e.task, e.link->event_updated));
        if (!what.pull.empty()) take_over(e, what, remote, effective, around);
    }

    domain::push_view view;
    view.wanted = wanted;
    view.has_link = e.link.has_value();
    view.policy = around.connection.policy;
    view.mode = around.connection.mode;
    if (e.link) {
        view.newer = newer_side(e.task, e.link->event_updated);
        view.state = e.link->state;
        view.frozen = e.link->frozen;
        view.meet_pending = e.link->meet_pending;
        if (e.link->base) view.base = *e.link->base;
        if (e.link->remote) view.remote = effective_remote(*e.link, *e.link->remote);
    }
    if (e.task.local) view.local = *e.task.local;
    domain::push_step step = domain::next_push(view);

    if (std::holds_alternative<domain::create_event>(step)) return create(std::move(e), around);
    bool const changes = std::holds_alternative<domain::patch_event>(step) || std::holds_alternative<domain::delete_event>(step);
    if (changes && !may_write(around.calendar.access_role))
        return refuse(
            std::move(e), worked, "calendar_read_only",
            "The calendar of this task's event can only be read now, so the event stays as it is. Ask the calendar's owner for write "
            "access.",
            "failed", around);
    if (std::holds_alternative<domain::delete_event>(step) && !e.link->read_only.empty()) return leave_alone(std::move(e), around);
    if (auto* p = std::get_if<domain::patch_event>(&step)) return patch(std::move(e), p->what, around);
    if (std::holds_alternative<domain::delete_event>(step)) return remove(std::move(e), "task no longer wants an event", around);
    if (std::holds_alternative<domain::read_back>(step)) {
        return read_first(std::move(e), "follow_up");
    }
    if (auto moving = move_gate(e, around)) return std::move(*moving);
    domain::nothing const& idle = std::get<domain::nothing>(step);
    if (e.link) record_conflicts(e, idle.what.conflicts, around);
    bool const conflicted = e.link && e.link->has_conflict;
    if (e.link && !wanted && e.link->state == domain::link_state::pending && !e.link->frozen) end_link(e, "never_created");
    settle(e, worked, conflicted ? "conflict" : wanted ? "synced" : "removed");
    stay_for_zoom(e, around);
    e.why = idle.reason;
    return done_with(std::move(e));
}

effects write_answered(store::task_and_link rows, store::operation_row operation, domain::calendar_event const& answer, std::int64_t worked,
                       surroundings const& around) {
    effects e = start(std::move(rows));
    operation.state = "done";
    operation.answer_status = 200;
    operation.answer_etag = answer.etag;
    if (!e.link || e.link->id != operation.link) {
        e.finished_operations.push_back(std::move(operation));
        e.why = "link_gone";
        return e;
    }
    store::link_row& link = *e.link;
    std::optional<domain::fields> const agreed_before = link.base;
    bool const created = link.state == domain::link_state::pending;
    auto const read = domain::read_event(answer);
    domain::fields const remote = read ? domain::normalise(*read) : *operation.expected;
    field_set const pushed = fields_named(operation.pushed);
    if (operation.kind == "create" || !link.base || !link.google_base) {
        link.base = operation.expected;
        link.google_base = remote;
    } else {
        for (field f : domain::all_fields) {
            if (pushed.has(f)) {
                domain::copy(f, *operation.expected, *link.base);
                domain::copy(f, remote, *link.google_base);
            } else if (!link.remote || domain::same(f, *link.remote, *link.google_base)) {
                domain::copy(f, remote, *link.google_base);
            }
        }
    }
    std::erase_if(link.conflicts, [&](auto const& c) { return pushed.has(c.which); });
    link.has_conflict = !link.conflicts.empty() || link.frozen;
    link.remote = remote;
    link.recorded_seq = std::max(link.recorded_seq, operation.sequence);
    link.state = domain::link_state::live;
    link.state_reason.clear();
    // Our own write says nothing about when a person last changed the event.
    std::optional<instant> const edited_at = link.event_updated;
    note_event(link, answer);
    if (edited_at) link.event_updated = edited_at;
    e.link_changed = true;
    note_meet(e, answer, around);
    note_series(e, agreed_before, created);
    settle(e, worked, link.has_conflict ? "conflict" : "synced");
    if (wants_to_move(e, around)) e.synced.reset();
    stay_for_zoom(e, around);
    domain::task_update& update = tell(e, domain::update_kind::synced, around);
    update.operation_id = operation.id.str();
    update.reason = operation.kind == "create" ? "event_created" : "event_updated";
    if (link.meet_pending) {
        e.raise_dirty = true;
        e.retry_in = std::chrono::seconds(5);
    }
    e.finished_operations.push_back(std::move(operation));
    e.why = "written";
    return e;
}

effects delete_answered(store::task_and_link rows, store::operation_row operation, std::int64_t worked, surroundings const& around) {
    effects e = start(std::move(rows));
    operation.state = "done";
    operation.answer_status = 204;
    e.finished_operations.push_back(operation);
    if (!e.link || e.link->id != operation.link) return e;
    e.link->recorded_seq = std::max(e.link->recorded_seq, operation.sequence);
    bool const moved_user = e.task.user != around.connection.user || goes_elsewhere(operation);
    end_link(e, moved_user ? "task_moved_to_another_user" : "task_removed");
    settle(e, worked, "removed");
    stay_for_zoom(e, around);
    domain::task_update& update = tell(e, domain::update_kind::synced, around);
    update.reason = "event_removed";
    update.operation_id = operation.id.str();
    if (moved_user && domain::wants_event(e.task.snapshot) && !e.task.deleted) {
        // The new owner's calendar takes over under a new link.
        e.task.calendar.reset();
        e.task.state = "pending";
    }
    e.why = "deleted";
    return e;
}

effects write_refused(store::task_and_link rows, std::optional<store::operation_row> operation, google::call_error const& error,
                      std::int64_t worked, surroundings const& around) {
    effects e = start(std::move(rows));
    if (operation) {
        operation->state = "failed";
        operation->answer_status = error.status;
        operation->answer_reason = error.reason;
        e.finished_operations.push_back(std::move(*operation));
    }
    std::string code = error.reason.empty() ? std::string(name(error.code)) : error.reason;
    std::string explanation = "Google Calendar refused this change (" + code + "). ";
    if (error.scope_missing) explanation += "The connected account did not grant the permission it needs: reconnect and tick every box.";
    else if (code == "forbiddenForNonOrganizer") explanation += "Only the organizer of the event may change it.";
    else if (error.code == errc::forbidden) explanation += "Check that the account may write to this calendar, then send the task again.";
    else explanation += "Correct the task and send it again.";
    bool const news = e.task.reason != code || e.task.state != "parked";
    settle(e, worked, "parked");
    e.task.reason = code;
    e.explanation = explanation;
    if (news) {
        domain::task_update& update = tell(e, domain::update_kind::failed, around);
        update.reason = std::move(code);
        update.explanation = std::move(explanation);
    }
    e.why = "refused_by_google";
    return e;
}

effects id_taken(store::task_and_link rows, std::optional<store::operation_row> operation) {
    effects e = start(std::move(rows));
    if (operation) {
        operation->state = "failed";
        operation->answer_status = 409;
        operation->answer_reason = "duplicate";
        e.finished_operations.push_back(std::move(*operation));
    }
    if (e.link) next_generation(e);
    e.why = "id_taken";
    return e;
}

effects operation_abandoned(store::task_and_link rows, store::operation_row operation, std::string reason) {
    effects e = start(std::move(rows));
    operation.state = "abandoned";
    operation.answer_reason = std::move(reason);
    e.finished_operations.push_back(std::move(operation));
    e.why = "abandoned";
    return e;
}

}  // namespace calbridge::worker
