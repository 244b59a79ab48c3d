#include "domain/channel_token.h"

#include "common/base/encoding.h"

#include <algorithm>
#include <array>

namespace calbridge::domain {
namespace {

constexpr std::size_t payload_bytes = 36;
constexpr std::size_t mac_bytes = 16;
using payload = std::array<std::uint8_t, payload_bytes>;

std::array<std::uint8_t, mac_bytes> mac_of(secret const& key, channel_id channel, std::span<std::uint8_t const> content) {
    std::array<char, 4 + 16 + payload_bytes> message{'c', 'h', '1', '|'};
    std::ranges::copy(channel.value.bytes, message.begin() + 4);
    std::ranges::copy(content, message.begin() + 20);
    auto const whole = crypto::hmac_sha256(key, {message.data(), message.size()});
    std::array<std::uint8_t, mac_bytes> cut{};
    std::copy_n(whole.begin(), mac_bytes, cut.begin());
    return cut;
}

// The next part up to a dot; the rest stays in `text`. Nothing when there is no dot.
std::optional<std::string_view> take_part(std::string_view& text) {
    auto const dot = text.find('.');
    if (dot == text.npos) return std::nullopt;
    auto const part = text.substr(0, dot);
    text.remove_prefix(dot + 1);
    return part;
}

}  // namespace

secret make_channel_token(crypto::key_ring const& ring, channel_id channel, connection_id connection, calendar_id calendar,
                          instant created) {
    payload content{};
    std::ranges::copy(connection.value.bytes, content.begin());
    std::ranges::copy(calendar.value.bytes, content.begin() + 16);
    auto minutes = static_cast<std::uint32_t>(std::chrono::floor<std::chrono::minutes>(created).time_since_epoch().count());
    for (std::size_t i = payload_bytes; i-- > 32; minutes >>= 8) content[i] = static_cast<std::uint8_t>(minutes);
    auto const mac = mac_of(ring.primary(), channel, content);
    return secret("v1." + ring.primary_id() + "." + base64url(content) + "." + base64url(mac));
}

std::optional<channel_token_content> verify_channel_token(crypto::key_ring const& ring, channel_id channel, std::string_view token) {
    if (token.size() > channel_token_bytes_max) return std::nullopt;
    auto const version = take_part(token);
    if (!version || *version != "v1") return std::nullopt;
    auto const key_id = take_part(token);
    auto const text = take_part(token);
    if (!key_id || !text) return std::nullopt;
    auto const* const key = ring.find(*key_id);
    auto const content = from_base64url(*text);
    auto const mac = from_base64url(token);
    if (!key || !content || content->size() != payload_bytes || !mac || mac->size() != mac_bytes) return std::nullopt;
    auto const expected = mac_of(*key, channel, *content);
    if (!crypto::constant_time_equal(as_text(*mac), as_text(expected))) return std::nullopt;

    channel_token_content out;
    std::copy_n(content->begin(), 16, out.connection.value.bytes.begin());
    std::copy_n(content->begin() + 16, 16, out.calendar.value.bytes.begin());
    std::uint32_t minutes = 0;
    for (std::size_t i = 32; i < payload_bytes; ++i) minutes = minutes << 8 | (*content)[i];
    out.created = instant(std::chrono::minutes(minutes));
    return out;
}

}  // namespace calbridge::domain
