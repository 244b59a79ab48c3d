#include "clients/google/fake_http.h"
#include "clients/google/google.h"
#include "clients/google/id_token.h"
#include "clients/google/settings.h"

#include "common/crypto/crypto.h"
#include "common/json/json.h"
#include "common/testing/testing.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace calbridge::google {
namespace {

class Oauth : public ::testing::Test {
protected:
    template <class T>
    T wait(task<T> work) {
        std::optional<T> out;
        asio::io_context ioc;
        calbridge::testing::run_coro(ioc, keep(std::move(work), out));
        return std::move(*out);
    }
    errc refresh_fails(int status, std::string body) {
        http.reply(status, std::move(body));
        auto const got = wait(api->refresh(client, old_refresh, at));
        EXPECT_FALSE(got);
        return got ? errc{} : got.error().code;
    }
    std::int64_t unix_now() const { return std::chrono::duration_cast<std::chrono::seconds>(now.now().time_since_epoch()).count(); }
    static std::string encoded(std::string_view text) { return base64url(as_bytes(text)); }

    secret token(crypto::rsa_key const& key, std::string kid, json::object changes = {}) {
        json::object claims{{"iss", "https://accounts.google.com"},
                            {"aud", "cid"},
                            {"azp", "cid"},
                            {"sub", "1234"},
                            {"email", "a@x.example"},
                            {"nonce", "n-1"},
                            {"iat", unix_now()},
                            {"exp", unix_now() + 3600}};
        for (auto const& c : changes) claims[c.key()] = c.value();
        std::string const part = encoded(fmt::format(R"({{"alg":"RS256","kid":"{}"}})", kid)) + "." + encoded(json::serialize(claims));
        return secret(part + "." + base64url(crypto::sign_rs256(key.pem, part)));
    }
    std::string jwks(std::vector<std::pair<std::string, crypto::rsa_key const*>> keys) {
        json::array out;
        for (auto const& [kid, key] : keys)
            out.push_back(json::object{{"kty", "RSA"}, {"use", "sig"}, {"alg", "RS256"}, {"kid", kid}, {"n", key->n}, {"e", key->e}});
        return json::serialize(json::object{{"keys", std::move(out)}});
    }
    answer<identity> verify(secret const& id_token, std::string nonce = "n-1") {
        return wait(api->verify_id_token(id_token, "cid", std::move(nonce), at));
    }

