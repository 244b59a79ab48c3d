#pragma once
// How a change travels between the organizer's event and its guests' copies.

#include "tests/emulator/events.h"

namespace calbridge::emulator {

// Brings every guest's copy in line with the organizer's event; `before` are the attendees it had.
void spread(core& c, calendar const& home, event const& e, bj::array const& before, writer const& w);
// What a guest changed on their copy goes to the organizer: their own answer, shared properties, and with guestsCanModify all.
void report_to_organizer(core& c, calendar const& guest_cal, event const& copy, writer const& w);
// True when a guest's new version changes only what is theirs.
bool guest_may(calendar const& cal, event const& old, event const& next);
// With attendeesOmitted only the writer's own entry counts.
bj::array with_own_answer(bj::array const& stored, bj::array const& sent, std::string_view self);
void record_mails(core& c, calendar const& cal, event const& e, bj::array const& before, writer const& w);

}  // namespace calbridge::emulator
