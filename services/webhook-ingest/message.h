#pragma once
// The record a push becomes on calendar-changed: CloudEvents 1.0, Kafka binding, binary mode.

#include "push.h"

#include "common/kafka/kafka.h"

#include <string>
#include <string_view>

namespace calbridge::ingest {

// `channel` is null when PostgreSQL was away: tenant and user stay empty, and the calendar's id is the key, so that one
// calendar's hints still share a partition. `traceparent` as received; a malformed or absent one starts a new trace.
kafka::record make_record(std::string_view topic, push const& what, domain::channel_token_content const& token,
                          known_channel const* channel, std::string_view traceparent, instant received_at);

}  // namespace calbridge::ingest
