#include "store/leaving.h"

#include "store/row_reader.h"

namespace calbridge::store {

namespace {

constexpr pg::statement find_channels{"open_channels", R"(
    SELECT channel_id, resource_id FROM channels
    WHERE tenant_id = $1 AND connection_id = $2 AND state <> 'stopped' AND resource_id IS NOT NULL
    AND (expires_at IS NULL OR expires_at > now())
    ORDER BY created_at LIMIT 1000)"};
constexpr pg::statement look{"leaving_state", R"(
    SELECT c.tenant_id, c.status = 'disconnected', (SELECT count(*) FROM user_calendar_connections o
    WHERE (o.tenant_id, o.google_sub, o.client_id) = (c.tenant_id, c.google_sub, c.client_id) AND o.connection_id <> c.connection_id
    AND o.status IN ('active', 'paused'))
    FROM user_calendar_connections c
    WHERE c.tenant_id = $1 AND c.connection_id = $2)"};
constexpr pg::statement destroy{"destroy_grant", R"(
    UPDATE user_calendar_connections SET data_key = NULL, access_token = NULL, refresh_token = NULL, token_expires_at = NULL,
    refresh_lease_until = NULL, revoke_due_at = NULL, revoke_since = NULL, updated_at = now()
    WHERE tenant_id = $1 AND connection_id = $2 AND status = 'disconnected')"};
constexpr pg::statement write_off{"write_channels_off", R"(
    UPDATE channels h SET state = 'stopped', state_reason = 'disconnected', stopped_at = now()
    WHERE h.tenant_id = $1 AND h.connection_id = $2 AND h.state <> 'stopped' AND EXISTS (SELECT 1 FROM user_calendar_connections c
    WHERE c.tenant_id = $1 AND c.connection_id = $2 AND c.status = 'disconnected'))"};
constexpr pg::statement postpone{"leave_later", R"(
    UPDATE user_calendar_connections SET revoke_due_at = now() + $3 * interval '1 millisecond',
    revoke_since = coalesce(revoke_since, now())
    WHERE tenant_id = $1 AND connection_id = $2 AND status = 'disconnected')"};

pg::params of(tenant_id const& tenant, connection_id connection) {
    pg::params with;
    with.add(tenant).add(connection);
    return with;
}

}  // namespace

task<result<std::vector<open_channel>>> open_channels(pg::database& db, tenant_id tenant, connection_id connection) {
    pg::params with = of(tenant, connection);
    auto const rows = co_await pg::run_once(db, tenant, find_channels, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<open_channel> all;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        open_channel one;
        one.id = channel_id{r.id()};
        one.resource_id = r.text();
        all.push_back(std::move(one));
    }
    co_return all;
}

task<result<leaving_state>> leaving(pg::database& db, tenant_id tenant, connection_id connection) {
    pg::params with = of(tenant, connection);
    auto const rows = co_await pg::run_once(db, tenant, look, std::move(with));
    if (!rows) co_return rows.error();
    if (rows->empty()) co_return fail(errc::not_found, "there is no connection " + connection.str());
    row_reader r(*rows, 0);
    r.tenant(tenant);
    leaving_state state;
    state.ended = r.boolean();
    state.siblings = r.integer();
    co_return state;
}

task<result<void>> forget_grant(pg::database& db, tenant_id tenant, connection_id connection) {
    auto tx = co_await db.begin(tenant);
    if (!tx) co_return tx.error();
    // The connection before its channels, as everywhere.
    std::vector<pg::transaction::step> steps;
    steps.push_back({&destroy, of(tenant, connection)});
    steps.push_back({&write_off, of(tenant, connection)});
    auto const done = co_await (*tx)->batch_and_commit(std::move(steps));
    if (!done) co_return done.error();
    co_return result<void>{};
}

task<result<void>> leave_later(pg::database& db, tenant_id tenant, connection_id connection, std::chrono::milliseconds retry_in) {
    pg::params with = of(tenant, connection);
    with.add(static_cast<std::int64_t>(retry_in.count()));
    auto const rows = co_await pg::run_once(db, tenant, postpone, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

}  // namespace calbridge::store
