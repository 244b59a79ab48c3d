#pragma once
// How events are kept: their places in the calendar's log, tombstones, and who is on them.

#include "tests/emulator/events.h"

namespace calbridge::emulator {

// Gives the event a new place in the calendar's log, a new etag, and tells the channels. `content` false: only something that
// does not count as an update changed (reminders).
void touch(core& c, calendar& cal, event& e, std::string_view kind, writer const& w, bool content = true);
// Keeps a new event, or one that comes back under its old id.
event& store(calendar& cal, event&& e);
// Turns it into a tombstone; `bare`: nothing but the id is shown any more.
void cancel(event& e, bool bare);
// Takes it out without a trace.
void erase(calendar& cal, event& e);

bj::array const& attendees_of(bj::object const& body);
bj::object const* attendee(bj::array const& all, std::string_view email);
// True for a guest's copy of somebody else's event.
bool is_guest_copy(calendar const& cal, event const& e);

}  // namespace calbridge::emulator
