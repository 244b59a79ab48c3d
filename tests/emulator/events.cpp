#include "tests/emulator/events.h"

#include "tests/emulator/event_extras.h"
#include "tests/emulator/event_rules.h"
#include "tests/emulator/event_store.h"
#include "tests/emulator/event_types.h"
#include "tests/emulator/guests.h"
#include "tests/emulator/series.h"

namespace calbridge::emulator {

namespace {

reply not_found() { return refuse(404, "global", "notFound", "Not Found"); }
reply not_organizer() {
    return refuse(403, "calendar", "forbiddenForNonOrganizer", "Shared properties can only be changed by the organizer of the event.");
}
reply gone() { return refuse(410, "global", "deleted", "Resource has been deleted"); }
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
    // Exceptions come into being by writing to an instance.
    e.body.erase("recurringEventId");
    e.body.erase("originalStartTime");
    if (!w.attachments) e.body.erase("attachments");
    if (text_at(e.body, "status") == "cancelled") return refuse(400, "global", "invalid", "Invalid event status.");
    if (!e.body.contains("sequence")) e.body["sequence"] = 0;
    e.created = c.now();
    if (auto no = settle(e, cal)) return no;
    if (auto no = check_new_type(cal, e, w)) return no;
    if (auto no = take_reminders(e, body, true, w.user)) return no;
    return take_conference(c, cal, e, body, true, w.conference);
}

}  // namespace

reply insert_as(core& c, calendar& cal, std::string id, std::string_view ical_uid, bj::object const& body, writer const& w, view const& v) {
    event e;
    e.id = std::move(id);
    age(c, cal);
    if (cal.events.contains(e.id) || cal.retired.contains(e.id))
        return refuse(409, "global", "duplicate", "The requested identifier already exists.");
    e.body["organizer"] = bj::object{{"email", cal.id}};
    if (!cal.primary) e.body["organizer"].get_object()["displayName"] = cal.summary;
    e.body["creator"] = bj::object{{"email", w.user}};
    if (auto no = prepare(c, cal, e, body, w)) return *no;
    if (!ical_uid.empty()) e.body["iCalUID"] = ical_uid;
    else if (text_at(e.body, "iCalUID").empty()) e.body["iCalUID"] = e.id + "@google.com";
    auto& kept = store(cal, std::move(e));
    touch(c, cal, kept, "insert", w);
    spread(c, cal, kept, {}, w);
    record_mails(c, cal, kept, {}, w);
    return shown(c, cal, kept, v);
}

