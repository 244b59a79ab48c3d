#pragma once
// A task whose link ended under one calendar finds its next one.

#include "store/rows.h"

#include "common/pg/database.h"

namespace calbridge::store {

// Sets the task's calendar by the same rule as intake (named calendar, else the user's default) and raises its dirty counter;
// without a place it waits. Needs no lease: nothing else places a task whose calendar is empty.
task<result<void>> place_again(pg::transaction& tx, tenant_id tenant, task_id task);

}  // namespace calbridge::store
