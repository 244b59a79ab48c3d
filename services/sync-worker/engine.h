#pragma once
// The decisions of one task's sync as changes to rows: no clock, no I/O. The worker reads rows, asks here, calls Google, asks
// here again with the answer, and writes what it is told in one transaction.

#include "clients/google/google.h"
#include "clients/zoom/zoom.h"
#include "domain/event.h"
#include "domain/reconcile.h"
#include "domain/render.h"
#include "store/work.h"

#include "common/crypto/crypto.h"

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace calbridge::worker {

// Where a task wants its event to be, as the database knows it.
struct destination {
    std::string google_id;
    std::optional<store::calendar_row> calendar;  // of the same connection
    bool elsewhere{};                             // another connection of the user has it
};

// What every decision needs to know about its surroundings.
struct surroundings {
    store::connection_row connection;
    store::calendar_row calendar;
    crypto::key_ring const* stamps{};
    instant now{};                                   // only to keep past meetings quiet
    bool reads_all{false};                           // a full pass: what was left alone may be news under today's settings
    std::function<uuid()> fresh_id;                  // operation, link and message ids
    std::optional<worker::destination> destination;  // once it was looked for
    std::optional<bool> zoom;                        // whether the tenant has a Zoom account, once it was looked for
};

// Of a series whose event was made or changed: which of its occurrences have to look again.
enum class occurrences_to_wake { none, linked, all };
enum class zoom_row_change { none, save, drop };
struct series_cut {
    task_id series;
    std::string key;
};

// Rows after a decision, to be written together.
struct effects {
    store::task_row task;
    std::optional<store::link_row> link;
    bool task_is_new{false};
    bool link_is_new{false};
    bool link_changed{false};
    std::vector<store::operation_row> new_operations;
    std::vector<store::operation_row> finished_operations;
    std::vector<domain::task_update> updates;  // sequences assigned, in order
    std::optional<std::int64_t> synced;        // dirty_seq that is done with
    std::optional<std::chrono::milliseconds> retry_in;
    bool raise_dirty{false};
    bool task_changed{false};
    occurrences_to_wake wake{occurrences_to_wake::none};
    std::optional<std::string> occurrences_end;  // why: every occurrence row of this series ends, and nobody is told
    std::optional<store::zoom_row> zoom;         // of an occurrence: its series' meeting
    zoom_row_change zoom_change{zoom_row_change::none};
    bool occurrences_move{false};   // every occurrence row of this series goes to the link's calendar
    std::optional<series_cut> cut;  // another series ends before this occurrence from now on
    std::string explanation;
    std::string_view why{"nothing"};  // stable, for logs and histories
};

// --- outbound -----------------------------------------------------------------------------------------------------------------------
struct send_create {
    google::event_write what;
};
struct send_patch {
    google::event_write what;
    std::string if_match;
};
struct send_delete {
    std::string if_match, send_updates;
};
struct send_read {};  // GET the event
struct send_move {
    std::string destination;
};
struct send_zoom {
    enum kind { create, update, remove, find } doing{create};
    std::string meeting;
    zoom::meeting_write what;
    std::string_view name() const;
};
struct find_zoom {};    // surroundings::zoom is needed
struct find_calendar {  // surroundings::destination is needed
    std::string google_id;
};
struct finished {};  // nothing to call; the effects say why
struct outbound {
    effects change;  // written and committed before the call
    std::variant<finished, send_create, send_patch, send_delete, send_read, send_move, find_calendar, send_zoom, find_zoom> call;
    std::optional<store::operation_row> operation;
};
outbound next_call(store::task_and_link rows, surroundings const& around);

// The answer to `operation`, with the rows as they are now. `worked` is the task's dirty_seq that next_call looked at.
effects write_answered(store::task_and_link rows, store::operation_row operation, domain::calendar_event const& answer, std::int64_t worked,
                       surroundings const& around);
effects delete_answered(store::task_and_link rows, store::operation_row operation, std::int64_t worked, surroundings const& around);
// Google refused for good: parked with a reason a person can act on.
effects write_refused(store::task_and_link rows, std::optional<store::operation_row> operation, google::call_error const& error,
                      std::int64_t worked, surroundings const& around);
// The event id is taken by something that is not ours, or is a tombstone: a new generation, to be created next.
effects id_taken(store::task_and_link rows, std::optional<store::operation_row> operation);
// The operation certainly did not happen: it is abandoned and the task stays due.
effects operation_abandoned(store::task_and_link rows, store::operation_row operation, std::string reason);

// --- inbound ------------------------------------------------------------------------------------------------------------------------
// One event of a listing (or read back), against the rows of its link. `stamped` is the operation its stamp names, when known.
// `odd` is set instead when the event must be quarantined.
struct inbound {
    effects change;
    std::optional<std::string> odd;
};
inbound event_seen(store::task_and_link rows, std::optional<store::operation_row> const& stamped, domain::calendar_event const& event,
                   surroundings const& around);

// Mirror row of an event; `details` false: its times only.
store::mirrored_event mirror_of(domain::calendar_event const& event, std::optional<link_id> link, bool details = true);

// Settings a connection stores as JSON, over those of its tenant, with defaults; unknown members are ignored.
domain::render_settings render_settings_of(store::connection_row const& connection, store::calendar_row const& calendar);

}  // namespace calbridge::worker
