#include "tests/emulator/oauth.h"

#include "common/base/encoding.h"
#include "common/crypto/crypto.h"
#include "tests/emulator/oauth_words.h"
#include "tests/emulator/times.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace calbridge::emulator {

namespace {

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
    out.body = bj::object{
        {"keys",
         bj::array{bj::object{
             {"kty", "RSA"}, {"alg", "RS256"}, {"use", "sig"}, {"kid", signer().id}, {"n", signer().key.n}, {"e", signer().key.e}}}}};
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
                        : refuse_at_front(401, "authError", "Invalid Credentials", description, "UNAUTHENTICATED", "ACCESS_TOKEN_INVALID",
                                          "oauth2.userinfo.get");
        if (oidc) out.fields.emplace_back("WWW-Authenticate", "Bearer realm=\"https://accounts.google.com/\", error=\"invalid_request\"");
        return out;
    };
    if (who == nullptr) return refused("Invalid Credentials");
    if (oidc && !t->scopes.contains("openid")) return refused("Token has no openid scope");
    if (std::ranges::none_of(t->scopes, is_identity)) return refused("Request is missing a userinfo scope");
    bool const mail = t->scopes.contains(std::string(userinfo_prefix) + "email"),
               profile = t->scopes.contains(std::string(userinfo_prefix) + "profile");
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
    bj::object body{{"azp", t.client},
                    {"aud", t.client},
                    {"scope", joined(t.scopes)},
                    {"exp", std::to_string(now + left)},
                    {"expires_in", std::to_string(left)},
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
