#pragma once
// The occurrence rows of a series, all of them at once.

#include "store/work.h"

namespace calbridge::store {

// Keys of the occurrences of `series` that have an open link.
task<result<std::vector<std::string>>> open_occurrences(pg::transaction& tx, tenant_id tenant, task_id series);
// How many occurrence rows each of these series has; a series without any is left out.
task<result<std::map<std::string, std::int64_t>>> count_occurrences(pg::transaction& tx, tenant_id tenant, std::vector<std::string> series);
// These occurrences end quietly: links ended, rows removed for `reason`. Rows the CRM has news for stay due, so that it hears what became
// of its news.
task<result<void>> end_these_occurrences(pg::transaction& tx, tenant_id tenant, task_id series, std::vector<std::string> keys,
                                         std::string reason);
// The task's event is in another calendar now: so are its occurrences, and so does what the CRM last said read.
task<result<void>> note_moved_event(pg::transaction& tx, tenant_id tenant, task_id series, calendar_id to, std::string google_calendar_id);

}  // namespace calbridge::store
