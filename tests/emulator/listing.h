#pragma once
// events.list: pages, sync tokens, and the rules on which parameters go together.

#include "tests/emulator/core.h"

namespace calbridge::emulator {

reply list_events(core& c, call const& k, calendar& cal, role access);
reply list_calendars(core& c, call const& k);
// Default reminders a user has on a calendar.
bj::array default_reminders(user const& u, std::string_view calendar);

// Opaque tokens: text fields, a checksum keyed by the seed, base64url. Read back only by the world that wrote them.
std::string write_token(core const& c, std::vector<std::string> const& parts);
std::optional<std::vector<std::string>> read_token(core const& c, std::string_view token);

}  // namespace calbridge::emulator
