#pragma once
// Google's OAuth 2.0 and OpenID endpoints.

#include "tests/emulator/core.h"

namespace calbridge::emulator {

// What a person does on the consent page.
struct consent {
    std::string account;               // email
    std::optional<scope_set> granted;  // empty: everything asked for
    bool deny{false};
};

class oauth {
public:
    explicit oauth(core& c) : c_(c) {}

    // True when `path` is one of these endpoints; `name` is what the statistics call it.
    static std::string_view endpoint(std::string_view path);
    answer handle(request const& r);

    // A person's approval without a browser: the redirect Location, or why there is none.
    struct approval {
        std::string location;
        std::string refused;
    };
    approval approve(std::string_view authorization_query, consent const& choice);

    // Everything the user gave the project is void, for all its clients.
    void revoke_project(std::string const& user, std::string const& project);

private:
    answer authorize(request const& r);
    reply token(request const& r);
    reply exchange(params const& form, oauth_client const& client);
    reply refresh(params const& form, oauth_client const& client);
    reply revoke(request const& r);
    reply userinfo(request const& r, bool oidc);
    reply tokeninfo(request const& r);
    reply certs();
    reply metadata() const;
    std::string consent_page(params const& q, oauth_client const& client, std::string_view note) const;
    std::string problem_with(params const& q, oauth_client const** client) const;
    bj::object issue(oauth_client const& client, std::string const& who, scope_set const& scopes, std::string const& refresh);
    std::string id_token(oauth_client const& client, user const& who, std::string const& access, std::string const& nonce);

    core& c_;
};

// Makes the signing key, which takes a while, before the first request needs it.
void prepare_signing_key();
// The token of an Authorization header, if it is alive.
access_token const* live_token(core const& c, http::headers const& fields);

}  // namespace calbridge::emulator
