#include "common/base/ids.h"

#include "common/base/encoding.h"
#include "common/base/random.h"

#include <chrono>
#include <cstring>

namespace calbridge {
namespace {

// UUIDs are unguessable enough but never secrets, so one read of the system's generator serves many of them.
void uuid_random_bytes(std::span<std::uint8_t> out) {
    thread_local std::array<std::uint8_t, 4096> pool;
    thread_local std::size_t used = pool.size();
    if (pool.size() - used < out.size()) {
        random_bytes(pool);
        used = 0;
    }
    std::memcpy(out.data(), pool.data() + used, out.size());
    used += out.size();
}

constexpr auto hex_values = [] {
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    for (int i = 0; i < 10; ++i) table[static_cast<std::size_t>('0' + i)] = static_cast<std::int8_t>(i);
    for (int i = 0; i < 6; ++i) {
        table[static_cast<std::size_t>('a' + i)] = static_cast<std::int8_t>(10 + i);
        table[static_cast<std::size_t>('A' + i)] = static_cast<std::int8_t>(10 + i);
    }
    return table;
}();

void set_version(uuid& id, std::uint8_t version) {
    id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0F) | (version << 4));
    id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3F) | 0x80);
}

}  // namespace

bool is_valid_text_id(std::string_view value) {
    if (value.empty() || value.size() > 128) return false;
    for (auto const c : value) {
        if (c <= ' ' || c > '~' || c == '"' || c == '\'' || c == '`' || c == '/' || c == '\\') return false;
    }
    return true;
}

std::string to_string(uuid const& id) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out(36, '-');
    std::size_t at = 0;
    for (std::size_t i = 0; i < id.bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) ++at;
        out[at++] = digits[id.bytes[i] >> 4];
        out[at++] = digits[id.bytes[i] & 15];
    }
    return out;
}

result<uuid> parse_uuid(std::string_view text) {
    if (text.size() != 36) return fail(errc::malformed, "uuid: not 36 characters");
    if (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return fail(errc::malformed, "uuid: hyphen missing");
    uuid id;
    int bad = 0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < id.bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) ++at;
        int const high = hex_values[static_cast<unsigned char>(text[at])];
        int const low = hex_values[static_cast<unsigned char>(text[at + 1])];
        at += 2;
        bad |= high | low;
        id.bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
    }
    if (bad < 0) return fail(errc::malformed, "uuid: not a hexadecimal digit");
    return id;
}

uuid random_uuid() {
    uuid id;
    uuid_random_bytes(id.bytes);
    set_version(id, 4);
    return id;
}

uuid time_ordered_uuid() {
    uuid id;
    uuid_random_bytes(std::span(id.bytes).subspan(6));
    auto const since = std::chrono::system_clock::now().time_since_epoch();
    auto ms = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
    for (std::size_t i = 6; i-- > 0; ms >>= 8) id.bytes[i] = static_cast<std::uint8_t>(ms);
    set_version(id, 7);
    return id;
}

}  // namespace calbridge

std::size_t std::hash<calbridge::uuid>::operator()(calbridge::uuid const& id) const noexcept {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    std::memcpy(&high, id.bytes.data(), 8);
    std::memcpy(&low, id.bytes.data() + 8, 8);
    // Time-ordered ids share their first half; the multiplication spreads both.
    std::uint64_t mixed = (high ^ (low >> 32 | low << 32)) * 0x9E3779B97F4A7C15u;
    mixed ^= mixed >> 32;
    return static_cast<std::size_t>(mixed * 0xD6E8FEB86659FD93u);
}
