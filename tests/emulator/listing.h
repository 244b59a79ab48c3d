#pragma once
// The listings: pages, sync tokens, and the rules on which parameters go together.

#include "tests/emulator/core.h"

namespace calbridge::emulator {

reply list_events(core& c, call const& k, calendar& cal, role access);
// events.instances of the series the path names.
reply list_instances(core& c, call const& k, calendar& cal, role access);
reply list_calendars(core& c, call const& k);
// Default reminders a user has on a calendar.
bj::array default_reminders(user const& u, std::string_view calendar);

}  // namespace calbridge::emulator
