#pragma once
// Byte encodings of RFC 4648 and UTF-8 checks.

#include "common/base/result.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace calbridge {

using bytes = std::vector<std::uint8_t>;

inline std::span<std::uint8_t const> as_bytes(std::string_view text) {
    return {reinterpret_cast<std::uint8_t const*>(text.data()), text.size()};
}
inline std::string_view as_text(std::span<std::uint8_t const> data) { return {reinterpret_cast<char const*>(data.data()), data.size()}; }

std::string hex(std::span<std::uint8_t const> data);        // lower case
std::string base64(std::span<std::uint8_t const> data);     // section 4, padded
std::string base64url(std::span<std::uint8_t const> data);  // section 5, unpadded
std::string base32hex(std::span<std::uint8_t const> data);  // section 7, lower case, unpadded (Google's event id alphabet)
result<bytes> from_hex(std::string_view text);
result<bytes> from_base64(std::string_view text);
result<bytes> from_base64url(std::string_view text);  // padding refused

// Percent-encodes everything but RFC 3986 unreserved characters.
std::string percent_encode(std::string_view text);
// Decodes %XX once; with `plus_is_space` also '+'. errc::malformed on a bad escape.
result<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

bool is_valid_utf8(std::string_view text);
// Replaces invalid UTF-8 and NUL by U+FFFD, so the text can be stored and sent anywhere.
std::string scrub_text(std::string_view text);

}  // namespace calbridge
