#pragma once
// GET /settings/calendar: what is connected and how it is doing.

#include "deps.h"

namespace calbridge::gateway {

struct connection_card {
    store::connection_row connection;
    std::vector<store::calendar_row> calendars;
};
// HTML of the page's body. Pure.
std::string render_settings(std::vector<connection_card> const& cards, bool client_configured, std::string_view csrf_token);

task<http::response> show_settings(deps const& d, http::server_request const& request);

}  // namespace calbridge::gateway
