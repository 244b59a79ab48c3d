#pragma once
// What happened to one item: its operations over all its links.

#include "domain/history.h"

#include "store/rows.h"

#include "common/pg/database.h"

#include <optional>
#include <vector>

namespace calbridge::store {

domain::history_item history_of(operation_row const& row, instant created_at, std::optional<instant> finished_at = {});
// Newest first, those before `before` when given; at most `most`. `task` is the row's id: of an occurrence "<series>/<key>".
task<result<std::vector<domain::history_item>>> item_history(pg::database& db, tenant_id tenant, task_id task,
                                                             std::optional<operation_id> before, int most);

}  // namespace calbridge::store
