#include "tests/emulator/serving.h"
#include "common/base/encoding.h"
#include "common/http/client.h"
#include "common/http/server.h"
#include "common/testing/testing.h"
#include "tests/emulator/fixture.h"

#include <boost/asio/this_coro.hpp>

namespace calbridge::emulator {
namespace {

class Serving : public emulator_test {
public:
    using body = task<void> (Serving::*)();

    // Starts the emulator and a receiver of pushes, runs one coroutine against them, stops both.
    void with_servers(body steps) { calbridge::testing::run_coro(ioc_, all(steps)); }

    task<http::response> send(http::client_request r) {
        r.url = "http://127.0.0.1:" + std::to_string(server_->port()) + r.url;
        auto done = co_await client_->send(std::move(r), in(std::chrono::seconds(10)));
        if (done) co_return std::move(*done);
        http::response lost;
        lost.status = 0;
        lost.body = done.error().context;
        co_return lost;
    }
    http::client_request with_token(std::string method, std::string url, std::string text = {}) {
        http::client_request r{.method = std::move(method), .url = std::move(url)};
        r.fields = {{"Authorization", "Bearer " + token_of("anna@example.com")}};
        if (!text.empty()) r.fields.emplace_back("Content-Type", "application/json");
        r.body = std::move(text);
        return r;
    }

    task<void> watch_and_change();
    task<void> ask_for_gzip();
    task<void> break_connections();
    task<void> retry_a_push();
    task<void> ask_another_service();

    std::vector<http::server_request> received_;
    std::vector<int> receiver_answers_;

private:
    task<http::response> receive(http::server_request const& r) {
        received_.push_back(r);
        int status = 200;
        if (!receiver_answers_.empty()) {
            status = receiver_answers_.front();
            receiver_answers_.erase(receiver_answers_.begin());
        }
        co_return http::text_response(status, "");
    }

    task<void> all(body steps) {
        auto const executor = co_await asio::this_coro::executor;
        std::vector<http::route> routes;
        routes.push_back({"POST", "/google", [this](http::server_request const& r) { return receive(r); }});
        auto receiver = http::make_server(executor, {}, std::move(routes));
        serving_options options;
        options.push_map["https://hooks.example"] = "http://127.0.0.1:" + std::to_string(receiver->port());
        options.mounted["/other"] = [](request const& r) { return answer{.body = r.method + " " + r.path}; };
        server_ = make_serving(executor, w, options);
        client_ = http::make_client(executor, {});
        task_group group(executor);
        group.spawn("receiver", receiver->run());
        group.spawn("emulator", server_->run());
        co_await (this->*steps)();
        group.cancel();
        co_await group.join();
        client_.reset();
        server_.reset();
    }

