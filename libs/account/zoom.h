#pragma once
// Tenants' own Zoom apps: stored sealed, opened here.

#include "clients/zoom/zoom.h"

#include "common/base/ids.h"
#include "common/crypto/crypto.h"
#include "common/pg/database.h"

#include <memory>
#include <optional>

namespace calbridge::account {

class zoom_directory {
public:
    virtual ~zoom_directory() = default;
    // Empty: the tenant has none. Known for a minute before it is asked for again.
    virtual task<result<std::optional<zoom::account>>> find(tenant_id tenant) = 0;
};
std::unique_ptr<zoom_directory> make_zoom_directory(pg::database& db, crypto::key_ring ring, clock const& now);

// The app's client secret, bound to its tenant's row.
bytes seal_zoom_secret(crypto::key_ring const& ring, tenant_id const& tenant, secret const& client_secret);

}  // namespace calbridge::account
