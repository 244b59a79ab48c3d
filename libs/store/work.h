#pragma once
// What the worker reads and writes under a calendar's lease. Functions take the open transaction, so that effects and cursor commit
// together.

#include "store/rows.h"

#include "common/pg/database.h"

namespace calbridge::store {

struct held_lease {
    tenant_id tenant;
    calendar_id calendar;
    std::int64_t epoch{};
};

struct leased_calendar {
    held_lease lease;
    calendar_row calendar;
    connection_row connection;
};

// Takes or renews the lease: granted when it is free, expired, or `owner`'s own (the epoch is raised in every case but renewal).
// Empty when somebody else holds it, or the calendar or connection is gone or not active.
task<result<std::optional<leased_calendar>>> acquire_lease(pg::database& db, tenant_id tenant, calendar_id calendar, std::string owner,
                                                           std::chrono::milliseconds life);
// errc::conflict when it was lost.
task<result<void>> renew_lease(pg::database& db, held_lease held, std::chrono::milliseconds life);
task<result<void>> release_lease(pg::database& db, held_lease held);

// First step of every effect transaction: locks the calendar row and checks the epoch; errc::conflict when the lease was lost.
// Gives the row as it is now (dirty_seq included).
task<result<calendar_row>> check_lease(pg::transaction& tx, held_lease const& held);

struct task_and_link {
    task_row task;
    std::optional<link_row> link;             // the open one
    std::optional<operation_row> unanswered;  // newest operation of the link still pending
    std::optional<link_row> ended;            // of an occurrence without an open link (lock_task only): its ended link to that instance
    std::optional<zoom_row> zoom;             // of an occurrence: its series' meeting
    std::optional<link_row> series;           // of an occurrence or a split: the open link of its series, not locked
};
// Due tasks placed on the calendar, live edits before those of a bulk sync, each oldest first: synced_seq < dirty_seq and retry_at passed.
task<result<std::vector<task_and_link>>> due_tasks(pg::database& db, tenant_id tenant, calendar_id calendar, int most);
// When the next one becomes due, if any waits on retry_at.
task<result<std::optional<instant>>> next_due(pg::database& db, tenant_id tenant, calendar_id calendar);
// The same three by id, the task and link rows locked.
task<result<std::optional<task_and_link>>> lock_task(pg::transaction& tx, tenant_id tenant, task_id task);
// For a page of events: links whose event id is among `event_ids` (any state) with their tasks, and operations among `operation_ids`; rows
// locked in key order.
struct linked_page {
    std::vector<task_and_link> links;
    std::vector<operation_row> operations;
};
// `event_ids` may name series too, of which the page holds exceptions.
task<result<linked_page>> lock_page(pg::transaction& tx, tenant_id tenant, calendar_id calendar, std::vector<std::string> event_ids,
                                    std::vector<uuid> operation_ids);

// Tasks by id with their open links, the task rows locked in key order; unknown ids are left out.
task<result<std::vector<task_and_link>>> lock_tasks(pg::transaction& tx, tenant_id tenant, std::vector<std::string> ids);

task<result<void>> insert_link(pg::transaction& tx, link_row const& row);
task<result<void>> update_link(pg::transaction& tx, link_row const& row);  // every mutable column
// Sequence 0: the next one of its link.
task<result<void>> insert_operation(pg::transaction& tx, operation_row const& row);
task<result<void>> finish_operation(pg::transaction& tx,
                                    operation_row const& row);  // state, answer columns; only from pending or abandoned
// Saves local, seen, absorbed_version, pulled_seq, update_seq, calendar, state, reason, explanation, failures, retry_at.
// synced_seq := `synced` (the dirty_seq that was worked on) when given.
struct task_outcome {
    task_row row;
    std::string explanation;
    std::optional<std::int64_t> synced;
    std::optional<std::chrono::milliseconds> retry_in;  // from the server's now()
    bool raise_dirty{false};                            // more to do: dirty_seq + 1
};
task<result<void>> save_task(pg::transaction& tx, task_outcome const& outcome);
// A task made here: imported from Google, or an occurrence or a new series somebody made there. errc::exists when the id is taken.
task<result<void>> insert_task(pg::transaction& tx, task_row const& row, std::string explanation);
// The occurrences of a series become due on its calendar: all of them (its event was made), or those that have events or wait for it (its
// event has changed).
task<result<void>> wake_occurrences(pg::transaction& tx, tenant_id tenant, task_id series, calendar_id calendar, bool all);
// The occurrences of a series from `key` on (empty: all) end with it: open links and rows; nobody is told.
task<result<void>> end_occurrences(pg::transaction& tx, tenant_id tenant, task_id series, std::string key, std::string reason);
// The series ends before `key` from now on, because a later one has taken over; it becomes due.
task<result<void>> cut_series(pg::transaction& tx, tenant_id tenant, task_id series, std::string key);

struct mirrored_event {
    std::string id, etag, status, ical_uid, summary, location;
    bool all_day{};
    std::optional<instant> start, end;
    std::string time_zone;
    std::optional<std::string> recurring_event_id, original_start;
    std::string event_type, transparency, visibility, organizer_email;
    std::optional<link_id> link;
    std::optional<instant> updated;
    bool recurring{false};  // a series
    bool redacted{false};   // times only
    std::string raw;
};
// Set-based upsert; rows whose etag is unchanged are not written (only marked with seen_pass when it is not 0).
// Returns how many were new or changed.
task<result<std::size_t>> mirror(pg::transaction& tx, held_lease const& held, std::vector<mirrored_event> events, std::int64_t seen_pass);
struct sweep_view {
    std::size_t known{};
    std::vector<std::string> missing;
};
// After a full pass: event ids of the mirror not marked with `pass` (status not cancelled), and, if there are any, how many live ones were
// known.
task<result<sweep_view>> unswept(pg::transaction& tx, held_lease const& held, std::int64_t pass);
task<result<void>> mark_cancelled(pg::transaction& tx, held_lease const& held, std::vector<std::string> event_ids);
// The exceptions of these series are gone with them: Google does not say so one by one.
task<result<void>> cancel_exceptions(pg::transaction& tx, held_lease const& held, std::vector<std::string> series);
// Whatever the mirror still holds in full is kept as times only (its connection reads busy times only by now).
task<result<void>> redact_rest(pg::transaction& tx, held_lease const& held);

// Cursor columns; each also clears retry_at and failures and sets last_synced_at.
struct cursor {
    std::optional<std::string> sync_token;  // set at the end of a pass
    std::string fingerprint;
    std::optional<std::int64_t> synced_seq;  // d0
    std::optional<std::string> page_token;   // within a pass; empty optional clears
    std::optional<std::int64_t> pass_dirty_seq;
    std::int64_t pass_id{};
    std::string time_zone;  // as the listing said
    bool changed{false};    // something differed: last_changed_at
};
task<result<void>> save_cursor(pg::transaction& tx, held_lease const& held, cursor const& at);
// Forgets the token: the next pass is a full one under a new pass_id.
task<result<void>> drop_cursor(pg::transaction& tx, held_lease const& held);
task<result<void>> defer_calendar(pg::database& db, held_lease held, std::chrono::milliseconds wait, std::string why);

// Outbox: written with the effect, published after commit by the writer, else swept.
task<result<void>> write_outbox(pg::transaction& tx, std::vector<outbox_message>& messages);  // fills id
task<result<void>> mark_sent(pg::database& db, std::vector<outbox_message> const& messages);

// An odd event of this calendar, set aside. Of a giant one the beginning is kept.
struct odd_event {
    std::string event_id, reason, detail, raw;
};
task<result<void>> quarantine_events(pg::transaction& tx, held_lease const& held, std::vector<odd_event> odd);

}  // namespace calbridge::store
