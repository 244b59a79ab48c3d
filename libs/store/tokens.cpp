#include "store/accounts.h"

#include "store/alerts.h"
#include "store/row_reader.h"

namespace calbridge::store {

namespace {

constexpr pg::statement read{"read_tokens", R"(
    SELECT tenant_id, data_key, access_token, refresh_token, token_expires_at, client_id, integration_id, status
    FROM user_calendar_connections
    WHERE tenant_id = $1 AND connection_id = $2)"};
constexpr pg::statement claim{"claim_refresh", R"(
    UPDATE user_calendar_connections SET refresh_lease_until = now() + $3 * interval '1 millisecond'
    WHERE tenant_id = $1 AND connection_id = $2 AND (refresh_lease_until IS NULL OR refresh_lease_until <= now()))"};
constexpr pg::statement refreshed{"store_refreshed", R"(
    UPDATE user_calendar_connections SET access_token = $3, token_expires_at = $4,
    refresh_token = coalesce($5, refresh_token), refresh_lease_until = NULL, updated_at = now()
    WHERE tenant_id = $1 AND connection_id = $2 AND data_key IS NOT NULL)"};
constexpr pg::statement end{"end_refresh", R"(
    UPDATE user_calendar_connections SET refresh_lease_until = NULL
    WHERE tenant_id = $1 AND connection_id = $2)"};
constexpr pg::statement hold_calendars{"hold_calendars", R"(
    SELECT 1 FROM calendars
    WHERE tenant_id = $1 AND connection_id = $2
    ORDER BY calendar_id FOR NO KEY UPDATE)"};
constexpr pg::statement change_status{"set_status", R"(
    WITH before AS (SELECT tenant_id, connection_id, status FROM user_calendar_connections WHERE tenant_id = $1
    AND connection_id = $2 FOR NO KEY UPDATE)
    UPDATE user_calendar_connections u SET status = $3, status_reason = $4, revision = u.revision + 1, updated_at = now(),
    failures = CASE WHEN $3 = 'active' THEN 0 ELSE u.failures END
    FROM before b
    WHERE (u.tenant_id, u.connection_id) = (b.tenant_id, b.connection_id) AND (u.status <> $3 OR u.status_reason <> $4)
    RETURNING u.tenant_id, b.status, u.connected_email)"};
constexpr pg::statement exists{"connection_exists", "SELECT 1 FROM user_calendar_connections WHERE tenant_id = $1 AND connection_id = $2"};
constexpr pg::statement fence{"fence_leases", R"(
    UPDATE calendars SET lease_epoch = lease_epoch + 1, lease_owner = NULL, lease_until = '-infinity'
    WHERE tenant_id = $1 AND connection_id = $2)"};
constexpr pg::statement audit{"audit_status", R"(
    INSERT INTO audit_log (tenant_id, audit_id, who, what, subject, detail)
    VALUES ($1, $2, current_user, 'connection.status', $3, jsonb_build_object('from', $4::text, 'to', $5::text, 'reason', $6::text)))"};

pg::params of(tenant_id const& tenant, connection_id connection) {
    pg::params with;
    with.add(tenant).add(connection);
    return with;
}

error no_connection(connection_id id) { return fail(errc::not_found, "there is no connection " + id.str()); }

alert about(tenant_id const& tenant, connection_id connection, connection_status status, std::string const& reason) {
    alert a{.tenant = tenant, .kind = {}, .subject = connection.str(), .explanation = {}};
    if (status == connection_status::revoked) {
        a.kind = "connection_revoked";
        a.explanation = "Google no longer accepts this connection's consent (" + reason + "): its user must connect the account again.";
    } else {
        a.kind = "connection_paused";
        a.explanation = "Synchronising this connection is paused (" + reason + ").";
    }
    return a;
}

}  // namespace

task<result<std::optional<sealed_tokens>>> read_tokens(pg::database& db, tenant_id tenant, connection_id connection) {
    pg::params with = of(tenant, connection);
    auto const rows = co_await pg::run_once(db, tenant, read, std::move(with));
    if (!rows) co_return rows.error();
    if (rows->empty()) co_return std::optional<sealed_tokens>{};
    row_reader r(*rows, 0);
    r.tenant(tenant);
    sealed_tokens t;
    t.data_key = r.blob_or_null();
    t.access_token = r.blob_or_null();
    t.refresh_token = r.blob_or_null();
    t.expires_at = r.time_or_null();
    t.client_id = r.text();
    if (auto const integration = r.id_or_null()) t.integration = integration_id{*integration};
    auto const status = status_named(r.text());
    if (!status) co_return fail(errc::internal, "connection " + connection.str() + ": unknown status");
    t.status = *status;
    co_return std::optional<sealed_tokens>(std::move(t));
}

task<result<bool>> claim_refresh(pg::database& db, tenant_id tenant, connection_id connection, std::chrono::milliseconds life) {
    pg::params with = of(tenant, connection);
    with.add(static_cast<std::int64_t>(life.count()));
    auto const rows = co_await pg::run_once(db, tenant, claim, std::move(with));
    if (!rows) co_return rows.error();
    co_return rows->affected() == 1;
}

task<result<void>> store_refreshed(pg::database& db, tenant_id tenant, connection_id connection, bytes access_token, instant expires_at,
                                   std::optional<bytes> refresh_token) {
    pg::params with = of(tenant, connection);
    with.add(access_token).add(expires_at).add(refresh_token);
    auto const rows = co_await pg::run_once(db, tenant, refreshed, std::move(with));
    if (!rows) co_return rows.error();
    if (rows->affected() == 0) co_return no_connection(connection);
    co_return result<void>{};
}

task<result<void>> end_refresh(pg::database& db, tenant_id tenant, connection_id connection) {
    pg::params with = of(tenant, connection);
    auto const rows = co_await pg::run_once(db, tenant, end, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<void>> set_status(pg::database& db, tenant_id tenant, connection_id connection, connection_status status, std::string reason) {
    auto tx = co_await db.begin(tenant);
    if (!tx) co_return tx.error();
    reason = scrub_text(reason);
    pg::params wanted = of(tenant, connection);
    wanted.add(name(status)).add(reason);
    // Calendars are locked before their connection, as everywhere.
    std::vector<pg::transaction::step> steps;
    steps.push_back({&hold_calendars, of(tenant, connection)});
    steps.push_back({&change_status, std::move(wanted)});
    steps.push_back({&exists, of(tenant, connection)});
    auto const rows = co_await (*tx)->batch(std::move(steps));
    if (!rows) co_return rows.error();
    if ((*rows)[2].empty()) co_return no_connection(connection);
    if ((*rows)[1].empty()) co_return result<void>{};

    row_reader r((*rows)[1], 0);
    r.tenant(tenant);
    std::string const before = r.text();
    if (status != connection_status::active) {
        // Whoever works on its calendars loses the lease now and writes nothing more.
        pg::params all = of(tenant, connection);
        auto const fenced = co_await (*tx)->query(fence, std::move(all));
        if (!fenced) co_return fenced.error();
    }
    pg::params noted;
    noted.add(tenant).add(time_ordered_uuid()).add(connection.str()).add(before).add(name(status)).add(reason);
    auto const logged = co_await (*tx)->query(audit, std::move(noted));
    if (!logged) co_return logged.error();
    // At most one of the two kinds is open at a time: entering one state, or leaving both, closes the other.
    for (connection_status const kind : {connection_status::revoked, connection_status::paused}) {
        alert const what = about(tenant, connection, kind, reason);
        if (kind == status) {
            auto const told = co_await raise_alert(**tx, what);
            if (!told) co_return told.error();
        } else {
            auto const told = co_await resolve_alert(**tx, what);
            if (!told) co_return told.error();
        }
    }
    co_return co_await (*tx)->commit();
}

}  // namespace calbridge::store
