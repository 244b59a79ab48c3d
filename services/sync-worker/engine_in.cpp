#include "engine_in.h"
#include "engine_meet.h"
#include "engine_series.h"

#include "domain/stamp.h"

#include <algorithm>

namespace calbridge::worker {

namespace {

using domain::field;
using domain::field_set;

void finish_stamped(effects& e, std::optional<store::operation_row> const& stamped, domain::calendar_event const& event) {
    if (!stamped || stamped->state == "done") return;
    store::operation_row done = *stamped;
    done.state = "done";
    done.answer_reason = "read_back";
    done.answer_etag = event.etag;
    e.finished_operations.push_back(std::move(done));
}

// A recorded effect of the stamped operation that was never answered: its fields are agreed.
void adopt(store::link_row& link, store::operation_row const& operation) {
    if (operation.kind == "create" || !link.base || !link.google_base) {
        link.base = operation.expected;
        link.google_base = operation.expected;
    } else if (operation.expected) {
        for (std::string const& n : operation.pushed)
            if (auto f = domain::field_named(n)) {
                domain::copy(*f, *operation.expected, *link.base);
                domain::copy(*f, *operation.expected, *link.google_base);
            }
    }
    link.recorded_seq = std::max(link.recorded_seq, operation.sequence);
}

// What Google's side did, done with, in the item's history: what the task was before it.
void note_deletion(effects& e, std::string why, surroundings const& around) {
    store::operation_row history = new_operation(e, "pull", around);
    history.state = "done";
    history.who = "google";
    history.why = std::move(why);
    history.before = e.task.local;
    e.new_operations.push_back(std::move(history));
}

void removed_in_google(effects& e, bool conflict, std::optional<instant> deleted_at, surroundings const& around) {
    std::int64_t const worked = e.task.dirty_seq;
    domain::sync_mode const mode = around.connection.mode;
    if (mode == domain::sync_mode::crm_to_google && !conflict) {
        // Nothing is taken over from Google: the task goes on without its event until the CRM changes it.
        note_deletion(e, "deleted_in_google", around);
        end_link(e, "deleted_in_google");
        settle(e, worked, "removed");
        e.task.reason = "deleted_in_google";
        e.why = "removed_in_google";
        return;
    }
    auto winner = conflict ? whole_winner(around.connection.policy, newer_side(e.task, deleted_at)) : std::nullopt;
    if (conflict && mode == domain::sync_mode::crm_to_google) winner = domain::side::crm;
    if (conflict && mode == domain::sync_mode::google_to_crm) winner = domain::side::google;
    bool const put_back = winner == domain::side::crm || (!conflict && around.connection.on_delete == domain::delete_choice::put_back);
    if (put_back) {
        note_deletion(e, conflict ? "edited_and_deleted_crm_won" : "deleted_in_google_put_back", around);
        next_generation(e);
        e.raise_dirty = true;
        e.task_changed = true;
        e.why = "put_back";
        return;
    }
    if (conflict && !winner) {
        e.link->frozen = true;
        e.link->has_conflict = true;
        e.link->state_reason = "deleted_in_google";
        e.link_changed = true;
        settle(e, worked, "conflict");
        e.task.reason = "edited_and_deleted";
        domain::task_update& update = tell(e, domain::update_kind::conflict, around);
        e.task.pulled_seq = update.sequence;
        update.reason = "edited_and_deleted";
        update.explanation =
            "The event was deleted in Google Calendar while the task was edited. Choose whether to put the event back or cancel the task.";
        e.why = "edit_against_delete";
        return;
    }
    bool const unlink = !conflict && around.connection.on_delete == domain::delete_choice::unlink;
    note_deletion(e, conflict ? "edited_and_deleted_google_won" : "deleted_in_google", around);
    end_link(e, "deleted_in_google");
    settle(e, worked, "removed");
    e.task.reason = unlink ? "unlinked" : "deleted_in_google";
    domain::task_update& update = tell(e, unlink ? domain::update_kind::synced : domain::update_kind::cancelled, around);
    e.task.pulled_seq = update.sequence;
    update.reason = e.task.reason;
    e.why = "removed_in_google";
}

// The CRM cancelled the task while a person edited the event: nobody knew of the other.
bool edited_while_unwanted(effects& e, domain::merge const& what, surroundings const& around) {
    if (what.pull.empty() && what.conflicts.empty()) return false;
    auto const winner = whole_winner(around.connection.policy, newer_side(e.task, e.link->event_updated));
    if (winner) note_deletion(e, winner == domain::side::crm ? "cancelled_and_edited_crm_won" : "cancelled_and_edited_google_won", around);
    if (winner == domain::side::crm) return false;
    if (winner == domain::side::google) {
        end_link(e, "kept_in_google");
        settle(e, e.task.dirty_seq, "removed");
        e.task.reason = "kept_in_google";
        e.why = "kept_in_google";
        return true;
    }
    e.link->frozen = true;
    e.link->has_conflict = true;
    e.link->state_reason = "cancelled_in_crm";
    settle(e, e.task.dirty_seq, "conflict");
    e.task.reason = "cancelled_and_edited";
    domain::task_update& update = tell(e, domain::update_kind::conflict, around);
    e.task.pulled_seq = update.sequence;
    update.reason = "cancelled_and_edited";
    update.explanation =
        "The task was cancelled while its event was edited in Google Calendar. Choose whether to remove the event or keep it.";
    for (std::string const& n : what.pull.names())
        if (auto f = domain::field_named(n))
            update.conflicts.push_back(
                {n, e.link->base ? domain::describe(*f, *e.link->base) : "", "cancelled", domain::describe(*f, what.merged)});
    e.why = "edit_against_delete";
    return true;
}

}  // namespace

void take_over(effects& e, domain::merge const& what, domain::fields const& remote, domain::fields const& effective,
               surroundings const& around) {
    store::link_row& link = *e.link;
    domain::fields const local_before = *e.task.local;
    field_set open;
    std::vector<domain::field_conflict> open_conflicts;
    for (domain::field_conflict const& c : what.conflicts)
        if (!c.winner) {
            open.add(c.which);
            open_conflicts.push_back(c);
        }
    for (field f : domain::all_fields) {
        if (open.has(f)) continue;
        bool const settled =
            std::any_of(what.conflicts.begin(), what.conflicts.end(), [&](auto const& c) { return c.which == f && c.winner; });
        bool const agreed = domain::same(f, effective, what.merged) && domain::same(f, local_before, what.merged);
        if (what.pull.has(f) || agreed || settled) {
            // Google's value is known to both from here on; what the CRM still has to push shows as local against this base.
            if (what.pull.has(f)) domain::copy(f, what.merged, *e.task.local);
            domain::copy(f, agreed ? what.merged : effective, *link.base);
            domain::copy(f, remote, *link.google_base);
        }
    }
    auto same_versions = [](auto const& a, auto const& b) { return a.which == b.which && a.crm == b.crm && a.google == b.google; };
    bool const conflict_news =
        !std::equal(open_conflicts.begin(), open_conflicts.end(), link.conflicts.begin(), link.conflicts.end(), same_versions);
    link.conflicts = open_conflicts;
    link.has_conflict = !open_conflicts.empty() || link.frozen;

    if (!what.pull.empty() || !what.conflicts.empty()) {
        store::operation_row history = new_operation(e, "pull", around);
        history.state = "done";
        history.who = "google";
        history.why = std::string(what.reason);
        history.pushed = what.pull.names();
        history.before = local_before;
        history.expected = *e.task.local;
        history.answer_etag = link.etag;
        history.conflicts = what.conflicts;
        // recorded_seq counts writes only: the event keeps the stamp of our newest write while people edit it.
        e.new_operations.push_back(std::move(history));
    }
    if (!what.pull.empty()) {
        domain::task_update& update = tell_changes(e, what.pull, around);
        update.reason = std::string(what.reason);
        for (domain::field_conflict const& c : what.conflicts)
            if (c.winner) update.conflicts.push_back({std::string(domain::name(c.which)), c.base, c.crm, c.google});
    }
    if (conflict_news && !open_conflicts.empty()) {
        domain::task_update& update = tell(e, domain::update_kind::conflict, around);
        e.task.pulled_seq = update.sequence;
        update.reason = "edited_on_both_sides";
        update.explanation = "The task and the calendar event were changed at the same time. Both versions are kept; choose one.";
        for (domain::field_conflict const& c : open_conflicts)
            update.conflicts.push_back({std::string(domain::name(c.which)), c.base, c.crm, c.google});
    }
    if (!what.push.empty() && e.task.synced_seq >= e.task.dirty_seq) e.raise_dirty = true;
    if (link.has_conflict) e.task.state = "conflict";
    e.task_changed = true;
    e.why = what.reason;
}

namespace {

// Whether shared fields can be written changes with the organizer and his settings.
void note_writability(effects& e, domain::calendar_event const& event) {
    std::string const now = e.link->read_only == "private" && is_private(event) ? "private" : read_only_of(event);
    if (now == e.link->read_only) return;
    e.link->read_only = now;
    e.link_changed = true;
}

// An event known as it is may hold what an earlier mode left alone.
bool leaves_news(domain::pull_view const& view, domain::fields const& effective, bool readable) {
    return readable && !domain::plan(view.base, view.local, effective, view.policy, view.mode, view.newer).pull.empty();
}

inbound decide_on(store::task_and_link rows, std::optional<store::operation_row> const& stamped, domain::calendar_event const& as_listed,
                  surroundings const& around) {
    inbound out;
    effects e = start(std::move(rows));
    store::link_row& link = *e.link;
    domain::calendar_event const event = as_known(as_listed, e.task, link);
    if (!event.is_cancelled()) note_writability(e, as_listed);
    // A task that cannot be rendered keeps its last good form here; the push says what is wrong with it.
    if (auto refused = absorb_snapshot(e, around)) e.task_changed = false;

    std::optional<domain::operation_facts> facts;
    if (stamped && stamped->link == link.id) facts = domain::operation_facts{stamped->sequence, stamped->sequence <= link.recorded_seq};
    domain::echo const echo = domain::classify_echo(facts, link.recorded_seq);
    bool const was_pending = link.state == domain::link_state::pending;
    if (echo == domain::echo::ours_unrecorded && !event.is_cancelled()) adopt(link, *stamped);
    if (!link.base && e.task.local && !event.is_cancelled()) {
        // Linked without a recorded agreement (its operation is gone from the journal): what Google holds is taken as agreed.
        auto const read = domain::read_event(event);
        if (read) link.base = link.google_base = domain::normalise(*read);
    }

    domain::pull_view view;
    view.linked = true;
    view.state = link.state;
    view.known_etag = link.etag;
    view.etag_recorded = !link.etag.empty() && echo != domain::echo::ours_unrecorded;
    view.stamp = echo;
    if (link.base) view.base = *link.base;
    if (e.task.local) view.local = *e.task.local;
    bool const wanted = is_wanted(e, around);
    view.local_pending = wanted && (e.task.version > e.task.absorbed_version ||
                                    (link.base && e.task.local && !domain::differences(*link.base, *e.task.local).empty()));
    view.deleting = !wanted && event.is_cancelled();
    view.policy = around.connection.policy;
    view.mode = around.connection.mode;
    view.newer = newer_side(e.task, event.updated);

    domain::fields remote, effective;
    auto const read = domain::read_event(event);
    if (read) {
        remote = domain::normalise(*read);
        // A list Google cut says nothing about who is missing from it.
        if (event.attendees_omitted) remote.guests = link.remote ? link.remote->guests : (link.base ? link.base->guests : remote.guests);
        effective = effective_remote(link, remote);
    }
    if (around.reads_all && view.etag_recorded && leaves_news(view, effective, read.has_value())) view.etag_recorded = false;
    domain::pull_step step = domain::next_pull(view, event);

    if (auto* odd = std::get_if<domain::set_aside>(&step)) {
        out.odd = odd->reason;
        out.change = start({std::move(e.task), std::move(e.link), {}, {}, {}, {}});
        return out;
    }
    if (auto* gone = std::get_if<domain::event_removed>(&step)) {
        finish_stamped(e, stamped, event);
        link.etag = event.etag;
        if (!wanted) {
            // Both sides agree that it goes.
            end_link(e, "task_removed");
            settle(e, e.task.dirty_seq, "removed");
            domain::task_update& update = tell(e, domain::update_kind::synced, around);
            update.reason = "event_removed";
            e.why = "removed_on_both_sides";
        } else {
            removed_in_google(e, gone->conflict, event.updated, around);
        }
        out.change = std::move(e);
        return out;
    }
    if (std::holds_alternative<domain::mirror_only>(step)) {
        out.change = start({std::move(e.task), std::move(e.link), {}, {}, {}, {}});
        out.change.why = "mirror_only";
        return out;
    }
    if (auto* nothing_new = std::get_if<domain::acknowledge>(&step)) {
        if (echo == domain::echo::ours_older) {
            out.change = start({std::move(e.task), std::move(e.link), {}, {}, {}, {}});
            out.change.why = nothing_new->reason;
            return out;
        }
        bool const known = link.etag == event.etag && !was_pending && echo != domain::echo::ours_unrecorded;
        if (!known && read) {
            finish_stamped(e, stamped, event);
            bool const shown_changed = note_event(link, event);
            link.remote = remote;
            link.state = domain::link_state::live;
            e.link_changed = true;
            if (was_pending || shown_changed) {
                domain::task_update& update = tell(e, was_pending ? domain::update_kind::synced : domain::update_kind::changed, around);
                update.reason = was_pending ? "event_created" : "attendees_or_conference";
                describe_guests(update, e);
            }
        }
        e.why = nothing_new->reason;
        out.change = std::move(e);
        return out;
    }

    // Somebody edited. The plan is made again on the event as Google's spelling of the agreement allows.
    domain::merge const what = link.base && e.task.local
                                   ? domain::plan(*link.base, *e.task.local, effective, view.policy, view.mode, view.newer)
                                   : std::get<domain::merge_event>(step).what;
    finish_stamped(e, stamped, event);
    std::string const attendees_before = link.attendees_data;
    bool const shown_changed = note_event(link, event);
    link.state = domain::link_state::live;
    e.link_changed = true;
    if (!wanted && edited_while_unwanted(e, what, around)) {
        link.remote = remote;
        out.change = std::move(e);
        return out;
    }
    if (e.task.local && link.base && link.google_base) {
        std::size_t const told = e.updates.size();
        take_over(e, what, remote, effective, around);
        if (e.updates.size() == told && (was_pending || shown_changed)) {
            domain::task_update& update = tell(e, was_pending ? domain::update_kind::synced : domain::update_kind::changed, around);
            update.reason = was_pending ? "event_created" : "attendees_or_conference";
            describe_guests(update, e);
        }
    }
    link.remote = remote;
    out.change = std::move(e);
    return out;
}

}  // namespace

inbound event_seen(store::task_and_link rows, std::optional<store::operation_row> const& stamped, domain::calendar_event const& event,
                   surroundings const& around) {
    std::optional<domain::fields> const agreed_before = rows.link->base;
    bool const was_pending = rows.link->state == domain::link_state::pending;
    if (event.is_cancelled() && rows.unanswered && rows.unanswered->kind == "move") {
        // Gone from here because it is on its way to another calendar: reading back says where it is.
        inbound under_way;
        under_way.change = start({std::move(rows.task), std::move(rows.link), {}, {}, {}, {}});
        under_way.change.why = "move_under_way";
        return under_way;
    }
    inbound out = decide_on(std::move(rows), stamped, event, around);
    bool const lives = out.change.link && out.change.link->state == domain::link_state::live;
    if (lives && out.change.link_changed) {
        note_meet(out.change, event, around);
        note_series(out.change, agreed_before, was_pending);
    }
    return out;
}

}  // namespace calbridge::worker
