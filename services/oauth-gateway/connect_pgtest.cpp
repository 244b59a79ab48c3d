#include "gateway_fixture.h"

#include "wire/topics.h"

namespace calbridge::gateway {
namespace {

TEST_F(Gateway, AConsentBecomesAConnectionWithCalendarsAndAFirstImport) {
    run([this]() -> task<void> {
        auto by = co_await sign_in();
        co_await start(by);
        EXPECT_EQ(http::find(last_authorization_, "access_type"), "offline");
        EXPECT_EQ(http::find(last_authorization_, "redirect_uri"), "https://crm.example/settings/calendar/callback");
        auto const got = co_await finish(by);
        EXPECT_EQ(got.status, 303) << got.body;
        EXPECT_EQ(http::find(got.fields, "Location"), "/settings/calendar");
        auto const page = co_await get(by, "/settings/calendar");
        EXPECT_TRUE(has(page.body, "anna@x.example") && has(page.body, "Connected") && has(page.body, "Team"));
        EXPECT_TRUE(has(page.body, "For u1 of t1"));
        bool const marked =
            co_await testing::eventually([this] { return sql("select count(*) from outbox where status = 'sent'") == "1"; });
        EXPECT_TRUE(marked);
    });

    EXPECT_EQ(sql("select status || '/' || google_sub || '/' || client_id || '/' || mode || '/' || auto_sync_tasks from "
                  "user_calendar_connections"),
              "active/sub-1/cid/two_way/true");
    EXPECT_EQ(sql("select count(*) from calendars where selected and is_primary and dirty_seq > synced_seq"), "1");
    EXPECT_EQ(sql("select count(*) from calendars"), "2");
    EXPECT_EQ(sql("select count(*) from consent_attempts"), "0");
    EXPECT_EQ(sql("select count(*) from user_calendar_connections where access_token::text like '%canary%' or position('canary' in "
                  "encode(refresh_token, 'escape')) > 0"),
              "0");
    ASSERT_EQ(producer_.sent.size(), 1u);
    EXPECT_EQ(producer_.sent[0].topic, "calendar-changed");
    EXPECT_EQ(producer_.sent[0].key, "t1/u1");
    auto const message = wire::decode_calendar_changed(*producer_.sent[0].value, wire::encoding::protobuf);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->why, domain::cause::initial);
    EXPECT_EQ(oauth_.codes, std::vector<std::string>{"4/canary-code"});
    // The verifier sent with the code is the one whose challenge Google was given, and the nonce the one it was asked to sign.
    EXPECT_EQ(code_challenge(secret(oauth_.verifiers.at(0))), http::find(last_authorization_, "code_challenge"));
    EXPECT_EQ(oauth_.nonces.at(0), http::find(last_authorization_, "nonce"));
}

TEST_F(Gateway, ALaunchLinkWorksOnce) {
    run([this]() -> task<void> {
        std::string const link = launch_link();
        auto const first = co_await send("GET", link, {});
        auto const second = co_await send("GET", link, {});
        EXPECT_EQ(first.status, 303);
        EXPECT_TRUE(has(std::string(http::find(first.fields, "Set-Cookie").value_or("")), "__Host-calbridge="));
        EXPECT_TRUE(has(std::string(http::find(first.fields, "Set-Cookie").value_or("")), "; HttpOnly; SameSite=Lax; "));
        EXPECT_EQ(second.status, 401);
        EXPECT_FALSE(http::find(second.fields, "Set-Cookie"));
        std::string const fresh = launch_link();
        now_.advance(301s);
        auto const old = co_await send("GET", fresh, {});
        EXPECT_EQ(old.status, 401);
        for (std::string const path : {"/launch", "/launch?token=", "/launch?token=a.b.c", "/launch?token=a&token=b"}) {
            auto const bad = co_await send("GET", path, {});
            EXPECT_EQ(bad.status, 401) << path;
        }
    });
}

TEST_F(Gateway, WithoutASessionNothingIsShownOrDone) {
    run([this]() -> task<void> {
        browser const nobody;
        for (std::string const path : {"/settings/calendar", "/settings/calendar/connect/default"}) {
            auto const got = co_await get(nobody, path);
            EXPECT_EQ(got.status, 401) << path;
        }
        auto const started = co_await post(nobody, "/settings/calendar/connect/default");
        EXPECT_EQ(started.status, 401);
        std::string const id = to_string(random_uuid());
        auto const ended = co_await post(nobody, "/settings/calendar/disconnect/" + id);
        EXPECT_EQ(ended.status, 401);
    });

    EXPECT_EQ(sql("select count(*) from consent_attempts"), "0");
}

TEST_F(Gateway, AForeignPageCannotStartOrEndAConnection) {
    run([this]() -> task<void> {
        auto by = co_await sign_in();
        co_await connect(by);
        std::string const id = sql("select connection_id from user_calendar_connections");
        for (std::string const& path : {std::string("/settings/calendar/connect/default"), "/settings/calendar/disconnect/" + id}) {
            http::headers const form{{"Content-Type", "application/x-www-form-urlencoded"}, {"Cookie", by.cookie}};
            http::headers evil = form, none = form, ours = form, site = form;
            evil.emplace_back("Origin", "https://evil.example");
            ours.emplace_back("Origin", std::string(public_url));
            site.emplace_back("Origin", std::string(public_url));
            site.emplace_back("Sec-Fetch-Site", "cross-site");
            auto const a = co_await send("POST", path, evil, "csrf=" + by.csrf);
            auto const b = co_await send("POST", path, none, "csrf=" + by.csrf);
            auto const c = co_await send("POST", path, ours, "csrf=wrong");
            auto const d = co_await send("POST", path, ours, "");
            auto const e = co_await send("POST", path, site, "csrf=" + by.csrf);
            auto const f = co_await get(by, path);
            EXPECT_EQ(a.status, 403) << path;
            EXPECT_EQ(b.status, 403) << path;
            EXPECT_EQ(c.status, 403) << path;
            EXPECT_EQ(d.status, 403) << path;
            EXPECT_EQ(e.status, 403) << path;
            EXPECT_NE(f.status, 303) << path;
        }
    });

    EXPECT_EQ(sql("select count(*) from consent_attempts"), "0");
    EXPECT_EQ(sql("select status from user_calendar_connections"), "active");
}

TEST_F(Gateway, AStateIsGoodOnceForTheSessionThatAskedAndForTenMinutes) {
    run([this]() -> task<void> {
        auto anna = co_await sign_in();
        auto other_window = co_await sign_in();
        auto bob = co_await sign_in("u2");
        auto foreign_tenant = co_await sign_in("u1", "t2");
        co_await start(anna);
        std::string const path = back(anna.state);
        // Foreign: another session of hers, another user, another tenant, nobody.
        for (browser const& by : {other_window, bob, foreign_tenant, browser{}}) {
            auto const got = co_await get(by, path);
            EXPECT_TRUE(got.status == 400 || got.status == 401) << got.status;
            EXPECT_TRUE(has(got.body, "Nothing was stored."));
        }
        // Wrong, doubled, missing.
        for (std::string const query : {"state=wrong&code=x", "code=x", "", "state=a&state=b&code=x"}) {
            auto const got = co_await get(anna, "/settings/calendar/callback?" + query);
            EXPECT_EQ(got.status, 400) << query;
        }
        EXPECT_EQ(oauth_.exchanges, 0);
        EXPECT_EQ(connections(), "0");
        auto const right = co_await get(anna, path);
        EXPECT_EQ(right.status, 303);
        auto const reused = co_await get(anna, path);
        EXPECT_EQ(reused.status, 400);
        EXPECT_TRUE(has(reused.body, "This attempt is over"));
        EXPECT_EQ(oauth_.exchanges, 1);
        // Expired.
        co_await start(anna);
        sql("update consent_attempts set expires_at = now() - interval '1 second'");
        auto const late = co_await finish(anna);
        EXPECT_EQ(late.status, 400);
        EXPECT_EQ(oauth_.exchanges, 1);
    });

    EXPECT_EQ(connections(), "1");
}

TEST_F(Gateway, AnErrorFromGoogleIsExplainedAndConsumesTheAttempt) {
    run([this]() -> task<void> {
        auto by = co_await sign_in();
        std::pair<std::string, std::string> const rows[] = {{"access_denied", "You did not allow access"},
                                                            {"admin_policy_enforced", "Your administrator has blocked this app"},
                                                            {"<b>x</b>", "Google could not finish"}};
        for (auto const& [error, title] : rows) {
            co_await start(by);
            std::string const path = "/settings/calendar/callback?error=" + percent_encode(error) + "&state=" + percent_encode(by.state);
            auto const got = co_await get(by, path);
            EXPECT_TRUE(has(got.body, title)) << got.body;
            EXPECT_TRUE(has(got.body, "Nothing was stored."));
            EXPECT_FALSE(has(got.body, "<b>x"));
            auto const again = co_await finish(by);
            EXPECT_EQ(again.status, 400);
        }
    });

    EXPECT_EQ(oauth_.exchanges, 0);
    EXPECT_EQ(connections(), "0");
    EXPECT_EQ(sql("select count(*) from consent_attempts"), "0");
}

TEST_F(Gateway, WhatGoogleGaveIsCheckedBeforeAnythingIsStored) {
    run([this]() -> task<void> {
        auto by = co_await sign_in();
        auto const expect_page = [&](std::string_view title) -> task<void> {
            co_await start(by);
            auto const got = co_await finish(by);
            EXPECT_GE(got.status, 400);
            EXPECT_TRUE(has(got.body, title)) << got.body;
            EXPECT_EQ(connections(), "0") << title;
        };
        oauth_.on_exchange = [this] {
            auto g = granted();
            g.scopes = {"openid", "email", "https://www.googleapis.com/auth/calendar.calendarlist.readonly"};
            return google::answer<google::grant>(std::move(g));
        };
        co_await expect_page("Not everything was allowed");
        oauth_.on_exchange = [this] {
            auto g = granted();
            g.refresh_token.reset();
            return google::answer<google::grant>(std::move(g));
        };
        co_await expect_page("Google gave access for one hour only");
        auto const fails = [this](errc code, std::string reason) {
            oauth_.on_exchange = [code, reason] {
                return google::answer<google::grant>(google::call_error{.code = code, .reason = reason, .context = "exchange code"});
            };
        };
        fails(errc::grant_revoked, "invalid_grant");
        co_await expect_page("Google did not accept the answer");
        fails(errc::client_rejected, "invalid_client");
        co_await expect_page("The Google client is not set up rightly");
        fails(errc::timed_out, "timed_out");
        co_await expect_page("Please try again");
        fails(errc::grant_revoked, "admin_policy_enforced");
        co_await expect_page("Your administrator has blocked this app");
        oauth_.on_exchange = [this] { return google::answer<google::grant>(granted()); };
        oauth_.on_verify = [] {
            return google::answer<google::identity>(google::call_error{.code = errc::malformed, .context = "id token: another nonce"});
        };
        co_await expect_page("could not be verified");
    });

    EXPECT_EQ(sql("select count(*) from calendars"), "0");
    EXPECT_EQ(sql("select count(*) from outbox"), "0");
}

TEST_F(Gateway, AFailedDiscoveryLeavesTheConnectionForTheRenewer) {
    calendars_.on_calendar_list = [](std::string_view) {
        return google::answer<std::vector<google::calendar_entry>>(
            google::call_error{.code = errc::unavailable, .context = "list calendars"});
    };
    run([this]() -> task<void> {
        auto by = co_await sign_in();
        co_await connect(by);
        auto const page = co_await get(by, "/settings/calendar");
        EXPECT_TRUE(has(page.body, "Your calendars are being read."));
    });

    EXPECT_EQ(sql("select status || coalesce(calendars_read_at::text, '/unread') from user_calendar_connections"), "active/unread");
}

TEST_F(Gateway, KafkaAwayLosesNoWakeUp) {
    producer_.away = true;
    run([this]() -> task<void> {
        auto by = co_await sign_in();
        co_await connect(by);
    });

    EXPECT_EQ(sql("select count(*) from outbox where status = 'pending' and topic = 'calendar-changed'"), "1");
}

TEST_F(Gateway, ConnectingTheSameAccountAgainKeepsItsConnection) {
    run([this]() -> task<void> {
        auto by = co_await sign_in();
        co_await connect(by);
        std::string const id = sql("select connection_id from user_calendar_connections");
        co_await start(by, "&connection=" + id);
        EXPECT_EQ(http::find(last_authorization_, "login_hint"), "anna@x.example");
        auto const again = co_await finish(by);
        EXPECT_EQ(again.status, 303);
        EXPECT_EQ(sql("select connection_id from user_calendar_connections"), id);
        EXPECT_EQ(connections(), "1");
        auto const sealed = co_await store::read_tokens(*db_, tenant_id("t1"), connection_id{parse_uuid(id).value()});
        auto const opened = account::open_grant(ring_, tenant_id("t1"), connection_id{parse_uuid(id).value()}, **sealed);
        EXPECT_TRUE(opened && opened->refresh_token.equals("canary-refresh"));
        // Renewing it with another account is refused; connecting that one as another account is fine.
        sub_ = "sub-2";
        co_await start(by, "&connection=" + id);
        auto const other = co_await finish(by);
        EXPECT_EQ(other.status, 403);
        EXPECT_TRUE(has(other.body, "another Google account"));
        EXPECT_EQ(connections(), "1");
        co_await connect(by);
        EXPECT_EQ(connections(), "2");
    });
}

TEST_F(Gateway, NobodyReconnectsOrEndsAnothersConnection) {
    run([this]() -> task<void> {
        auto anna = co_await sign_in();
        co_await connect(anna);
        std::string const id = sql("select connection_id from user_calendar_connections");
        auto bob = co_await sign_in("u2");
        auto stranger = co_await sign_in("u1", "t2");
        for (browser const& by : {bob, stranger}) {
            auto const reconnect = co_await post(by, "/settings/calendar/connect/default", "&connection=" + id);
            auto const ended = co_await post(by, "/settings/calendar/disconnect/" + id);
            std::string const none = to_string(random_uuid());
            auto const unknown = co_await post(by, "/settings/calendar/disconnect/" + none);
            EXPECT_EQ(reconnect.status, 404);
            EXPECT_EQ(ended.status, 404);
            EXPECT_EQ(ended.body, unknown.body);
        }
    });

    EXPECT_EQ(sql("select status from user_calendar_connections"), "active");
    EXPECT_TRUE(oauth_.revoked.empty());
}

TEST_F(Gateway, UnknownFormFieldsAndIntegrationsAreRefused) {
    run([this]() -> task<void> {
        auto by = co_await sign_in();
        for (std::string const extra : {"&tenant=t2", "&mode=everything", "&mode=two_way&mode=two_way", "&connection=x", "&scope=x"}) {
            auto const got = co_await post(by, "/settings/calendar/connect/default", extra);
            EXPECT_EQ(got.status, 400) << extra;
        }
        std::string const unknown = to_string(random_uuid());
        for (std::string const& name : {std::string("nonsense"), unknown}) {
            auto const got = co_await post(by, "/settings/calendar/connect/" + name);
            EXPECT_EQ(got.status, 404) << name;
        }
    });

    EXPECT_EQ(sql("select count(*) from consent_attempts"), "0");
}

TEST_F(Gateway, OnlyTheNewestTenAttemptsOfAUserStayOpen) {
    run([this]() -> task<void> {
        auto by = co_await sign_in();
        co_await start(by);
        std::string const first = by.state;
        for (int i = 0; i < 12; ++i) co_await start(by);
        std::string const last = by.state;
        EXPECT_EQ(sql("select count(*) from consent_attempts"), "10");
        by.state = first;
        auto const oldest = co_await finish(by);
        EXPECT_EQ(oldest.status, 400);
        by.state = last;
        auto const newest = co_await finish(by);
        EXPECT_EQ(newest.status, 303);
    });
}

TEST_F(Gateway, WithoutAGoogleClientItSaysSo) {
    deps_.default_client = false;
    clients_ = account::make_client_directory(*db_, ring_, std::nullopt);
    run([this]() -> task<void> {
        auto const opened = co_await send("GET", launch_link(), {});
        browser by{.cookie = std::string(http::find(opened.fields, "Set-Cookie").value_or(""))};
        by.cookie = by.cookie.substr(0, by.cookie.find(';'));
        auto const page = co_await get(by, "/settings/calendar");
        EXPECT_EQ(page.status, 200);
        EXPECT_TRUE(has(page.body, "Google Calendar sync is being set up"));
    });
}

}  // namespace
}  // namespace calbridge::gateway
