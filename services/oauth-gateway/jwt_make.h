#pragma once
// Tests only: tokens as the CRM makes them.

#include "common/base/encoding.h"
#include "common/base/secret.h"
#include "common/crypto/crypto.h"
#include "common/json/json.h"

#include <string>

namespace calbridge::gateway {

inline std::string make_jwt(secret const& key, json::object const& claims, std::string_view header = R"({"alg":"HS256","typ":"JWT"})") {
    std::string const text = json::serialize(claims);
    std::string const part = base64url(as_bytes(header)) + "." + base64url(as_bytes(text));
    return part + "." + base64url(crypto::hmac_sha256(key, part));
}

}  // namespace calbridge::gateway
