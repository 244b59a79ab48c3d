#include "callback.h"
#include "connect.h"
#include "html.h"
#include "settings.h"
#include "settings_page.h"

#include <gtest/gtest.h>

#include <set>

namespace calbridge::gateway {
namespace {

bool has(std::string const& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(Html, EscapesWhatCouldEndTextOrAttribute) {
    EXPECT_EQ(escape(R"(<a href="x" o='y'>&)"), "&lt;a href=&quot;x&quot; o=&#39;y&#39;&gt;&amp;");
    EXPECT_FALSE(has(document("<script>", "x"), "<script>"));
}

TEST(Html, ThePolicyAllowsNothingButOurStyleAndGooglesConsent) {
    EXPECT_EQ(content_security_policy("https://accounts.google.com/o/oauth2/v2/auth"),
              "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' https://accounts.google.com; frame-ancestors "
              "'none'; base-uri 'none'");
    EXPECT_FALSE(has(document("t", "b"), "<script"));
    EXPECT_FALSE(has(document("t", "b"), "style="));
}

connection_card card(store::connection_status status) {
    connection_card out;
    out.connection.id = connection_id{random_uuid()};
    out.connection.connected_email = "<b>anna</b>@x.example";
    out.connection.status = status;
    out.connection.granted_scopes = google::scopes_for(out.connection.mode);
    out.calendars.push_back({.google_id = "g", .summary = "<img src=x>", .selected = true});
    return out;
}

TEST(SettingsPage, ShowsEveryStatusWithWhatCanBeDone) {
    auto const active = render_settings({card(store::connection_status::active)}, true, "csrf");
    auto const revoked = render_settings({card(store::connection_status::revoked)}, true, "csrf");
    auto const gone = render_settings({card(store::connection_status::disconnected)}, true, "csrf");

    EXPECT_TRUE(has(active, "Connected") && has(active, "/settings/calendar/disconnect/") && !has(active, "Connect again"));
    connection_card partial = card(store::connection_status::active);
    partial.connection.granted_scopes.pop_back();
    auto const missing = render_settings({partial}, true, "csrf");
    EXPECT_TRUE(has(missing, "leave every box ticked") && has(missing, "Connect again"));
    EXPECT_TRUE(has(revoked, "Access withdrawn") && has(revoked, "Connect again") && has(revoked, "Disconnect"));
    EXPECT_TRUE(has(gone, "Disconnected") && has(gone, "Connect again") && !has(gone, "/disconnect/"));
    EXPECT_FALSE(has(active, "<b>anna") || has(active, "<img"));
    EXPECT_TRUE(has(active, "&lt;img src=x&gt;"));
}

TEST(SettingsPage, WithoutAClientItIsBeingSetUp) {
    auto const none = render_settings({}, false, "csrf");

    EXPECT_TRUE(has(none, "Google Calendar sync is being set up."));
    EXPECT_FALSE(has(none, "/connect/"));
    EXPECT_TRUE(has(render_settings({}, true, "csrf"), "/settings/calendar/connect/default"));
}

TEST(Integration, IsTheDefaultOrAUuid) {
    EXPECT_TRUE(integration_named("default") && !*integration_named("default"));
    EXPECT_TRUE(integration_named("0d6f1c1e-0000-4000-8000-000000000000") && *integration_named("0d6f1c1e-0000-4000-8000-000000000000"));
    for (auto const* text : {"", "Default", "1", "../x", "0d6f1c1e-0000-4000-8000-00000000000g"})
        EXPECT_FALSE(integration_named(text)) << text;
}

TEST(Attempt, EveryHandleIsLongAndNeverRepeats) {
    std::set<std::string> seen;
    for (int i = 0; i < 2000; ++i) {
        auto const made = attempt_secrets::make();
        for (std::string const& text : {made.state, made.nonce, std::string(made.verifier.reveal())}) {
            EXPECT_EQ(text.size(), 43u);
            EXPECT_TRUE(seen.insert(text).second);
        }
    }
}

TEST(Attempt, TheChallengeIsThatOfRfc7636) {
    EXPECT_EQ(code_challenge(secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

TEST(Return, IsReadStrictly) {
    auto const good = read_return("state=s&code=4%2F0AZ&scope=email%20openid&authuser=0&prompt=consent");
    ASSERT_TRUE(good);
    EXPECT_EQ(good->state, "s");
    EXPECT_EQ(good->code.reveal(), "4/0AZ");
    EXPECT_EQ(read_return("error=access_denied&state=s")->error, "access_denied");
    EXPECT_TRUE(read_return("state=s&code=c&iss=https%3A%2F%2Faccounts.google.com"));
    for (auto const* query : {"", "code=c", "state=&code=c", "state=a&state=b&code=c", "state=s&code=a&code=b", "state=s&code=a&error=b",
                              "state=%zz", "state=s&code=c&iss=https%3A%2F%2Fevil.example"}) {
        EXPECT_FALSE(read_return(query)) << query;
    }
    EXPECT_FALSE(read_return("code=c&state=" + std::string(300, 'a')));
}

TEST(Explanation, EveryFaultSaysWhatHappenedAndWhatToDo) {
    std::set<std::string_view> codes;
    for (int i = 0; i <= static_cast<int>(consent_fault::unavailable); ++i) {
        auto const e = explain(static_cast<consent_fault>(i));
        EXPECT_TRUE(codes.insert(e.code).second) << e.code;
        EXPECT_GE(e.status, 400);
        EXPECT_FALSE(e.title.empty());
        EXPECT_FALSE(e.what_to_do.empty());
    }
}

TEST(ExchangeFault, BlamesWhoIsToBlame) {
    auto const fault = [](errc code, std::string reason = "") { return fault_of_exchange({.code = code, .reason = std::move(reason)}); };

    EXPECT_EQ(fault(errc::grant_revoked, "invalid_grant"), consent_fault::code_refused);
    EXPECT_EQ(fault(errc::grant_revoked, "admin_policy_enforced"), consent_fault::admin_blocked);
    EXPECT_EQ(fault(errc::client_rejected, "invalid_client"), consent_fault::client_wrong);
    EXPECT_EQ(fault(errc::internal, "invalid_request"), consent_fault::client_wrong);
    EXPECT_EQ(fault(errc::timed_out), consent_fault::unavailable);
    EXPECT_EQ(fault(errc::malformed), consent_fault::unavailable);
}

config::environment complete() {
    return {{"CALBRIDGE_PUBLIC_URL", "https://crm.example"},
            {"CALBRIDGE_DATABASE_URL", "host=x"},
            {"CALBRIDGE_KAFKA_BROKERS", "k:9092"},
            {"CALBRIDGE_KEY_RING", "k1:" + base64(bytes(32, 1))},
            {"CALBRIDGE_LAUNCH_KEY", std::string(32, 'x')}};
}
std::string faults(config::environment const& env) {
    settings s;
    auto const table = s.declare();
    auto const loaded = config::load(table, env);
    return loaded ? "" : loaded.error().context;
}

TEST(GatewaySettings, CompleteOnesLoad) { EXPECT_EQ(faults(complete()), ""); }

TEST(GatewaySettings, EveryFaultIsNamedAtOnce) {
    auto const missing = faults({});
    for (auto const* name :
         {"CALBRIDGE_PUBLIC_URL", "CALBRIDGE_DATABASE_URL", "CALBRIDGE_KAFKA_BROKERS", "CALBRIDGE_KEY_RING", "CALBRIDGE_LAUNCH_KEY"})
        EXPECT_TRUE(has(missing, name)) << name;

    auto wrong = complete();
    wrong["CALBRIDGE_PUBLIC_URL"] = "https://crm.example/calendar";
    wrong["CALBRIDGE_KEY_RING"] = "nonsense";
    wrong["CALBRIDGE_LAUNCH_KEY"] = "short";
    wrong["GOOGLE_CLIENT_ID"] = "alone";
    wrong["CALBRIDGE_PORT"] = "99999";
    wrong["CALBRIDGE_PROT"] = "1";
    auto const all = faults(wrong);
    for (auto const* name :
         {"CALBRIDGE_PUBLIC_URL", "CALBRIDGE_KEY_RING", "CALBRIDGE_LAUNCH_KEY", "GOOGLE_CLIENT_ID", "CALBRIDGE_PORT", "CALBRIDGE_PROT"})
        EXPECT_TRUE(has(all, name)) << name;
    EXPECT_FALSE(has(all, "nonsense"));
}

}  // namespace
}  // namespace calbridge::gateway
