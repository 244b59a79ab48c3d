#pragma once
// Calendars and each user's list of them, colours, settings and free/busy.

#include "tests/emulator/core.h"

namespace calbridge::emulator {

// An entry of somebody's list whose calendar is out of reach.
bj::object render_gone_entry(list_entry const& e);
bj::object render_entry(calendar const& cal, user const& who, list_entry const& e);
bj::object render_calendar(calendar const& cal);

calendar& create_calendar(core& c, user& owner, std::string id, std::string summary, std::string time_zone);
// Puts a calendar in a user's list (again).
list_entry& list_calendar(core& c, user& who, calendar const& cal);
// Gives, changes or takes access; "none" takes it. Tokens of that user die when the knob says so.
void share(core& c, calendar& cal, std::string const& with, std::string_view role, bool add_to_list);
// What a user does to a calendar of their list. Empty: done.
std::optional<reply> change_entry(core& c, user& who, calendar const& cal, bj::object const& body, bool rgb);
// False when it was not on it.
bool remove_entry(core& c, user& who, std::string_view calendar);
// Takes a calendar away from everybody.
void erase_calendar(core& c, std::string id);
user& create_user(core& c, std::string const& email, std::string const& time_zone);

reply get_entry(core& c, call const& k, calendar& cal);
reply insert_entry(core& c, call const& k);
reply write_entry(core& c, call const& k, calendar& cal);
reply delete_entry(core& c, call const& k, calendar& cal);
reply insert_calendar(core& c, call const& k);
reply write_calendar(core& c, call const& k, calendar& cal, bool replace);
reply delete_calendar(core& c, call const& k, calendar& cal);
reply free_busy(core& c, call const& k);
reply colors();
reply list_settings(user const& who);
reply get_setting(user const& who, std::string_view name);

}  // namespace calbridge::emulator
