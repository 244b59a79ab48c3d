#include "store/accounts.h"

#include "store/row_reader.h"

namespace calbridge::store {

namespace {

constexpr pg::statement open{"open_attempt", R"(
    INSERT INTO consent_attempts (tenant_id, state_hash, session_hash, user_id, integration_id, mode, scopes, nonce,
    code_verifier, connection_id, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now() + $11 * interval '1 minute'))"};
constexpr pg::statement consume{"consume_attempt", R"(
    DELETE
    FROM consent_attempts
    WHERE tenant_id = $1 AND state_hash = $2 AND session_hash = $3 AND expires_at > now()
    RETURNING tenant_id, state_hash, session_hash, user_id, integration_id, mode, array_to_string(scopes, ' '),
    nonce, code_verifier, connection_id)"};
// The first connection of a user is where the tasks go.
constexpr pg::statement save{"save_connection", R"(
    INSERT INTO user_calendar_connections AS u (tenant_id, connection_id, user_id, integration_id, client_id,
    google_sub, connected_email, data_key, access_token, refresh_token, token_expires_at, granted_scopes, mode,
    status, auto_sync_tasks, import_external_events, conflict_policy, delete_choice, sync_settings, task_type_colors,
    is_default, discovery_claimed_until)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'active', $14, $15, $16, $17, $18::jsonb, $19::jsonb,
    NOT EXISTS (SELECT 1 FROM user_calendar_connections d WHERE d.tenant_id = $1 AND d.user_id = $3 AND d.is_default
    AND d.status <> 'disconnected' AND d.google_sub <> $6), now() + interval '5 seconds')
    ON CONFLICT (tenant_id, user_id, google_sub) DO UPDATE SET integration_id = excluded.integration_id,
    client_id = excluded.client_id, connected_email = excluded.connected_email, data_key = excluded.data_key,
    access_token = excluded.access_token, refresh_token = excluded.refresh_token,
    token_expires_at = excluded.token_expires_at, refresh_lease_until = NULL, granted_scopes = excluded.granted_scopes,
    mode = excluded.mode, status = 'active', status_reason = '', failures = 0, is_default = excluded.is_default
    OR (u.is_default AND u.status <> 'disconnected'), calendars_read_at = NULL,
    discovery_claimed_until = excluded.discovery_claimed_until, idle_checked_at = NULL, revision = u.revision + 1,
    updated_at = now()
    RETURNING connection_id, xmax <> 0)"};
constexpr pg::statement audit{"audit_connected", R"(
    INSERT INTO audit_log (tenant_id, audit_id, who, what, subject, detail)
    VALUES ($1, $2, $3, $4, $5, jsonb_build_object('mode', $6::text)))"};
constexpr pg::statement of_user{"connections_of", "SELECT " CALBRIDGE_CONNECTION_COLUMNS R"(
    FROM user_calendar_connections u
    WHERE u.tenant_id = $1 AND u.user_id = $2
    ORDER BY u.is_default DESC, u.created_at, u.connection_id)"};
constexpr pg::statement find{"find_connection", "SELECT " CALBRIDGE_CONNECTION_COLUMNS R"(
    FROM user_calendar_connections u
    WHERE u.tenant_id = $1 AND u.connection_id = $2)"};
constexpr pg::statement find_of{"find_connection_of", "SELECT " CALBRIDGE_CONNECTION_COLUMNS R"(
    FROM user_calendar_connections u
    WHERE u.tenant_id = $1 AND u.user_id = $2 AND u.google_sub = $3)"};

result<std::optional<connection_row>> first(pg::rows const& rows, tenant_id const& tenant) {
    if (rows.empty()) return std::optional<connection_row>{};
    row_reader r(rows, 0);
    connection_row row = r.connection(tenant);
    if (r.problem()) return *r.problem();
    return std::optional<connection_row>(std::move(row));
}

}  // namespace

