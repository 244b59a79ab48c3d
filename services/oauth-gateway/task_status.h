#pragma once
// GET /api/v1/tasks/{task}: both sides of one task, its link, and what was done lately.

#include "deps.h"

namespace calbridge::gateway {

task<http::response> show_task(deps const& d, http::server_request const& request);

}  // namespace calbridge::gateway
