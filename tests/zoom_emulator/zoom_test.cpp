#include "common/base/encoding.h"
#include "common/testing/testing.h"
#include "tests/emulator/text.h"
#include "tests/zoom_emulator/zoom_world.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace calbridge::zoom_emulator {
namespace {

using emulator::text_at;

struct outcome {
    answer whole;
    int status{0};
    bj::value body;
    bj::object const& object() const { return body.as_object(); }
    std::int64_t code() const { return object().at("code").as_int64(); }
    std::string text(std::string_view name) const { return std::string(text_at(object(), name)); }
    std::int64_t id() const { return object().at("id").as_int64(); }
};

class Zoom : public ::testing::Test {
protected:
    Zoom() {
        w.add_account({.id = "acc", .client_id = "client", .client_secret = "secret", .users = {"anna@example.com", "bob@example.com"}});
    }

    outcome ask(std::string method, std::string target, std::string body = {}, http::headers fields = {}) {
        request r{
            .method = std::move(method), .path = target.substr(0, target.find('?')), .fields = std::move(fields), .body = std::move(body)};
        if (auto const mark = target.find('?'); mark != std::string::npos) r.query = target.substr(mark + 1);
        outcome out{.whole = w.handle(r)};
        out.status = out.whole.status;
        boost::system::error_code ec;
        out.body = bj::parse(out.whole.body, ec);
        return out;
    }
    outcome token(std::string const& credentials = "client:secret",
                  std::string const& query = "grant_type=account_credentials&account_id=acc") {
        return ask("POST", "/oauth/token?" + query, {}, {{"Authorization", "Basic " + base64(as_bytes(credentials))}});
    }
    outcome api(std::string method, std::string const& path, std::string body = {}) {
        if (bearer.empty()) bearer = token().text("access_token");
        return ask(std::move(method), "/v2/" + path, std::move(body), {{"Authorization", "Bearer " + bearer}});
    }
    outcome create(std::string const& more = {}) {
        return api("POST", "users/anna@example.com/meetings",
                   R"({"topic":"Visit","type":2,"start_time":"2026-11-25T10:00:00","timezone":"Europe/Zurich","duration":45)" +
                       (more.empty() ? "" : "," + more) + "}");
    }
    static std::string starts(outcome const& o) {
        std::string all;
        for (auto const& x : o.object().at("occurrences").as_array())
            all += std::string(text_at(x.as_object(), "start_time")).substr(5) +
                   (text_at(x.as_object(), "status") == "deleted" ? "-" : "") + " ";
        return all;
    }

    testing::manual_clock clock;
    zoom_world w{clock, {}};
    std::string bearer;
};

TEST_F(Zoom, TokensAreForTheRightClientAndAccountAndLastAnHour) {
    EXPECT_EQ(token().status, 200);
    EXPECT_EQ(token().text("token_type"), "bearer");
    EXPECT_EQ(token("client:wrong").status, 400);
    EXPECT_EQ(token("client:wrong").text("error"), "invalid_client");
    EXPECT_EQ(token("client:secret", "grant_type=client_credentials&account_id=acc").text("error"), "unsupported_grant_type");
    EXPECT_EQ(token("client:secret", "grant_type=account_credentials&account_id=other").text("error"), "invalid_request");
    EXPECT_EQ(ask("GET", "/v2/meetings/1").code(), 124);
    EXPECT_EQ(api("GET", "users/me/meetings").status, 200);
    clock.advance(std::chrono::minutes(61));
    auto const old = api("GET", "users/me/meetings");
    EXPECT_EQ(old.status, 401);
    EXPECT_EQ(old.code(), 124);
}

TEST_F(Zoom, AMeetingIsCreatedReadChangedAndDeleted) {
    auto const made = create(R"("agenda":"About")");
    ASSERT_EQ(made.status, 201) << made.whole.body;
    EXPECT_GT(made.id(), 0xFFFFFFFFLL) << "ids need 64 bits";
    EXPECT_EQ(made.text("start_time"), "2026-11-25T09:00:00Z");
    EXPECT_NE(made.text("join_url").find("/j/" + std::to_string(made.id())), std::string::npos);
    auto const path = "meetings/" + std::to_string(made.id());
    EXPECT_EQ(api("GET", path).text("agenda"), "About");
    EXPECT_EQ(api("PATCH", path, R"({"topic":"Later","start_time":"2026-11-25T12:00:00Z"})").status, 204);
    auto const got = api("GET", path);
    EXPECT_EQ(got.text("topic"), "Later");
    EXPECT_EQ(got.text("start_time"), "2026-11-25T12:00:00Z");
    EXPECT_EQ(got.text("join_url"), made.text("join_url"));
    EXPECT_EQ(api("DELETE", path).status, 204);
    for (auto const* method : {"GET", "DELETE", "PATCH"}) {
        auto const gone = api(method, path, std::string(method) == "PATCH" ? "{}" : "");
        EXPECT_EQ(gone.status, 404);
        EXPECT_EQ(gone.code(), 3001);
    }
    EXPECT_TRUE(w.violations().empty());
}

TEST_F(Zoom, WhatIsWrongIsNamed) {
    auto const bad = create(R"("agenda":")" + std::string(2001, 'x') + "\"");
    EXPECT_EQ(bad.status, 400);
    EXPECT_EQ(bad.code(), 300);
    EXPECT_EQ(text_at(bad.object().at("errors").as_array().at(0).as_object(), "field"), "agenda");
    for (auto const* body : {R"({"start_time":"2026-11-25T10:00:00+01:00"})", R"({"timezone":"Mars/Base"})", R"({"type":9})",
                             R"({"duration":"long"})", R"({"topic":5})", "[]"})
        EXPECT_EQ(api("POST", "users/anna@example.com/meetings", body).status, 400) << body;
    EXPECT_EQ(api("POST", "users/nobody@example.com/meetings", "{}").code(), 1001);
    EXPECT_EQ(w.meetings(), 0U);
    create(R"("colour":"red")");
    EXPECT_EQ(w.violations().size(), 1U);
}

