#pragma once
// Telling Google that a connection was ended: oauth-gateway tries at once, channel-renewer again while Google is away.

#include "account/tokens.h"

namespace calbridge::account {

struct leave_parts {
    pg::database& db;
    google::calendar_api& calendars;
    google::oauth_api& oauth;
    client_directory& clients;
    crypto::key_ring const& ring;
    clock const& now;
};
enum class left {
    done,   // Google knows, or cannot be told any more: the keys may go
    later,  // Google or PostgreSQL was away: try again, the keys are needed for that
    back,   // the account was connected again meanwhile: nothing may be revoked
};

// Of a connection whose status is disconnected. Stops its channels, which needs a token that lives, and then revokes its grant, unless
// another living connection of the tenant uses the same account and client: revoking is for the whole account. May be repeated.
task<left> take_leave_of_google(leave_parts const& with, tenant_id tenant, connection_id connection, deadline at);

}  // namespace calbridge::account
