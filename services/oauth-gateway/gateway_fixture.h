#pragma once
// Tests only: the real server on loopback, PostgreSQL as the gateway's role, Google and Kafka faked. Every answer's headers are checked,
// and at the end everything that was answered or logged is searched for secrets.

#include "connect.h"
#include "jwt_make.h"
#include "routes.h"

#include "account/fakes.h"

#include "common/http/client.h"
#include "common/observe/log.h"
#include "common/testing/testing.h"

#include <boost/asio/this_coro.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <strings.h>

namespace calbridge::gateway {

inline constexpr std::string_view public_url = "https://crm.example";
inline constexpr std::string_view canaries[] = {"canary-access", "canary-refresh",  "canary-code",
                                                "canary-secret", "canary-id-token", "canary-fresh"};

class fake_producer final : public kafka::producer {
public:
    std::vector<kafka::record> sent;
    bool away{};

    void send(kafka::record what, std::function<void(result<void>)> done) override {
        if (away) return done(fail(errc::unavailable, "away"));
        sent.push_back(std::move(what));
        done({});
    }
    task<result<void>> send(kafka::record) override { throw std::logic_error("not expected"); }
    task<std::vector<result<void>>> send_all(std::vector<kafka::record>) override { throw std::logic_error("not expected"); }
    std::size_t in_flight() const override { return 0; }
    task<void> flush(deadline) override { co_return; }
};

// What a browser keeps and sends.
struct browser {
    std::string cookie;
    std::string csrf;
    std::string state;  // of the newest consent it was sent to
};

using namespace std::chrono_literals;

class Gateway : public ::testing::Test {
public:
    Gateway() {
        log::capture(&lines_);
        oauth_.on_exchange = [this] { return google::answer<google::grant>(granted()); };
        oauth_.on_verify = [this] { return google::answer<google::identity>(google::identity{.sub = sub_, .email = "anna@x.example"}); };
        calendars_.on_calendar_list = [](std::string_view) {
            return google::answer<std::vector<google::calendar_entry>>(std::vector<google::calendar_entry>{
                {.id = "anna@x.example", .summary = "Anna", .time_zone = "Europe/Zurich", .access_role = "owner", .primary = true},
                {.id = "team@group", .summary = "Team", .time_zone = "Europe/Zurich", .access_role = "reader"}});
        };
    }
    ~Gateway() override { log::capture(nullptr); }

    google::grant granted() {
        google::grant g{.access_token = secret("canary-access"), .life = 3600s, .id_token = secret("canary-id-token")};
        g.refresh_token = secret("canary-refresh");
        std::string const base = "https://www.googleapis.com/auth/";
        g.scopes = {"openid", base + "userinfo.email", base + "calendar.events", base + "calendar.calendarlist.readonly"};
        return g;
    }

    // Runs `body` beside the server.
    void run(std::function<task<void>()> body) {
        testing::run_coro(ioc_, whole(std::move(body)), 60s);
        scan_for_canaries();
    }
    task<void> whole(std::function<task<void>()> body) {
        task_group group(co_await asio::this_coro::executor);
        group.spawn("server", server_->run());
        group.spawn("waker", waker_.run());
        co_await body();
        group.cancel();
        co_await group.join();
    }

    task<http::response> send(std::string method, std::string path, http::headers fields, std::string body = {}) {
        http::client_request request{.method = std::move(method),
                                     .url = fmt::format("http://127.0.0.1:{}{}", server_->port(), path),
                                     .fields = std::move(fields),
                                     .body = std::move(body)};
        auto got = co_await client_->send(std::move(request), in(20s));
        EXPECT_TRUE(got) << (got ? "" : got.error().context);
        if (!got) co_return http::response{.status = 0};
        all_output_ += got->body;
        for (auto const& [name, value] : got->fields) all_output_ += name + ": " + value + "\n";
        check_headers(*got);
        co_return std::move(*got);
    }
    task<http::response> get(browser const& by, std::string path) {
        http::headers fields;
        if (!by.cookie.empty()) fields.emplace_back("Cookie", by.cookie);
        return send("GET", std::move(path), std::move(fields));
    }
    task<http::response> post(browser const& by, std::string path, std::string extra = {}) {
        http::headers fields{{"Content-Type", "application/x-www-form-urlencoded"}, {"Origin", std::string(public_url)}};
        if (!by.cookie.empty()) fields.emplace_back("Cookie", by.cookie);
        return send("POST", std::move(path), std::move(fields), "csrf=" + by.csrf + extra);
    }
    task<http::response> api(std::string method, std::string path, std::string user = "u1", std::string tenant = "t1",
                             std::string role = "user", std::string body = {}, std::string idempotency_key = {}) {
        json::object const claims{{"tenant", tenant},       {"user", user},      {"role", role},
                                  {"aud", "calbridge-api"}, {"iat", unix_now()}, {"exp", unix_now() + 60}};
        http::headers fields{{"Authorization", "Bearer " + make_jwt(launch_key_, claims)}};
        if (!idempotency_key.empty()) fields.emplace_back("Idempotency-Key", std::move(idempotency_key));
        return send(std::move(method), std::move(path), std::move(fields), std::move(body));
    }

