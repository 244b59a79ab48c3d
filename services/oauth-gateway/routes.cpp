#include "routes.h"

#include "api.h"
#include "asking.h"
#include "callback.h"
#include "connect.h"
#include "disconnect.h"
#include "html.h"
#include "launch.h"
#include "settings_page.h"
#include "task_status.h"

namespace calbridge::gateway {

namespace {

using use_case = task<http::response> (*)(deps const&, http::server_request const&);

task<http::response> show_style(deps const&, http::server_request const&) {
    co_return http::response{.status = 200, .fields = {{"Content-Type", "text/css; charset=utf-8"}}, .body = std::string(style_sheet)};
}

task<http::response> show_root(deps const&, http::server_request const&) { co_return see_other(std::string(settings_path)); }

struct row {
    char const* method;
    char const* pattern;
    use_case run;
};
constexpr row table[] = {
    {"GET", "/", show_root},
    {"GET", "/launch", open_launch_link},
    {"GET", "/settings/calendar", show_settings},
    {"GET", "/settings/calendar/style.css", show_style},
    {"GET", "/settings/calendar/connect/{integration}", show_connect},
    {"POST", "/settings/calendar/connect/{integration}", start_connect},
    {"GET", "/settings/calendar/callback", finish_connect},
    {"POST", "/settings/calendar/disconnect/{connection}", disconnect},
    {"GET", "/api/v1/connections", list_connections},
    {"GET", "/api/v1/connections/{connection}", show_connection},
    {"GET", "/api/v1/connections/{connection}/calendars", list_calendars},
    {"PUT", "/api/v1/connections/{connection}/calendars/{calendar}", choose_calendar},
    {"POST", "/api/v1/connections/{connection}/sync", sync_connection},
    {"GET", "/api/v1/tasks/{task}", show_task},
    {"GET", "/api/v1/tasks/{task}/history", show_history},
    {"GET", "/api/v1/conflicts", list_conflicts},
    {"GET", "/api/v1/quarantine", list_quarantine},
    {"POST", "/api/v1/requests", ask},
    {"GET", "/api/v1/requests/{request}", show_request},
};

// A merged description is as long as a description may be.
std::size_t body_bytes_max(std::string_view pattern) { return pattern == "/api/v1/requests" ? 64 * 1024 : 8 * 1024; }

}  // namespace

std::vector<http::route> routes_of(deps const& d) {
    std::vector<http::route> out;
    for (auto const& one : table) {
        auto handle = [&d, run = one.run](http::server_request const& request) { return run(d, request); };
        out.push_back(
            {.method = one.method, .pattern = one.pattern, .handle = std::move(handle), .body_bytes_max = body_bytes_max(one.pattern)});
    }
    return out;
}

http::headers security_headers(deps const& d, bool https) {
    http::headers out{{"Content-Security-Policy", content_security_policy(d.google_at.authorize)},
                      {"X-Content-Type-Options", "nosniff"},
                      {"X-Frame-Options", "DENY"},
                      {"Referrer-Policy", "no-referrer"},
                      {"Cache-Control", "no-store"},
                      {"Cross-Origin-Opener-Policy", "same-origin"},
                      {"Permissions-Policy", "camera=(), microphone=(), geolocation=()"}};
    if (https) out.emplace_back("Strict-Transport-Security", "max-age=31536000; includeSubDomains");
    return out;
}

}  // namespace calbridge::gateway
