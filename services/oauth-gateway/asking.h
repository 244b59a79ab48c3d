#pragma once
// What people ask the engine to do, and what they see of their items: POST and GET /api/v1/requests, conflicts, history, items set aside.

#include "deps.h"

namespace calbridge::gateway {

// 202 with the request, found again under Location. An Idempotency-Key used before gives the older request; with another body 409.
task<http::response> ask(deps const& d, http::server_request const& request);
task<http::response> show_request(deps const& d, http::server_request const& request);

task<http::response> list_conflicts(deps const& d, http::server_request const& request);
// Newest first, `?occurrence=`, `?before=<id of the last one shown>`.
task<http::response> show_history(deps const& d, http::server_request const& request);
task<http::response> list_quarantine(deps const& d, http::server_request const& request);

}  // namespace calbridge::gateway
