#pragma once
// All tasks of a connection, in batches by id: looked at for a dry run, or made due behind live edits.

#include "store/work.h"

namespace calbridge::store {

// The next tasks behind `after` that are placed on one of the connection's calendars, with their open links and those of their series.
task<result<std::vector<task_and_link>>> tasks_of_connection(pg::database& db, tenant_id tenant, connection_row const& connection,
                                                             task_id after, int most);
task<result<std::vector<calendar_row>>> calendars_of_connection(pg::database& db, tenant_id tenant, connection_id connection);

struct bulk_marked {
    std::size_t count{};
    task_id last;
};
// Makes them due as work of that request. Needs no lease of their calendars: raising a counter never loses anything.
task<result<bulk_marked>> mark_bulk(pg::transaction& tx, tenant_id tenant, connection_row const& connection, request_id request,
                                    task_id after, int most);
struct bulk_counts {
    std::int64_t total{}, left{}, failed{}, conflicts{};
};
task<result<bulk_counts>> bulk_progress(pg::database& db, tenant_id tenant, request_id request);

}  // namespace calbridge::store
