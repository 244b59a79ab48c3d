#pragma once
// Event resources <-> domain. Pure; internal to this folder and its tests.

#include "clients/google/google.h"

#include "common/json/json.h"

namespace calbridge::google {

// Reads one event, tolerating what Google leaves out: any member but `id` may be absent, unknown members and values are kept in
// `raw`. errc::malformed when it has no id, or says a time that is none.
result<domain::calendar_event> read_event_item(json::object const& item, std::string_view calendar_zone);

// The same from its text, which becomes the event's `raw`. Of a giant event the texts are cut and the guests beyond the bound are left
// out (as a list Google cut); one that is too large altogether is malformed.
result<domain::calendar_event> read_event_text(std::string text, std::string_view calendar_zone);

// A whole page of events.list. One odd item goes to `odd`; the page fails only when it is not a page.
result<event_page> read_page(json::taken_apart document);

// A page of calendarList.list; the sync token is on the last one.
result<calendar_listing> read_calendar_entries(json::value const& document, std::optional<std::string>& next_page_token);
result<watch_answer> read_watch_answer(json::value const& document);

// The body of an insert (`event_id` given) or a patch.
json::object write_event(event_write const& what, std::optional<std::string> const& event_id);

// Attendees as they are sent: known ones whole as last seen, new ones after them, uninvited ones left out. Rooms, and the marks of
// the organizer and of this calendar's own user, stay whatever the guest list says.
json::array write_attendees(std::vector<domain::guest> const& guests, std::string_view attendees_data);

}  // namespace calbridge::google
