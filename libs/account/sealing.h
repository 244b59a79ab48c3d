#pragma once
// Internal to this folder.

#include "account/tokens.h"

namespace calbridge::account {

result<secret> open_client_secret(crypto::key_ring const& ring, tenant_id const& tenant, integration_id integration, bytes const& sealed);

}  // namespace calbridge::account
