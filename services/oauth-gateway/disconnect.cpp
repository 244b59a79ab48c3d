#include "disconnect.h"

#include "html.h"

#include "account/leave.h"
#include "store/leaving.h"

#include "common/observe/log.h"

#include <fmt/format.h>

namespace calbridge::gateway {

namespace {

using namespace std::chrono_literals;

constexpr auto google_time_max = 10s;
constexpr auto first_retry = 30s;

// The answer to the user is the same either way: nobody uses the grant any more. With Google away, channel-renewer goes on.
task<result<void>> leave(deps const& d, tenant_id tenant, connection_id connection) {
    account::leave_parts const with{
        .db = d.db, .calendars = d.calendars, .oauth = d.oauth, .clients = d.clients, .ring = d.ring, .now = d.now};
    deadline const at = in(google_time_max);
    account::left const how = co_await account::take_leave_of_google(with, tenant, connection, at);
    if (how == account::left::later) co_return co_await store::leave_later(d.db, tenant, connection, first_retry);
    co_return co_await store::forget_grant(d.db, tenant, connection);
}

}  // namespace

task<http::response> disconnect(deps const& d, http::server_request const& request) {
    auto const who = d.sessions.find(request.fields, d.unix_now());
    if (!who) co_return no_session_page();
    auto const fields = http::decode_form(request.body);
    std::string const fault = d.sessions.fault_of_post(*who, request.fields, fields ? http::find(*fields, "csrf") : std::nullopt);
    if (!fault.empty()) {
        log::warn("disconnect.refused",
                  {{"reason", fault}, {"tenant", who->who.tenant}, {"user", who->who.user}, {"request_id", request.request_id}});
        co_return page(403, "That did not come from this page",
                       fmt::format("<p>For your safety nothing was done. Open <a href=\"{}\">Calendar settings</a> and try again.</p>",
                                   settings_path));
    }
    auto const id = parse_uuid(request.param("connection"));
    if (!id) co_return not_found_page();
    connection_id const named{*id};
    auto const found = co_await store::find_connection(d.db, who->who.tenant, named);
    if (!found) co_return try_again_page("Your connection could not be read.");
    if (!*found || (**found).user != who->who.user) co_return not_found_page();
    store::connection_row const connection = **found;

    auto const marked =
        co_await store::set_status(d.db, connection.tenant, connection.id, store::connection_status::disconnected, "by its user");
    if (!marked) co_return try_again_page("Your connection could not be ended.");
    auto const forgotten = co_await leave(d, connection.tenant, connection.id);
    if (!forgotten) co_return try_again_page("Your connection is off, but its keys could not be destroyed yet.");
    log::info(
        "connection.disconnected",
        {{"tenant", connection.tenant}, {"user", connection.user}, {"connection", connection.id}, {"request_id", request.request_id}});
    co_return see_other(std::string(settings_path));
}

}  // namespace calbridge::gateway
