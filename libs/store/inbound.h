#pragma once
// What decides whether an event of a listing is news: known meetings, the mirror's own words, and tasks made from events.

#include "store/work.h"

namespace calbridge::store {

// Of these event ids, those any link of the tenant has (guests' copies of a meeting have one id; our own event's link is committed before
// the event exists).
task<result<std::vector<std::string>>> known_events(pg::transaction& tx, tenant_id tenant, std::vector<std::string> event_ids);

// One meeting, one task. True where the claim is new; whoever came first keeps it.
struct meeting_claim {
    std::string ical_uid, original_start;
    task_id task;
};
task<result<std::vector<bool>>> claim_meetings(pg::transaction& tx, tenant_id tenant, std::vector<meeting_claim> claims);

// A task made from an event, with its live link and its entry in the history. All of one tenant.
struct imported_rows {
    task_row task;
    link_row link;
    operation_row history;
};
task<result<void>> insert_imports(pg::transaction& tx, std::vector<imported_rows> const& rows);

// An event as the mirror holds it.
struct mirrored_raw {
    std::string event_id, etag, status, raw;
    std::optional<std::string> series, original_start;
    std::optional<link_id> link;
};
class row_reader;
mirrored_raw read_mirrored(row_reader& r, tenant_id const& tenant);
task<result<std::vector<mirrored_raw>>> mirrored_events(pg::transaction& tx, held_lease const& held, std::vector<std::string> event_ids);
// Exceptions of these series, cancelled ones too, in order of their original start; `most` of each series.
task<result<std::vector<mirrored_raw>>> mirrored_exceptions(pg::transaction& tx, held_lease const& held, std::vector<std::string> series,
                                                            int most);
// Series of the calendar, linked or not, that begin at one of these moments or whose id begins with one of these and "_R".
task<result<std::vector<mirrored_raw>>> mirrored_series(pg::transaction& tx, held_lease const& held, std::vector<instant> starts,
                                                        std::vector<std::string> continued);

// Linked series of the calendar whose recurrence a pull changed since `since`: the fields before and after.
struct pulled_series {
    task_id task;
    std::string event_id;
    domain::fields before, after;
};
task<result<std::vector<pulled_series>>> series_pulled_since(pg::transaction& tx, held_lease const& held, std::chrono::seconds back);

// The calendars of the connection that are synchronised, other than the held one.
task<result<std::vector<calendar_row>>> other_calendars(pg::transaction& tx, held_lease const& held, connection_id connection);
// Of these events, the living ones another synchronised calendar of the connection holds: event id, calendar, raw.
struct event_elsewhere {
    calendar_id calendar;
    mirrored_raw event;
};
task<result<std::vector<event_elsewhere>>> mirrored_elsewhere(pg::transaction& tx, held_lease const& held, connection_id connection,
                                                              std::vector<std::string> event_ids);
// Of these event ids, those with an open link in the held calendar.
task<result<std::vector<std::string>>> linked_here(pg::transaction& tx, held_lease const& held, std::vector<std::string> event_ids);
// Locks other calendars of the tenant, whose links this transaction changes: their own workers wait for it.
task<result<void>> hold_calendars_of(pg::transaction& tx, tenant_id tenant, std::vector<uuid> calendars);
// The connection as it is now.
task<result<connection_row>> connection_of(pg::transaction& tx, tenant_id tenant, connection_id id);
// How many live links of the calendar stand for whole events.
task<result<std::int64_t>> count_live_links(pg::transaction& tx, held_lease const& held);
// Marks a task as what followed another series from an occurrence on.
task<result<void>> note_split(pg::transaction& tx, tenant_id tenant, task_id task, task_id split_from_task, std::string split_from);

}  // namespace calbridge::store