reply insert_event(core& c, calendar& cal, bj::object const& body, writer const& w, view const& v) {
    std::string id(text_at(body, "id"));
    if (!id.empty() && !text_at(body, "iCalUID").empty()) return refuse(400, "global", "invalid", "Both id and iCalUID were given.");
    if (!id.empty() && !is_event_id(id)) return refuse(400, "global", "invalid", "Invalid resource id value.");
    if (id.empty()) id = c.random_id(26);
    return insert_as(c, cal, std::move(id), {}, body, w, v);
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

namespace {

bool is_dead(target& at) { return at.get()->cancelled && at.instance; }

// What a PUT leaves as it is.
bj::object kept_by_update(event const& e, writer const& w) {
    bj::object kept;
    for (auto const* name : {"iCalUID", "organizer", "creator", "eventType", "privateCopy", "recurringEventId", "originalStartTime",
                             "sequence", "conferenceData", "hangoutLink"})
        if (auto const* m = e.body.if_contains(name)) kept[name] = *m;
    if (!w.attachments)
        if (auto const* m = e.body.if_contains("attachments")) kept["attachments"] = *m;
    return kept;
}

std::optional<reply> take_sequence(event const& e, event& next, bool guest) {
    auto const sequence = e.body.contains("sequence") ? e.body.at("sequence").to_number<std::int64_t>() : 0;
    auto const asked = next.body.contains("sequence") ? next.body.at("sequence").to_number<std::int64_t>() : sequence;
    if (asked < sequence)
        return refuse(400, "global", "invalid",
                      "Invalid sequence value. The specified sequence number is below the current sequence number of the resource.");
    bool const moved = next.starts != e.starts || next.ends != e.ends || next.all_day != e.all_day;
    next.body["sequence"] = asked == sequence && moved && !guest ? sequence + 1 : asked;
    return std::nullopt;
}

// One instance made more private makes its series so; made less private it stays as it was.
void share_visibility(core& c, calendar& cal, event const& e, event& next, writer const& w) {
    auto const rank = [](bj::object const& body) {
        auto const v = text_at(body, "visibility", "default");
        return v == "confidential" ? 3 : v == "private" ? 2 : v == "default" ? 1 : 0;
    };
    if (!is_exception(next) || rank(next.body) == rank(e.body)) return;
    auto* master = find_event(cal, master_id_of(next));
    if (master == nullptr || master->cancelled) return;
    if (rank(next.body) < rank(e.body)) {
        if (auto const* v = e.body.if_contains("visibility")) next.body["visibility"] = *v;
        else next.body.erase("visibility");
        return;
    }
    event const old = *master;
    master->body["visibility"] = next.body.at("visibility");
    touch(c, cal, *master, "update", w);
    after_write(c, cal, old, *master, w);
}

}  // namespace

reply write_event(core& c, calendar& cal, std::string_view id, bj::object const& body, bool replace, std::string_view if_match,
                  writer const& w, view const& v) {
    age(c, cal);
    auto at = aim(cal, id);
    if (!at || at.get()->orphan) return not_found();
    if (is_dead(at)) return gone();
    event const e = *at.get();
    if (!matches(if_match, e)) return stale();
    auto part = writable_part(body, false);
    if (!w.attachments) part.erase("attachments");
    if (auto const* sent = array_at(part, "attendees"); sent != nullptr && flag_at(body, "attendeesOmitted"))
        part["attendees"] = with_own_answer(attendees_of(e.body), *sent, cal.id);
    if (auto const type = text_at(body, "eventType"); !type.empty() && type != text_at(e.body, "eventType", "default"))
        return refuse(400, "calendar", "eventTypeRestriction", "The type of an event cannot be changed.");

    event next = e;
    next.cancelled = next.bare = false;
    next.raw.clear();
    if (replace) next.body = kept_by_update(e, w);
    merge(next.body, part);
    if (auto const status = text_at(next.body, "status", "confirmed"); status == "cancelled") {
        if (!e.cancelled)
            if (auto done = delete_event(c, cal, e.id, {}, w); done.status != 204) return done;
        return shown(c, cal, *aim(cal, e.id).get(), v);
    }
    if (e.cancelled && c.knob.forbid_undelete) return refuse(403, "global", "forbidden", "Forbidden");
    if (auto no = settle(next, cal)) return *no;
    if (auto no = check_type_write(e, next)) return *no;

    bool const guest = is_guest_copy(cal, e);
    if (guest && !guest_may(cal, e, next)) return not_organizer();
    if (auto no = take_sequence(e, next, guest)) return *no;
    if (auto no = take_reminders(next, body, replace, w.user)) return *no;
    if (auto no = take_conference(c, cal, next, body, replace, w.conference)) return *no;
    share_visibility(c, cal, e, next, w);

    auto const before = attendees_of(e.body);
    bool const content = next.body != e.body || e.cancelled;
    auto& kept = keep(cal, at, std::move(next));
    touch(c, cal, kept, "update", w, content);
    after_write(c, cal, e, kept, w);
    if (guest) report_to_organizer(c, cal, kept, w);
    else spread(c, cal, kept, before, w);
    if (content) record_mails(c, cal, kept, before, w);
    return shown(c, cal, kept, v);
}

reply delete_event(core& c, calendar& cal, std::string_view id, std::string_view if_match, writer const& w) {
    age(c, cal);
    auto at = aim(cal, id);
    if (!at) return not_found();
    if (at.get()->cancelled) return gone();
    if (!matches(if_match, *at.get())) return stale();
    event const old = *at.get();
    auto const before = attendees_of(old.body);
    bool const guest = is_guest_copy(cal, old);
    event dead = old;
    cancel(dead, guest && !is_exception(old));
    auto& kept = keep(cal, at, std::move(dead));
    touch(c, cal, kept, "delete", w);
    drop_exceptions(cal, kept.id);
    if (guest) {
        // For everybody else a guest who removes the event has declined it.
        event declined = old;
        if (auto* all = declined.body.if_contains("attendees"))
            for (auto& item : all->get_array())
                if (text_at(item.get_object(), "email") == cal.id) item.get_object()["responseStatus"] = "declined";
        report_to_organizer(c, cal, declined, w);
    } else {
        spread(c, cal, kept, before, w);
        record_mails(c, cal, kept, before, w);
    }
    reply out;
    out.status = 204;
    return out;
}

namespace {

// The event stands in `to` from now on, organised by it.
event& settle_in(core& c, calendar& to, event moved, writer const& w) {
    auto const held = to.events.find(moved.id);
    moved.change = held != to.events.end() ? held->second.change : 0;
    moved.body["organizer"] = bj::object{{"email", to.id}};
    if (!to.primary) moved.body["organizer"].get_object()["displayName"] = to.summary;
    auto& kept = store(to, std::move(moved));
    touch(c, to, kept, "insert", w);
    return kept;
}

// As if it had been cancelled there before.
event absent(event const& e) {
    event out = e;
    out.cancelled = true;
    return out;
}

}  // namespace

reply move_event(core& c, calendar& from, std::string_view id, calendar& to, writer const& w, view const& v) {
    auto at = aim(from, id);
    if (!at) return not_found();
    auto* e = at.get();
    if (e->cancelled) return gone();
    if (is_exception(*e))
        return refuse(400, "calendar", "cannotChangeOrganizerOfInstance", "The organizer of an instance cannot be changed.");
    if (text_at(e->body, "eventType", "default") != "default")
        return refuse(400, "calendar", "eventTypeRestriction", "Only events of type default can be moved.");
    if (is_guest_copy(from, *e)) return refuse(403, "calendar", "cannotChangeOrganizer", "Only the organizer can move the event.");
    if (&from == &to) return shown(c, to, *e, v);
    // A guest's own copy gives way to the event itself.
    auto const held = to.events.find(e->id);
    bool const taken = held != to.events.end() && !held->second.cancelled && organizer_of(held->second) != from.id;
    if (taken || to.retired.contains(e->id)) return refuse(409, "global", "duplicate", "The requested identifier already exists.");
    std::vector<event> exceptions;
    for (auto const* x : exceptions_of(from, e->id)) exceptions.push_back(*x);
    event const moved = *e;
    cancel(*e, true);
    touch(c, from, *e, "delete", w);
    drop_exceptions(from, moved.id);
    drop_exceptions(to, moved.id);
    // Whoever organised it until now and is a guest as well keeps a guest's copy.
    auto const others = [&](event const& x) {
        auto const& all = attendees_of(x.body);
        bj::array out;
        for (auto const& a : all)
            if (text_at(a.get_object(), "email") != from.id) out.push_back(a);
        return out;
    };
    auto& kept = settle_in(c, to, moved, w);
    spread(c, to, kept, others(moved), w);
    for (auto& x : exceptions) {
        auto const before = others(x);
        spread(c, to, settle_in(c, to, std::move(x), w), before, w);
    }
    after_write(c, to, absent(moved), kept, w);
    return shown(c, to, kept, v);
}

}  // namespace calbridge::emulator
