#include "clients/zoom/zoom.h"

#include "common/testing/testing.h"

#include <gtest/gtest.h>

#include <deque>
#include <stdexcept>

namespace calbridge::zoom {
namespace {

class scripted_http final : public http::client {
public:
    std::vector<http::client_request> sent;
    std::deque<result<http::response>> script;
    void reply(int status, std::string body = {}, http::headers fields = {}) {
        script.emplace_back(http::response{status, std::move(fields), std::move(body)});
    }
    task<result<http::response>> send(http::client_request request, deadline) override {
        sent.push_back(std::move(request));
        if (script.empty()) throw std::logic_error("a request nobody expected: " + sent.back().url);
        auto next = std::move(script.front());
        script.pop_front();
        co_return next;
    }
};

class ZoomClient : public ::testing::Test {
protected:
    ZoomClient() { token(); }
    void token() { http.reply(200, R"({"access_token":"T","expires_in":3600})"); }
    answer<meeting> create(meeting_write what = {.topic = "Visit", .start = "2026-11-25T10:00:00", .time_zone = "Europe/Zurich"}) {
        answer<meeting> out = call_error{};
        auto body = [](meetings_api& to, account const& of, meeting_write w, answer<meeting>& into) -> task<void> {
            into = co_await to.create(of, std::move(w), in(std::chrono::seconds(5)));
        };
        testing::run_coro(ioc, body(*api, acme, std::move(what), out));
        return out;
    }
    answer<void> remove() {
        answer<void> out;
        auto body = [](meetings_api& to, account const& of, answer<void>& into) -> task<void> {
            into = co_await to.remove(of, "81", in(std::chrono::seconds(5)));
        };
        testing::run_coro(ioc, body(*api, acme, out));
        return out;
    }
    answer<std::optional<meeting>> find(std::string marker) {
        answer<std::optional<meeting>> out = call_error{};
        auto body = [](meetings_api& to, account const& of, std::string m, answer<std::optional<meeting>>& into) -> task<void> {
            into = co_await to.find(of, std::move(m), in(std::chrono::seconds(5)));
        };
        testing::run_coro(ioc, body(*api, acme, std::move(marker), out));
        return out;
    }
    std::string header(std::size_t at, std::string_view name) {
        return std::string(http::find(http.sent.at(at).fields, name).value_or(""));
    }

