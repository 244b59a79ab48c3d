#pragma once
// Canonical fields and conflict records as JSON for jsonb columns. Reading tolerates members it does not know.

#include "domain/fields.h"
#include "domain/plan.h"
#include "domain/topics.h"

#include "common/base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace calbridge::wire {

std::string store_fields(domain::fields const& f);
result<domain::fields> load_fields(std::string_view json);
std::string store_conflicts(std::vector<domain::field_conflict> const& c);
result<std::vector<domain::field_conflict>> load_conflicts(std::string_view json);
// A task snapshot as proto3 JSON (the same encoding as on the topic).
std::string store_task(domain::task_changed const& t);
result<domain::task_changed> load_task(std::string_view json);

}  // namespace calbridge::wire
