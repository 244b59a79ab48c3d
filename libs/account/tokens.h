#pragma once
// Access tokens for connections: unsealed, cached in memory until 5 minutes before expiry, refreshed once across all processes.

#include "clients/google/google.h"
#include "store/accounts.h"

#include "common/crypto/crypto.h"
#include "common/pg/database.h"

#include <memory>

namespace calbridge::account {

// Where an OAuth client's id, secret and redirect URI come from: the default of the environment, or a stored integration.
class client_directory {
public:
    virtual ~client_directory() = default;
    // errc::not_found when neither exists.
    virtual task<result<google::oauth_client>> find(tenant_id tenant, std::optional<integration_id> integration) = 0;
};
std::unique_ptr<client_directory> make_client_directory(pg::database& db, crypto::key_ring ring,
                                                        std::optional<google::oauth_client> fallback);

class token_source {
public:
    virtual ~token_source() = default;
    // errc::grant_revoked: consent is gone (the connection was marked revoked). errc::client_rejected: our client is wrong, nobody was
    // marked. errc::unavailable/timed_out: try later. `refused`: Google just answered 401 to that token, so do not hand it out again.
    virtual task<result<secret>> access_token(tenant_id tenant, connection_id connection, secret refused = {}) = 0;
};
struct token_settings {
    std::chrono::seconds early{300};
    std::chrono::milliseconds refresh_lease{45000};
    std::chrono::milliseconds wait_max{20000};
};
std::unique_ptr<token_source> make_token_source(pg::database& db, google::oauth_api& oauth, client_directory& clients,
                                                crypto::key_ring ring, clock const& now, token_settings settings);

// Associated data of each sealed column, so a value cannot be moved to another row or column.
std::string sealed_place(tenant_id const& tenant, connection_id connection, std::string_view column);

// A new grant as it is stored: both tokens sealed under a fresh data key, which is wrapped by the ring. `ring` is the ring of the
// settings everywhere in this folder; the keys used for each purpose are derived here.
struct sealed_grant {
    bytes data_key, access_token, refresh_token;
};
sealed_grant seal_grant(crypto::key_ring const& ring, tenant_id const& tenant, connection_id connection, secret const& access_token,
                        secret const& refresh_token);
// What seal_grant() sealed. errc::not_found: the wrapping key is no longer in the ring, or the data key was destroyed.
struct opened_grant {
    secret data_key, access_token, refresh_token;
};
result<opened_grant> open_grant(crypto::key_ring const& ring, tenant_id const& tenant, connection_id connection,
                                store::sealed_tokens const& sealed);

// A stored integration's client secret, bound to its row.
bytes seal_client_secret(crypto::key_ring const& ring, tenant_id const& tenant, integration_id integration, secret const& client_secret);

// Reads the calendar list (`whole`, or only what changed since the last time if that is known) and stores it. Returns the calendars that
// have work now; the caller publishes the wake-ups. errc::conflict: somebody else read it at the same time.
task<result<std::vector<store::wake>>> discover_calendars(pg::database& db, google::calendar_api& api, secret token, tenant_id tenant,
                                                          connection_id connection, bool whole, deadline at);

}  // namespace calbridge::account
