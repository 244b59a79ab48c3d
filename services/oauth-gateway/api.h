#pragma once
// /api/v1: what the CRM reads and asks for, with a bearer token. Problems are RFC 9457 documents.

#include "deps.h"

#include "common/json/json.h"

namespace calbridge::gateway {

// Who the bearer is; empty when there is none or it does not hold.
std::optional<principal> bearer_of(deps const& d, http::server_request const& request);
http::response unauthorized_problem();
http::response not_found_problem();
http::response unavailable_problem();

json::value time_or_null(std::optional<instant> const& at);
json::object to_json(store::connection_row const& c);
json::object to_json(store::calendar_row const& c);

task<http::response> list_connections(deps const& d, http::server_request const& request);
task<http::response> show_connection(deps const& d, http::server_request const& request);
task<http::response> list_calendars(deps const& d, http::server_request const& request);
// {"selected": bool, "default": true}, either or both: 200 with the calendar as it is then.
task<http::response> choose_calendar(deps const& d, http::server_request const& request);
// Raises the dirty counter of every selected calendar by a calendar-changed message each: 202 with their number.
task<http::response> sync_connection(deps const& d, http::server_request const& request);

}  // namespace calbridge::gateway
