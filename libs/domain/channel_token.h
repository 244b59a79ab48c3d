#pragma once
// The token a push channel is opened with. Google signs nothing and echoes this text with every push: it proves, without a
// look-up, that we opened that channel, and for which calendar.
//
//   v1.<key id>.<base64url(connection 16 bytes | calendar 16 bytes | created, unix minutes, 4 bytes big endian)>.<base64url(MAC)>
//   MAC = first 16 bytes of HMAC-SHA256("ch1|" | channel id 16 bytes | payload 36 bytes)

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/secret.h"
#include "common/crypto/crypto.h"

#include <optional>
#include <string_view>

namespace calbridge::domain {

// Both functions take the ring of CALBRIDGE_CHANNEL_KEYS as it is after for_purpose(channel_token_purpose).
inline constexpr std::string_view channel_token_purpose = "channel-token";
// No token is longer; Google allows 256 characters.
inline constexpr std::size_t channel_token_bytes_max = 96;

struct channel_token_content {
    connection_id connection;
    calendar_id calendar;  // nil: the connection's calendar list
    instant created;  // to the minute
};

// Signs with the ring's primary key. A bearer secret: keep only its hash, log neither.
secret make_channel_token(crypto::key_ring const& ring, channel_id channel, connection_id connection, calendar_id calendar,
                          instant created);

// Nothing unless the token was made for that very channel with a key of the ring, and is spelled exactly as it was made.
std::optional<channel_token_content> verify_channel_token(crypto::key_ring const& ring, channel_id channel, std::string_view token);

}  // namespace calbridge::domain
