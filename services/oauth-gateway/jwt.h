#pragma once
// Signed tokens of the CRM (JWT, HS256): launch links and API bearers. Pure.

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/secret.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace calbridge::gateway {

// Who asks, whichever way they proved it.
struct principal {
    tenant_id tenant;
    user_id user;
    std::string role;  // "user" or "admin"
};

struct launch {
    principal who;
    std::string id;  // jti: each link works once
};

// errc::unauthorized with the reason, which is for logs and never for the caller.
// A launch link: signature, iat and exp at most five minutes apart and around now, jti, audience absent or calbridge-launch.
result<launch> read_launch(secret const& key, std::string_view token, std::int64_t now_unix);
// An API bearer: signature, audience calbridge-api, life of at most an hour.
result<principal> read_bearer(secret const& key, std::string_view token, std::int64_t now_unix);

}  // namespace calbridge::gateway
