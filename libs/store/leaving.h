#pragma once
// What is left of a connection that was ended, and how it goes: its channels at Google, its grant, its keys.

#include "store/rows.h"

#include "common/pg/database.h"

namespace calbridge::store {

struct open_channel {
    channel_id id;
    std::string resource_id;
};
// Channels of the connection that Google may still have, those whose resource is not known left out.
task<result<std::vector<open_channel>>> open_channels(pg::database& db, tenant_id tenant, connection_id connection);

// What decides about the grant, asked right before it is revoked.
struct leaving_state {
    bool ended{};             // still disconnected: nobody has connected the account again meanwhile
    std::int64_t siblings{};  // other living connections of the same account and client: revoking ends those too
};
task<result<leaving_state>> leaving(pg::database& db, tenant_id tenant, connection_id connection);

// Destroys the data key and with it every sealed value, and writes its channels off. Does nothing when the account was connected again.
task<result<void>> forget_grant(pg::database& db, tenant_id tenant, connection_id connection);
// Google was away: the keys stay, sealed and unusable for anything else, until channel-renewer has told Google.
task<result<void>> leave_later(pg::database& db, tenant_id tenant, connection_id connection, std::chrono::milliseconds retry_in);

}  // namespace calbridge::store
