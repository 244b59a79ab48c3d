#pragma once
// Google Calendar v3 and OAuth 2.0 as typed calls over http::client. Errors are classified by Google's `reason`, not by status alone.

#include "domain/event.h"
#include "domain/plan.h"

#include "common/async/task.h"
#include "common/base/secret.h"
#include "common/http/client.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace calbridge::google {

struct endpoints {
    std::string api{"https://www.googleapis.com/calendar/v3"};
    std::string authorize{"https://accounts.google.com/o/oauth2/v2/auth"};
    std::string token{"https://oauth2.googleapis.com/token"};
    std::string revoke{"https://oauth2.googleapis.com/revoke"};
    std::string jwks{"https://www.googleapis.com/oauth2/v3/certs"};
};
// All five under one base, for an emulator: base + "/calendar/v3", "/o/oauth2/v2/auth", "/token", "/revoke", "/oauth2/v3/certs".
endpoints endpoints_at(std::string const& base);

// What went wrong, as the caller must treat it. `code` maps as in base/result.h; `reason` is Google's ("rateLimitExceeded", "duplicate",
// …).
struct call_error {
    errc code{errc::internal};
    int status{};
    std::string reason;
    std::string context;
    bool outcome_unknown{};  // a write may have taken effect
    bool scope_missing{};    // 403 insufficientPermissions: ask for the scope, keep the grant
    bool cursor_dead{};      // 410 fullSyncRequired or 400 "Invalid sync token value."
    bool calendar_gone{};    // 404/403 on the calendar itself: a connection problem, never a deletion
    std::optional<std::chrono::seconds> retry_after;
};
template <class T>
using answer = boost::system::result<T, call_error>;
[[noreturn]] void throw_exception_from_error(call_error const& e, boost::source_location const& where);
// Pure classification of a non-2xx answer (status, body, Retry-After); unit-tested row by row against Google's table.
call_error classify(int status, std::string_view body, std::optional<std::string_view> retry_after, std::int64_t now_unix);

struct event_page {
    std::vector<domain::calendar_event> items;
    std::vector<std::pair<std::string, std::string>> odd;  // (event id or "", raw) of items that could not be read, with reason appended
    std::vector<std::string> odd_reasons;
    std::optional<std::string> next_page_token, next_sync_token;
    std::string time_zone, access_role;
};
// One event as the mirror keeps it: read back, and as it is kept where nobody may know what it is about (its times, its rule, whether it
// blocks and how its calendar's user answered). `raw` that is no event comes back as an empty object.
result<domain::calendar_event> read_kept_event(std::string_view raw, std::string_view calendar_zone);
std::string bare_event(std::string_view raw);

struct list_query {
    std::string calendar;
    std::optional<std::string> sync_token, page_token;
    int results_max{2500};
};
// Of the parameters that must stay the same while a sync token lives.
std::string list_fingerprint(list_query const& q);

// What a write sends. Only the named fields are sent; stamp and operation always are.
struct event_write {
    domain::field_set pushed;
    domain::fields values;
    std::string attendees_data{"[]"};  // raw attendees as last seen: known ones are sent back whole
    std::string stamp, operation;
    std::string meet_request_id;  // used when `meet` is pushed and true
    std::string send_updates{"none"};
    bool restore{false};  // of a cancelled occurrence: it takes place again
};

struct calendar_entry {
    std::string id, summary, time_zone, access_role;
    bool primary{}, deleted{}, hidden{};
};
struct calendar_listing {
    std::vector<calendar_entry> entries;
    std::optional<std::string> sync_token;
};
struct watch_request {
    std::string calendar;  // empty: the user's calendar list
    std::string channel_id, address;
    secret token;
    std::chrono::seconds life{604800};
};
struct watch_answer {
    std::string resource_id;
    instant expires_at{};
};

// One per process; the access token is an argument, so nothing here remembers a user. Runs on the executor of the http client.
class calendar_api {
public:
    virtual ~calendar_api() = default;
    virtual task<answer<event_page>> list(secret const& token, list_query query, deadline at) = 0;
    virtual task<answer<domain::calendar_event>> get(secret const& token, std::string calendar, std::string event, deadline at) = 0;
    virtual task<answer<domain::calendar_event>> insert(secret const& token, std::string calendar, std::string event_id, event_write what,
                                                        deadline at) = 0;
    virtual task<answer<domain::calendar_event>> patch(secret const& token, std::string calendar, std::string event, std::string if_match,
                                                       event_write what, deadline at) = 0;
    // 404 and 410 are success: it is gone.
    virtual task<answer<void>> remove(secret const& token, std::string calendar, std::string event, std::string if_match,
                                      std::string send_updates, deadline at) = 0;
    // The whole list, or what changed since `sync_token` (hidden and deleted entries included); cursor_dead when that is too old.
    // To another calendar of the same account, under the same id. Only masters and single events of the default kind.
    virtual task<answer<domain::calendar_event>> move(secret const& token, std::string calendar, std::string event, std::string destination,
                                                      deadline at) = 0;
    virtual task<answer<calendar_listing>> calendar_list(secret const& token, std::optional<std::string> sync_token, deadline at) = 0;
    virtual task<answer<watch_answer>> watch(secret const& token, watch_request what, deadline at) = 0;
    // 404 and 410 are success.
    virtual task<answer<void>> stop(secret const& token, std::string channel_id, std::string resource_id, deadline at) = 0;
};
std::unique_ptr<calendar_api> make_calendar_api(http::client& over, endpoints at, clock const& now);

struct oauth_client {
    std::string client_id;
    secret client_secret;
    std::string redirect_uri;
};
struct grant {
    secret access_token;
    std::optional<secret> refresh_token;
    std::chrono::seconds life{};
    std::vector<std::string> scopes;
    secret id_token;
};
struct identity {
    std::string sub, email;
};

class oauth_api {
public:
    virtual ~oauth_api() = default;
    virtual task<answer<grant>> exchange(oauth_client const& client, secret const& code, secret const& code_verifier, deadline at) = 0;
    // errc::grant_revoked for invalid_grant; errc::client_rejected for invalid_client/deleted_client/unauthorized_client.
    virtual task<answer<grant>> refresh(oauth_client const& client, secret const& refresh_token, deadline at) = 0;
    // 400 invalid_token is success: already revoked.
    virtual task<answer<void>> revoke(secret const& token, deadline at) = 0;
    // Signature by kid against the JWKS (cached), issuer in both spellings, audience, expiry (300 s skew), nonce.
    virtual task<answer<identity>> verify_id_token(secret const& id_token, std::string client_id, std::string nonce, deadline at) = 0;
};
std::unique_ptr<oauth_api> make_oauth_api(http::client& over, endpoints at, clock const& now);

struct authorization {
    std::string client_id, redirect_uri, state, nonce, code_challenge, login_hint;
    std::vector<std::string> scopes;
};
std::string authorization_url(endpoints const& at, authorization const& what);
// openid, email, and the least Calendar scopes of the mode.
std::vector<std::string> scopes_for(domain::sync_mode mode);
// Of `wanted`, those not covered by `granted`: Google returns "email" under another name, and a wider scope covers a narrower one.
std::vector<std::string> missing_scopes(std::vector<std::string> const& granted, std::vector<std::string> const& wanted);

}  // namespace calbridge::google
