#pragma once
// Parts of an event with rules of their own: reminders and conferences.

#include "tests/emulator/events.h"

namespace calbridge::emulator {

// Reminders belong to each user of a calendar. `replace`: what is not given goes back to the calendar's defaults.
std::optional<reply> take_reminders(event& e, bj::object const& body, bool replace, std::string const& user);
// Creates, keeps or clears the conference. `understood`: conferenceDataVersion=1.
std::optional<reply> take_conference(core& c, calendar const& cal, event& e, bj::object const& body, bool replace, bool understood);
}  // namespace calbridge::emulator