task<result<void>> open_attempt(pg::database& db, new_attempt const& attempt) {
    pg::params with;
    with.add(attempt.tenant)
        .add(attempt.state_hash)
        .add(attempt.session_hash)
        .add(attempt.user)
        .add(attempt.integration)
        .add(domain::name(attempt.mode));
    with.add_array(attempt.scopes)
        .add(attempt.nonce)
        .add(attempt.code_verifier)
        .add(attempt.reconnect)
        .add(static_cast<std::int64_t>(attempt.life.count()));
    auto const rows = co_await pg::run_once(db, attempt.tenant, open, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<std::optional<new_attempt>>> consume_attempt(pg::database& db, tenant_id tenant, bytes state_hash, bytes session_hash) {
    pg::params with;
    with.add(tenant).add(state_hash).add(session_hash);
    auto const rows = co_await pg::run_once(db, tenant, consume, std::move(with));
    if (!rows) co_return rows.error();
    if (rows->empty()) co_return std::optional<new_attempt>{};
    row_reader r(*rows, 0);
    new_attempt a;
    a.tenant = r.tenant(tenant);
    a.state_hash = r.blob();
    a.session_hash = r.blob();
    a.user = user_id(r.text());
    if (auto const integration = r.id_or_null()) a.integration = integration_id{*integration};
    auto const mode = domain::mode_named(r.text());
    if (!mode) co_return fail(errc::internal, "consent attempt: unknown mode");
    a.mode = *mode;
    a.scopes = r.list(' ');
    a.nonce = r.text();
    a.code_verifier = r.blob();
    if (auto const connection = r.id_or_null()) a.reconnect = connection_id{*connection};
    co_return std::optional<new_attempt>(std::move(a));
}

task<result<connected>> save_connection(pg::transaction& tx, new_connection const& what) {
    connection_row const& row = what.row;
    pg::params with;
    with.add(row.tenant)
        .add(row.id)
        .add(row.user)
        .add(row.integration)
        .add(row.client_id)
        .add(row.google_sub)
        .add(row.connected_email)
        .add(what.data_key);
    with.add(what.access_token)
        .add(what.refresh_token)
        .add(what.token_expires_at)
        .add_array(row.granted_scopes)
        .add(domain::name(row.mode));
    with.add(row.auto_sync_tasks).add(row.import_external_events).add(domain::name(row.policy)).add(name(row.on_delete));
    with.add(row.sync_settings.empty() ? std::string("{}") : row.sync_settings).add(store_map(row.task_type_colors));
    auto const rows = co_await tx.query(save, std::move(with));
    if (!rows) co_return rows.error();
    connected const saved{.id = connection_id{rows->id(0, 0)}, .existed = rows->boolean(0, 1)};
    // Sealed values are bound to the connection's id: under another one they could never be opened again.
    if (saved.id != row.id) co_return fail(errc::conflict, "this account is connected already, as " + saved.id.str());

    pg::params noted;
    noted.add(row.tenant).add(time_ordered_uuid()).add(row.user).add(saved.existed ? "connection.reconnected" : "connection.connected");
    noted.add(saved.id.str()).add(domain::name(row.mode));
    auto const logged = co_await tx.query(audit, std::move(noted));
    if (!logged) co_return logged.error();
    co_return saved;
}

task<result<std::vector<connection_row>>> connections_of(pg::database& db, tenant_id tenant, user_id user) {
    pg::params with;
    with.add(tenant).add(user);
    auto const rows = co_await pg::run_once(db, tenant, of_user, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<connection_row> all;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        all.push_back(r.connection(tenant));
        if (r.problem()) co_return *r.problem();
    }
    co_return all;
}

task<result<std::optional<connection_row>>> find_connection(pg::database& db, tenant_id tenant, connection_id id) {
    pg::params with;
    with.add(tenant).add(id);
    auto const rows = co_await pg::run_once(db, tenant, find, std::move(with));
    if (!rows) co_return rows.error();
    co_return first(*rows, tenant);
}

task<result<std::optional<connection_row>>> find_connection_of(pg::database& db, tenant_id tenant, user_id user, std::string google_sub) {
    pg::params with;
    with.add(tenant).add(user).add(google_sub);
    auto const rows = co_await pg::run_once(db, tenant, find_of, std::move(with));
    if (!rows) co_return rows.error();
    co_return first(*rows, tenant);
}

}  // namespace calbridge::store
