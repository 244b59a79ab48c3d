#include "tests/emulator/oauth.h"

#include "tests/emulator/oauth_words.h"

#include <algorithm>
#include <array>

namespace calbridge::emulator {

namespace {

// The short names come back spelled out.
std::string spelled_out(std::string_view scope) {
    if (scope == "email" || scope == "profile") return std::string(userinfo_prefix) + std::string(scope);
    return std::string(scope);
}

answer to_answer(reply r) {
    answer out;
    out.status = r.status;
    out.fields = std::move(r.fields);
    out.fields.emplace_back("Content-Type", "application/json; charset=utf-8");
    if (header(out.fields, "Cache-Control") == std::nullopt)
        out.fields.emplace_back("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate");
    if (!r.body.is_null()) out.body = pretty(r.body);
    return out;
}

}  // namespace

scope_set scopes_of(std::string_view text) {
    scope_set out;
    for (auto s : split(text, ' '))
        if (!s.empty()) out.insert(spelled_out(s));
    return out;
}

std::string joined(scope_set const& scopes) {
    std::string out;
    for (auto const& s : scopes) out += (out.empty() ? "" : " ") + s;
    return out;
}

bool is_identity(std::string_view scope) { return scope == "openid" || scope.starts_with(userinfo_prefix); }

std::string_view oauth::endpoint(std::string_view path) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 10> known{
        {{"/o/oauth2/v2/auth", "oauth.auth"},
         {"/token", "oauth.token"},
         {"/revoke", "oauth.revoke"},
         {"/tokeninfo", "oauth.tokeninfo"},
         {"/oauth2/v2/tokeninfo", "oauth.tokeninfo"},
         {"/v1/userinfo", "oauth.userinfo"},
         {"/oauth2/v2/userinfo", "oauth.userinfo_v2"},
         {"/userinfo/v2/me", "oauth.userinfo_v2"},
         {"/oauth2/v3/certs", "oauth.certs"},
         {"/.well-known/openid-configuration", "oauth.metadata"}}};
    auto const it = std::ranges::find(known, path, [](auto const& k) { return k.first; });
    return it != known.end() ? it->second : std::string_view{};
}

answer oauth::handle(request const& r) {
    auto const wrong_method = [&] {
        c_.violate(r.method, r.path, "method is not allowed here");
        auto a = to_answer(invalid_request("Method not allowed"));
        a.status = 405;
        return a;
    };
    // The two that stand in a discovery document are measured against it.
    if (auto const rule = c_.rules.find(r.method, r.path); rule.path_known) {
        auto const query = parse_params(r.query);
        auto const faults = rule.method != nullptr && query ? c_.rules.check_query(*rule.method, *query)
                                                            : std::vector<std::string>{"not a request of this endpoint"};
        for (auto const& fault : faults) c_.violate(r.method, r.path, fault);
        if (!faults.empty()) return to_answer(invalid_request(faults.front()));
    }
    bool const get = r.method == "GET", post = r.method == "POST";
    if (r.path == "/o/oauth2/v2/auth") return get || post ? authorize(r) : wrong_method();
    if (r.path == "/token") return post ? to_answer(token(r)) : wrong_method();
    if (r.path == "/revoke") return post ? to_answer(revoke(r)) : wrong_method();
    if (r.path == "/tokeninfo" || r.path == "/oauth2/v2/tokeninfo") return get || post ? to_answer(tokeninfo(r)) : wrong_method();
    if (!get) return wrong_method();
    if (r.path == "/v1/userinfo") return to_answer(userinfo(r, true));
    if (r.path == "/oauth2/v3/certs") return to_answer(certs());
    if (r.path == "/.well-known/openid-configuration") return to_answer(metadata());
    return to_answer(userinfo(r, false));
}

}  // namespace calbridge::emulator
