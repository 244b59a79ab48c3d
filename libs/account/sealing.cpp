#include "account/tokens.h"

#include "account/sealing.h"

#include <fmt/format.h>

namespace calbridge::account {

namespace {

constexpr std::string_view wrapping_purpose = "connection-keys";
constexpr std::string_view client_purpose = "client-secrets";

std::string client_place(tenant_id const& tenant, integration_id integration) {
    return fmt::format("google_integrations|{}|{}|client_secret", tenant.str(), integration.str());
}

}  // namespace

std::string sealed_place(tenant_id const& tenant, connection_id connection, std::string_view column) {
    return fmt::format("user_calendar_connections|{}|{}|{}", tenant.str(), connection.str(), column);
}

sealed_grant seal_grant(crypto::key_ring const& ring, tenant_id const& tenant, connection_id connection, secret const& access_token,
                        secret const& refresh_token) {
    crypto::data_key key = crypto::new_data_key(ring.for_purpose(wrapping_purpose), sealed_place(tenant, connection, "data_key"));
    return {.data_key = std::move(key.wrapped),
            .access_token = crypto::seal_with(key.key, access_token.reveal(), sealed_place(tenant, connection, "access_token")),
            .refresh_token = crypto::seal_with(key.key, refresh_token.reveal(), sealed_place(tenant, connection, "refresh_token"))};
}

result<opened_grant> open_grant(crypto::key_ring const& ring, tenant_id const& tenant, connection_id connection,
                                store::sealed_tokens const& sealed) {
    if (!sealed.data_key || !sealed.refresh_token)
        return fail(errc::not_found, "tokens of connection " + connection.str() + ": none, its key was destroyed");
    opened_grant out;
    auto key = crypto::unwrap(ring.for_purpose(wrapping_purpose), *sealed.data_key, sealed_place(tenant, connection, "data_key"));
    if (!key) return key.error();
    out.data_key = std::move(*key);
    auto refresh = crypto::open_with(out.data_key, *sealed.refresh_token, sealed_place(tenant, connection, "refresh_token"));
    if (!refresh) return refresh.error();
    out.refresh_token = std::move(*refresh);
    if (!sealed.access_token) return out;
    auto access = crypto::open_with(out.data_key, *sealed.access_token, sealed_place(tenant, connection, "access_token"));
    if (!access) return access.error();
    out.access_token = std::move(*access);
    return out;
}

bytes seal_client_secret(crypto::key_ring const& ring, tenant_id const& tenant, integration_id integration, secret const& client_secret) {
    return crypto::seal(ring.for_purpose(client_purpose), client_secret.reveal(), client_place(tenant, integration));
}

result<secret> open_client_secret(crypto::key_ring const& ring, tenant_id const& tenant, integration_id integration, bytes const& sealed) {
    return crypto::open(ring.for_purpose(client_purpose), sealed, client_place(tenant, integration));
}

}  // namespace calbridge::account
