#include "disconnect.h"

#include "html.h"

#include "common/observe/log.h"

#include <fmt/format.h>

namespace calbridge::gateway {

namespace {

using namespace std::chrono_literals;

constexpr auto google_time_max = 10s;

constexpr pg::statement open_channels{
    "gateway_open_channels",
    "SELECT channel_id, resource_id FROM channels WHERE tenant_id = $1 AND connection_id = $2 AND state <> 'stopped'"};
constexpr pg::statement stop_channels{"gateway_stop_channels",
                                      "UPDATE channels SET state = 'stopped', state_reason = 'disconnected', stopped_at = now() WHERE "
                                      "tenant_id = $1 AND connection_id = $2 AND state <> 'stopped'"};
// Another connection with the same account and client keeps working: revoking is for the whole account.
constexpr pg::statement count_siblings{
    "gateway_count_siblings",
    "SELECT count(*) FROM user_calendar_connections o JOIN user_calendar_connections c ON (o.tenant_id, o.google_sub, o.client_id) = "
    "(c.tenant_id, c.google_sub, c.client_id) "
    "WHERE c.tenant_id = $1 AND c.connection_id = $2 AND o.connection_id <> c.connection_id AND o.status IN ('active', 'paused')"};
constexpr pg::statement destroy_key{"gateway_destroy_key",
                                    "UPDATE user_calendar_connections SET data_key = NULL, access_token = NULL, refresh_token = NULL, "
                                    "token_expires_at = NULL, refresh_lease_until = NULL, updated_at = now() "
                                    "WHERE tenant_id = $1 AND connection_id = $2 AND status = 'disconnected'"};

pg::params of(store::connection_row const& c) {
    pg::params out;
    out.add(c.tenant).add(c.id);
    return out;
}

// The stored access token when it still works, else a fresh one. token_source would refuse: the connection is marked already.
task<std::optional<secret>> last_token(deps const& d, store::connection_row connection, store::sealed_tokens sealed,
                                       account::opened_grant opened, deadline at) {
    if (!opened.access_token.empty() && sealed.expires_at && *sealed.expires_at > d.now.now() + 10s) co_return opened.access_token;
    auto const client = co_await d.clients.find(connection.tenant, sealed.integration);
    if (!client || client->client_id != sealed.client_id) co_return std::nullopt;
    auto const fresh = co_await d.oauth.refresh(*client, opened.refresh_token, at);
    if (!fresh) co_return std::nullopt;
    co_return fresh->access_token;
}

task<void> stop_at_google(deps const& d, store::connection_row connection, secret token, deadline at) {
    auto const open = co_await pg::run_once(d.db, connection.tenant, open_channels, of(connection));
    if (!open) co_return;
    for (std::size_t i = 0; i < open->size(); ++i) {
        auto const resource = open->text_or_null(i, 1);
        if (!resource) continue;
        auto const stopped = co_await d.calendars.stop(token, to_string(open->id(i, 0)), *resource, at);
        // It ends by itself within a week, and its pushes are dropped meanwhile.
        if (!stopped)
            log::warn("disconnect.channel_left",
                      {{"tenant", connection.tenant}, {"connection", connection.id}, {"reason", stopped.error().reason}});
    }
}

// Stops channels first: that needs a token that lives, and revoking ends all of them.
task<void> take_leave_of_google(deps const& d, store::connection_row connection) {
    auto const sealed = co_await store::read_tokens(d.db, connection.tenant, connection.id);
    if (!sealed || !*sealed) co_return;
    auto const opened = account::open_grant(d.ring, connection.tenant, connection.id, **sealed);
    if (!opened) co_return;
    deadline const at = in(google_time_max);
    auto const token = co_await last_token(d, connection, **sealed, *opened, at);
    if (token) co_await stop_at_google(d, connection, *token, at);
    auto const siblings = co_await pg::run_once(d.db, connection.tenant, count_siblings, of(connection));
    if (!siblings || siblings->integer(0, 0) > 0) co_return;
    auto const revoked = co_await d.oauth.revoke(opened->refresh_token, at);
    if (!revoked)
        log::warn("disconnect.not_revoked",
                  {{"tenant", connection.tenant}, {"connection", connection.id}, {"reason", revoked.error().reason}});
}

task<result<void>> forget(deps const& d, store::connection_row connection) {
    auto tx = co_await d.db.begin(connection.tenant);
    if (!tx) co_return tx.error();
    std::vector<pg::transaction::step> steps;
    steps.push_back({&stop_channels, of(connection)});
    steps.push_back({&destroy_key, of(connection)});
    auto const done = co_await (*tx)->batch_and_commit(std::move(steps));
    if (!done) co_return done.error();
    co_return result<void>{};
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
    co_await take_leave_of_google(d, connection);
    auto const forgotten = co_await forget(d, connection);
    if (!forgotten) co_return try_again_page("Your connection is off, but its keys could not be destroyed yet.");
    log::info(
        "connection.disconnected",
        {{"tenant", connection.tenant}, {"user", connection.user}, {"connection", connection.id}, {"request_id", request.request_id}});
    co_return see_other(std::string(settings_path));
}

}  // namespace calbridge::gateway
