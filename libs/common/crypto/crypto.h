#pragma once
// Cryptography on OpenSSL 3 only.

#include "common/base/encoding.h"
#include "common/base/result.h"
#include "common/base/secret.h"

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace calbridge::crypto {

using mac = std::array<std::uint8_t, 32>;

mac hmac_sha256(secret const& key, std::string_view message);
std::array<std::uint8_t, 32> sha256(std::string_view message);
// HKDF-SHA256 (RFC 5869) with empty salt; a named sub-key of `key`.
secret derive(secret const& key, std::string_view info, std::size_t size = 32);
bool constant_time_equal(std::string_view a, std::string_view b);

// Keys by short id. Seals with the primary, opens with any. Text form, one key a line or comma-separated:
//   "k2:BASE64(32 bytes),k1:BASE64"   the first is the primary. Ids are [a-z0-9]{1,8}.
class key_ring {
public:
    static result<key_ring> parse(secret const& text);
    std::string const& primary_id() const { return primary_; }
    secret const* find(std::string_view id) const;
    secret const& primary() const;
    // The same ring with each key replaced by derive(key, purpose): one ring of secrets, many uses.
    key_ring for_purpose(std::string_view purpose) const;
    std::vector<std::string> ids() const;

private:
    std::string primary_;
    std::map<std::string, secret, std::less<>> keys_;
};

// AES-256-GCM, random 96-bit nonce, 128-bit tag. Layout: version(1)=1 | key id length(1) | key id | nonce(12) | ciphertext | tag(16).
// `aad` binds the value to its place (table, tenant, row, column) and must be given again to open.
bytes seal(key_ring const& ring, std::string_view plaintext, std::string_view aad);
// errc::not_found: sealed under a key that is not in the ring; errc::malformed: not ours, cut, or changed. Nothing is released before the
// tag holds.
result<secret> open(key_ring const& ring, std::span<std::uint8_t const> sealed, std::string_view aad);

// Envelope: a fresh 32-byte data key sealed under the ring. Destroying the wrapped key makes everything under it unreadable.
struct data_key {
    secret key;     // 32 bytes
    bytes wrapped;  // what is stored
};
data_key new_data_key(key_ring const& ring, std::string_view aad);
result<secret> unwrap(key_ring const& ring, std::span<std::uint8_t const> wrapped, std::string_view aad);
// AES-256-GCM under a single 32-byte key; layout: version(1)=1 | 0 | nonce | ciphertext | tag.
bytes seal_with(secret const& key, std::string_view plaintext, std::string_view aad);
result<secret> open_with(secret const& key, std::span<std::uint8_t const> sealed, std::string_view aad);

// RS256 verification for ID tokens: `jwk` members n and e in base64url.
bool verify_rs256(std::string_view signed_part, std::span<std::uint8_t const> signature, std::string_view n_base64url,
                  std::string_view e_base64url);
// A new RSA-2048 key for test issuers: PEM private key plus JWK n/e.
struct rsa_key {
    secret pem;
    std::string n, e;
};
rsa_key new_rsa_key();
bytes sign_rs256(secret const& pem, std::string_view message);

}  // namespace calbridge::crypto
