#pragma once
// One function turns a failed call into what happens next; retry time, parking, pausing and alerts all follow from it.

#include "clients/google/google.h"

#include <string_view>

namespace calbridge::worker {

enum class call_kind { list, create, patch, remove, read, move };

enum class next_move {
    retry_task,       // this task later, with backoff; its operation stays unanswered and is read back first
    defer_calendar,   // the whole calendar later: the trouble is not this task's (quota, outage, our own credentials)
    look_first,       // the event is not as we thought (412, 409, 404, 410): read it, then decide again
    refuse,           // this task cannot be done as it is: parked with words
    restart_listing,  // the sync token is dead: full pass
    stop_calendar,    // the calendar or the consent is gone: no further work until the connection changes
};
next_move after(google::call_error const& error, call_kind kind);
std::string_view name(next_move m);

}  // namespace calbridge::worker
