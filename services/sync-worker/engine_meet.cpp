#include "engine_meet.h"

#include <algorithm>

namespace calbridge::worker {

namespace {

constexpr int meet_looks_max = 10;
constexpr std::chrono::milliseconds first_look{5000}, longest_look{600000};

void meet_failed(effects& e, std::string explanation, surroundings const& around) {
    e.link->meet_failed = true;
    e.link->meet_pending = false;
    e.link_changed = true;
    domain::task_update& update = tell(e, domain::update_kind::failed, around);
    update.reason = "meet_failed";
    update.explanation = std::move(explanation);
}

std::string why_not(std::string_view read_only) {
    if (read_only == "guest") return "Only the organizer of this meeting can change it; the event stays as it is. Ask the organizer.";
    if (read_only == "locked") return "This event is locked in Google Calendar and stays as it is.";
    return "This event is of a kind that only Google Calendar itself can change; it stays as it is.";
}

}  // namespace

void note_meet(effects& e, domain::calendar_event const& event, surroundings const& around) {
    if (!e.link || event.is_cancelled()) return;
    store::link_row& link = *e.link;
    bool const none = event.hangout_link.empty() && event.conference_id.empty();
    if (event.conference_status == "failure" && none && !link.meet_request.empty() && !link.meet_failed) {
        meet_failed(e,
                    "Google could not create the video meeting; the event is in the calendar without one. Remove Google Meet from the "
                    "task and add it again to try once more.",
                    around);
        return;
    }
    bool const unwanted = link.base && !link.base->meet;
    if (none && unwanted && event.conference_status.empty() && !(link.meet_request.empty() && link.meet_link.empty())) {
        link.meet_request.clear();
        link.meet_link.clear();
        link.meet_id.clear();
        link.meet_failed = false;
        e.link_changed = true;
    }
}

bool wait_for_meet(effects& e, std::int64_t worked, surroundings const& around) {
    if (!e.link || e.link->state != domain::link_state::live || !e.link->meet_pending) return false;
    e.task.failures += 1;
    e.task_changed = true;
    if (e.task.failures <= meet_looks_max) {
        e.retry_in = std::min(longest_look, first_look * (1 << std::min(e.task.failures, 8)));
        return true;
    }
    meet_failed(e, "Google did not finish creating the video meeting; the event is in the calendar without one.", around);
    settle(e, worked, e.link->has_conflict ? "conflict" : "synced");
    return true;
}

void keep_google_values(effects& e, surroundings const& around) {
    if (!e.link || e.link->read_only.empty() || e.link->state != domain::link_state::live) return;
    store::link_row& link = *e.link;
    if (!link.base || !link.google_base || !link.remote || !e.task.local) return;
    domain::fields const effective = effective_remote(link, *link.remote);
    domain::field_set refused;
    for (domain::field f : domain::all_fields) {
        bool const own = f == domain::field::color || f == domain::field::reminders;  // private to this calendar's copy
        if (own || domain::same(f, *e.task.local, effective)) continue;
        // A value Google changed meanwhile is pulled as always; one the CRM changed goes back.
        if (domain::same(f, *e.task.local, *link.base)) continue;
        domain::copy(f, effective, *e.task.local);
        domain::copy(f, effective, *link.base);
        domain::copy(f, *link.remote, *link.google_base);
        if (f != domain::field::footer) refused.add(f);
    }
    e.link_changed = true;
    if (refused.empty()) return;
    domain::task_update& update = tell(e, domain::update_kind::failed, around);
    update.reason = "read_only_" + link.read_only;
    update.explanation = why_not(link.read_only);
    tell_changes(e, refused, around).reason = "kept";
}

}  // namespace calbridge::worker
