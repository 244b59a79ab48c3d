#pragma once
// The calendar a task wants to move to.

#include "store/rows.h"

#include "common/pg/database.h"

namespace calbridge::store {

struct destination {
    std::optional<calendar_row> calendar;  // of this connection
    bool elsewhere{false};                 // another connection of the same user has it
};
task<result<destination>> find_destination(pg::database& db, tenant_id tenant, connection_id connection, user_id user,
                                           std::string google_id);
// The occurrences of a series go where it went: rows and open links.
task<result<void>> move_occurrences(pg::transaction& tx, tenant_id tenant, task_id series, calendar_id calendar, std::string google_id);

}  // namespace calbridge::store
