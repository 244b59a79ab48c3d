#pragma once
// The Zoom meetings of tasks, and the tenants' own Zoom apps.

#include "store/rows.h"

#include "common/base/encoding.h"
#include "common/pg/database.h"

namespace calbridge::store {

struct sealed_zoom_account {
    std::string account_id, client_id;
    bytes client_secret;
};
// Empty: the tenant has none, or it is disabled.
task<result<std::optional<sealed_zoom_account>>> find_zoom_account(pg::database& db, tenant_id tenant);

// Within the transaction that decides about the task.
task<result<void>> save_zoom(pg::transaction& tx, tenant_id tenant, task_id task, zoom_row const& row);
task<result<void>> drop_zoom(pg::transaction& tx, tenant_id tenant, task_id task);

}  // namespace calbridge::store
