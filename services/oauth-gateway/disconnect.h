#pragma once
// POST /settings/calendar/disconnect/{connection}: tokens are unusable at once, channels are stopped, the grant is revoked, the data key is
// destroyed. Repeating it is harmless.

#include "deps.h"

namespace calbridge::gateway {

task<http::response> disconnect(deps const& d, http::server_request const& request);

}  // namespace calbridge::gateway
