#include "tests/emulator/oauth.h"

#include "common/base/encoding.h"
#include "common/crypto/crypto.h"
#include "tests/emulator/oauth_words.h"

#include <algorithm>
#include <array>

namespace calbridge::emulator {

namespace {

std::string sha256_url(std::string_view text) {
    auto const digest = crypto::sha256(text);
    return base64url(digest);
}

}  // namespace

reply oauth::token(request const& r) {
    auto const type = header(r.fields, "Content-Type").value_or("");
    auto const form = parse_params(r.body);
    if (!type.starts_with("application/x-www-form-urlencoded") || !form) {
        c_.violate(r.method, r.path, "the token request is no form");
        return invalid_request("Bad Request");
    }
    std::string id(value_of(*form, "client_id")), secret(value_of(*form, "client_secret"));
    if (auto const basic = header(r.fields, "Authorization"); basic && basic->starts_with("Basic ")) {
        auto const raw = from_base64(basic->substr(6));
        auto const text = raw ? std::string(as_text(*raw)) : std::string();
        auto const colon = text.find(':');
        auto const user = percent_decode(text.substr(0, colon), true);
        auto const word = percent_decode(colon == std::string::npos ? std::string_view{} : std::string_view(text).substr(colon + 1), true);
        if (!user || !word) return refuse_token(401, "invalid_client", "Unauthorized");
        id = *user;
        secret = *word;
    }
    static constexpr std::array known{"client_id",  "client_secret", "code",          "code_verifier",
                                      "grant_type", "redirect_uri",  "refresh_token", "scope"};
    for (auto const& [name, _] : *form) {
        if (std::ranges::find(known, name) != known.end()) continue;
        c_.violate(r.method, r.path, "token request with unknown member " + name);
        return invalid_request("Bad Request");
    }
    if (id.empty()) return invalid_request("Could not determine client ID from request.");
    auto const it = c_.clients.find(id);
    if (it == c_.clients.end() || c_.knob.invalid_client) return refuse_token(401, "invalid_client", "The OAuth client was not found.");
    if (it->second.deleted) return refuse_token(401, "deleted_client", "The OAuth client was deleted.");
    if (secret != it->second.secret)
        return refuse_token(401, "invalid_client", secret.empty() ? "client_secret is missing." : "Unauthorized");
    if (c_.knob.invalid_grant == "revoked") return invalid_grant("Token has been expired or revoked.");
    if (c_.knob.invalid_grant == "bad_request") return invalid_grant();
    auto const grant = value_of(*form, "grant_type");
    if (grant == "authorization_code") return exchange(*form, it->second);
    if (grant == "refresh_token") return refresh(*form, it->second);
    c_.violate(r.method, r.path, "unknown grant_type");
    return refuse_token(400, "unsupported_grant_type", "Invalid grant_type: " + std::string(grant));
}

bj::object oauth::issue(oauth_client const& client, std::string const& who, scope_set const& scopes, std::string const& refresh) {
    auto const text = "ya29.a0" + c_.random_text(120, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
    access_token t{client.id, client.project, who, refresh, scopes, c_.now() + std::chrono::seconds(c_.knob.access_token_ttl_s)};
    if (c_.access.size() > 20000) std::erase_if(c_.access, [&](auto const& entry) { return entry.second.expires <= c_.now(); });
    c_.access.emplace(text, std::move(t));
    bj::object out{{"access_token", text}, {"expires_in", c_.knob.access_token_ttl_s}, {"scope", joined(scopes)}, {"token_type", "Bearer"}};
    return out;
}

reply oauth::exchange(params const& form, oauth_client const& client) {
    auto const it = c_.codes.find(std::string(value_of(form, "code")));
    if (it == c_.codes.end()) return invalid_grant("Malformed auth code.");
    auto& code = it->second;
    if (code.used || code.client != client.id || c_.now() - code.issued > std::chrono::seconds(c_.knob.code_ttl_s)) return invalid_grant();
    if (code.redirect_uri != value_of(form, "redirect_uri")) return refuse_token(400, "redirect_uri_mismatch", "Bad Request");
    auto const verifier = value_of(form, "code_verifier");
    if (!code.challenge.empty()) {
        if (verifier.empty()) return invalid_grant("Missing code verifier.");
        auto const computed = code.challenge_method == "S256" ? sha256_url(verifier) : std::string(verifier);
        if (computed != code.challenge) return invalid_grant("Invalid code verifier.");
    }
    code.used = true;
    auto* who = c_.find_user(code.user);
    if (who == nullptr) return invalid_grant();

    std::string refresh;
    std::optional<std::int64_t> lifetime;
    if (code.wants_refresh) {
        refresh = "1//0g" + c_.random_text(90, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
        refresh_token t{refresh, client.id, client.project, who->email, code.scopes, c_.now(), c_.now(), {}};
        if (c_.knob.testing_mode && std::ranges::any_of(code.scopes, [](auto const& s) { return !is_identity(s); })) {
            t.expires = c_.now() + std::chrono::days(7);
            lifetime = 7 * 86400 - 1;
        }
        auto& order = c_.refresh_order[std::pair(who->email, client.id)];
        std::erase_if(order, [&](auto const& old) { return !c_.refresh.contains(old); });
        while (static_cast<std::int64_t>(order.size()) >= std::max<std::int64_t>(1, c_.knob.refresh_tokens_max)) {
            c_.refresh.erase(order.front());
            order.pop_front();
        }
        order.push_back(refresh);
        c_.refresh.emplace(refresh, std::move(t));
    }
    auto body = issue(client, who->email, code.scopes, refresh);
    if (!refresh.empty()) body["refresh_token"] = refresh;
    if (lifetime) body["refresh_token_expires_in"] = *lifetime;
    if (code.scopes.contains("openid")) body["id_token"] = id_token(client, *who, std::string(text_at(body, "access_token")), code.nonce);
    reply out;
    out.body = std::move(body);
    return out;
}

reply oauth::refresh(params const& form, oauth_client const& client) {
    auto const it = c_.refresh.find(std::string(value_of(form, "refresh_token")));
    if (it == c_.refresh.end()) return invalid_grant("Token has been expired or revoked.");
    auto& t = it->second;
    if (t.client != client.id) return invalid_grant();
    if (c_.knob.admin_block)
        return refuse_token(400, "admin_policy_enforced", "The administrator restricts access to a requested service.");
    bool const unused = c_.now() - t.last_used > std::chrono::days(183);
    if (unused || (t.expires && c_.now() >= *t.expires)) return invalid_grant("Token has been expired or revoked.");
    t.last_used = c_.now();
    reply out;
    auto body = issue(client, t.user, t.scopes, t.token);
    if (t.scopes.contains("openid"))
        if (auto* who = c_.find_user(t.user)) body["id_token"] = id_token(client, *who, std::string(text_at(body, "access_token")), "");
    out.body = std::move(body);
    return out;
}

void oauth::revoke_project(std::string const& user, std::string const& project) {
    std::erase_if(c_.access, [&](auto const& e) { return e.second.user == user && e.second.project == project; });
    std::erase_if(c_.refresh, [&](auto const& e) { return e.second.user == user && e.second.project == project; });
    c_.grants.erase(std::pair(user, project));
}

reply oauth::revoke(request const& r) {
    auto const form = parse_params(r.body), query = parse_params(r.query);
    std::string token(form ? value_of(*form, "token") : std::string_view{});
    if (token.empty() && query) token = std::string(value_of(*query, "token"));
    std::string user, project;
    if (auto const a = c_.access.find(token); a != c_.access.end()) {
        user = a->second.user;
        project = a->second.project;
    } else if (auto const t = c_.refresh.find(token); t != c_.refresh.end()) {
        user = t->second.user;
        project = t->second.project;
    } else {
        return refuse_token(400, "invalid_token", "Token expired or revoked");
    }
    revoke_project(user, project);
    reply out;
    out.body = bj::object{};
    return out;
}

}  // namespace calbridge::emulator
