#pragma once
// What a user chooses about a calendar: whether it is synchronised, and whether new tasks go there.

#include "store/rows.h"

#include "common/pg/database.h"

namespace calbridge::store {

struct calendar_choice {
    std::optional<bool> selected;
    bool make_default{false};
};
struct chosen {
    calendar_row calendar;
    std::vector<wake> wakes;  // calendars with new work
};
// Deselecting stops the calendar's channel and its listing; tasks that are there already keep being pushed outward. Selecting (again) reads
// the calendar in full. The default must belong to the connection, be there, and be writable. `who` goes into the audit log.
// errc::not_found: no such calendar in this connection. errc::conflict: it is not there any more (missing). errc::forbidden: it cannot be
// written, so it takes no tasks.
task<result<chosen>> choose_calendar(pg::database& db, tenant_id tenant, connection_id connection, calendar_id calendar,
                                     calendar_choice choice, std::string who);

}  // namespace calbridge::store
