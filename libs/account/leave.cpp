#include "account/leave.h"

#include "store/leaving.h"

#include "common/observe/log.h"

namespace calbridge::account {

namespace {

using namespace std::chrono_literals;

// True when another try may have another outcome.
bool may_pass(errc code) {
    switch (code) {
    case errc::timed_out:
    case errc::unavailable:
    case errc::rate_limited:
    case errc::shutting_down:
    case errc::client_rejected:
    case errc::internal: return true;
    case errc::conflict:
    case errc::exists:
    case errc::not_found:
    case errc::gone:
    case errc::unauthorized:
    case errc::forbidden:
    case errc::grant_revoked:
    case errc::malformed:
    case errc::too_large: return false;
    }
    return false;
}

struct last_token {
    std::optional<secret> token;
    bool later{};  // there may be one another time
};

// The stored access token when it still works, else a fresh one. token_source would refuse: the connection is marked already.
task<last_token> find_token(leave_parts const& with, tenant_id tenant, store::sealed_tokens const& sealed, opened_grant const& opened,
                            deadline at) {
    if (!opened.access_token.empty() && sealed.expires_at && *sealed.expires_at > with.now.now() + 10s)
        co_return last_token{opened.access_token, false};
    auto const client = co_await with.clients.find(tenant, sealed.integration);
    if (!client) co_return last_token{std::nullopt, may_pass(client.error().code)};
    if (client->client_id != sealed.client_id) co_return last_token{};
    auto const fresh = co_await with.oauth.refresh(*client, opened.refresh_token, at);
    if (!fresh) co_return last_token{std::nullopt, may_pass(fresh.error().code)};
    co_return last_token{fresh->access_token, false};
}

// False when some are left that another try may stop.
task<bool> stop_channels(leave_parts const& with, tenant_id tenant, connection_id connection, secret token, deadline at) {
    auto const open = co_await store::open_channels(with.db, tenant, connection);
    if (!open) co_return false;
    bool all = true;
    for (store::open_channel const& each : *open) {
        auto const stopped = co_await with.calendars.stop(token, each.id.str(), each.resource_id, at);
        if (stopped) continue;
        if (may_pass(stopped.error().code)) all = false;
        // It ends by itself within a week, and its pushes are dropped meanwhile.
        log::warn("disconnect.channel_left",
                  {{"tenant_id", tenant}, {"connection_id", connection}, {"channel_id", each.id}, {"reason", stopped.error().reason}});
    }
    co_return all;
}

}  // namespace

task<left> take_leave_of_google(leave_parts const& with, tenant_id tenant, connection_id connection, deadline at) {
    auto const sealed = co_await store::read_tokens(with.db, tenant, connection);
    if (!sealed) co_return left::later;
    if (!*sealed) co_return left::done;
    if ((**sealed).status != store::connection_status::disconnected) co_return left::back;
    auto const opened = open_grant(with.ring, tenant, connection, **sealed);
    if (!opened) co_return left::done;
    auto const token = co_await find_token(with, tenant, **sealed, *opened, at);
    if (token.later) co_return left::later;
    if (token.token) {
        bool const stopped = co_await stop_channels(with, tenant, connection, *token.token, at);
        // Revoking takes away what stopping needs.
        if (!stopped) co_return left::later;
    }
    auto const state = co_await store::leaving(with.db, tenant, connection);
    if (!state) co_return left::later;
    if (!state->ended) co_return left::back;
    if (state->siblings > 0) co_return left::done;
    auto const revoked = co_await with.oauth.revoke(opened->refresh_token, at);
    if (revoked) co_return left::done;
    log::warn("disconnect.not_revoked", {{"tenant_id", tenant}, {"connection_id", connection}, {"reason", revoked.error().reason}});
    co_return may_pass(revoked.error().code) ? left::later : left::done;
}

}  // namespace calbridge::account