    asio::io_context ioc;
    testing::manual_clock now;
    scripted_http http;
    std::unique_ptr<meetings_api> api = make_meetings_api(http, {"https://zoom.test", "https://api.zoom.test/v2"}, now);
    account const acme{"acc", "client", secret("hush")};
};

TEST_F(ZoomClient, AMeetingIsMadeWithATokenOfItsAccount) {
    http.reply(201, R"({"id":81234567890,"join_url":"https://zoom.test/j/1","agenda":"calbridge 1"})");

    auto const made =
        create({.topic = "Visit", .start = "2026-11-25T10:00:00", .time_zone = "Europe/Zurich", .minutes = 45, .agenda = "calbridge 1"});

    ASSERT_TRUE(made);
    EXPECT_EQ(made->id, "81234567890");
    EXPECT_EQ(made->join_url, "https://zoom.test/j/1");
    EXPECT_EQ(http.sent[0].url, "https://zoom.test/oauth/token?grant_type=account_credentials&account_id=acc");
    EXPECT_EQ(header(0, "Authorization"), "Basic Y2xpZW50Omh1c2g=");
    EXPECT_EQ(http.sent[1].url, "https://api.zoom.test/v2/users/me/meetings");
    EXPECT_EQ(header(1, "Authorization"), "Bearer T");
    EXPECT_EQ(
        http.sent[1].body,
        R"({"topic":"Visit","type":2,"start_time":"2026-11-25T10:00:00","timezone":"Europe/Zurich","duration":45,"agenda":"calbridge 1"})");
}

TEST_F(ZoomClient, TheTokenIsKeptUntilShortlyBeforeItsEnd) {
    for (int i = 0; i < 2; ++i) http.reply(201, R"({"id":1,"join_url":"j"})");
    create();
    create();
    EXPECT_EQ(http.sent.size(), 3u);
    now.advance(std::chrono::minutes(56));
    token();
    http.reply(201, R"({"id":1,"join_url":"j"})");
    create();
    EXPECT_EQ(http.sent.size(), 5u);
}

TEST_F(ZoomClient, ARefusedTokenIsFetchedAnewOnce) {
    http.reply(401, R"({"code":124})");
    token();
    http.reply(201, R"({"id":1,"join_url":"j"})");
    EXPECT_TRUE(create());

    http.reply(401, R"({"code":124})");
    token();
    http.reply(401, R"({"code":124})");
    auto const refused = create();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::client_rejected);
    EXPECT_FALSE(refused.error().outcome_unknown);
}

TEST_F(ZoomClient, WrongCredentialsAreOurFault) {
    http.script.clear();
    http.reply(400, R"({"reason":"Invalid client_id or client_secret","error":"invalid_client"})");
    auto const refused = create();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::client_rejected);
}

TEST_F(ZoomClient, ErrorsSayWhatTheyAreAndWhetherSomethingMayHaveHappened) {
    struct row {
        int status;
        errc code;
        bool unknown;
    };
    for (row const& each : {row{400, errc::malformed, false}, row{403, errc::forbidden, false}, row{404, errc::not_found, false},
                            row{429, errc::rate_limited, false}, row{500, errc::unavailable, true}, row{503, errc::unavailable, true}}) {
        http.reply(each.status, R"({"code":300,"message":"no"})", {{"Retry-After", "7"}});
        auto const failed = create();
        ASSERT_FALSE(failed);
        EXPECT_EQ(failed.error().code, each.code) << each.status;
        EXPECT_EQ(failed.error().outcome_unknown, each.unknown) << each.status;
        EXPECT_EQ(failed.error().retry_after, std::chrono::seconds(7));
    }
    http.script.emplace_back(fail(errc::timed_out, "read"));
    EXPECT_TRUE(create().error().outcome_unknown);
    http.script.emplace_back(fail(errc::unavailable, "not sent: refused"));
    EXPECT_FALSE(create().error().outcome_unknown);
    http.reply(201, "<html>");
    EXPECT_TRUE(create().error().outcome_unknown);
    http.reply(201, R"({"id":1})");
    EXPECT_TRUE(create().error().outcome_unknown) << "a meeting without a link is no answer";
    http.reply(429, {}, {{"Retry-After", "2026-11-21T00:00:00Z"}});
    EXPECT_EQ(create().error().retry_after, std::chrono::hours(1));
}

TEST_F(ZoomClient, RemovingWhatIsGoneIsSuccess) {
    http.reply(404, R"({"code":3001})");
    EXPECT_TRUE(remove());
    http.reply(204);
    EXPECT_TRUE(remove());
}

TEST_F(ZoomClient, AMeetingIsFoundByItsMarkerOnAnyPage) {
    http.reply(200, R"({"meetings":[{"id":1,"agenda":"calbridge 10","join_url":"a"},7],"next_page_token":"p"})");
    http.reply(200, R"({"meetings":[{"id":2,"agenda":"calbridge 2\nmore","join_url":"b"}]})");
    auto const found = find("calbridge 2");
    ASSERT_TRUE(found);
    ASSERT_TRUE(*found);
    EXPECT_EQ((*found)->id, "2");
    EXPECT_TRUE(http.sent.back().url.ends_with("&next_page_token=p"));

    http.reply(200, R"({"meetings":[]})");
    EXPECT_FALSE(find("calbridge 3").value());
    for (int i = 0; i < 2; ++i) http.reply(200, R"({"meetings":[],"next_page_token":"same"})");
    EXPECT_EQ(find("calbridge 3").error().code, errc::too_large) << "pages that do not end";
}

}  // namespace
}  // namespace calbridge::zoom
