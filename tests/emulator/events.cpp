#include "tests/emulator/events.h"

#include "tests/emulator/event_extras.h"
#include "tests/emulator/event_rules.h"
#include "tests/emulator/event_store.h"
#include "tests/emulator/guests.h"

namespace calbridge::emulator {

namespace {

reply not_found() { return refuse(404, "global", "notFound", "Not Found"); }
reply not_organizer() {
    return refuse(403, "calendar", "forbiddenForNonOrganizer", "Shared properties can only be changed by the organizer of the event.");
}
reply stale() { return refuse(412, "global", "conditionNotMet", "Precondition Failed", "header", "If-Match"); }

bool matches(std::string_view if_match, event const& e) { return if_match.empty() || if_match == "*" || if_match == etag_text(e.etag); }

reply shown(core const& c, calendar const& cal, event const& e, view const& v) {
    reply out;
    out.body = render(c, cal, e, v);
    out.fields.emplace_back("ETag", etag_text(e.etag));
    return out;
}

// A new event in its first form; the caller has settled what identifies it.
std::optional<reply> prepare(core& c, calendar const& cal, event& e, bj::object const& body, writer const& w) {
    merge(e.body, writable_part(body, true));
    if (!w.client.empty()) {
        e.body.erase("recurringEventId");
        e.body.erase("originalStartTime");
    }
    if (!w.attachments) e.body.erase("attachments");
    if (text_at(e.body, "status") == "cancelled") return refuse(400, "global", "invalid", "Invalid event status.");
    if (!e.body.contains("sequence")) e.body["sequence"] = 0;
    e.created = c.now();
    if (auto no = settle(e, cal)) return no;
    if (auto no = check_type(cal, e)) return no;
    if (auto no = take_reminders(e, body, true, w.user)) return no;
    return take_conference(c, cal, e, body, true, w.conference);
}

}  // namespace

reply insert_event(core& c, calendar& cal, bj::object const& body, writer const& w, view const& v) {
    event e;
    e.id = std::string(text_at(body, "id"));
    if (!e.id.empty() && !text_at(body, "iCalUID").empty()) return refuse(400, "global", "invalid", "Both id and iCalUID were given.");
    if (!e.id.empty() && !is_event_id(e.id)) return refuse(400, "global", "invalid", "Invalid resource id value.");
    if (e.id.empty()) e.id = c.random_id(26);
    age(c, cal);
    if (cal.events.contains(e.id) || cal.retired.contains(e.id))
        return refuse(409, "global", "duplicate", "The requested identifier already exists.");
    e.body["organizer"] = bj::object{{"email", cal.id}};
    if (!cal.primary) e.body["organizer"].get_object()["displayName"] = cal.summary;
    e.body["creator"] = bj::object{{"email", w.user}};
    if (auto no = prepare(c, cal, e, body, w)) return *no;
    if (text_at(e.body, "iCalUID").empty()) e.body["iCalUID"] = e.id + "@google.com";
    auto& kept = store(cal, std::move(e));
    touch(c, cal, kept, "insert", w);
    spread(c, cal, kept, {}, w);
    record_mails(c, cal, kept, {}, w);
    return shown(c, cal, kept, v);
}

reply import_event(core& c, calendar& cal, bj::object const& body, writer const& w, view const& v) {
    std::string const uid(text_at(body, "iCalUID"));
    if (uid.empty()) return refuse(400, "global", "required", "Missing iCalUID.");
    if (text_at(body, "eventType", "default") != "default")
        return refuse(400, "calendar", "eventTypeRestriction", "Only events of type default can be imported.");
    for (auto [i, end] = cal.by_ical_uid.equal_range(uid); i != end; ++i) {
        auto* known = find_event(cal, i->second);
        if (known != nullptr && !known->cancelled && !known->body.contains("recurringEventId"))
            return write_event(c, cal, known->id, body, true, {}, w, v);
    }
    event e;
    e.id = "_" + c.random_id(40);
    e.detached = true;
    auto const* organizer = object_at(body, "organizer");
    e.body["organizer"] = bj::object{{"email", organizer != nullptr ? lower(text_at(*organizer, "email", cal.id)) : cal.id}};
    e.body["creator"] = bj::object{{"email", w.user}};
    if (auto no = prepare(c, cal, e, body, w)) return *no;
    auto& kept = store(cal, std::move(e));
    touch(c, cal, kept, "insert", w);
    return shown(c, cal, kept, v);
}

reply write_event(core& c, calendar& cal, std::string_view id, bj::object const& body, bool replace, std::string_view if_match,
                  writer const& w, view const& v) {
    age(c, cal);
    auto* e = find_event(cal, id);
    if (e == nullptr) return not_found();
    if (!matches(if_match, *e)) return stale();
    auto part = writable_part(body, false);
    if (!w.attachments) part.erase("attachments");
    if (auto const* sent = array_at(part, "attendees"); sent != nullptr && flag_at(body, "attendeesOmitted"))
        part["attendees"] = with_own_answer(attendees_of(e->body), *sent, cal.id);
    if (auto const type = text_at(body, "eventType"); !type.empty() && type != text_at(e->body, "eventType", "default"))
        return refuse(400, "calendar", "eventTypeRestriction", "The type of an event cannot be changed.");

    event next = *e;
    next.cancelled = next.bare = false;
    if (replace) {
        bj::object kept;
        for (auto const* name : {"iCalUID", "organizer", "creator", "eventType", "privateCopy", "recurringEventId", "originalStartTime",
                                 "sequence", "conferenceData", "hangoutLink"})
            if (auto const* m = e->body.if_contains(name)) kept[name] = *m;
        if (!w.attachments)
            if (auto const* m = e->body.if_contains("attachments")) kept["attachments"] = *m;
        next.body = std::move(kept);
    }
    merge(next.body, part);
    if (auto const status = text_at(next.body, "status", "confirmed"); status == "cancelled") {
        if (!e->cancelled) {
            if (auto done = delete_event(c, cal, id, {}, w); done.status != 204) return done;
        }
        return shown(c, cal, *e, v);
    }
    if (e->cancelled && c.knob.forbid_undelete) return refuse(403, "global", "forbidden", "Forbidden");
    if (auto no = settle(next, cal)) return *no;

    bool const guest = is_guest_copy(cal, *e);
    if (guest && !guest_may(cal, *e, next)) return not_organizer();
    auto const sequence = e->body.contains("sequence") ? e->body.at("sequence").to_number<std::int64_t>() : 0;
    auto const asked = next.body.contains("sequence") ? next.body.at("sequence").to_number<std::int64_t>() : sequence;
    if (asked < sequence)
        return refuse(400, "global", "invalid",
                      "Invalid sequence value. The specified sequence number is below the current sequence number of the resource.");
    bool const moved = next.starts != e->starts || next.ends != e->ends || next.all_day != e->all_day;
    next.body["sequence"] = asked == sequence && moved && !guest ? sequence + 1 : asked;
    if (auto no = take_reminders(next, body, replace, w.user)) return *no;
    if (auto no = take_conference(c, cal, next, body, replace, w.conference)) return *no;

    auto const before = attendees_of(e->body);
    bool const content = next.body != e->body || e->cancelled;
    replace_stored(cal, *e, std::move(next));
    touch(c, cal, *e, "update", w, content);
    if (guest) report_to_organizer(c, cal, *e, w);
    else spread(c, cal, *e, before, w);
    if (content) record_mails(c, cal, *e, before, w);
    return shown(c, cal, *e, v);
}

reply delete_event(core& c, calendar& cal, std::string_view id, std::string_view if_match, writer const& w) {
    age(c, cal);
    auto* e = find_event(cal, id);
    if (e == nullptr) return not_found();
    if (e->cancelled) return refuse(410, "global", "deleted", "Resource has been deleted");
    if (!matches(if_match, *e)) return stale();
    auto const before = attendees_of(e->body);
    if (is_guest_copy(cal, *e)) {
        // For everybody else a guest who removes the event has declined it.
        event declined = *e;
        if (auto* all = declined.body.if_contains("attendees"))
            for (auto& item : all->get_array())
                if (text_at(item.get_object(), "email") == cal.id) item.get_object()["responseStatus"] = "declined";
        cancel(cal, *e, true);
        touch(c, cal, *e, "delete", w);
        report_to_organizer(c, cal, declined, w);
    } else {
        cancel(cal, *e, false);
        touch(c, cal, *e, "delete", w);
        spread(c, cal, *e, before, w);
        record_mails(c, cal, *e, before, w);
    }
    reply out;
    out.status = 204;
    return out;
}

reply move_event(core& c, calendar& from, std::string_view id, calendar& to, writer const& w, view const& v) {
    auto* e = find_event(from, id);
    if (e == nullptr) return not_found();
    if (e->cancelled) return refuse(410, "global", "deleted", "Resource has been deleted");
    if (text_at(e->body, "eventType", "default") != "default")
        return refuse(400, "calendar", "eventTypeRestriction", "Only events of type default can be moved.");
    if (e->body.contains("recurringEventId"))
        return refuse(400, "calendar", "cannotChangeOrganizerOfInstance", "The organizer of an instance cannot be changed.");
    if (is_guest_copy(from, *e)) return refuse(403, "calendar", "cannotChangeOrganizer", "Only the organizer can move the event.");
    if (&from == &to) return shown(c, to, *e, v);
    auto const held = to.events.find(e->id);
    if ((held != to.events.end() && !held->second.cancelled) || to.retired.contains(e->id))
        return refuse(409, "global", "duplicate", "The requested identifier already exists.");
    event moved = *e;
    moved.change = held != to.events.end() ? held->second.change : 0;
    moved.body["organizer"] = bj::object{{"email", to.id}};
    if (!to.primary) moved.body["organizer"].get_object()["displayName"] = to.summary;
    auto const before = attendees_of(e->body);
    cancel(from, *e, true);
    touch(c, from, *e, "delete", w);
    auto& kept = store(to, std::move(moved));
    touch(c, to, kept, "insert", w);
    spread(c, to, kept, before, w);
    return shown(c, to, kept, v);
}

}  // namespace calbridge::emulator
