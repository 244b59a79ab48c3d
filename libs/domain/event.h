#pragma once
// A Google Calendar event as far as calbridge understands it (https://developers.google.com/workspace/calendar/api/v3/reference/events).

#include "domain/fields.h"

#include "common/base/clock.h"
#include "common/base/result.h"

#include <optional>
#include <string>
#include <vector>

namespace calbridge::domain {

struct event_attendee {
    std::string email;
    std::string name;
    std::string response;  // needsAction, declined, tentative, accepted
    bool optional{false};
    bool organizer{false};
    bool self{false};
    bool resource{false};
    std::string raw;  // the attendee's JSON, kept whole: arrays replace, so it is sent back as it came
};

struct calendar_event {
    std::string id;
    std::string etag;
    std::string status;  // confirmed, tentative, cancelled
    std::string ical_uid;
    std::string summary, description, location;
    std::optional<time_range> time;
    std::string color_id;
    reminder_list reminders;
    std::vector<event_attendee> attendees;
    bool attendees_omitted{false};
    std::string html_link;
    std::string hangout_link;
    std::string conference_id;
    std::string conference_status;  // pending, success, failure; empty: no request
    std::string recurring_event_id;
    std::optional<time_range> original_start;  // start only
    std::vector<std::string> recurrence;
    std::string event_type;
    std::string transparency, visibility;
    std::string organizer_email;
    bool organizer_self{true};
    bool guests_can_modify{false};
    bool locked{false};  // its main fields cannot be changed by anybody
    std::optional<instant> updated;
    std::string stamp;      // extendedProperties.private.calbridgeLink
    std::string operation;  // extendedProperties.private.calbridgeOp
    std::string raw;        // the item's JSON, for the mirror
    bool is_cancelled() const { return status == "cancelled"; }
    bool is_recurring() const { return !recurrence.empty() || !recurring_event_id.empty(); }
};

inline constexpr std::string_view stamp_property = "calbridgeLink";
inline constexpr std::string_view operation_property = "calbridgeOp";

// The event in canonical form; the footer is cut from the description behind its marker. The organizer, the calendar's own user, and
// rooms are not guests. When attendees_omitted is set the guests are incomplete: do not take the missing ones for removed.
// errc::malformed when it has no usable time (a cancelled item, or one odd event to set aside).
result<fields> read_event(calendar_event const& event);

}  // namespace calbridge::domain
