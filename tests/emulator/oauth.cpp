#include "tests/emulator/oauth.h"

#include "common/base/encoding.h"
#include "common/crypto/crypto.h"
#include "tests/emulator/times.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace calbridge::emulator {

namespace {

constexpr std::string_view userinfo_prefix = "https://www.googleapis.com/auth/userinfo.";

// The short names come back spelled out.
std::string spelled_out(std::string_view scope) {
    if (scope == "email" || scope == "profile") return std::string(userinfo_prefix) + std::string(scope);
    return std::string(scope);
}

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

// Identity is not on the check boxes: it comes with the sign-in.
bool is_identity(std::string_view scope) { return scope == "openid" || scope.starts_with(userinfo_prefix); }

bool has_word(std::string_view text, std::string_view word) {
    auto const words = split(text, ' ');
    return std::ranges::find(words, word) != words.end();
}

std::string sha256_url(std::string_view text) {
    auto const digest = crypto::sha256(text);
    return base64url(digest);
}

reply invalid_grant(std::string_view description = "Bad Request") { return refuse_token(400, "invalid_grant", description); }
reply invalid_request(std::string_view description) { return refuse_token(400, "invalid_request", description); }

answer to_answer(reply r) {
    answer out;
    out.status = r.status;
    out.fields = std::move(r.fields);
    out.fields.emplace_back("Content-Type", "application/json; charset=utf-8");
    if (header(out.fields, "Cache-Control") == std::nullopt) out.fields.emplace_back("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate");
    if (!r.body.is_null()) out.body = pretty(r.body);
    return out;
}

answer html(int status, std::string body) {
    answer out;
    out.status = status;
    out.fields.emplace_back("Content-Type", "text/html; charset=utf-8");
    out.fields.emplace_back("Cache-Control", "no-store");
    out.body = std::move(body);
    return out;
}

constexpr std::string_view page_head = R"(<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Sign in - Google emulator</title><style>
:root{color-scheme:light dark;--bg:#f3f5f8;--card:#fff;--ink:#1c2530;--soft:#5b6775;--line:#d9dfe7;--go:#1a62d6}
@media(prefers-color-scheme:dark){:root{--bg:#11161d;--card:#1a212b;--ink:#e7ecf2;--soft:#9aa7b6;--line:#2d3744;--go:#6fa4ff}}
body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:2rem;max-width:30rem;width:calc(100% - 2rem);box-sizing:border-box}
h1{font-size:1.35rem;margin:0 0 .25rem}p{color:var(--soft);margin:.25rem 0 1rem}fieldset{border:1px solid var(--line);border-radius:10px;margin:0 0 1rem;padding:.5rem 1rem 1rem}
legend{color:var(--soft);padding:0 .4rem}label{display:block;padding:.35rem 0;overflow-wrap:anywhere}.row{display:flex;gap:.75rem;justify-content:flex-end}
button{font:inherit;padding:.55rem 1.4rem;border-radius:999px;border:1px solid var(--line);background:none;color:inherit;cursor:pointer}
button.go{background:var(--go);border-color:var(--go);color:var(--card);font-weight:600}code{overflow-wrap:anywhere}</style></head><body><main>)";

answer error_page(std::string_view code, std::string_view detail) {
    return html(400, std::string(page_head) + "<h1>Access blocked</h1><p>" + html_escape(detail) + "</p><p>Error 400: <code>" + html_escape(code) +
                         "</code></p></main></body></html>");
}

std::string redirect_to(std::string_view uri, params const& fields) {
    std::string out(uri);
    char at = uri.find('?') == std::string_view::npos ? '?' : '&';
    for (auto const& [name, value] : fields) {
        out += at + percent_encode(name) + "=" + percent_encode(value);
        at = '&';
    }
    return out;
}

// One key for all worlds of a process: making one takes a few hundred milliseconds, and nothing depends on which it is.
struct signing_key {
    crypto::rsa_key key{crypto::new_rsa_key()};
    std::string id{hex(crypto::sha256(key.n)).substr(0, 40)};
};
signing_key const& signer() {
    static signing_key const one;
    return one;
}

}  // namespace

void prepare_signing_key() { (void)signer(); }

std::string_view oauth::endpoint(std::string_view path) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 9> known{{{"/o/oauth2/v2/auth", "oauth.auth"},
        {"/token", "oauth.token"}, {"/revoke", "oauth.revoke"}, {"/tokeninfo", "oauth.tokeninfo"}, {"/v1/userinfo", "oauth.userinfo"},
        {"/oauth2/v2/userinfo", "oauth.userinfo_v2"}, {"/userinfo/v2/me", "oauth.userinfo_v2"}, {"/oauth2/v3/certs", "oauth.certs"},
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
    bool const get = r.method == "GET", post = r.method == "POST";
    if (r.path == "/o/oauth2/v2/auth") return get || post ? authorize(r) : wrong_method();
    if (r.path == "/token") return post ? to_answer(token(r)) : wrong_method();
    if (r.path == "/revoke") return post ? to_answer(revoke(r)) : wrong_method();
    if (r.path == "/tokeninfo") return get || post ? to_answer(tokeninfo(r)) : wrong_method();
    if (!get) return wrong_method();
    if (r.path == "/v1/userinfo") return to_answer(userinfo(r, true));
    if (r.path == "/oauth2/v3/certs") return to_answer(certs());
    if (r.path == "/.well-known/openid-configuration") return to_answer(metadata());
    return to_answer(userinfo(r, false));
}

// ---- the consent page ----

// What Google shows on its own page instead of redirecting; empty: the request is in order.
std::string oauth::problem_with(params const& q, oauth_client const** client) const {
    auto const it = c_.clients.find(value_of(q, "client_id"));
    if (it == c_.clients.end()) return "invalid_client";
    if (it->second.deleted) return "deleted_client";
    auto const uri = value_of(q, "redirect_uri");
    if (std::ranges::find(it->second.redirect_uris, uri) == it->second.redirect_uris.end()) return "redirect_uri_mismatch";
    if (value_of(q, "response_type") != "code" || scopes_of(value_of(q, "scope")).empty()) return "invalid_request";
    auto const prompt = value_of(q, "prompt");
    if (has_word(prompt, "none") && prompt != "none") return "invalid_request";
    auto const how = value_of(q, "code_challenge_method", "plain");
    if (how != "plain" && how != "S256") return "invalid_request";
    auto const access = value_of(q, "access_type", "online");
    if (access != "online" && access != "offline") return "invalid_request";
    static constexpr std::array known{"client_id", "redirect_uri", "response_type", "scope", "access_type", "prompt", "include_granted_scopes",
        "login_hint", "state", "enable_granular_consent", "code_challenge", "code_challenge_method", "nonce", "hd"};
    for (auto const& [name, _] : q)
        if (std::ranges::find(known, name) == known.end()) return "invalid_request";
    *client = &it->second;
    return {};
}

oauth::approval oauth::approve(std::string_view authorization_query, consent const& choice) {
    auto const q = parse_params(authorization_query);
    oauth_client const* client = nullptr;
    if (!q) return {{}, "invalid_request"};
    if (auto problem = problem_with(*q, &client); !problem.empty()) return {{}, problem};
    auto const uri = value_of(*q, "redirect_uri");
    auto const back = [&](params fields) {
        if (auto const* state = find_value(*q, "state")) fields.emplace_back("state", *state);
        return approval{redirect_to(uri, fields), {}};
    };
    if (choice.deny) return back({{"error", "access_denied"}});
    if (c_.knob.admin_block) return back({{"error", "admin_policy_enforced"}});
    auto* who = c_.find_user(choice.account);
    if (who == nullptr) return {{}, "no such account"};

    auto const asked = scopes_of(value_of(*q, "scope"));
    scope_set granted;
    for (auto const& s : asked) {
        bool const ticked = !choice.granted || is_identity(s) || choice.granted->contains(s);
        bool const allowed = c_.knob.grant_subset.empty() || is_identity(s) || std::ranges::find(c_.knob.grant_subset, s) != c_.knob.grant_subset.end();
        if (ticked && allowed) granted.insert(s);
    }
    if (granted.empty()) return back({{"error", "access_denied"}});

    auto const project = std::pair(who->email, client->project);
    auto const prior = c_.grants.find(project);
    bool const first_time = prior == c_.grants.end();
    auto const prompt = value_of(*q, "prompt");
    bool const consents_now = has_word(prompt, "consent") || first_time ||
                              !std::ranges::includes(prior->second, granted);
    auth_code code;
    code.client = client->id;
    code.user = who->email;
    code.redirect_uri = std::string(uri);
    code.challenge = std::string(value_of(*q, "code_challenge"));
    code.challenge_method = std::string(value_of(*q, "code_challenge_method", "plain"));
    code.nonce = std::string(value_of(*q, "nonce"));
    code.wants_refresh = value_of(*q, "access_type") == "offline" && consents_now && !c_.knob.omit_refresh_token;
    code.issued = c_.now();
    code.scopes = granted;
    if (value_of(*q, "include_granted_scopes") == "true" && !first_time) code.scopes.insert(prior->second.begin(), prior->second.end());
    c_.grants[project].insert(granted.begin(), granted.end());

    auto const text = "4/0A" + c_.random_text(60, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
    auto const shown = joined(code.scopes);
    c_.codes.emplace(text, std::move(code));
    params fields;
    if (auto const* state = find_value(*q, "state")) fields.emplace_back("state", *state);
    fields.emplace_back("code", text);
    fields.emplace_back("scope", shown);
    fields.emplace_back("authuser", "0");
    if (!who->hd.empty()) fields.emplace_back("hd", who->hd);
    fields.emplace_back("prompt", prompt.empty() ? "none" : std::string(prompt));
    return {redirect_to(uri, fields), {}};
}

std::string oauth::consent_page(params const& q, oauth_client const& client, std::string_view note) const {
    std::string out(page_head);
    out += "<h1>" + html_escape(client.project) + " wants access to your Google Account</h1><p>This is the emulator's consent page. " + html_escape(note) +
           "</p><form method=\"post\" action=\"/o/oauth2/v2/auth\"><fieldset><legend>Choose an account</legend>";
    auto const hint = value_of(q, "login_hint");
    bool first = true;
    for (auto const& [email, u] : c_.users) {
        bool const chosen = hint.empty() ? first : (hint == email || hint == u.sub);
        first = false;
        out += fmt::format("<label><input type=\"radio\" name=\"account\" value=\"{0}\"{1}> {0}</label>", html_escape(email), chosen ? " checked" : "");
    }
    out += "</fieldset><fieldset><legend>It asks for</legend>";
    auto const scopes = scopes_of(value_of(q, "scope"));
    for (auto const& s : scopes) {
        if (is_identity(s)) out += "<label>Your identity: " + html_escape(s) + "</label>";
        else out += fmt::format("<label><input type=\"checkbox\" name=\"grant\" value=\"{0}\" checked> {0}</label>", html_escape(s));
    }
    out += "</fieldset>";
    for (auto const& [name, value] : q) out += fmt::format("<input type=\"hidden\" name=\"q.{}\" value=\"{}\">", html_escape(name), html_escape(value));
    out += "<div class=\"row\"><button name=\"decision\" value=\"deny\">Deny</button><button class=\"go\" name=\"decision\" value=\"allow\">Allow</button></div></form></main></body></html>";
    return out;
}

answer oauth::authorize(request const& r) {
    auto const redirect = [](std::string location) {
        answer out = html(302, {});
        out.fields.emplace_back("Location", std::move(location));
        return out;
    };
    if (r.method == "GET") {
        auto const q = parse_params(r.query);
        if (!q) return error_page("invalid_request", "The request is malformed.");
        oauth_client const* client = nullptr;
        if (auto const problem = problem_with(*q, &client); !problem.empty()) {
            c_.violate(r.method, r.path, "authorization request: " + problem);
            return error_page(problem, "The application's sign-in request does not comply with the rules.");
        }
        if (value_of(*q, "prompt") == "none") {
            // No page may be shown: only what was already granted can be given again.
            auto const hint = value_of(*q, "login_hint");
            auto const* who = hint.empty() ? nullptr : c_.find_user(hint);
            auto const prior = who != nullptr ? c_.grants.find(std::pair(who->email, client->project)) : c_.grants.end();
            bool const covered = prior != c_.grants.end() && std::ranges::includes(prior->second, scopes_of(value_of(*q, "scope")));
            if (covered) return redirect(approve(r.query, {.account = who->email}).location);
            params fields{{"error", who == nullptr ? "login_required" : "interaction_required"}};
            if (auto const* state = find_value(*q, "state")) fields.emplace_back("state", *state);
            return redirect(redirect_to(value_of(*q, "redirect_uri"), fields));
        }
        return html(200, consent_page(*q, *client, "Untick what the application should not get."));
    }
    auto const form = parse_params(r.body);
    if (!form) return error_page("invalid_request", "The form is malformed.");
    params original;
    consent choice{.account = std::string(value_of(*form, "account")), .granted = scope_set{}, .deny = value_of(*form, "decision") != "allow"};
    for (auto const& [name, value] : *form) {
        if (name.starts_with("q.")) original.emplace_back(name.substr(2), value);
        else if (name == "grant") choice.granted->insert(value);
    }
    std::string query;
    for (auto const& [name, value] : original) query += (query.empty() ? "" : "&") + percent_encode(name) + "=" + percent_encode(value);
    auto const done = approve(query, choice);
    if (!done.refused.empty()) return error_page(done.refused, "Nothing was granted.");
    return redirect(done.location);
}

// ---- tokens ----

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
    static constexpr std::array known{"client_id", "client_secret", "code", "code_verifier", "grant_type", "redirect_uri", "refresh_token", "scope"};
    for (auto const& [name, _] : *form) {
        if (std::ranges::find(known, name) != known.end()) continue;
        c_.violate(r.method, r.path, "token request with unknown member " + name);
        return invalid_request("Bad Request");
    }
    if (id.empty()) return invalid_request("Could not determine client ID from request.");
    auto const it = c_.clients.find(id);
    if (it == c_.clients.end() || c_.knob.invalid_client) return refuse_token(401, "invalid_client", "The OAuth client was not found.");
    if (it->second.deleted) return refuse_token(401, "deleted_client", "The OAuth client was deleted.");
    if (secret != it->second.secret) return refuse_token(401, "invalid_client", secret.empty() ? "client_secret is missing." : "Unauthorized");
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
    if (c_.knob.admin_block) return refuse_token(400, "admin_policy_enforced", "The administrator restricts access to a requested service.");
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

// ---- identity ----

std::string oauth::id_token(oauth_client const& client, user const& who, std::string const& access, std::string const& nonce) {
    auto const now = unix_ms(c_.now()) / 1000;
    auto const digest = crypto::sha256(access);
    bj::object claims{{"iss", c_.knob.issuer}, {"azp", client.id}, {"aud", client.id}, {"sub", who.sub}};
    if (!who.hd.empty()) claims["hd"] = who.hd;
    claims["email"] = who.email;
    claims["email_verified"] = true;
    claims["at_hash"] = base64url(std::span(digest).first(16));
    if (!nonce.empty()) claims["nonce"] = nonce;
    claims["iat"] = now;
    claims["exp"] = now + 3600;
    bj::object const head{{"alg", "RS256"}, {"kid", signer().id}, {"typ", "JWT"}};
    auto const part = base64url(as_bytes(bj::serialize(head))) + "." + base64url(as_bytes(bj::serialize(claims)));
    return part + "." + base64url(crypto::sign_rs256(signer().key.pem, part));
}

reply oauth::certs() {
    reply out;
    out.body = bj::object{{"keys", bj::array{bj::object{{"kty", "RSA"}, {"alg", "RS256"}, {"use", "sig"}, {"kid", signer().id}, {"n", signer().key.n}, {"e", signer().key.e}}}}};
    out.fields.emplace_back("Cache-Control", "public, max-age=21600, must-revalidate, no-transform");
    return out;
}

reply oauth::metadata() const {
    auto const& at = c_.options.base_url;
    reply out;
    out.body = bj::object{{"issuer", c_.knob.issuer},
                          {"authorization_endpoint", at + "/o/oauth2/v2/auth"},
                          {"token_endpoint", at + "/token"},
                          {"userinfo_endpoint", at + "/v1/userinfo"},
                          {"revocation_endpoint", at + "/revoke"},
                          {"jwks_uri", at + "/oauth2/v3/certs"},
                          {"response_types_supported", bj::array{"code"}},
                          {"subject_types_supported", bj::array{"public"}},
                          {"id_token_signing_alg_values_supported", bj::array{"RS256"}},
                          {"scopes_supported", bj::array{"openid", "email", "profile"}},
                          {"token_endpoint_auth_methods_supported", bj::array{"client_secret_post", "client_secret_basic"}},
                          {"code_challenge_methods_supported", bj::array{"plain", "S256"}},
                          {"grant_types_supported", bj::array{"authorization_code", "refresh_token"}}};
    out.fields.emplace_back("Cache-Control", "public, max-age=3600");
    return out;
}

access_token const* live_token(core const& c, http::headers const& fields) {
    auto const value = header(fields, "Authorization");
    if (!value || value->size() < 7 || lower(value->substr(0, 7)) != "bearer ") return nullptr;
    auto const it = c.access.find(std::string(value->substr(7)));
    return it != c.access.end() && it->second.expires > c.now() ? &it->second : nullptr;
}

reply oauth::userinfo(request const& r, bool oidc) {
    auto const* t = live_token(c_, r.fields);
    auto const* who = t != nullptr ? c_.find_user(t->user) : nullptr;
    auto const refused = [&](std::string_view description) {
        auto out = oidc ? refuse_token(401, "invalid_request", description)
                        : refuse_at_front(401, "authError", "Invalid Credentials", description, "UNAUTHENTICATED", "ACCESS_TOKEN_INVALID", "oauth2.userinfo.get");
        if (oidc) out.fields.emplace_back("WWW-Authenticate", "Bearer realm=\"https://accounts.google.com/\", error=\"invalid_request\"");
        return out;
    };
    if (who == nullptr) return refused("Invalid Credentials");
    if (oidc && !t->scopes.contains("openid")) return refused("Token has no openid scope");
    if (std::ranges::none_of(t->scopes, is_identity)) return refused("Request is missing a userinfo scope");
    bool const mail = t->scopes.contains(std::string(userinfo_prefix) + "email"), profile = t->scopes.contains(std::string(userinfo_prefix) + "profile");
    bj::object body{{oidc ? "sub" : "id", who->sub}};
    if (profile) {
        body["name"] = who->name;
        body["given_name"] = who->given_name;
        body["family_name"] = who->family_name;
    }
    body["picture"] = "https://lh3.googleusercontent.com/a/default";
    if (mail) {
        body["email"] = who->email;
        body[oidc ? "email_verified" : "verified_email"] = true;
    }
    if (!who->hd.empty()) body["hd"] = who->hd;
    reply out;
    out.body = std::move(body);
    return out;
}

reply oauth::tokeninfo(request const& r) {
    auto q = parse_params(r.query);
    if (!q) return invalid_request("Invalid Value");
    if (auto const form = parse_params(r.body)) q->insert(q->end(), form->begin(), form->end());
    auto const now = unix_ms(c_.now()) / 1000;
    if (auto const id = value_of(*q, "id_token"); !id.empty()) {
        auto const parts = split(id, '.');
        auto const claims = parts.size() == 3 ? from_base64url(parts[1]) : result<bytes>(fail(errc::malformed, "id token"));
        auto const mark = parts.size() == 3 ? from_base64url(parts[2]) : result<bytes>(fail(errc::malformed, "id token"));
            boost::system::error_code ec;
        auto const body = claims ? bj::parse(as_text(*claims), ec) : bj::value{};
        if (!claims || !mark || ec || !body.is_object() ||
            !crypto::verify_rs256(id.substr(0, id.rfind('.')), *mark, signer().key.n, signer().key.e) ||
            body.get_object().at("exp").to_number<std::int64_t>() <= now)
            return refuse_token(400, "invalid_token", "Invalid Value");
        reply out;
        out.body = body;
        return out;
    }
    auto const it = c_.access.find(std::string(value_of(*q, "access_token")));
    if (it == c_.access.end() || it->second.expires <= c_.now()) return refuse_token(400, "invalid_token", "Invalid Value");
    auto const& t = it->second;
    auto const* who = c_.find_user(t.user);
    auto const left = unix_ms(t.expires) / 1000 - now;
    bj::object body{{"azp", t.client}, {"aud", t.client}, {"scope", joined(t.scopes)}, {"exp", std::to_string(now + left)}, {"expires_in", std::to_string(left)},
                    {"access_type", t.refresh.empty() ? "online" : "offline"}};
    if (who != nullptr) {
        body["sub"] = who->sub;
        if (t.scopes.contains(std::string(userinfo_prefix) + "email")) {
            body["email"] = who->email;
            body["email_verified"] = "true";
        }
    }
    reply out;
    out.body = std::move(body);
    return out;
}

}  // namespace calbridge::emulator
