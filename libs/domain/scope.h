#pragma once
// Which row a task-changed is about: the task itself, one occurrence of a series, or a series that takes over from another.

#include "domain/render.h"
#include "domain/topics.h"

#include <string>
#include <variant>

namespace calbridge::domain {

struct task_place {
    task_id row;              // "<task>", "<series>/<occurrence key>", or the new series' own id
    task_id series;           // set for an occurrence
    std::string occurrence;   // occurrence key; set for an occurrence and for a split
    task_id split_from_task;  // set for a split
};
// refusal code: bad_occurrence.
std::variant<task_place, refusal> place_of(task_changed const& message);
// The row of one occurrence. A CRM's own ids hold no slash, so it meets none of them.
task_id occurrence_row(task_id const& series, std::string const& key);

}  // namespace calbridge::domain
