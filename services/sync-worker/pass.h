#pragma once
// Shared by the files that carry out one pass over a calendar.

#include "engine_in.h"
#include "pull.h"

#include "store/inbound.h"

#include <map>
#include <string>
#include <vector>

namespace calbridge::worker {

struct pass {
    parts const& with;
    store::held_lease held;
    store::connection_row connection;
    store::calendar_row calendar;
    std::int64_t dirty_at_start{};
    std::int64_t pass_id{};
    pass_outcome out;
    observe::trace_context cause;
    std::size_t deleted{0};  // whole linked events this pass has shown as deleted
};

google::list_query query_of(pass const& p, std::optional<std::string> page_token);
// `error` decides how long the calendar waits.
pass_outcome& troubled(pass& p, google::call_error const& error, next_move move);
surroundings surroundings_of(pass const& p, store::calendar_row calendar);

// --- moves (relink.cpp) ---------------------------------------------------------------------------------------------------------------
// Deleted linked events of a page that live on in another calendar of the connection.
struct moved_event {
    store::calendar_row to;
    domain::calendar_event event;
};
struct deletions {
    std::size_t linked{0};                     // whole linked events deleted, moved ones left out
    std::int64_t known{0};                     // live links of the calendar; only looked up when something is deleted
    std::map<std::string, moved_event> moved;  // by event id
};
// Empty: a call to Google failed and the pass is in trouble.
task<result<std::optional<deletions>>> look_at_deletions(pass& p, std::vector<domain::calendar_event> const& items);

// --- the brake (brake_work.cpp) -------------------------------------------------------------------------------------------------------
// True: so many deletions must not be taken in now, and the brake is pulled.
task<result<bool>> hold_back(pass& p, std::size_t missing, std::int64_t known);
// A pass went through to its end: nothing is held back any more.
task<result<void>> brake_off(pass& p, pg::transaction& tx);

// --- one page (page_work.cpp) ---------------------------------------------------------------------------------------------------------
// Applies the items to rows and mirror in the open transaction.
task<result<void>> apply_items(pass& p, pg::transaction& tx, surroundings const& around, std::vector<domain::calendar_event> items,
                               std::map<std::string, moved_event> const& moved, std::vector<store::outbox_message>& messages);

// --- busy times (busy_work.cpp) -------------------------------------------------------------------------------------------------------
// After the mirror has the page: the busy times of what the page touched.
task<result<void>> note_busy(pass& p, pg::transaction& tx, surroundings const& around, std::vector<domain::calendar_event> const& items);
// Busy times of series reach `blocked_horizon` ahead; moves the edge on when it has come nearer by a day.
task<result<void>> roll_busy(pass& p);

}  // namespace calbridge::worker
