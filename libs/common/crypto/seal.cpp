#include "common/base/random.h"
#include "common/crypto/aes_gcm.h"
#include "common/crypto/crypto.h"

namespace calbridge::crypto {

namespace {

constexpr std::uint8_t layout_version = 1;
constexpr std::size_t fixed_bytes = 2;  // version, key id length

// version | key id length | key id. It is authenticated with the caller's place, so a value cannot be relabelled.
bytes header(std::string_view key_id) {
    bytes out{layout_version, static_cast<std::uint8_t>(key_id.size())};
    out.insert(out.end(), key_id.begin(), key_id.end());
    return out;
}

std::string bound_to(std::span<std::uint8_t const> head, std::string_view aad) {
    std::string both(as_text(head));
    return both.append(aad);
}

bytes seal_under(secret const& key, std::string_view key_id, std::string_view plaintext, std::string_view aad) {
    bytes out = header(key_id);
    std::string const place = bound_to(out, aad);
    std::array<std::uint8_t, gcm_nonce_bytes> nonce;
    random_bytes(nonce);
    out.reserve(out.size() + nonce.size() + plaintext.size() + gcm_tag_bytes);
    out.insert(out.end(), nonce.begin(), nonce.end());
    gcm_seal(key, nonce, place, plaintext, out);
    return out;
}

error not_ours() { return fail(errc::malformed, "sealed value: not ours, cut, changed, or moved from its place"); }

struct parts {
    std::span<std::uint8_t const> head, nonce, body;
    std::string_view key_id;
};

result<parts> split(std::span<std::uint8_t const> sealed) {
    if (sealed.size() < fixed_bytes || sealed[0] != layout_version) return not_ours();
    std::size_t const head_bytes = fixed_bytes + sealed[1];
    if (sealed.size() < head_bytes + gcm_nonce_bytes + gcm_tag_bytes) return not_ours();
    return parts{.head = sealed.first(head_bytes),
                 .nonce = sealed.subspan(head_bytes, gcm_nonce_bytes),
                 .body = sealed.subspan(head_bytes + gcm_nonce_bytes),
                 .key_id = as_text(sealed.subspan(fixed_bytes, sealed[1]))};
}

result<secret> open_under(secret const& key, parts const& p, std::string_view aad) {
    auto plaintext = gcm_open(key, p.nonce, bound_to(p.head, aad), p.body);
    if (!plaintext) return not_ours();
    return std::move(*plaintext);
}

}  // namespace

bytes seal(key_ring const& ring, std::string_view plaintext, std::string_view aad) {
    return seal_under(ring.primary(), ring.primary_id(), plaintext, aad);
}

result<secret> open(key_ring const& ring, std::span<std::uint8_t const> sealed, std::string_view aad) {
    auto const p = split(sealed);
    if (!p) return p.error();
    if (p->key_id.empty()) return not_ours();
    secret const* const key = ring.find(p->key_id);
    if (!key) return fail(errc::not_found, "sealed value: its key is not in the ring");
    return open_under(*key, *p, aad);
}

data_key new_data_key(key_ring const& ring, std::string_view aad) {
    std::string raw(gcm_key_bytes, '\0');
    random_bytes({reinterpret_cast<std::uint8_t*>(raw.data()), raw.size()});
    bytes wrapped = seal(ring, raw, aad);
    secret key(raw);
    wipe(raw.data(), raw.size());
    return {.key = std::move(key), .wrapped = std::move(wrapped)};
}

result<secret> unwrap(key_ring const& ring, std::span<std::uint8_t const> wrapped, std::string_view aad) {
    auto key = open(ring, wrapped, aad);
    if (key && key->reveal().size() != gcm_key_bytes) return not_ours();
    return key;
}

bytes seal_with(secret const& key, std::string_view plaintext, std::string_view aad) { return seal_under(key, {}, plaintext, aad); }

result<secret> open_with(secret const& key, std::span<std::uint8_t const> sealed, std::string_view aad) {
    auto const p = split(sealed);
    if (!p) return p.error();
    if (!p->key_id.empty()) return not_ours();
    return open_under(key, *p, aad);
}

}  // namespace calbridge::crypto
