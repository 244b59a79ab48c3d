#pragma once
// What the CRM was told, as JSON for its jsonb column.

#include "domain/told.h"

#include "common/base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace calbridge::wire {

std::string store_told(std::vector<domain::told> const& all);
result<std::vector<domain::told>> load_told(std::string_view json);

}  // namespace calbridge::wire
