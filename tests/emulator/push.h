#pragma once
// Watch channels and their messages.

#include "tests/emulator/core.h"

namespace calbridge::emulator {

std::string events_resource(std::string_view calendar);
std::string list_resource(std::string_view user);

// Opens a channel on the events of `on`, or on the user's calendar list when null.
reply watch(core& c, call const& k, calendar* on);
reply stop_channel(core& c, call const& k);

// Queues one message per live channel of the resource.
void notify(core& c, std::string const& resource);
// A message of a test's own making, to try forged, foreign and stale ones.
std::uint64_t queue_raw(core& c, delivery d);

std::vector<delivery> take_due(core& c, instant now);
std::optional<delivery> take_one(core& c, std::uint64_t id);
void answered(core& c, std::uint64_t id, int status);

}  // namespace calbridge::emulator
