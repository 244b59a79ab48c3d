#include "engine_move.h"

#include "engine_calls.h"

namespace calbridge::worker {

namespace {

constexpr std::string_view to_another_account = "task goes on in another account's calendar";

outbound move(effects e, store::calendar_row const& to, surroundings const& around) {
    store::operation_row operation = new_operation(e, "move", around);
    operation.before = e.link->remote;
    operation.expected = e.link->remote;
    operation.why = "the task's calendar changed";
    operation.pushed = {"calendar", to.google_id};
    e.new_operations.push_back(operation);
    e.why = "move";
    outbound out;
    out.change = std::move(e);
    out.operation = std::move(operation);
    out.call = send_move{to.google_id};
    return out;
}

}  // namespace

bool wants_to_move(effects const& e, surroundings const& around) {
    std::string const& named = e.task.snapshot.calendar;
    if (e.task.series || !e.link || e.link->state != domain::link_state::live || e.link->frozen || named.empty()) return false;
    if (named == e.link->google_calendar_id || (named == "primary" && around.calendar.is_primary)) return false;
    domain::sync_mode const mode = around.connection.mode;
    return (mode == domain::sync_mode::two_way || mode == domain::sync_mode::crm_to_google) && is_wanted(e, around);
}

std::optional<outbound> move_gate(effects& e, surroundings const& around) {
    if (!wants_to_move(e, around)) return {};
    std::string const named = e.task.snapshot.calendar;
    std::int64_t const worked = e.task.dirty_seq;
    if (!around.destination || around.destination->google_id != named) {
        e.why = "looks_for_calendar";
        outbound out;
        out.change = std::move(e);
        out.call = find_calendar{named};
        return out;
    }
    destination const& to = *around.destination;
    if (to.elsewhere) return remove(std::move(e), std::string(to_another_account), around);
    if (!to.calendar)
        return refuse(std::move(e), worked, "calendar_not_found",
                      "The calendar named in the task is not among the calendars of the connected account. The event stays where it is; "
                      "choose another calendar.",
                      "failed", around);
    if (!may_write(to.calendar->access_role))
        return refuse(std::move(e), worked, "calendar_read_only",
                      "The calendar named in the task can only be read. The event stays where it is; choose another calendar or ask its "
                      "owner for write access.",
                      "failed", around);
    if (!e.link->read_only.empty())
        return refuse(std::move(e), worked, "cannot_be_moved",
                      "Only the organizer can move this event to another calendar. It stays where it is.", "failed", around);
    return move(std::move(e), *to.calendar, around);
}

effects move_answered(store::task_and_link rows, store::operation_row operation, domain::calendar_event const& answer, std::int64_t worked,
                      surroundings const& around) {
    effects e = start(std::move(rows));
    operation.state = "done";
    operation.answer_status = 200;
    operation.answer_etag = answer.etag;
    e.finished_operations.push_back(operation);
    e.why = "moved";
    if (!e.link || e.link->id != operation.link || !around.destination || !around.destination->calendar) return e;
    store::calendar_row const& to = *around.destination->calendar;
    store::link_row& link = *e.link;
    link.calendar = to.id;
    link.google_calendar_id = to.google_id;
    link.recorded_seq = std::max(link.recorded_seq, operation.sequence);
    note_event(link, answer);
    e.link_changed = true;
    e.task.calendar = to.id;
    e.occurrences_move = link.base && !link.base->recurrence.empty();
    settle(e, worked, link.has_conflict ? "conflict" : "synced");
    domain::task_update& update = tell(e, domain::update_kind::synced, around);
    update.reason = "event_moved";
    update.operation_id = operation.id.str();
    return e;
}

std::string destination_of(store::operation_row const& move) { return move.pushed.size() > 1 ? move.pushed[1] : std::string(); }

bool goes_elsewhere(store::operation_row const& removal) { return removal.why == to_another_account; }

}  // namespace calbridge::worker
