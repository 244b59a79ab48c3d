#pragma once
// Task -> canonical fields. Pure: everything it needs is an argument.

#include "domain/fields.h"
#include "domain/topics.h"

#include "common/base/result.h"

#include <map>
#include <string>
#include <variant>

namespace calbridge::domain {

// What a completed task's event does.
enum class when_completed { keep, tick, remove };

struct render_settings {
    std::map<std::string, std::string, std::less<>> title_templates;        // by task type; "" is the default, e.g. "{title}"
    std::map<std::string, std::string, std::less<>> description_templates;  // the same; none: the task's description
    when_completed completed{when_completed::keep};
    bool plain{false};      // of an imported task: its own title and text, no footer, a colour only when the task names one
    std::string zoom_link;  // of the task's Zoom meeting: in the footer, and the location of a task without one
    std::map<std::string, std::string, std::less<>> type_colors;  // task type -> "#rrggbb"
    std::string calendar_zone{"UTC"};
    std::chrono::minutes default_duration{60};
    std::string owner_email;  // the user whose calendar it is: never a guest of his own event (Google lists him as organizer, not as guest)
};

// Why a task cannot become an event: a stable code and one sentence that says what to do.
struct refusal {
    // missing_start, bad_start, bad_end, end_before_start, unknown_zone, no_such_local_time, too_many_attendees, bad_attendee,
    // too_many_reminders, bad_reminder, too_long, bad_color, and those of canonical_recurrence().
    std::string code;
    std::string explanation;
};

// The fields are normalised. The description is the task's own and nothing else, so that it can come back; notes, video link and the
// task's properties stand in the footer.
std::variant<fields, refusal> render(task_changed const& task, render_settings const& settings);

// --- the way back ----------------------------------------------------------------------------------------------------------------
// Title, description and location of `values` in the CRM's words: what the templates put around them, the tick and the Zoom link are taken
// off, so that a CRM that stores what it is told does not make them grow. A text that does not fit its template stays whole.
fields in_crm_words(fields values, task_changed const& task, render_settings const& settings);
// `values` as a snapshot would render them that holds what in_crm_words() says of them.
fields said_back(fields values, task_changed const& task, render_settings const& settings);

// True when the task should have an event at all: not deleted, not cancelled, sync_to_calendar.
bool wants_event(task_changed const& task);
bool is_completed(task_changed const& task);
// The same with what the settings say of completed tasks.
bool wants_event(task_changed const& task, when_completed completed);

// "{title}", "{customer}", "{type}", "{contact}", "{deal}", "{priority}", "{status}"; "{{" and "}}" are braces; an unknown name stays as
// written; separators around an empty value collapse ("Appointment — {customer}" with no customer gives "Appointment").
std::string render_title(std::string_view pattern, task_changed const& task);

// Nearest of Google's 11 event colours by RGB distance; empty when `hex` is not "#rrggbb".
std::string nearest_color_id(std::string_view hex);
// The five default types: call, meeting, email, deadline, follow_up.
std::map<std::string, std::string, std::less<>> const& default_type_colors();

// Start and end in the forms of task_changed, from a range: wall time in the range's zone (UTC when it has none, or after 2037, where the
// zone files end), with an offset where the clock shows that time twice and this is the second. understand_time(speak(r)) == r.
struct spoken_time {
    std::string start, end, time_zone;
    bool all_day;
};
spoken_time speak(time_range const& range);
// The way back; `zone` is used when `start` carries no offset and `time_zone` is empty. A wall time the clock skips is refused; of one it
// shows twice the start takes the first, the end the first after the start. Years 1970 to 2199.
std::variant<time_range, refusal> understand_time(std::string_view start, std::string_view end, std::string_view time_zone,
                                                  std::string_view zone, std::chrono::minutes default_duration);

}  // namespace calbridge::domain
