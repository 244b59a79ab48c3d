#include "session.h"

#include "common/base/random.h"
#include "common/json/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace calbridge::gateway {

namespace {

constexpr std::int64_t life = 8 * 3600;
constexpr std::string_view aad = "gateway session";
constexpr std::size_t cookie_bytes_max = 4096;

std::string random_text() {
    std::array<std::uint8_t, 32> bytes{};
    random_bytes(bytes);
    return base64url(bytes);
}

std::string csrf_of(secret const& key, session const& of) { return base64url(crypto::hmac_sha256(key, "csrf|" + of.id)); }

// The one cookie of this name; two of them (one planted by a sibling domain) count as none.
std::optional<std::string_view> cookie_value(http::headers const& request, std::string_view name) {
    auto const header = http::find(request, "Cookie");
    if (!header) return std::nullopt;
    std::optional<std::string_view> found;
    std::string_view rest = *header;
    while (!rest.empty()) {
        auto const end = std::min(rest.find(';'), rest.size());
        std::string_view pair = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        while (pair.starts_with(' ')) pair.remove_prefix(1);
        if (!pair.starts_with(name) || pair.size() <= name.size() || pair[name.size()] != '=') continue;
        if (found) return std::nullopt;
        found = pair.substr(name.size() + 1);
    }
    return found;
}

}  // namespace

session_keeper::session_keeper(crypto::key_ring const& ring, std::string public_url)
    : sealing_(ring.for_purpose("gateway-session")), csrf_(ring.for_purpose("gateway-csrf")), origin_(std::move(public_url)),
      secure_(origin_.starts_with("https://")) {}

std::string_view session_keeper::cookie_name() const { return secure_ ? "__Host-calbridge" : "calbridge"; }

session session_keeper::open(principal who, std::int64_t now_unix) const {
    return {.who = std::move(who), .id = random_text(), .ends_at = now_unix + life};
}

std::string session_keeper::cookie(session const& of, std::int64_t now_unix) const {
    json::object const content{{"t", of.who.tenant.str()}, {"u", of.who.user.str()}, {"r", of.who.role}, {"s", of.id}, {"e", of.ends_at}};
    std::string const sealed = base64url(crypto::seal(sealing_, json::serialize(content), aad));
    return fmt::format("{}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{}", cookie_name(), sealed,
                       std::max<std::int64_t>(of.ends_at - now_unix, 0), secure_ ? "; Secure" : "");
}

std::optional<session> session_keeper::find(http::headers const& request, std::int64_t now_unix) const {
    auto const value = cookie_value(request, cookie_name());
    if (!value || value->size() > cookie_bytes_max) return std::nullopt;
    auto const sealed = from_base64url(*value);
    if (!sealed) return std::nullopt;
    auto const opened = crypto::open(sealing_, *sealed, aad);
    if (!opened) return std::nullopt;
    auto const document = json::parse(opened->reveal(), "session", {.bytes_max = cookie_bytes_max, .depth_max = 4});
    if (!document || !document->is_object()) return std::nullopt;
    auto const& from = document->get_object();
    session out{.who = {.tenant = tenant_id(std::string(json::text_or(from, "t"))),
                        .user = user_id(std::string(json::text_or(from, "u"))),
                        .role = std::string(json::text_or(from, "r"))},
                .id = std::string(json::text_or(from, "s")),
                .ends_at = json::integer_or(from, "e")};
    if (out.ends_at <= now_unix || out.id.empty() || !is_valid_text_id(out.who.tenant.str()) || !is_valid_text_id(out.who.user.str()))
        return std::nullopt;
    return out;
}

std::string session_keeper::csrf_token(session const& of) const { return csrf_of(csrf_.primary(), of); }

std::string session_keeper::fault_of_post(session const& of, http::headers const& request,
                                          std::optional<std::string_view> csrf_field) const {
    auto const site = http::find(request, "Sec-Fetch-Site");
    auto const origin = http::find(request, "Origin");
    if (site && *site != "same-origin") return "sent by another site";
    // Under Referrer-Policy: no-referrer browsers say `null` for our own forms too, so it proves nothing; then Sec-Fetch-Site has to.
    bool const origin_says = origin && *origin != "null";
    if (origin_says && *origin != origin_) return "sent from another origin";
    if (!site && !origin_says) return "neither Origin nor Sec-Fetch-Site";
    if (!csrf_field) return "without a CSRF token";
    for (auto const& id : csrf_.ids()) {
        if (crypto::constant_time_equal(*csrf_field, csrf_of(*csrf_.find(id), of))) return {};
    }
    return "with another session's CSRF token";
}

bytes session_hash(session const& of) {
    auto const hash = crypto::sha256(of.id);
    return bytes(hash.begin(), hash.end());
}

}  // namespace calbridge::gateway
