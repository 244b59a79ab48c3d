#include "domain/stamp.h"

#include "common/base/encoding.h"

#include <algorithm>
#include <span>

namespace calbridge::domain {
namespace {

constexpr std::string_view version = "1";
constexpr std::size_t mac_bytes = 16;

// Each part with its length in front, so no two lists of parts give the same bytes.
std::string framed(std::initializer_list<std::string_view> parts) {
    std::string out;
    for (auto const part : parts) out.append(std::to_string(part.size())).append(":").append(part);
    return out;
}

std::string plain_hex(uuid const& id) { return hex(id.bytes); }

std::string mac_of(secret const& key, stamp_place const& place, link_id link) {
    auto const message = framed({"calbridge.stamp.1", place.tenant.str(), plain_hex(place.connection.value), place.google_calendar_id,
                                 place.event_id, plain_hex(link.value)});
    auto const full = crypto::hmac_sha256(key, message);
    return base64url(std::span(full).first(mac_bytes));
}

}  // namespace

std::string make_stamp(crypto::key_ring const& ring, stamp_place const& place, link_id link) {
    std::string out(version);
    out.append(".")
        .append(ring.primary_id())
        .append(".")
        .append(plain_hex(link.value))
        .append(".")
        .append(mac_of(ring.primary(), place, link));
    return out;
}

std::optional<link_id> verify_stamp(crypto::key_ring const& ring, stamp_place const& place, std::string_view stamp) {
    auto const next_part = [&stamp]() {
        auto const dot = stamp.find('.');
        auto const part = stamp.substr(0, dot);
        stamp.remove_prefix(dot == std::string_view::npos ? stamp.size() : dot + 1);
        return part;
    };
    if (stamp.size() > 100 || next_part() != version) return {};
    auto const* const key = ring.find(next_part());
    auto const spelled = next_part();
    auto const id = from_hex(spelled);
    if (!key || !id || id->size() != 16) return {};
    link_id link;
    std::ranges::copy(*id, link.value.bytes.begin());
    if (plain_hex(link.value) != spelled) return {};  // one spelling per stamp
    if (!crypto::constant_time_equal(mac_of(*key, place, link), stamp)) return {};
    return link;
}

std::string event_id_for(tenant_id const& tenant, connection_id connection, link_id link, int generation) {
    return base32hex(crypto::sha256(
        framed({"calbridge.event.1", tenant.str(), plain_hex(connection.value), plain_hex(link.value), std::to_string(generation)})));
}

std::string meet_request_id(link_id link, int generation) {
    auto const full = crypto::sha256(framed({"calbridge.meet.1", plain_hex(link.value), std::to_string(generation)}));
    return base32hex(std::span(full).first(20));
}

}  // namespace calbridge::domain
