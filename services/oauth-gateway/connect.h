#pragma once
// /settings/calendar/connect/{integration}: the page with the button, and the POST that sends the browser to Google.

#include "deps.h"

namespace calbridge::gateway {

inline constexpr int open_attempts_max = 10;

// "default" is the environment's client. Empty outer optional: no such spelling.
std::optional<std::optional<integration_id>> integration_named(std::string_view text);

// Handles for one attempt, all from the operating system's random source.
struct attempt_secrets {
    std::string state, nonce;
    secret verifier;
    static attempt_secrets make();
};
// PKCE S256 (RFC 7636).
std::string code_challenge(secret const& verifier);
bytes state_hash(std::string_view state);
// Binds a sealed verifier to its attempt.
std::string verifier_place(tenant_id const& tenant, bytes const& state_hash);

task<http::response> show_connect(deps const& d, http::server_request const& request);
task<http::response> start_connect(deps const& d, http::server_request const& request);

}  // namespace calbridge::gateway
