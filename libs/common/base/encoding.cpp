#include "common/base/encoding.h"

#include <array>

namespace calbridge {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view base64url_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view base32hex_digits = "0123456789abcdefghijklmnopqrstuv";

using reverse_table = std::array<std::int8_t, 256>;

constexpr reverse_table reverse(std::string_view digits) {
    reverse_table table{};
    table.fill(-1);
    for (std::size_t i = 0; i < digits.size(); ++i) table[static_cast<unsigned char>(digits[i])] = static_cast<std::int8_t>(i);
    return table;
}
constexpr reverse_table base64_values = reverse(base64_digits);
constexpr reverse_table base64url_values = reverse(base64url_digits);

// Writes `bits` at a time; the last group is filled up with zero bits.
std::string encode_bits(std::span<std::uint8_t const> data, std::string_view digits, unsigned bits) {
    std::string out;
    out.reserve((data.size() * 8 + bits - 1) / bits);
    std::uint32_t held = 0;
    unsigned held_bits = 0;
    for (auto const byte : data) {
        held = (held << 8) | byte;
        held_bits += 8;
        while (held_bits >= bits) {
            held_bits -= bits;
            out.push_back(digits[(held >> held_bits) & ((1u << bits) - 1)]);
        }
        held &= (1u << held_bits) - 1;
    }
    if (held_bits > 0) out.push_back(digits[(held << (bits - held_bits)) & ((1u << bits) - 1)]);
    return out;
}

// Decodes unpadded base64. Each byte string has exactly one accepted spelling: leftover bits must be zero.
result<bytes> decode_base64(std::string_view text, reverse_table const& values) {
    if (text.size() % 4 == 1) return fail(errc::malformed, "base64: impossible length");
    bytes out;
    out.reserve(text.size() * 3 / 4);
    std::uint32_t held = 0;
    unsigned held_bits = 0;
    for (auto const c : text) {
        auto const value = values[static_cast<unsigned char>(c)];
        if (value < 0) return fail(errc::malformed, "base64: character outside the alphabet");
        held = (held << 6) | static_cast<std::uint32_t>(value);
        held_bits += 6;
        if (held_bits >= 8) {
            held_bits -= 8;
            out.push_back(static_cast<std::uint8_t>(held >> held_bits));
            held &= (1u << held_bits) - 1;
        }
    }
    if (held != 0) return fail(errc::malformed, "base64: leftover bits are not zero");
    return out;
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// Length of the valid UTF-8 sequence at the start of `text` (RFC 3629: no surrogates, nothing over U+10FFFF), or 0.
std::size_t sequence_length(std::string_view text) {
    auto const at = [text](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    auto const is_tail = [](unsigned c) { return (c & 0xC0u) == 0x80u; };
    unsigned const first = at(0);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return is_tail(at(1)) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        if (!is_tail(at(1)) || !is_tail(at(2))) return 0;
        if (first == 0xE0 && at(1) < 0xA0) return 0;
        if (first == 0xED && at(1) > 0x9F) return 0;
        return 3;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        if (!is_tail(at(1)) || !is_tail(at(2)) || !is_tail(at(3))) return 0;
        if (first == 0xF0 && at(1) < 0x90) return 0;
        if (first == 0xF4 && at(1) > 0x8F) return 0;
        return 4;
    }
    return 0;
}

}  // namespace

std::string hex(std::span<std::uint8_t const> data) {
    std::string out(data.size() * 2, '0');
    for (std::size_t i = 0; i < data.size(); ++i) {
        out[2 * i] = hex_digits[data[i] >> 4];
        out[2 * i + 1] = hex_digits[data[i] & 15];
    }
    return out;
}

std::string base64(std::span<std::uint8_t const> data) {
    auto out = encode_bits(data, base64_digits, 6);
    while (out.size() % 4 != 0) out.push_back('=');
    return out;
}

std::string base64url(std::span<std::uint8_t const> data) { return encode_bits(data, base64url_digits, 6); }

std::string base32hex(std::span<std::uint8_t const> data) { return encode_bits(data, base32hex_digits, 5); }

result<bytes> from_hex(std::string_view text) {
    if (text.size() % 2 != 0) return fail(errc::malformed, "hex: odd number of digits");
    bytes out;
    out.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        int const high = hex_value(text[i]);
        int const low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) return fail(errc::malformed, "hex: not a hexadecimal digit");
        out.push_back(static_cast<std::uint8_t>(high * 16 + low));
    }
    return out;
}

result<bytes> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) return fail(errc::malformed, "base64: length is not a multiple of four");
    for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
    return decode_base64(text, base64_values);
}

result<bytes> from_base64url(std::string_view text) { return decode_base64(text, base64url_values); }

std::string percent_encode(std::string_view text) {
    std::string out;
    out.reserve(text.size() + 16);
    for (auto const c : text) {
        bool const unreserved =
            (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (unreserved) {
            out.push_back(c);
            continue;
        }
        auto const byte = static_cast<unsigned char>(c);
        out.push_back('%');
        out.push_back("0123456789ABCDEF"[byte >> 4]);
        out.push_back("0123456789ABCDEF"[byte & 15]);
    }
    return out;
}

result<std::string> percent_decode(std::string_view text, bool plus_is_space) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char const c = text[i];
        if (c == '+' && plus_is_space) {
            out.push_back(' ');
            continue;
        }
        if (c != '%') {
            out.push_back(c);
            continue;
        }
        int const high = i + 1 < text.size() ? hex_value(text[i + 1]) : -1;
        int const low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
        if (high < 0 || low < 0) return fail(errc::malformed, "percent-encoding: bad escape");
        out.push_back(static_cast<char>(high * 16 + low));
        i += 2;
    }
    return out;
}

bool is_valid_utf8(std::string_view text) {
    while (!text.empty()) {
        auto const length = sequence_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

std::string scrub_text(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        auto const length = sequence_length(text);
        if (length == 0 || text.front() == '\0') {
            out.append("\xEF\xBF\xBD");
            text.remove_prefix(1);
            continue;
        }
        out.append(text.substr(0, length));
        text.remove_prefix(length);
    }
    return out;
}

}  // namespace calbridge
