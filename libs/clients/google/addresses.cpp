#include "clients/google/google.h"

#include "common/base/encoding.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

namespace calbridge::google {

endpoints endpoints_at(std::string const& base) {
    return {.api = base + "/calendar/v3",
            .authorize = base + "/o/oauth2/v2/auth",
            .token = base + "/token",
            .revoke = base + "/revoke",
            .jwks = base + "/oauth2/v3/certs"};
}

std::string list_fingerprint(list_query const& q) {
    return fmt::format("singleEvents=false&showDeleted=true&maxResults={}", q.results_max);
}

std::string authorization_url(endpoints const& at, authorization const& what) {
    http::form query{{"client_id", what.client_id},
                     {"redirect_uri", what.redirect_uri},
                     {"response_type", "code"},
                     {"scope", fmt::format("{}", fmt::join(what.scopes, " "))},
                     {"access_type", "offline"},
                     {"prompt", "consent"},
                     {"include_granted_scopes", "false"},
                     {"state", what.state},
                     {"nonce", what.nonce},
                     {"code_challenge", what.code_challenge},
                     {"code_challenge_method", "S256"}};
    if (!what.login_hint.empty()) query.emplace_back("login_hint", what.login_hint);
    std::string out = at.authorize;
    char separator = at.authorize.find('?') == std::string::npos ? '?' : '&';
    for (auto const& [name, value] : query) {
        out += fmt::format("{}{}={}", separator, name, percent_encode(value));
        separator = '&';
    }
    return out;
}

std::vector<std::string> scopes_for(domain::sync_mode mode) {
    constexpr std::string_view prefix = "https://www.googleapis.com/auth/";
    auto const calendar = [&](std::string_view scope) { return fmt::format("{}{}", prefix, scope); };
    std::vector<std::string> out{"openid", "email", calendar("calendar.calendarlist.readonly")};
    switch (mode) {
    case domain::sync_mode::two_way:
    case domain::sync_mode::crm_to_google: out.push_back(calendar("calendar.events")); break;
    case domain::sync_mode::google_to_crm:
    // Free/busy access would show less, but not who declined or said maybe, and that time is not busy.
    case domain::sync_mode::busy_only: out.push_back(calendar("calendar.events.readonly")); break;
    }
    return out;
}

std::vector<std::string> missing_scopes(std::vector<std::string> const& granted, std::vector<std::string> const& wanted) {
    static std::multimap<std::string_view, std::string_view> const also{
        {"email", "https://www.googleapis.com/auth/userinfo.email"},
        {"profile", "https://www.googleapis.com/auth/userinfo.profile"},
        {"https://www.googleapis.com/auth/calendar.events", "https://www.googleapis.com/auth/calendar"},
        {"https://www.googleapis.com/auth/calendar.events.readonly", "https://www.googleapis.com/auth/calendar"},
        {"https://www.googleapis.com/auth/calendar.events.readonly", "https://www.googleapis.com/auth/calendar.readonly"},
        {"https://www.googleapis.com/auth/calendar.events.readonly", "https://www.googleapis.com/auth/calendar.events"},
        {"https://www.googleapis.com/auth/calendar.calendarlist.readonly", "https://www.googleapis.com/auth/calendar"},
        {"https://www.googleapis.com/auth/calendar.calendarlist.readonly", "https://www.googleapis.com/auth/calendar.readonly"},
        {"https://www.googleapis.com/auth/calendar.calendarlist.readonly", "https://www.googleapis.com/auth/calendar.calendarlist"},
    };
    auto const has = [&](std::string_view scope) { return std::ranges::find(granted, scope) != granted.end(); };
    std::vector<std::string> out;
    for (auto const& scope : wanted) {
        auto const [first, last] = also.equal_range(scope);
        if (!has(scope) && std::none_of(first, last, [&](auto const& pair) { return has(pair.second); })) out.push_back(scope);
    }
    return out;
}

}  // namespace calbridge::google
