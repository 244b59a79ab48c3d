#pragma once
// GET /launch?token=…: a signed link of the CRM becomes a browser session, once.

#include "deps.h"

namespace calbridge::gateway {

task<http::response> open_launch_link(deps const& d, http::server_request const& request);

}  // namespace calbridge::gateway