TEST_F(Zoom, ARecurringMeetingKeepsItsWallTime) {
    auto const made = api("POST", "users/anna@example.com/meetings",
                          R"({"topic":"Weekly","type":8,"start_time":"2026-10-21T10:00:00","timezone":"Europe/Zurich",)"
                          R"("recurrence":{"type":2,"repeat_interval":1,"weekly_days":"4","end_times":3}})");
    ASSERT_EQ(made.status, 201) << made.whole.body;
    EXPECT_EQ(starts(made), "10-21T08:00:00Z 10-28T09:00:00Z 11-04T09:00:00Z ");
    auto const path = "meetings/" + std::to_string(made.id());
    auto const second = text_at(made.object().at("occurrences").as_array().at(1).as_object(), "occurrence_id");
    EXPECT_EQ(api("DELETE", path + "?occurrence_id=" + std::string(second)).status, 204);
    EXPECT_EQ(starts(api("GET", path)), "10-21T08:00:00Z 10-28T09:00:00Z- 11-04T09:00:00Z ");
    EXPECT_EQ(api("PATCH", path, R"({"recurrence":{"type":1,"end_date_time":"2026-10-22T23:59:59Z"}})").status, 204);
    EXPECT_EQ(starts(api("GET", path)), "10-21T08:00:00Z 10-22T08:00:00Z ");
    EXPECT_EQ(api("PATCH", path, R"({"recurrence":{"type":2,"end_times":51}})").status, 400);
}

TEST_F(Zoom, ListsArePagedAndKnowWhatIsOver) {
    for (int i = 0; i < 5; ++i) create(R"("agenda":")" + std::string(300, 'a') + "\"");
    create(R"("start_time":"2020-01-01T10:00:00Z")");
    api("POST", "users/bob@example.com/meetings", "{}");
    std::size_t seen = 0;
    std::string next;
    do {
        auto const page =
            api("GET", "users/anna@example.com/meetings?type=scheduled&page_size=4" + (next.empty() ? "" : "&next_page_token=" + next));
        ASSERT_EQ(page.status, 200) << page.whole.body;
        EXPECT_EQ(page.object().at("total_records").as_int64(), 6);
        auto const& rows = page.object().at("meetings").as_array();
        seen += rows.size();
        EXPECT_LE(text_at(rows.at(0).as_object(), "agenda").size(), 250U);
        next = page.text("next_page_token");
    } while (!next.empty());
    EXPECT_EQ(seen, 6U);
    clock.advance(std::chrono::seconds(1));
    EXPECT_EQ(api("GET", "users/anna@example.com/meetings?next_page_token=x").status, 400);
    EXPECT_EQ(api("GET", "users/anna@example.com/meetings?type=odd").status, 400);
}

TEST_F(Zoom, LimitsSayWhenToComeBack) {
    w.settings().writes_per_user_and_day = 2;
    create();
    create();
    auto const no = create();
    EXPECT_EQ(no.status, 429);
    EXPECT_EQ(no.code(), 429);
    EXPECT_TRUE(emulator::header(no.whole.fields, "Retry-After")->ends_with("T00:00:00Z"));
    w.settings().writes_per_user_and_day = 0;
    w.settings().requests_per_second = 1;
    (void)create();
    auto const fast = create();
    EXPECT_EQ(fast.status, 429);
    EXPECT_EQ(emulator::header(fast.whole.fields, "Retry-After"), "1");
    w.advance(std::chrono::seconds(1));
    EXPECT_EQ(create().status, 201);
}

TEST_F(Zoom, ALostAnswerLeavesAMeetingBehind) {
    ask("POST", "/_control/faults", R"({"match":{"method":"POST","path_contains":"/meetings"},"action":"lost_response"})");
    EXPECT_EQ(create().whole.sent, answer::how::dropped);
    EXPECT_EQ(w.meetings(), 1U);
    ask("POST", "/_control/faults",
        R"({"match":{"method":"POST"},"action":"status","status":429,"reason":"429","message":"slow","retry_after":7})");
    auto const slow = create();
    EXPECT_EQ(slow.status, 429);
    EXPECT_EQ(slow.code(), 429);
    EXPECT_EQ(emulator::header(slow.whole.fields, "Retry-After"), "7");
    EXPECT_EQ(create().status, 201);
    auto const seen = ask("GET", "/_control/requests").object().at("requests").as_array();
    EXPECT_EQ(seen.size(), 4U) << "the token and three meetings";
    EXPECT_EQ(seen.at(1).at("status").as_int64(), 0);
}

TEST_F(Zoom, APersonChangesAndDeletesInZoomItself) {
    auto const id = std::to_string(create().id());
    EXPECT_EQ(ask("PATCH", "/_control/meetings/" + id, R"({"topic":"Theirs"})").text("topic"), "Theirs");
    EXPECT_EQ(api("GET", "meetings/" + id).text("topic"), "Theirs");
    EXPECT_EQ(w.meeting(std::stoll(id))->at("topic").as_string(), "Theirs");
    ask("DELETE", "/_control/meetings/" + id);
    EXPECT_EQ(api("GET", "meetings/" + id).code(), 3001);
}

}  // namespace
}  // namespace calbridge::zoom_emulator
