#pragma once
// What makes an event acceptable, and how it is put into its stored form. Pure.

#include "tests/emulator/core.h"

namespace calbridge::emulator {

// Members of a body a writer may set, by the kind of call; everything else is ignored.
bj::object writable_part(bj::object const& body, bool creating);
// Checks a whole event (after a merge) and brings it into stored form: times, attendees, extended properties,
// defaults left out. Fills starts, ends and all_day. Empty: accepted.
std::optional<reply> settle(event& e, calendar const& cal);
// 0-9 and a-v, 5 to 1024 characters.
bool is_event_id(std::string_view id);

// Private or confidential.
bool is_private(event const& e);
std::string_view organizer_of(event const& e);
// Fields an organizer shares with guests; the rest belongs to each copy.
bj::object shared_part(bj::object const& body);

}  // namespace calbridge::emulator