    std::string launch_link(std::string user = "u1", std::string tenant = "t1") {
        json::object const claims{{"tenant", tenant},        {"user", user},
                                  {"role", "user"},          {"iat", unix_now()},
                                  {"exp", unix_now() + 300}, {"jti", "jti-" + to_string(random_uuid())}};
        return "/launch?token=" + make_jwt(launch_key_, claims);
    }
    task<browser> sign_in(std::string user = "u1", std::string tenant = "t1") {
        auto const got = co_await send("GET", launch_link(std::move(user), std::move(tenant)), {});
        EXPECT_EQ(got.status, 303);
        browser out;
        auto const cookie = http::find(got.fields, "Set-Cookie");
        EXPECT_TRUE(cookie);
        if (cookie) out.cookie = std::string(cookie->substr(0, cookie->find(';')));
        auto const page = co_await get(out, "/settings/calendar/connect/default");
        EXPECT_EQ(page.status, 200);
        auto const at = page.body.find("name=\"csrf\" value=\"");
        if (at != std::string::npos) out.csrf = page.body.substr(at + 19, page.body.find('"', at + 19) - at - 19);
        co_return out;
    }
    // Presses the button; keeps the state Google would send back.
    task<void> start(browser& by, std::string extra = {}) {
        auto const got = co_await post(by, "/settings/calendar/connect/default", std::move(extra));
        EXPECT_EQ(got.status, 303) << got.body;
        auto const location = http::find(got.fields, "Location");
        EXPECT_TRUE(location);
        if (!location) co_return;
        auto const query = http::decode_form(location->substr(location->find('?') + 1));
        by.state = std::string(http::find(*query, "state").value_or(""));
        last_authorization_ = *query;
    }
    static std::string back(std::string const& state) {
        return "/settings/calendar/callback?state=" + percent_encode(state) + "&code=4%2Fcanary-code&scope=x&authuser=0";
    }
    task<http::response> finish(browser const& by) {
        std::string const path = back(by.state);
        auto got = co_await get(by, path);
        co_return got;
    }
    task<void> connect(browser& by) {
        co_await start(by);
        auto const got = co_await finish(by);
        EXPECT_EQ(got.status, 303) << got.body;
    }

    std::int64_t unix_now() const { return std::chrono::duration_cast<std::chrono::seconds>(now_.now().time_since_epoch()).count(); }
    std::string sql(std::string const& text) const { return scratch_.exec(text); }
    std::string connections() const { return sql("select count(*) from user_calendar_connections"); }
    static bool has(std::string const& text, std::string_view part) { return text.find(part) != std::string::npos; }

    // Every answer: what the browser is told, once each.
    void check_headers(http::response const& got) {
        for (auto const* name : {"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Cache-Control", "X-Frame-Options",
                                 "Strict-Transport-Security"}) {
            auto const count = std::ranges::count_if(got.fields, [&](auto const& f) { return ::strcasecmp(f.first.c_str(), name) == 0; });
            EXPECT_EQ(count, 1) << name << " on " << got.status;
        }
        EXPECT_TRUE(has(std::string(http::find(got.fields, "Content-Security-Policy").value_or("")), "frame-ancestors 'none'"));
        EXPECT_EQ(http::find(got.fields, "Referrer-Policy"), "no-referrer");
        EXPECT_EQ(http::find(got.fields, "Cache-Control"), "no-store");
    }
    // No secret of Google, and no handle of a flow, in anything we answered or logged.
    void scan_for_canaries() {
        std::string logged;
        for (auto const& line : lines_) logged += line + "\n";
        for (auto const canary : canaries) {
            EXPECT_FALSE(has(all_output_, canary)) << canary;
            EXPECT_FALSE(has(logged, canary)) << canary;
        }
        EXPECT_FALSE(has(logged, "state=") || has(logged, "token=") || has(logged, "code=")) << logged;
    }

    testing::scratch_database scratch_;
    asio::io_context ioc_{1};
    testing::manual_clock now_;
    crypto::key_ring ring_{crypto::key_ring::parse(secret("k1:" + base64(bytes(32, 7)))).value()};
    secret launch_key_{"0123456789abcdef0123456789abcdef"};
    account::fake_oauth oauth_;
    account::fake_calendars calendars_;
    fake_producer producer_;
    std::string sub_{"sub-1"};
    std::unique_ptr<pg::database> db_{pg::make_database(ioc_.get_executor(), {.conninfo = scratch_.conninfo_for("gateway")})};
    std::unique_ptr<account::client_directory> clients_{
        account::make_client_directory(*db_, ring_,
                                       google::oauth_client{.client_id = "cid",
                                                            .client_secret = secret("canary-secret"),
                                                            .redirect_uri = "https://crm.example/settings/calendar/callback"})};
    waker waker_{ioc_.get_executor(), *db_, producer_, now_};
    deps deps_{.db = *db_,
               .oauth = oauth_,
               .calendars = calendars_,
               .clients = *clients_,
               .wake = waker_,
               .now = now_,
               .ring = ring_,
               .launch_key = launch_key_,
               .sessions = session_keeper(ring_, std::string(public_url)),
               .google_at = {},
               .default_client = true};
    std::unique_ptr<http::server> server_{
        http::make_server(ioc_.get_executor(), {.always = security_headers(deps_, true)}, routes_of(deps_))};
    std::unique_ptr<http::client> client_{http::make_client(ioc_.get_executor(), {})};
    http::form last_authorization_;
    std::string all_output_;
    std::vector<std::string> lines_;
};

}  // namespace calbridge::gateway
