#pragma once
// For the tests of this folder: a world with two people, one client and a clock that stands still.

#include "common/testing/testing.h"
#include "tests/emulator/text.h"
#include "tests/emulator/world.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <cstdlib>

namespace calbridge::emulator {

inline discovery const& google_rules() {
    static discovery const rules = [] {
        char const* named = std::getenv("CALBRIDGE_DISCOVERY");
        auto loaded = discovery::load(named != nullptr ? named : "build/discovery");
        if (!loaded) throw std::runtime_error(loaded.error().context);
        return std::move(*loaded);
    }();
    return rules;
}

struct outcome {
    answer whole;
    int status{0};
    bj::value body;
    bj::object const& object() const { return body.as_object(); }
    std::string text(std::string_view name) const {
        return body.is_object() ? std::string(text_at(body.get_object(), name)) : std::string();
    }
    bj::array const& items() const { return object().at("items").as_array(); }
    std::string reason() const {
        auto const* e = body.is_object() ? object_at(body.get_object(), "error") : nullptr;
        auto const* all = e != nullptr ? array_at(*e, "errors") : nullptr;
        return all != nullptr ? std::string(text_at(all->at(0).as_object(), "reason")) : text("error");
    }
};

class emulator_test : public ::testing::Test {
protected:
    emulator_test() {
        w.add_user("anna@example.com", "Europe/Zurich");
        w.add_user("bob@example.com", "America/New_York");
        w.add_client({.id = "client", .secret = "secret", .redirect_uris = {"http://127.0.0.1/cb"}});
        w.settings().quota_user_per_minute = 0;
    }

    outcome ask(std::string method, std::string target, std::string body = {}, http::headers fields = {}) {
        request r;
        r.method = std::move(method);
        auto const mark = target.find('?');
        r.path = target.substr(0, mark);
        if (mark != std::string::npos) r.query = target.substr(mark + 1);
        r.fields = std::move(fields);
        if (!body.empty() && !header(r.fields, "Content-Type")) r.fields.emplace_back("Content-Type", "application/json");
        r.body = std::move(body);
        outcome out;
        out.whole = w.handle(r);
        out.status = out.whole.status;
        boost::system::error_code ec;
        out.body = bj::parse(out.whole.body, ec);
        return out;
    }
    outcome control(std::string const& what, std::string body = {}, std::string method = {}) {
        return ask(method.empty() ? (body.empty() ? "GET" : "POST") : method, "/_control/" + what, std::move(body));
    }
    std::string token_of(std::string const& email) {
        auto& kept = tokens_[email];
        if (kept.empty()) kept = control("tokens", R"({"email":")" + email + R"(","client":"client"})").text("access_token");
        return kept;
    }
    // A call of the Calendar API as one of the two.
    outcome api(std::string method, std::string const& path, std::string body = {}, http::headers fields = {},
                std::string const& as = "anna@example.com") {
        fields.emplace_back("Authorization", "Bearer " + token_of(as));
        return ask(std::move(method), "/calendar/v3/" + path, std::move(body), std::move(fields));
    }
    outcome bob(std::string method, std::string const& path, std::string body = {}, http::headers fields = {}) {
        return api(std::move(method), path, std::move(body), std::move(fields), "bob@example.com");
    }
    static std::string event(std::string const& more = {}) {
        return R"({"summary":"Visit","start":{"dateTime":"2026-11-25T10:00:00+01:00","timeZone":"Europe/Zurich"},)"
               R"("end":{"dateTime":"2026-11-25T11:00:00+01:00","timeZone":"Europe/Zurich"})" +
               (more.empty() ? "" : "," + more) + "}";
    }
    outcome insert(std::string const& more = {}) { return api("POST", "calendars/primary/events", event(more)); }
    std::string violation_text() const {
        std::string all;
        for (auto const& v : w.violations()) all += v.what + "\n";
        return all;
    }

    calbridge::testing::manual_clock clock;
    world w{google_rules(), clock, {.check_answers = true}};

private:
    std::map<std::string, std::string> tokens_;
};

inline std::string const primary = "calendars/primary/events";

}  // namespace calbridge::emulator
