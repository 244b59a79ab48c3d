#include "clients/google/id_token.h"

#include "common/crypto/crypto.h"
#include "common/json/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace calbridge::google {

namespace {

constexpr std::size_t token_bytes_max = 16 * 1024;
constexpr std::int64_t skew = 300;
constexpr std::int64_t life_max = 86400;

error refuse(std::string_view why) { return fail(errc::malformed, fmt::format("id token: {}", why)); }

result<json::object> decode_part(std::string_view part, std::string_view what) {
    auto const decoded = from_base64url(part);
    if (!decoded) return refuse("bad base64url");
    auto document = json::parse(as_text(*decoded), what, {.bytes_max = token_bytes_max, .depth_max = 8});
    if (!document || !document->is_object()) return refuse("a part that is no JSON object");
    return std::move(document->get_object());
}

}  // namespace

result<key_set> read_jwks(std::string_view body) {
    auto const document = json::parse(body, "key set", {.bytes_max = 256 * 1024, .depth_max = 8}, true);
    if (!document) return document.error();
    json::array const* const keys = document->is_object() ? json::array_at(document->get_object(), "keys") : nullptr;
    if (!keys) return fail(errc::malformed, "key set: no keys");
    key_set out;
    for (auto const& one : *keys) {
        if (!one.is_object()) continue;
        auto const& key = one.get_object();
        auto const kid = json::text_or(key, "kid"), n = json::text_or(key, "n"), e = json::text_or(key, "e");
        bool const signs = json::text_or(key, "use", "sig") == "sig" && json::text_or(key, "alg", "RS256") == "RS256";
        if (json::text_or(key, "kty") == "RSA" && signs && !kid.empty() && !n.empty() && !e.empty())
            out.emplace(kid, rsa_public_key{std::string(n), std::string(e)});
    }
    if (out.empty()) return fail(errc::malformed, "key set: no usable key");
    return out;
}

std::chrono::seconds cache_life(std::optional<std::string_view> cache_control) {
    std::chrono::seconds const least{60}, most{86400};
    if (!cache_control) return std::chrono::seconds{300};
    std::string lower(*cache_control);
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (lower.find("no-store") != std::string::npos || lower.find("no-cache") != std::string::npos) return least;
    auto const at = lower.find("max-age=");
    if (at == std::string::npos) return std::chrono::seconds{300};
    std::int64_t value = 0;
    char const* const first = lower.data() + at + 8;
    auto const [end, ec] = std::from_chars(first, lower.data() + lower.size(), value);
    if (ec != std::errc{} || end == first) return std::chrono::seconds{300};
    return std::clamp(std::chrono::seconds{value}, least, most);
}

result<opened_token> open_id_token(secret const& token) {
    std::string_view const text = token.reveal();
    auto const first = text.find('.');
    auto const second = first == std::string_view::npos ? first : text.find('.', first + 1);
    if (text.size() > token_bytes_max || second == std::string_view::npos || text.find('.', second + 1) != std::string_view::npos)
        return refuse("not three parts");
    auto const header = decode_part(text.substr(0, first), "id token header");
    if (!header) return header.error();
    // The algorithm is ours to choose; the token only may agree.
    if (json::text_or(*header, "alg") != "RS256") return refuse("not signed with RS256");
    auto const claims = decode_part(text.substr(first + 1, second - first - 1), "id token claims");
    if (!claims) return claims.error();
    auto signature = from_base64url(text.substr(second + 1));
    if (!signature || signature->empty()) return refuse("no signature");
    opened_token out;
    out.kid = json::text_or(*header, "kid");
    if (out.kid.empty()) return refuse("no key id");
    out.signed_part = text.substr(0, second);
    out.signature = std::move(*signature);
    out.iss = json::text_or(*claims, "iss");
    out.aud = json::text_or(*claims, "aud");
    out.azp = json::text_or(*claims, "azp");
    out.sub = json::text_or(*claims, "sub");
    out.email = json::text_or(*claims, "email");
    out.nonce = json::text_or(*claims, "nonce");
    out.iat = json::integer_or(*claims, "iat");
    out.exp = json::integer_or(*claims, "exp");
    return out;
}

bool signature_holds(opened_token const& token, rsa_public_key const& key) {
    return crypto::verify_rs256(token.signed_part, token.signature, key.n, key.e);
}

result<identity> check_claims(opened_token const& token, std::string_view client_id, std::string_view nonce, std::int64_t now_unix) {
    if (token.iss != "https://accounts.google.com" && token.iss != "accounts.google.com") return refuse("another issuer");
    if (client_id.empty() || token.aud != client_id) return refuse("another audience");
    if (!token.azp.empty() && token.azp != client_id) return refuse("another authorised party");
    if (token.exp + skew < now_unix) return refuse("expired");
    if (token.iat - skew > now_unix) return refuse("issued in the future");
    if (token.exp - token.iat > life_max || token.exp <= token.iat) return refuse("an impossible life");
    if (nonce.empty() || !crypto::constant_time_equal(token.nonce, nonce)) return refuse("another nonce");
    if (token.sub.empty() || token.sub.size() > 255) return refuse("no subject");
    return identity{.sub = token.sub, .email = token.email};
}

}  // namespace calbridge::google
