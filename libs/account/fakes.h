#pragma once
// Tests only: Google's two interfaces with answers set by the test.

#include "clients/google/google.h"

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace calbridge::account {

class fake_oauth final : public google::oauth_api {
public:
    int exchanges{}, refreshes{}, verifications{};
    std::vector<std::string> revoked, codes, verifiers, nonces;
    std::function<google::answer<google::grant>(std::string_view refresh_token)> on_refresh;
    std::function<google::answer<google::grant>()> on_exchange;
    std::function<google::answer<google::identity>()> on_verify;
    std::function<google::answer<void>()> on_revoke;
    // What a refresh waits for before it answers.
    std::function<task<void>()> before_refresh;

    task<google::answer<google::grant>> exchange(google::oauth_client const&, secret const& code, secret const& code_verifier,
                                                 deadline) override {
        ++exchanges;
        codes.emplace_back(code.reveal());
        verifiers.emplace_back(code_verifier.reveal());
        if (!on_exchange) throw std::logic_error("an exchange nobody expected");
        co_return on_exchange();
    }
    task<google::answer<google::grant>> refresh(google::oauth_client const&, secret const& refresh_token, deadline) override {
        ++refreshes;
        std::string const with(refresh_token.reveal());
        if (before_refresh) co_await before_refresh();
        if (!on_refresh) throw std::logic_error("a refresh nobody expected");
        co_return on_refresh(with);
    }
    task<google::answer<void>> revoke(secret const& token, deadline) override {
        revoked.emplace_back(token.reveal());
        if (on_revoke) co_return on_revoke();
        co_return google::answer<void>();
    }
    task<google::answer<google::identity>> verify_id_token(secret const&, std::string, std::string nonce, deadline) override {
        ++verifications;
        nonces.push_back(std::move(nonce));
        if (!on_verify) throw std::logic_error("an ID token nobody expected");
        co_return on_verify();
    }
};

// Only what connecting and disconnecting use; the rest is a test's mistake.
class fake_calendars final : public google::calendar_api {
public:
    std::function<google::answer<std::vector<google::calendar_entry>>(std::string_view token)> on_calendar_list;
    std::vector<std::pair<std::string, std::string>> stopped;
    std::function<google::answer<void>()> on_stop;

    std::vector<std::optional<std::string>> listed_since;
    std::optional<std::string> next_sync_token;

    task<google::answer<google::calendar_listing>> calendar_list(secret const& token, std::optional<std::string> sync_token,
                                                                 deadline) override {
        if (!on_calendar_list) throw std::logic_error("a calendar list nobody expected");
        listed_since.push_back(std::move(sync_token));
        auto entries = on_calendar_list(token.reveal());
        if (!entries) co_return entries.error();
        co_return google::calendar_listing{std::move(*entries), next_sync_token};
    }
    task<google::answer<void>> stop(secret const&, std::string channel_id, std::string resource_id, deadline) override {
        stopped.emplace_back(std::move(channel_id), std::move(resource_id));
        if (on_stop) co_return on_stop();
        co_return google::answer<void>();
    }
    task<google::answer<google::event_page>> list(secret const&, google::list_query, deadline) override {
        throw std::logic_error("not expected: list");
    }
    task<google::answer<domain::calendar_event>> get(secret const&, std::string, std::string, deadline) override {
        throw std::logic_error("not expected: get");
    }
    task<google::answer<domain::calendar_event>> insert(secret const&, std::string, std::string, google::event_write, deadline) override {
        throw std::logic_error("not expected: insert");
    }
    task<google::answer<domain::calendar_event>> patch(secret const&, std::string, std::string, std::string, google::event_write,
                                                       deadline) override {
        throw std::logic_error("not expected: patch");
    }
    task<google::answer<domain::calendar_event>> move(secret const&, std::string, std::string, std::string, deadline) override {
        throw std::logic_error("not expected: move");
    }
    task<google::answer<void>> remove(secret const&, std::string, std::string, std::string, std::string, deadline) override {
        throw std::logic_error("not expected: remove");
    }
    task<google::answer<google::watch_answer>> watch(secret const&, google::watch_request, deadline) override {
        throw std::logic_error("not expected: watch");
    }
};

}  // namespace calbridge::account
