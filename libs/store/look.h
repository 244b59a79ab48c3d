#pragma once
// One glance at a held calendar, in one transaction and without writing: what is due now and when the next thing is.

#include "store/work.h"

namespace calbridge::store {

struct work_view {
    calendar_row calendar;
    std::vector<task_and_link> tasks;                       // due now, oldest first
    std::chrono::milliseconds calendar_waits{};             // > 0: the whole calendar waits (retry_at)
    std::optional<std::chrono::milliseconds> next_task_in;  // when nothing is due now, the next retry
    std::optional<request_id> request;                      // asked for by somebody and due now
    std::optional<std::chrono::milliseconds> next_request_in;
};
// errc::conflict when the lease was lost.
task<result<work_view>> look_at_work(pg::database& db, held_lease held, int most);

}  // namespace calbridge::store
