#pragma once
// GET /settings/calendar/callback: Google sends the browser back; a consent becomes a connection, or a clear page says why not.

#include "deps.h"

namespace calbridge::gateway {

// What came back, read strictly: each parameter at most once.
struct returned {
    std::string state, error;
    secret code;
};
// Empty: nothing Google would send.
std::optional<returned> read_return(std::string_view query);

// Why nothing was stored.
enum class consent_fault {
    not_ours,          // no state, or garbage
    wrong_session,     // no session: another browser, or it ended
    stale,             // unknown, used, expired or another session's state
    denied,            // the user said no
    admin_blocked,     // a Workspace administrator did
    google_error,      // any other error Google reported
    partial,           // boxes were unticked
    no_refresh_token,  // access for an hour only
    code_refused,      // wrong, old or used code
    client_wrong,      // our client or its secret
    bad_identity,      // the ID token does not hold
    other_account,     // a reconnect with another Google account
    unavailable,       // Google or our storage did not answer
};
struct explanation {
    int status;
    std::string_view code, title, what_to_do;
};
explanation explain(consent_fault fault);
// The fault of a failed exchange of the code.
consent_fault fault_of_exchange(google::call_error const& e);

task<http::response> finish_connect(deps const& d, http::server_request const& request);

}  // namespace calbridge::gateway
