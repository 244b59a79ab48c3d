#include "domain/event.h"

#include "domain/footer.h"
#include "domain/recurrence.h"

namespace calbridge::domain {

result<fields> read_event(calendar_event const& event) {
    if (!event.time) return fail(errc::malformed, "event " + event.id + ": no usable start and end");
    auto described = split(event.description);
    fields out{
        .title = event.summary,
        .description = std::move(described.text),
        .footer = std::move(described.footer),
        .location = event.location,
        .time = *event.time,
        .color_id = event.color_id,
        .reminders = event.reminders,
        .meet = event.conference_status != "failure" &&
                (!event.hangout_link.empty() || !event.conference_id.empty() || event.conference_status == "pending"),
        .recurrence = {},
    };
    if (!event.recurrence.empty()) {
        auto lines = canonical_recurrence(event.recurrence, *event.time);
        if (auto const* const why = std::get_if<refusal>(&lines))
            return fail(errc::malformed, "event " + event.id + ": " + why->explanation);
        out.recurrence = std::move(std::get<std::vector<std::string>>(lines));
    }
    for (auto const& attendee : event.attendees) {
        if (attendee.organizer || attendee.resource || attendee.self) continue;
        out.guests.push_back({.email = attendee.email, .name = attendee.name, .optional = attendee.optional});
    }
    return normalise(std::move(out));
}

}  // namespace calbridge::domain