    fake_http http;
    calbridge::testing::manual_clock now;
    std::unique_ptr<oauth_api> api{make_oauth_api(http, endpoints_at("http://g"), now)};
    oauth_client client{.client_id = "cid", .client_secret = secret("canary-secret"), .redirect_uri = "https://crm/cb"};
    secret old_refresh{"1//canary-refresh"};
    deadline at{in(std::chrono::seconds{30})};

private:
    template <class T>
    static task<void> keep(task<T> work, std::optional<T>& out) {
        out.emplace(co_await std::move(work));
    }
};

TEST_F(Oauth, TheCodeIsExchangedWithVerifierAndRedirectInTheBodyOnly) {
    http.reply(
        200,
        R"({"access_token":"ya29","expires_in":3599,"refresh_token":"1//r","scope":"openid  https://www.googleapis.com/auth/userinfo.email","token_type":"Bearer","id_token":"a.b.c"})");

    auto const got = wait(api->exchange(client, secret("4/0A"), secret("verifier"), at));

    ASSERT_TRUE(got);
    EXPECT_EQ(got->access_token.reveal(), "ya29");
    EXPECT_EQ(got->refresh_token->reveal(), "1//r");
    EXPECT_EQ(got->life.count(), 3599);
    EXPECT_EQ(got->scopes, (std::vector<std::string>{"openid", "https://www.googleapis.com/auth/userinfo.email"}));
    EXPECT_EQ(got->id_token.reveal(), "a.b.c");
    EXPECT_EQ(http.sent[0].url, "http://g/token");
    auto const form = http::decode_form(http.sent[0].body);
    ASSERT_TRUE(form);
    EXPECT_EQ(http::find(*form, "code"), "4/0A");
    EXPECT_EQ(http::find(*form, "code_verifier"), "verifier");
    EXPECT_EQ(http::find(*form, "redirect_uri"), "https://crm/cb");
    EXPECT_EQ(http::find(*form, "grant_type"), "authorization_code");
    EXPECT_EQ(http::find(*form, "client_secret"), "canary-secret");
}

TEST_F(Oauth, ARefreshAnswerHasNoRefreshTokenUnlessGoogleRotatesIt) {
    http.reply(200, R"({"access_token":"ya29","expires_in":3599,"scope":"openid","token_type":"Bearer"})");
    http.reply(200, R"({"access_token":"ya29","expires_in":3599,"refresh_token":"1//new","token_type":"Bearer"})");

    EXPECT_FALSE(wait(api->refresh(client, old_refresh, at))->refresh_token);
    EXPECT_EQ(wait(api->refresh(client, old_refresh, at))->refresh_token->reveal(), "1//new");
}

TEST_F(Oauth, OnlyAClearWordKillsAGrant) {
    EXPECT_EQ(refresh_fails(400, R"({"error":"invalid_grant","error_description":"Token has been expired or revoked."})"),
              errc::grant_revoked);
    EXPECT_EQ(refresh_fails(400, R"({"error":"invalid_grant","error_description":"Bad Request"})"), errc::grant_revoked);
    EXPECT_EQ(refresh_fails(400, R"({"error":"invalid_grant","error_subtype":"invalid_rapt"})"), errc::grant_revoked);
    EXPECT_EQ(refresh_fails(400, R"({"error":"admin_policy_enforced"})"), errc::grant_revoked);
    EXPECT_EQ(refresh_fails(401, R"({"error":"invalid_client"})"), errc::client_rejected);
    EXPECT_EQ(refresh_fails(400, R"({"error":"invalid_client"})"), errc::client_rejected);
    EXPECT_EQ(refresh_fails(401, R"({"error":"deleted_client"})"), errc::client_rejected);
    EXPECT_EQ(refresh_fails(400, R"({"error":"unauthorized_client"})"), errc::client_rejected);
    EXPECT_EQ(refresh_fails(400, R"({"error":"unsupported_grant_type"})"), errc::internal);
    EXPECT_EQ(refresh_fails(400, R"({"error":"invalid_scope"})"), errc::internal);
    EXPECT_EQ(refresh_fails(500, R"({"error":"invalid_grant"})"), errc::unavailable);
    EXPECT_EQ(refresh_fails(503, "<html>"), errc::unavailable);
    EXPECT_EQ(refresh_fails(429, ""), errc::rate_limited);
    EXPECT_EQ(refresh_fails(403, "<html>captive portal</html>"), errc::unavailable);
    EXPECT_EQ(refresh_fails(302, ""), errc::unavailable);
    EXPECT_EQ(refresh_fails(200, "<html>captive portal</html>"), errc::malformed);
    EXPECT_EQ(refresh_fails(200, R"({"access_token":"x","error":"invalid_grant"})"), errc::malformed);
    EXPECT_EQ(refresh_fails(200, R"({"token_type":"Bearer"})"), errc::malformed);
}

TEST_F(Oauth, RevokingWhatIsRevokedIsSuccess) {
    http.reply(200, "{}");
    http.reply(400, R"({"error":"invalid_token"})");
    http.reply(503, "");

    EXPECT_TRUE(wait(api->revoke(old_refresh, at)));
    EXPECT_TRUE(wait(api->revoke(old_refresh, at)));
    EXPECT_EQ(wait(api->revoke(old_refresh, at)).error().code, errc::unavailable);
    EXPECT_EQ(http.sent[0].url, "http://g/revoke");
    EXPECT_EQ(http.sent[0].body, "token=1%2F%2Fcanary-refresh");
}

TEST_F(Oauth, AnIdTokenIsAcceptedInBothSpellingsOfItsIssuer) {
    auto const key = crypto::new_rsa_key();
    http.reply(200, jwks({{"k1", &key}}), {{"Cache-Control", "public, max-age=3600"}});

    auto const got = verify(token(key, "k1"));
    auto const short_issuer = verify(token(key, "k1", {{"iss", "accounts.google.com"}}));

    ASSERT_TRUE(got);
    EXPECT_EQ(got->sub, "1234");
    EXPECT_EQ(got->email, "a@x.example");
    EXPECT_TRUE(short_issuer);
    EXPECT_EQ(http.sent.size(), 1u);  // The second used the cache.
}

TEST_F(Oauth, AnIdTokenThatIsNotForUsNowIsRefused) {
    auto const key = crypto::new_rsa_key(), other = crypto::new_rsa_key();
    http.reply(200, jwks({{"k1", &key}}), {{"Cache-Control", "max-age=3600"}});
    auto const at_now = unix_now();

    EXPECT_TRUE(verify(token(key, "k1", {{"exp", at_now - 299}, {"iat", at_now - 3600}})));
    EXPECT_FALSE(verify(token(key, "k1", {{"exp", at_now - 301}, {"iat", at_now - 3600}})));
    EXPECT_FALSE(verify(token(key, "k1", {{"iat", at_now + 301}})));
    EXPECT_FALSE(verify(token(key, "k1", {{"exp", at_now + 90000}})));
    EXPECT_FALSE(verify(token(key, "k1", {{"iss", "https://accounts.google.com.evil.example"}})));
    EXPECT_FALSE(verify(token(key, "k1", {{"aud", "other"}})));
    EXPECT_FALSE(verify(token(key, "k1", {{"azp", "other"}})));
    EXPECT_FALSE(verify(token(key, "k1", {{"nonce", "n-2"}})));
    EXPECT_FALSE(verify(token(key, "k1", {{"nonce", nullptr}})));
    EXPECT_FALSE(verify(token(key, "k1"), ""));
    EXPECT_FALSE(verify(token(key, "k1", {{"sub", ""}})));
    EXPECT_FALSE(verify(token(other, "k1")));
    EXPECT_FALSE(verify(secret("not.a.token")));
    EXPECT_FALSE(verify(secret("")));
    std::string const none = encoded(R"({"alg":"none","kid":"k1"})") + "." + encoded("{}") + ".";
    EXPECT_FALSE(verify(secret(none)));
    std::string changed(token(key, "k1").reveal());
    changed[changed.find('.') + 5] ^= 1;
    EXPECT_FALSE(verify(secret(changed)));
}

TEST_F(Oauth, KeysAreFetchedAgainForANewKidButNotForEveryMadeUpOne) {
    auto const first = crypto::new_rsa_key(), second = crypto::new_rsa_key();
    http.reply(200, jwks({{"k1", &first}}), {{"Cache-Control", "max-age=3600"}});
    ASSERT_TRUE(verify(token(first, "k1")));

    EXPECT_FALSE(verify(token(second, "k2")));  // Too soon after the last fetch.
    EXPECT_EQ(http.sent.size(), 1u);
    now.advance(std::chrono::seconds{61});
    http.reply(200, jwks({{"k1", &first}, {"k2", &second}}), {{"Cache-Control", "max-age=120"}});
    EXPECT_TRUE(verify(token(second, "k2")));
    EXPECT_FALSE(verify(token(second, "k3")));
    EXPECT_EQ(http.sent.size(), 2u);

    now.advance(std::chrono::seconds{121});
    http.reply(200, jwks({{"k2", &second}}));
    EXPECT_FALSE(verify(token(first, "k1")));  // Withdrawn.
    http.reply(503, "");
    now.advance(std::chrono::seconds{301});
    EXPECT_EQ(verify(token(second, "k2")).error().code, errc::unavailable);
}

TEST(CacheLife, FollowsCacheControlWithinBounds) {
    EXPECT_EQ(cache_life("public, max-age=19800, must-revalidate").count(), 19800);
    EXPECT_EQ(cache_life("Max-Age=5").count(), 60);
    EXPECT_EQ(cache_life("max-age=99999999").count(), 86400);
    EXPECT_EQ(cache_life("max-age=x").count(), 300);
    EXPECT_EQ(cache_life("no-store").count(), 60);
    EXPECT_EQ(cache_life({}).count(), 300);
}

TEST(AuthorizationUrl, AsksOfflineWithConsentPkceAndStateEveryTime) {
    authorization const what{.client_id = "c id",
                             .redirect_uri = "https://crm/cb?x=1",
                             .state = "s+t",
                             .nonce = "n",
                             .code_challenge = "ch",
                             .login_hint = "a@x",
                             .scopes = {"openid", "email"}};

    EXPECT_EQ(
        authorization_url(endpoints_at("http://g"), what),
        "http://g/o/oauth2/v2/"
        "auth?client_id=c%20id&redirect_uri=https%3A%2F%2Fcrm%2Fcb%3Fx%3D1&response_type=code&scope=openid%20email&access_type=offline"
        "&prompt=consent&include_granted_scopes=false&state=s%2Bt&nonce=n&code_challenge=ch&code_challenge_method=S256&login_hint=a%40x");
}

TEST(Scopes, AreTheLeastTheModeNeeds) {
    std::string const base = "https://www.googleapis.com/auth/";
    std::vector<std::string> const writing{"openid", "email", base + "calendar.calendarlist.readonly", base + "calendar.events"};
    std::vector<std::string> const reading{"openid", "email", base + "calendar.calendarlist.readonly", base + "calendar.events.readonly"};

    EXPECT_EQ(scopes_for(domain::sync_mode::two_way), writing);
    // It writes, and looks at what it wrote: a scope for writing alone does not exist.
    EXPECT_EQ(scopes_for(domain::sync_mode::crm_to_google), writing);
    EXPECT_EQ(scopes_for(domain::sync_mode::google_to_crm), reading);
    EXPECT_EQ(scopes_for(domain::sync_mode::busy_only), reading);
}

TEST(Scopes, AreComparedAsGoogleSpellsThemBack) {
    auto const wanted = scopes_for(domain::sync_mode::two_way);
    std::string const base = "https://www.googleapis.com/auth/";

    EXPECT_TRUE(
        missing_scopes({base + "calendar.events", "openid", base + "userinfo.email", base + "calendar.calendarlist.readonly"}, wanted)
            .empty());
    EXPECT_TRUE(missing_scopes({base + "calendar", "openid", "email"}, wanted).empty());
    EXPECT_EQ(missing_scopes({"openid", "email", base + "calendar.calendarlist.readonly", base + "calendar.events.readonly"}, wanted),
              std::vector<std::string>{base + "calendar.events"});
    EXPECT_EQ(missing_scopes({}, wanted).size(), wanted.size());
}

TEST(GoogleSettings, TheClientIsGivenWholeOrNotAtAll) {
    auto const load = [](config::environment env) {
        google_settings got;
        config::table table("test");
        declare_google(table, got);
        return std::pair(config::load(table, env).has_value(), got.client().has_value());
    };

    EXPECT_EQ(load({}), std::pair(true, false));
    EXPECT_EQ(load({{"GOOGLE_CLIENT_ID", "a"}, {"GOOGLE_CLIENT_SECRET", "b"}, {"GOOGLE_REDIRECT_URI", "https://c/cb"}}),
              std::pair(true, true));
    EXPECT_FALSE(load({{"GOOGLE_CLIENT_ID", "a"}}).first);
    EXPECT_FALSE(load({{"GOOGLE_CLIENT_SECRET", "b"}, {"GOOGLE_REDIRECT_URI", "https://c"}}).first);
    EXPECT_FALSE(load({{"GOOGLE_CLIENT_ID", "a"}, {"GOOGLE_CLIENT_SECRET", "b"}, {"GOOGLE_REDIRECT_URI", "/relative"}}).first);
}

TEST(GoogleSettings, OneBaseMovesEveryEndpoint) {
    google_settings settings{.base_url = "http://127.0.0.1:9"};

    auto const at = settings.where();

    for (auto const& url : {at.api, at.authorize, at.token, at.revoke, at.jwks}) EXPECT_TRUE(url.starts_with("http://127.0.0.1:9/")) << url;
    EXPECT_EQ(google_settings{}.where().token, "https://oauth2.googleapis.com/token");
}

}  // namespace
}  // namespace calbridge::google