    asio::io_context ioc_{1};
    std::unique_ptr<serving> server_;
    std::unique_ptr<http::client> client_;
};

std::string const watch_body = R"({"id":"channel-1","type":"web_hook","address":"https://hooks.example/google","token":"t"})";

task<void> Serving::watch_and_change() {
    auto watch = with_token("POST", "/calendar/v3/calendars/primary/events/watch", watch_body);
    auto const watched = co_await send(std::move(watch));
    EXPECT_EQ(watched.status, 200) << watched.body;
    EXPECT_EQ(received_.size(), 1U) << "the sync message arrives before the answer";
    auto insert = with_token("POST", "/calendar/v3/calendars/primary/events", event());
    auto const made = co_await send(std::move(insert));
    EXPECT_EQ(made.status, 200) << made.body;
    EXPECT_TRUE(http::find(made.fields, "X-Emulator-Time-Us").has_value());
    auto const arrived = [this] { return received_.size() == 2; };
    bool const came = co_await calbridge::testing::eventually(arrived);
    EXPECT_TRUE(came);
    if (!came) co_return;
    EXPECT_EQ(http::find(received_[0].fields, "x-goog-resource-state"), "sync");
    EXPECT_EQ(http::find(received_[1].fields, "x-goog-resource-state"), "exists");
    EXPECT_EQ(http::find(received_[1].fields, "x-goog-channel-token"), "t");
    EXPECT_EQ(received_[1].body, "");
}

TEST_F(Serving, PushesReachTheMappedAddress) { with_servers(&Serving::watch_and_change); }

task<void> Serving::ask_another_service() {
    http::client_request whole{.method = "GET", .url = "/other/v2/meetings"};
    auto const said = co_await send(std::move(whole));
    EXPECT_EQ(said.body, "GET /v2/meetings");
    http::client_request like{.method = "GET", .url = "/otherwise"};
    auto const missed = co_await send(std::move(like));
    EXPECT_EQ(missed.status, 404);
}

TEST_F(Serving, AServiceUnderItsOwnPrefixAnswersThere) { with_servers(&Serving::ask_another_service); }

task<void> Serving::ask_for_gzip() {
    auto get = with_token("GET", "/calendar/v3/colors");
    auto const said = co_await send(std::move(get));
    EXPECT_EQ(said.status, 200);
    EXPECT_NE(said.body.find("#a4bdfc"), std::string::npos) << "the client unpacks what was packed";
    auto plain = with_token("GET", "/calendar/v3/colors");
    plain.fields.emplace_back("User-Agent", "no packing");
    auto const unpacked = co_await send(std::move(plain));
    EXPECT_EQ(unpacked.body, said.body);
}

TEST_F(Serving, GzipGoesToClientsThatAskInBothWays) {
    with_servers(&Serving::ask_for_gzip);
    EXPECT_EQ(gzip("hello").substr(0, 2), "\x1f\x8b");
}

task<void> Serving::break_connections() {
    for (std::string const action : {"reset", "lost_response", "truncated"}) {
        control("faults", R"({"match":{"method":"POST"},"action":")" + action + "\"}");
        auto insert = with_token("POST", "/calendar/v3/calendars/primary/events",
                                 event(R"("id":")" +
                                       std::string(action == "reset"       ? "aaaaa"
                                                   : action == "truncated" ? "bbbbb"
                                                                           : "ccccc") +
                                       "\""));
        auto const lost = co_await send(std::move(insert));
        EXPECT_EQ(lost.status, 0) << action << ": " << lost.body;
    }
    EXPECT_EQ(api("GET", primary + "/aaaaa").status, 404);
    EXPECT_EQ(api("GET", primary + "/bbbbb").status, 200);
    EXPECT_EQ(api("GET", primary + "/ccccc").status, 200);
}

TEST_F(Serving, ScriptedFaultsBreakTheConnectionItself) { with_servers(&Serving::break_connections); }

task<void> Serving::retry_a_push() {
    receiver_answers_ = {200, 503, 200};
    auto watch = with_token("POST", "/calendar/v3/calendars/primary/events/watch", watch_body);
    (void)co_await send(std::move(watch));
    auto insert = with_token("POST", "/calendar/v3/calendars/primary/events", event());
    (void)co_await send(std::move(insert));
    auto const refused = [this] { return control("stats").object().at("deliveries").as_object().contains("retrying"); };
    EXPECT_TRUE(co_await calbridge::testing::eventually(refused));
    http::client_request later{.method = "POST", .url = "/_control/clock", .body = R"({"advance_ms":1000})"};
    auto const moved = co_await send(std::move(later));
    EXPECT_EQ(moved.status, 200);
    auto const arrived = [this] { return received_.size() == 3; };
    EXPECT_TRUE(co_await calbridge::testing::eventually(arrived)) << "moving the clock sends what became due";
}

TEST_F(Serving, ARefusedPushIsRetriedWhenTheClockSaysSo) { with_servers(&Serving::retry_a_push); }

TEST(PushMap, TheLongestBeginningWinsAndOnlyWholeOriginsMatch) {
    std::map<std::string, std::string> const map{{"https://a.test", "http://127.0.0.1:1"}, {"https://a.test/deep", "http://127.0.0.1:2"}};
    EXPECT_EQ(mapped(map, "https://a.test/x"), "http://127.0.0.1:1/x");
    EXPECT_EQ(mapped(map, "https://a.test/deep/x"), "http://127.0.0.1:2/x");
    EXPECT_EQ(mapped(map, "https://a.test.evil/x"), "https://a.test.evil/x");
    EXPECT_EQ(mapped(map, "https://b.test/x"), "https://b.test/x");
}

}  // namespace
}  // namespace calbridge::emulator
