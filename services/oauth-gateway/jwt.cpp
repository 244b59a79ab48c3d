#include "jwt.h"

#include "common/base/encoding.h"
#include "common/crypto/crypto.h"
#include "common/json/json.h"

#include <fmt/format.h>

namespace calbridge::gateway {

namespace {

constexpr std::size_t token_bytes_max = 4096;
constexpr std::int64_t skew = 60;
constexpr std::int64_t launch_life_max = 300;
constexpr std::int64_t bearer_life_max = 3600;

error refuse(std::string_view why) { return fail(errc::unauthorized, fmt::format("token: {}", why)); }

result<json::object> object_of(std::string_view part) {
    auto const decoded = from_base64url(part);
    if (!decoded) return refuse("bad base64url");
    auto document = json::parse(as_text(*decoded), "token", {.bytes_max = token_bytes_max, .depth_max = 4});
    if (!document || !document->is_object()) return refuse("not a JSON object");
    return std::move(document->get_object());
}

// The claims of a token whose signature holds. The algorithm is ours to choose; the header may only agree.
result<json::object> claims_of(secret const& key, std::string_view token) {
    auto const first = token.find('.');
    auto const second = first == std::string_view::npos ? first : token.find('.', first + 1);
    if (token.size() > token_bytes_max || second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
        return refuse("not three parts");
    auto const header = object_of(token.substr(0, first));
    if (!header) return header.error();
    if (json::text_or(*header, "alg") != "HS256" || header->contains("crit")) return refuse("not signed with HS256");
    auto const signature = from_base64url(token.substr(second + 1));
    if (!signature) return refuse("bad base64url");
    auto const expected = crypto::hmac_sha256(key, token.substr(0, second));
    if (!crypto::constant_time_equal(as_text(*signature), as_text(expected))) return refuse("the signature does not hold");
    return object_of(token.substr(first + 1, second - first - 1));
}

result<void> check_times(json::object const& claims, std::int64_t life_max, std::int64_t now) {
    auto const iat = json::integer_or(claims, "iat", -1), exp = json::integer_or(claims, "exp", -1);
    if (iat < 0 || exp < 0) return refuse("without iat or exp");
    if (exp <= iat || exp - iat > life_max) return refuse("lives too long");
    if (exp <= now) return refuse("expired");
    if (iat > now + skew) return refuse("issued in the future");
    if (json::integer_or(claims, "nbf", 0) > now + skew) return refuse("not valid yet");
    return {};
}

result<principal> who_of(json::object const& claims) {
    principal out{.tenant = tenant_id(std::string(json::text_or(claims, "tenant"))),
                  .user = user_id(std::string(json::text_or(claims, "user"))),
                  .role = std::string(json::text_or(claims, "role", "user"))};
    if (!is_valid_text_id(out.tenant.str()) || !is_valid_text_id(out.user.str())) return refuse("without a usable tenant or user");
    if (out.role != "user" && out.role != "admin") return refuse("unknown role");
    return out;
}

}  // namespace

result<launch> read_launch(secret const& key, std::string_view token, std::int64_t now_unix) {
    auto const claims = claims_of(key, token);
    if (!claims) return claims.error();
    // A token made for another use must not open a session.
    if (claims->contains("aud") && json::text_or(*claims, "aud") != "calbridge-launch") return refuse("another audience");
    if (auto const times = check_times(*claims, launch_life_max, now_unix); !times) return times.error();
    auto who = who_of(*claims);
    if (!who) return who.error();
    std::string id(json::text_or(*claims, "jti"));
    if (id.size() < 8 || id.size() > 128) return refuse("without a usable jti");
    return launch{.who = std::move(*who), .id = std::move(id)};
}

result<principal> read_bearer(secret const& key, std::string_view token, std::int64_t now_unix) {
    auto const claims = claims_of(key, token);
    if (!claims) return claims.error();
    if (json::text_or(*claims, "aud") != "calbridge-api") return refuse("another audience");
    if (auto const times = check_times(*claims, bearer_life_max, now_unix); !times) return times.error();
    return who_of(*claims);
}

}  // namespace calbridge::gateway
