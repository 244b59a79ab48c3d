#pragma once
// AES-256-GCM with everything explicit. Internal to this folder and its tests, which hold it against published vectors.

#include "common/base/encoding.h"
#include "common/base/secret.h"

#include <optional>
#include <span>
#include <string_view>

namespace calbridge::crypto {

constexpr std::size_t gcm_key_bytes = 32;
constexpr std::size_t gcm_nonce_bytes = 12;
constexpr std::size_t gcm_tag_bytes = 16;

// Ciphertext followed by the tag, appended to `out`. A nonce must never be used twice under one key.
void gcm_seal(secret const& key, std::span<std::uint8_t const> nonce, std::string_view aad, std::string_view plaintext, bytes& out);
// Nothing when the tag does not hold. `sealed` is ciphertext followed by a tag of exactly 16 bytes.
std::optional<secret> gcm_open(secret const& key, std::span<std::uint8_t const> nonce, std::string_view aad,
                               std::span<std::uint8_t const> sealed);

}  // namespace calbridge::crypto
