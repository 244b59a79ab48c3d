#pragma once
// ID tokens: everything but fetching keys, pure. Internal to this folder and its tests.

#include "clients/google/google.h"

#include "common/base/encoding.h"

#include <map>

namespace calbridge::google {

struct rsa_public_key {
    std::string n, e;
};
using key_set = std::map<std::string, rsa_public_key, std::less<>>;

// RS256 signing keys by kid; others are left out.
result<key_set> read_jwks(std::string_view body);
// max-age of Cache-Control, between one minute and one day; five minutes when it does not say.
std::chrono::seconds cache_life(std::optional<std::string_view> cache_control);

struct opened_token {
    std::string kid;
    std::string signed_part;
    bytes signature;
    std::string iss, aud, azp, sub, email, nonce;
    std::int64_t iat{}, exp{};
};
// Takes a compact JWS apart; only RS256 with a kid. Nothing in it is trusted yet.
result<opened_token> open_id_token(secret const& token);
bool signature_holds(opened_token const& token, rsa_public_key const& key);
// Issuer in both spellings, audience, authorised party, expiry and issue time with 300 s skew, life of at most a day, nonce, subject.
result<identity> check_claims(opened_token const& token, std::string_view client_id, std::string_view nonce, std::int64_t now_unix);

}  // namespace calbridge::google
