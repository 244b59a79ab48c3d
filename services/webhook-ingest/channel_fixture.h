#pragma once
// Shared by this folder's tests against a real PostgreSQL: one connection, one calendar, one channel.

#include "domain/channel_token.h"

#include "common/base/encoding.h"
#include "common/testing/testing.h"

#include <string>

namespace calbridge::ingest {

struct channel_fixture {
    testing::scratch_database database;
    std::string keys{"k1:" + base64(as_bytes(std::string(32, 'a')))};
    crypto::key_ring ring{crypto::key_ring::parse(secret(keys)).value().for_purpose(domain::channel_token_purpose)};
    connection_id connection{random_uuid()};
    calendar_id calendar{random_uuid()};
    channel_id channel{random_uuid()};
    std::string token{domain::make_channel_token(ring, channel, connection, calendar, system_clock{}.now()).reveal()};

    channel_fixture() {
        database.exec(
            "insert into user_calendar_connections (tenant_id, connection_id, user_id, client_id, google_sub, connected_email, data_key, "
            "access_token, refresh_token, token_expires_at, granted_scopes) values ('acme', '" +
            connection.str() + "', 'ann', 'client', 'sub', 'ann@example.org', '', '', '', now(), '{}')");
        database.exec("insert into calendars (tenant_id, calendar_id, connection_id, google_calendar_id) values ('acme', '" +
                      calendar.str() + "', '" + connection.str() + "', 'primary')");
        database.exec("insert into channels (tenant_id, channel_id, connection_id, calendar_id, token_hash) values ('acme', '" +
                      channel.str() + "', '" + connection.str() + "', '" + calendar.str() + "', '\\x" + hex(crypto::sha256(token)) + "')");
    }
    void set(std::string const& assignment) {
        database.exec("update channels set " + assignment + " where channel_id = '" + channel.str() + "'");
    }
};

}  // namespace calbridge::ingest
