#include "common/base/encoding.h"
#include "common/crypto/crypto.h"
#include "tests/emulator/fixture.h"

namespace calbridge::emulator {
namespace {

std::string const calendar_scope = "https://www.googleapis.com/auth/calendar.events";
std::string const verifier = "a-verifier-that-is-long-enough-for-the-specification-0123456789";

class Oauth : public emulator_test {
protected:
    static std::string url(std::string const& more = "&access_type=offline&prompt=consent") {
        return "/o/oauth2/v2/auth?client_id=client&redirect_uri=" + percent_encode("http://127.0.0.1/cb") +
               "&response_type=code&scope=" + percent_encode("openid email " + calendar_scope) + "&state=" + percent_encode("a b+c/=") +
               more;
    }
    // The redirect's query after Anna approved.
    params approve(std::string const& at, std::string const& more = {}) {
        auto const done = control("consent", R"({"url":")" + at + R"(","email":"anna@example.com")" + more + "}");
        EXPECT_EQ(done.status, 200) << done.whole.body;
        auto const location = done.text("location");
        return parse_params(location.substr(location.find('?') + 1)).value();
    }
    outcome form(std::string const& path, std::string body, http::headers fields = {}) {
        fields.emplace_back("Content-Type", "application/x-www-form-urlencoded");
        return ask("POST", path, std::move(body), std::move(fields));
    }
    outcome exchange(std::string_view code, std::string const& more = "&client_secret=secret") {
        return form("/token", "grant_type=authorization_code&client_id=client&redirect_uri=" + percent_encode("http://127.0.0.1/cb") +
                                  "&code=" + percent_encode(code) + more);
    }
    outcome connect() { return exchange(value_of(approve(url()), "code")); }
    outcome refresh(std::string const& token, std::string const& secret = "secret") {
        return form("/token",
                    "grant_type=refresh_token&client_id=client&client_secret=" + secret + "&refresh_token=" + percent_encode(token));
    }
    int list_with(std::string const& token) {
        return ask("GET", "/calendar/v3/calendars/primary/events", {}, {{"Authorization", "Bearer " + token}}).status;
    }
};

TEST_F(Oauth, ConsentPageShowsAccountsAndScopesAndPostsBackARedirect) {
    auto const page = ask("GET", url());
    EXPECT_EQ(page.status, 200);
    EXPECT_NE(page.whole.body.find("anna@example.com"), std::string::npos);
    EXPECT_NE(page.whole.body.find("value=\"" + calendar_scope + "\""), std::string::npos);

    auto const posted =
        form("/o/oauth2/v2/auth",
             "account=bob%40example.com&decision=allow&grant=" + percent_encode(calendar_scope) +
                 "&q.client_id=client&q.redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb&q.response_type=code&q.state=xyz&q.scope=openid%20" +
                 percent_encode(calendar_scope));

    EXPECT_EQ(posted.status, 302);
    std::string const location(header(posted.whole.fields, "Location").value_or(""));
    EXPECT_TRUE(location.starts_with("http://127.0.0.1/cb?state=xyz&code=4%2F0A")) << location;
    EXPECT_EQ(violation_text(), "");
}

TEST_F(Oauth, DenyingComesBackAsAccessDenied) {
    auto const q = approve(url(), R"(,"deny":true)");
    EXPECT_EQ(value_of(q, "error"), "access_denied");
    EXPECT_EQ(value_of(q, "state"), "a b+c/=");
}

TEST_F(Oauth, StateIsEchoedByteForByte) { EXPECT_EQ(value_of(approve(url()), "state"), "a b+c/="); }

TEST_F(Oauth, AnUnregisteredRedirectUriIsNotRedirectedTo) {
    auto const at =
        "/o/oauth2/v2/auth?client_id=client&response_type=code&scope=openid&redirect_uri=" + percent_encode("http://127.0.0.1/cb/");
    auto const page = ask("GET", at);
    EXPECT_EQ(page.status, 400);
    EXPECT_NE(page.whole.body.find("redirect_uri_mismatch"), std::string::npos);
    EXPECT_FALSE(header(page.whole.fields, "Location"));
}

TEST_F(Oauth, ACodeBuysTokensOnce) {
    std::string const code(value_of(approve(url()), "code"));
    auto const first = exchange(code), second = exchange(code);
    EXPECT_EQ(first.status, 200);
    EXPECT_TRUE(first.text("refresh_token").starts_with("1//"));
    EXPECT_EQ(first.object().at("expires_in").to_number<int>(), 3599);
    EXPECT_NE(first.text("scope").find("https://www.googleapis.com/auth/userinfo.email"), std::string::npos);
    EXPECT_EQ(second.status, 400);
    EXPECT_EQ(second.text("error"), "invalid_grant");
}

TEST_F(Oauth, ACodeDiesAfterTenMinutes) {
    std::string const code(value_of(approve(url()), "code"));
    clock.advance(std::chrono::minutes(10) + std::chrono::seconds(1));
    EXPECT_EQ(exchange(code).text("error"), "invalid_grant");
}

TEST_F(Oauth, PkceNeedsTheVerifierThatMadeTheChallenge) {
    auto const digest = crypto::sha256(verifier);
    auto const at = url("&access_type=offline&prompt=consent&code_challenge_method=S256&code_challenge=" + base64url(digest));
    EXPECT_EQ(exchange(value_of(approve(at), "code")).status, 400);
    EXPECT_EQ(exchange(value_of(approve(at), "code"), "&client_secret=secret&code_verifier=wrong" + verifier).status, 400);
    EXPECT_EQ(exchange(value_of(approve(at), "code"), "&client_secret=secret&code_verifier=" + verifier).status, 200);
    auto const plain = url("&access_type=offline&prompt=consent&code_challenge_method=plain&code_challenge=" + verifier);
    EXPECT_EQ(exchange(value_of(approve(plain), "code"), "&client_secret=secret&code_verifier=" + verifier).status, 200);
}

TEST_F(Oauth, TheSecretMayTravelInBasicCredentials) {
    std::string const basic = "Basic " + base64(as_bytes("client:secret"));
    std::string const code(value_of(approve(url()), "code"));
    auto const done = form("/token", "grant_type=authorization_code&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb&code=" + percent_encode(code),
                           {{"Authorization", basic}});
    EXPECT_EQ(done.status, 200) << done.whole.body;
}

TEST_F(Oauth, AWrongSecretIsInvalidClientAndAForeignTokenInvalidGrant) {
    auto const bad = exchange(value_of(approve(url()), "code"), "&client_secret=wrong");
    EXPECT_EQ(bad.status, 401);
    EXPECT_EQ(bad.text("error"), "invalid_client");
    auto const foreign = refresh("1//nobody");
    EXPECT_EQ(foreign.status, 400);
    EXPECT_EQ(foreign.text("error"), "invalid_grant");
}

TEST_F(Oauth, ARefreshTokenComesOnlyWithOfflineAndFreshConsent) {
    EXPECT_EQ(exchange(value_of(approve(url("&prompt=consent")), "code")).text("refresh_token"), "");
    auto const again = exchange(value_of(approve(url("&access_type=offline")), "code"));
    EXPECT_EQ(again.status, 200);
    EXPECT_EQ(again.text("refresh_token"), "") << "Anna has met the project before and was not asked again";
    EXPECT_NE(connect().text("refresh_token"), "");
}

TEST_F(Oauth, ARefreshAnswersWithoutANewRefreshToken) {
    auto const first = connect();
    auto const next = refresh(first.text("refresh_token"));
    EXPECT_EQ(next.status, 200);
    EXPECT_FALSE(next.object().contains("refresh_token"));
    EXPECT_NE(next.text("access_token"), first.text("access_token"));
    EXPECT_EQ(list_with(next.text("access_token")), 200);
}

TEST_F(Oauth, AnAccessTokenExpiresWithTheClock) {
    w.settings().access_token_ttl_s = 60;
    auto const token = connect().text("access_token");
    EXPECT_EQ(list_with(token), 200);
    clock.advance(std::chrono::seconds(61));
    EXPECT_EQ(list_with(token), 401);
}

TEST_F(Oauth, UntickedScopesAreNotGrantedAndTheApiRefusesThem) {
    auto const q = approve(url(), R"(,"grant":[])");
    EXPECT_EQ(value_of(q, "scope").find(calendar_scope), std::string::npos);
    auto const done = exchange(value_of(q, "code"));
    EXPECT_EQ(done.status, 200);
    auto const refused =
        ask("GET", "/calendar/v3/calendars/primary/events", {}, {{"Authorization", "Bearer " + done.text("access_token")}});
    EXPECT_EQ(refused.status, 403);
    EXPECT_EQ(refused.reason(), "insufficientPermissions");
}

TEST_F(Oauth, CalendarEventsCannotListCalendars) {
    auto const refused =
        ask("GET", "/calendar/v3/users/me/calendarList", {}, {{"Authorization", "Bearer " + connect().text("access_token")}});
    EXPECT_EQ(refused.status, 403);
    EXPECT_EQ(refused.reason(), "insufficientPermissions");
}

TEST_F(Oauth, RevokingAnAccessTokenKillsTheWholeProject) {
    auto const one = connect(), two = connect();
    EXPECT_EQ(form("/revoke", "token=" + percent_encode(one.text("access_token"))).status, 200);
    EXPECT_EQ(refresh(two.text("refresh_token")).text("error"), "invalid_grant");
    EXPECT_EQ(list_with(two.text("access_token")), 401);
    EXPECT_EQ(form("/revoke?token=" + percent_encode(two.text("refresh_token")), "").status, 400);
}

TEST_F(Oauth, TheIdTokenIsSignedByAKeyOfTheJwks) {
    auto const at = url("&access_type=offline&prompt=consent&nonce=n-1");
    auto const token = exchange(value_of(approve(at), "code")).text("id_token");
    auto const parts = split(token, '.');
    ASSERT_EQ(parts.size(), 3U);
    auto const keys = ask("GET", "/oauth2/v3/certs");
    auto const& key = keys.object().at("keys").as_array().at(0).as_object();
    auto const mark = from_base64url(parts[2]);
    EXPECT_TRUE(
        crypto::verify_rs256(std::string_view(token).substr(0, token.rfind('.')), mark.value(), text_at(key, "n"), text_at(key, "e")));
    auto const claims = bj::parse(as_text(from_base64url(parts[1]).value())).as_object();
    EXPECT_EQ(text_at(claims, "iss"), "https://accounts.google.com");
    EXPECT_EQ(text_at(claims, "aud"), "client");
    EXPECT_EQ(text_at(claims, "nonce"), "n-1");
    EXPECT_EQ(text_at(claims, "email"), "anna@example.com");
    EXPECT_EQ(text_at(claims, "hd"), "example.com");
}

TEST_F(Oauth, UserinfoComesInTwoSpellings) {
    http::headers const bearer{{"Authorization", "Bearer " + connect().text("access_token")}};
    auto const oidc = ask("GET", "/v1/userinfo", {}, bearer), legacy = ask("GET", "/oauth2/v2/userinfo", {}, bearer);
    EXPECT_EQ(oidc.text("email"), "anna@example.com");
    EXPECT_NE(oidc.text("sub"), "");
    EXPECT_EQ(legacy.text("id"), oidc.text("sub"));
    EXPECT_TRUE(legacy.object().at("verified_email").as_bool());
    EXPECT_EQ(ask("GET", "/v1/userinfo").status, 401);
    EXPECT_EQ(ask("POST", "/oauth2/v2/tokeninfo?access_token=" + percent_encode(bearer[0].second.substr(7))).text("aud"), "client");
    EXPECT_EQ(violation_text(), "");
    EXPECT_EQ(ask("GET", "/oauth2/v2/userinfo?acces_token=x", {}, bearer).status, 400);
    EXPECT_NE(violation_text().find("acces_token"), std::string::npos);
}

TEST_F(Oauth, TestingModeKillsARefreshTokenAfterSevenDays) {
    w.settings().testing_mode = true;
    auto const done = connect();
    EXPECT_TRUE(done.object().contains("refresh_token_expires_in"));
    clock.advance(std::chrono::days(7) - std::chrono::minutes(1));
    EXPECT_EQ(refresh(done.text("refresh_token")).status, 200);
    clock.advance(std::chrono::minutes(2));
    EXPECT_EQ(refresh(done.text("refresh_token")).text("error"), "invalid_grant");
}

TEST_F(Oauth, TheHundredAndFirstRefreshTokenEvictsTheFirst) {
    auto const first = connect();
    for (int i = 0; i < 99; ++i) connect();
    EXPECT_EQ(refresh(first.text("refresh_token")).status, 200);
    connect();
    EXPECT_EQ(refresh(first.text("refresh_token")).text("error"), "invalid_grant");
}

TEST_F(Oauth, KnobsBreakTheTokenEndpointInEachSpelling) {
    auto const token = connect().text("refresh_token");
    w.settings().invalid_grant = "revoked";
    EXPECT_EQ(refresh(token).text("error_description"), "Token has been expired or revoked.");
    w.settings().invalid_grant = "bad_request";
    EXPECT_EQ(refresh(token).text("error_description"), "Bad Request");
    w.settings().invalid_grant.clear();
    w.settings().invalid_client = true;
    EXPECT_EQ(refresh(token).status, 401);
    w.settings().invalid_client = false;
    w.settings().admin_block = true;
    EXPECT_EQ(refresh(token).text("error"), "admin_policy_enforced");
    EXPECT_EQ(value_of(approve(url()), "error"), "admin_policy_enforced");
    w.settings().admin_block = false;
    w.settings().omit_refresh_token = true;
    EXPECT_EQ(connect().text("refresh_token"), "");
}

TEST_F(Oauth, PromptNoneGivesOnlyWhatWasGrantedBefore) {
    auto const at = url("&prompt=none&login_hint=anna%40example.com");
    std::string location(header(ask("GET", at).whole.fields, "Location").value_or(""));
    EXPECT_NE(location.find("error=interaction_required"), std::string::npos);
    approve(url());
    location = header(ask("GET", at).whole.fields, "Location").value_or("");
    EXPECT_NE(location.find("code="), std::string::npos);
}

TEST_F(Oauth, TheLogHoldsNoSecrets) {
    auto const done = connect();
    auto const log = control("requests").whole.body;
    EXPECT_EQ(log.find(done.text("access_token")), std::string::npos);
    EXPECT_EQ(log.find("client_secret=secret"), std::string::npos);
    EXPECT_NE(log.find("/token"), std::string::npos);
}

}  // namespace
}  // namespace calbridge::emulator
