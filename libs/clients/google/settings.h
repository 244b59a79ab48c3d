#pragma once
// The settings every service that talks to Google shares, so that all of them use the same names.

#include "clients/google/google.h"

#include "common/config/config.h"

#include <optional>
#include <string>

namespace calbridge::google {

struct google_settings {
    std::string client_id;     // GOOGLE_CLIENT_ID
    secret client_secret;      // GOOGLE_CLIENT_SECRET
    std::string redirect_uri;  // GOOGLE_REDIRECT_URI, kept byte for byte: Google compares it exactly
    std::string base_url;      // CALBRIDGE_GOOGLE_URL; empty: Google's own endpoints

    // Google's own, or all five under base_url.
    endpoints where() const;
    // The environment's OAuth client; empty when none is configured.
    std::optional<oauth_client> client() const;
};

// Declares the four settings with `target` as their place, and the rule that the three GOOGLE_… ones are given together or not at
// all. `target` must outlive the table.
config::table& declare_google(config::table& settings, google_settings& target);

// What is wrong with the three together, or empty.
std::string fault_of_client(google_settings const& given);

}  // namespace calbridge::google
