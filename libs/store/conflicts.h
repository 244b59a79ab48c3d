#pragma once
// Open conflicts as a user sees and settles them.

#include "store/work.h"

#include <optional>
#include <string>
#include <vector>

namespace calbridge::store {

struct open_conflict {
    task_row task;
    std::optional<link_row> link;
    std::string whole;                           // edited_and_deleted, cancelled_and_edited, edited_after_delete; empty: fields only
    std::vector<domain::field_conflict> fields;  // open ones
    std::string version;                         // changes with what there is to decide
};
// The conflict these rows hold, if any.
std::optional<open_conflict> conflict_of(task_row const& task, std::optional<link_row> const& link);
// A task's row with its open link, not locked.
struct item_row {
    task_row task;
    std::optional<link_row> link;
};
task<result<std::optional<item_row>>> find_item(pg::database& db, tenant_id tenant, task_id task);
// Those of one user (of everybody without one), by task; at most `most`.
task<result<std::vector<open_conflict>>> open_conflicts(pg::database& db, tenant_id tenant, std::optional<user_id> user, int most);

}  // namespace calbridge::store
