#include "outcome.h"

namespace calbridge::worker {

next_move after(google::call_error const& error, call_kind kind) {
    if (error.cursor_dead) return kind == call_kind::list ? next_move::restart_listing : next_move::retry_task;
    if (error.scope_missing) return kind == call_kind::list ? next_move::stop_calendar : next_move::refuse;
    if (error.calendar_gone) return next_move::stop_calendar;
    switch (error.code) {
    case errc::timed_out:
    case errc::unavailable: return kind == call_kind::list ? next_move::defer_calendar : next_move::retry_task;
    case errc::rate_limited:
    case errc::client_rejected:
    case errc::unauthorized:
    case errc::shutting_down: return next_move::defer_calendar;
    case errc::conflict:
    case errc::exists: return kind == call_kind::list ? next_move::defer_calendar : next_move::look_first;
    case errc::not_found:
    case errc::gone: return kind == call_kind::list ? next_move::stop_calendar : next_move::look_first;
    case errc::grant_revoked: return next_move::stop_calendar;
    case errc::forbidden: return kind == call_kind::list ? next_move::stop_calendar : next_move::refuse;
    case errc::malformed:
    case errc::too_large:
    case errc::internal:
        // An answer that cannot be read (garbage, cut) says nothing about what the write did; a 400 does.
        if (kind == call_kind::list || error.outcome_unknown)
            return kind == call_kind::list ? next_move::defer_calendar : next_move::retry_task;
        return next_move::refuse;
    }
    return next_move::defer_calendar;
}

std::string_view name(next_move m) {
    switch (m) {
    case next_move::retry_task: return "retry_task";
    case next_move::defer_calendar: return "defer_calendar";
    case next_move::look_first: return "look_first";
    case next_move::refuse: return "refuse";
    case next_move::restart_listing: return "restart_listing";
    case next_move::stop_calendar: return "stop_calendar";
    }
    return "unknown";
}

}  // namespace calbridge::worker
