#pragma once
// The record a push becomes on calendar-changed: CloudEvents 1.0, Kafka binding, binary mode.

#include "push.h"

#include "common/kafka/kafka.h"

#include <string>
#include <string_view>

namespace calbridge::ingest {

// A channel of the nil calendar is one on the calendar list; its record names no calendar. `channel` is null when PostgreSQL was away:
// tenant and user stay empty, and the calendar's id (for a list the connection's) is the key, so that its hints still share a partition. `traceparent` as received; a malformed or absent one starts a new trace.
kafka::record make_record(std::string_view topic, push const& what, domain::channel_token_content const& token,
                          known_channel const* channel, std::string_view traceparent, instant received_at);

}  // namespace calbridge::ingest
