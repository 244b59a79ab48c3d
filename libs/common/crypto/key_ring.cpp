#include "common/crypto/aes_gcm.h"
#include "common/crypto/crypto.h"

#include <algorithm>

namespace calbridge::crypto {

namespace {

constexpr std::size_t id_bytes_max = 8;
constexpr std::size_t keys_max = 32;

bool is_id(std::string_view id) {
    bool const sized = !id.empty() && id.size() <= id_bytes_max;
    return sized && std::ranges::all_of(id, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

std::string_view trim(std::string_view text) {
    auto const first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// The key itself never reaches the message.
error refuse(std::string_view why) { return fail(errc::malformed, "key ring: " + std::string(why)); }

result<secret> decode_key(std::string_view text) {
    auto raw = from_base64(text);
    if (!raw || raw->size() != gcm_key_bytes) {
        if (raw) wipe(raw->data(), raw->size());
        return refuse("a key is not the base64 form of exactly 32 bytes");
    }
    secret key{std::string(as_text(*raw))};
    wipe(raw->data(), raw->size());
    return key;
}

}  // namespace

result<key_ring> key_ring::parse(secret const& text) {
    key_ring ring;
    std::string_view rest = text.reveal();
    while (!rest.empty()) {
        auto const end = rest.find_first_of(",\n");
        std::string_view const entry = trim(rest.substr(0, end));
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
        if (entry.empty()) continue;
        auto const colon = entry.find(':');
        if (colon == std::string_view::npos || !is_id(entry.substr(0, colon))) {
            return refuse("each entry is id:base64 with an id of 1 to 8 lower-case letters and digits");
        }
        std::string const id(entry.substr(0, colon));
        auto key = decode_key(entry.substr(colon + 1));
        if (!key) return key.error();
        if (ring.primary_.empty()) ring.primary_ = id;
        if (!ring.keys_.emplace(id, std::move(*key)).second) return refuse("key id " + id + " is given twice");
        if (ring.keys_.size() > keys_max) return refuse("more than 32 keys");
    }
    if (ring.keys_.empty()) return refuse("holds no key");
    return ring;
}

secret const* key_ring::find(std::string_view id) const {
    auto const found = keys_.find(id);
    return found == keys_.end() ? nullptr : &found->second;
}

secret const& key_ring::primary() const { return keys_.at(primary_); }

key_ring key_ring::for_purpose(std::string_view purpose) const {
    key_ring derived;
    derived.primary_ = primary_;
    for (auto const& [id, key] : keys_) derived.keys_.emplace(id, derive(key, purpose));
    return derived;
}

std::vector<std::string> key_ring::ids() const {
    std::vector<std::string> all;
    for (auto const& [id, key] : keys_) all.push_back(id);
    return all;
}

}  // namespace calbridge::crypto
