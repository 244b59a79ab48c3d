#pragma once
// Connections, their sealed tokens, calendars, consent attempts: what the gateway writes and the worker and renewer read.

#include "store/rows.h"

#include "common/pg/database.h"

namespace calbridge::store {

struct sealed_tokens {
    std::optional<bytes> data_key, access_token, refresh_token;
    std::optional<instant> expires_at;
    std::string client_id;
    std::optional<integration_id> integration;
    connection_status status{};
};
task<result<std::optional<sealed_tokens>>> read_tokens(pg::database& db, tenant_id tenant, connection_id connection);
// One refresher at a time across processes: true when this caller may refresh now (lease taken for `life`).
task<result<bool>> claim_refresh(pg::database& db, tenant_id tenant, connection_id connection, std::chrono::milliseconds life);
// Stores a refreshed access token; a refresh token only when Google sent a new one; ends the refresh lease.
task<result<void>> store_refreshed(pg::database& db, tenant_id tenant, connection_id connection, bytes access_token, instant expires_at,
                                   std::optional<bytes> refresh_token);
task<result<void>> end_refresh(pg::database& db, tenant_id tenant, connection_id connection);
// Status with its reason; raises the revision; writes audit_log, and for revoked/paused an alert plus its sync-alerts outbox row.
task<result<void>> set_status(pg::database& db, tenant_id tenant, connection_id connection, connection_status status, std::string reason);

struct new_attempt {
    tenant_id tenant;
    bytes state_hash, session_hash;
    user_id user;
    std::optional<integration_id> integration;
    domain::sync_mode mode{};
    std::vector<std::string> scopes;
    std::string nonce;
    bytes code_verifier;  // sealed
    std::optional<connection_id> reconnect;
    std::chrono::minutes life{10};
};
task<result<void>> open_attempt(pg::database& db, new_attempt const& attempt);
// Consumed by DELETE … RETURNING: a second use, another session's or an expired one finds nothing.
task<result<std::optional<new_attempt>>> consume_attempt(pg::database& db, tenant_id tenant, bytes state_hash, bytes session_hash);

struct new_connection {
    connection_row row;
    bytes data_key, access_token, refresh_token;  // wrapped, sealed
    instant token_expires_at{};
};
// Insert, or (same user and sub) replace tokens, scopes and mode and make it active again. Returns the connection's id and whether it
// existed. Sealed values are bound to the connection's id, so ask find_connection_of() for an existing one first; errc::conflict when
// row.id is not its id. row.is_default is decided here: a user's first connection is the default.
struct connected {
    connection_id id;
    bool existed{};
};
task<result<connected>> save_connection(pg::transaction& tx, new_connection const& what);
task<result<std::vector<connection_row>>> connections_of(pg::database& db, tenant_id tenant, user_id user);
task<result<std::optional<connection_row>>> find_connection(pg::database& db, tenant_id tenant, connection_id id);
// The connection, in any status, of this user with this Google account.
task<result<std::optional<connection_row>>> find_connection_of(pg::database& db, tenant_id tenant, user_id user, std::string google_sub);

// How far the calendar list has been read.
struct list_state {
    std::optional<std::string> sync_token;
    std::int64_t dirty_seq{};
};
task<result<list_state>> read_list_state(pg::database& db, tenant_id tenant, connection_id connection);

struct discovered_calendar {
    std::string google_id, summary, time_zone, access_role;
    bool is_primary{}, deleted{}, hidden{};
};
struct calendar_findings {
    std::vector<discovered_calendar> found;
    bool whole{true};  // false: only what changed since `began.sync_token`
    list_state began;  // before Google was asked
    std::optional<std::string> sync_token;
};
// Upserts what the calendar list shows (access role, zone, name). Hidden (but for the primary), deleted and, in a whole reading, unlisted
// calendars are marked missing_since with their reason, and nothing of theirs is removed; one that is back goes on with a full pass. One
// that may be written again gets its refused tasks again. On the first discovery selects the primary and makes it default. Places the
// user's waiting tasks. Returns the calendars with new work. errc::conflict when the list was read by somebody else meanwhile.
task<result<std::vector<wake>>> save_calendars(pg::transaction& tx, tenant_id tenant, connection_id connection,
                                               calendar_findings const& findings);
task<result<std::vector<calendar_row>>> calendars_of(pg::database& db, tenant_id tenant, connection_id connection);

}  // namespace calbridge::store
