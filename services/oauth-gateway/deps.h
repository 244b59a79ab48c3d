#pragma once
// What the use cases share. Owned by app.cpp and by tests.

#include "session.h"
#include "waker.h"

#include "account/tokens.h"
#include "clients/google/google.h"
#include "store/accounts.h"

#include "common/http/server.h"

namespace calbridge::gateway {

struct deps {
    pg::database& db;
    google::oauth_api& oauth;
    google::calendar_api& calendars;
    account::client_directory& clients;
    waker& wake;
    clock const& now;
    crypto::key_ring ring;
    secret launch_key;
    session_keeper sessions;
    google::endpoints google_at;
    bool default_client{};  // the environment has an OAuth client

    std::int64_t unix_now() const { return std::chrono::duration_cast<std::chrono::seconds>(now.now().time_since_epoch()).count(); }
};

http::response page(int status, std::string_view title, std::string_view body_html);
http::response see_other(std::string location);
// The same for everything that is not there or not yours.
http::response not_found_page();
http::response no_session_page();
// Storage or Google is away: nothing was lost, try again.
http::response try_again_page(std::string_view what);

inline constexpr std::string_view settings_path = "/settings/calendar";

}  // namespace calbridge::gateway
