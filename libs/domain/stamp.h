#pragma once
// What marks an event as ours: a link id with a MAC, an operation id, and event ids chosen by us.

#include "common/base/ids.h"
#include "common/crypto/crypto.h"

#include <optional>
#include <string>
#include <string_view>

namespace calbridge::domain {

struct stamp_place {
    tenant_id tenant;
    connection_id connection;
    std::string google_calendar_id;
    std::string event_id;
};

// "1.<key id>.<link uuid without hyphens>.<base64url MAC, 16 bytes>" over the place and the link id. Under 100 characters.
std::string make_stamp(crypto::key_ring const& ring, stamp_place const& place, link_id link);
// The link id when the MAC holds for exactly this place. A copied event (other id, other calendar) fails and is foreign.
std::optional<link_id> verify_stamp(crypto::key_ring const& ring, stamp_place const& place, std::string_view stamp);

// Deterministic per (tenant, connection, link, generation): base32hex of SHA-256, 52 characters of Google's alphabet, so a retried
// create cannot double and a deleted id (reserved for ever by Google) is left by raising the generation.
std::string event_id_for(tenant_id const& tenant, connection_id connection, link_id link, int generation);
// Idempotency key of a Meet createRequest: the same intent repeats it, a new intent gets another.
std::string meet_request_id(link_id link, int intent);

}  // namespace calbridge::domain
