#pragma once
// What a push says and whether to believe it. Pure: no sockets, no clock, no log.

#include "domain/channel_token.h"

#include "common/base/ids.h"
#include "common/http/gate.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace calbridge::ingest {

// The X-Goog-* headers that matter. The views live as long as the request's bytes.
struct push {
    channel_id channel;
    std::string_view token;
    std::string_view resource_id;
    std::string_view resource_state;
    std::int64_t message_number{};
};

// Nothing when a header is missing, empty or not in the form Google documents.
std::optional<push> read_push(http::request_head const& head);

enum class channel_state { pending, active, superseded, stopped };
std::optional<channel_state> parse_channel_state(std::string_view text);

// A channel as PostgreSQL holds it.
struct known_channel {
    tenant_id tenant;
    user_id user;
    connection_id connection;
    calendar_id calendar;
    std::optional<std::string> resource_id;  // not known while the watch call's answer is on its way
    channel_state state{channel_state::pending};
    std::optional<instant> expires_at;
    std::array<std::uint8_t, 32> token_hash{};
};

// Every way a push can end; each is one value of the metric's label.
enum class outcome {
    accepted,            // on Kafka, answered 200
    accepted_unchecked,  // as above, on the token alone: PostgreSQL is away
    malformed,           // not a push
    forged,              // the token is not ours, or not this channel's
    unknown,             // a good token for a channel that is no more
    stale,               // stopped, expired, or a token made for an earlier life of the channel
    wrong_resource,      // another resource than the one the channel was opened on
    replayed,            // a number that has been delivered already
    busy,                // too many on their way to Kafka
    undelivered,         // Kafka did not confirm in time
};
inline constexpr std::size_t outcome_count = 10;
std::string_view name(outcome what);

// What is known of the channel when a decision is due.
struct evidence {
    std::optional<domain::channel_token_content> token;  // nothing: it did not verify
    enum class look_up { found, absent, away } said{look_up::away};
    known_channel const* channel{nullptr};  // when found
    std::string_view token_hash;            // SHA-256 of the token's text
    std::int64_t delivered{0};              // highest message number of the channel that Kafka has confirmed to this process
    instant now;
};

// accepted, accepted_unchecked, or why not.
outcome decide(push const& what, evidence const& with);

}  // namespace calbridge::ingest
