#include "tests/emulator/events.h"

#include "tests/emulator/event_rules.h"
#include "tests/emulator/push.h"

#include <algorithm>

namespace calbridge::emulator {

namespace {

reply not_found() { return refuse(404, "global", "notFound", "Not Found"); }
reply not_organizer() {
    return refuse(403, "calendar", "forbiddenForNonOrganizer", "Shared properties can only be changed by the organizer of the event.");
}
reply stale() { return refuse(412, "global", "conditionNotMet", "Precondition Failed", "header", "If-Match"); }

bool matches(std::string_view if_match, event const& e) { return if_match.empty() || if_match == "*" || if_match == etag_text(e.etag); }

// Gives the event a new place in the calendar's log, a new etag, and tells the channels.
void touch(core& c, calendar& cal, event& e, std::string_view kind, writer const& w, bool content = true) {
    if (e.change != 0) cal.log.erase(e.change);
    e.change = ++cal.change;
    cal.log.emplace_hint(cal.log.end(), e.change, &e);
    e.etag = c.next_etag_number();
    if (content) e.updated = c.now();
    if (e.cancelled && kind == "delete") cal.tombstones.emplace_back(c.now(), e.id);
    c.effects.push_back({++c.counter, c.now(), w.user, w.client, cal.id, e.id, std::string(kind), e.etag});
    if (c.effects.size() > c.options.log_max) c.effects.pop_front();
    notify(c, events_resource(cal.id));
}

void replace_stored(calendar& cal, event& e, event&& next) {
    if (e.is_master()) --cal.masters;
    e = std::move(next);
    if (e.is_master()) ++cal.masters;
}

event& store(calendar& cal, event&& e) {
    if (e.is_master()) ++cal.masters;
    auto id = e.id;
    if (!cal.events.contains(id)) cal.by_ical_uid.emplace(std::string(text_at(e.body, "iCalUID")), id);
    return cal.events.insert_or_assign(std::move(id), std::move(e)).first->second;
}

void cancel(calendar& cal, event& e, bool bare) {
    if (e.is_master()) --cal.masters;
    e.cancelled = true;
    e.bare = bare;
    e.body["status"] = "cancelled";
}

bj::array const& attendees_of(bj::object const& body) {
    static bj::array const none;
    auto const* a = array_at(body, "attendees");
    return a != nullptr ? *a : none;
}

bj::object const* attendee(bj::array const& all, std::string_view email) {
    for (auto const& item : all)
        if (text_at(item.get_object(), "email") == email) return &item.get_object();
    return nullptr;
}

bool is_guest_copy(calendar const& cal, event const& e) { return !e.detached && organizer_of(e) != cal.id; }

// ---- what each user keeps for themselves ----

std::optional<reply> settle_reminders(bj::object& r) {
    auto const* overrides = array_at(r, "overrides");
    if (overrides == nullptr || overrides->empty()) {
        r.erase("overrides");
        return std::nullopt;
    }
    if (flag_at(r, "useDefault"))
        return refuse(400, "calendar", "cannotUseDefaultRemindersAndSpecifyOverride", "Cannot specify both default reminders and overrides at the same time.");
    if (overrides->size() > 5) return refuse(400, "calendar", "tooManyReminders", "Too many reminder overrides.");
    for (auto const& item : *overrides) {
        auto const* o = item.if_object();
        auto const method = o != nullptr ? text_at(*o, "method") : std::string_view{};
        if (method != "popup" && method != "email") return refuse(400, "global", "invalid", "Invalid reminder method.");
        auto const* minutes = o->if_contains("minutes");
        if (minutes == nullptr || !minutes->is_int64()) return refuse(400, "global", "required", "Missing reminder minutes.");
        if (minutes->get_int64() < 0 || minutes->get_int64() > 40320) return refuse(400, "global", "invalid", "Invalid reminder minutes.");
    }
    return std::nullopt;
}

std::optional<reply> take_reminders(event& e, bj::object const& body, bool replace, std::string const& user) {
    auto const* given = body.if_contains("reminders");
    if (given == nullptr ? replace : given->is_null()) {
        e.reminders.erase(user);
        return std::nullopt;
    }
    if (given == nullptr) return std::nullopt;
    bj::object next;
    if (auto const it = e.reminders.find(user); it != e.reminders.end() && !replace) next = it->second;
    merge(next, given->get_object());
    if (!next.contains("useDefault")) next["useDefault"] = false;
    if (auto no = settle_reminders(next)) return no;
    e.reminders[user] = std::move(next);
    return std::nullopt;
}

// ---- conferences ----

void finish_meet(core& c, event& e) {
    auto& data = e.body["conferenceData"].as_object();
    auto& request = data["createRequest"].as_object();
    if (c.knob.meet_fails) {
        request["status"] = bj::object{{"statusCode", "failure"}};
        return;
    }
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz";
    auto const code = c.random_text(3, letters) + "-" + c.random_text(4, letters) + "-" + c.random_text(3, letters);
    request["status"] = bj::object{{"statusCode", "success"}};
    bj::object const entry{{"entryPointType", "video"}, {"uri", "https://meet.google.com/" + code}, {"label", "meet.google.com/" + code}};
    data["entryPoints"] = bj::array{entry};
    data["conferenceSolution"] = bj::object{{"key", bj::object{{"type", "hangoutsMeet"}}}, {"name", "Google Meet"}};
    data["conferenceId"] = code;
    e.body["hangoutLink"] = "https://meet.google.com/" + code;
}

std::optional<reply> take_conference(core& c, calendar const& cal, event& e, bj::object const& body, bool replace, bool understood) {
    if (!understood) return std::nullopt;  // Version 0: what is there stays, what was sent is ignored.
    auto const* given = body.if_contains("conferenceData");
    if (given == nullptr ? replace : given->is_null()) {
        e.body.erase("conferenceData");
        e.body.erase("hangoutLink");
        return std::nullopt;
    }
    if (given == nullptr) return std::nullopt;
    auto const* create = object_at(given->get_object(), "createRequest");
    if (create == nullptr) {
        e.body["conferenceData"] = *given;
        return std::nullopt;
    }
    std::string const id(text_at(*create, "requestId"));
    if (id.empty()) return refuse(400, "global", "required", "Missing conference request id.");
    if (id == e.meet_request) return std::nullopt;
    auto const* key = object_at(*create, "conferenceSolutionKey");
    auto const type = key != nullptr ? text_at(*key, "type") : std::string_view("hangoutsMeet");
    if (type != "hangoutsMeet") return refuse(400, "global", "invalid", "Invalid conference type value.");
    e.meet_request = id;
    bj::object request{{"requestId", id}, {"conferenceSolutionKey", bj::object{{"type", type}}}, {"status", bj::object{{"statusCode", "pending"}}}};
    e.body["conferenceData"] = bj::object{{"createRequest", std::move(request)}};
    e.body.erase("hangoutLink");
    if (c.knob.meet_delay_s <= 0) finish_meet(c, e);
    else c.meets.emplace(c.now() + std::chrono::seconds(c.knob.meet_delay_s), std::pair(cal.id, e.id));
    return std::nullopt;
}

// ---- event types ----

std::optional<reply> check_type(calendar const& cal, event const& e) {
    auto const type = text_at(e.body, "eventType", "default");
    auto const bad = [&](std::string_view why) { return refuse(400, "calendar", "eventTypeRestriction", why); };
    if (type == "default") return std::nullopt;
    if (type == "fromGmail") return bad("Events of this type cannot be created.");
    if (type == "birthday") {
        if (!e.all_day || e.ends - e.starts != std::chrono::days(1)) return bad("A birthday is an all-day event of one day.");
        return std::nullopt;
    }
    if (!cal.primary) return bad("Events of this type belong on a primary calendar.");
    if (type == "workingLocation") return e.body.contains("workingLocationProperties") ? std::nullopt : std::optional(bad("Missing workingLocationProperties."));
    if (e.all_day) return bad("Events of this type need a time.");
    auto const* needed = type == "focusTime" ? "focusTimeProperties" : "outOfOfficeProperties";
    if (!e.body.contains(needed)) return bad(std::string("Missing ") + needed + ".");
    return std::nullopt;
}

// ---- guests ----

void take_shared(event& copy, event const& from) {
    bj::object own;
    for (auto const* name : {"colorId", "transparency", "visibility", "status"})
        if (auto const* v = copy.body.if_contains(name)) own[name] = *v;
    bj::value private_part;
    if (auto const* p = object_at(copy.body, "extendedProperties"))
        if (auto const* v = p->if_contains("private")) private_part = *v;
    copy.body = shared_part(from.body);
    for (auto const& [name, value] : own) copy.body[name] = value;
    if (!private_part.is_null()) {
        auto& p = copy.body["extendedProperties"];
        if (!p.is_object()) p = bj::object{};
        p.get_object()["private"] = std::move(private_part);
    }
    copy.starts = from.starts;
    copy.ends = from.ends;
    copy.all_day = from.all_day;
    copy.meet_request = from.meet_request;
}

// Brings every guest's copy in line with the organizer's event.
void spread(core& c, calendar const& home, event const& e, bj::array const& before, writer const& w) {
    if (flag_at(e.body, "privateCopy") || e.detached) return;
    for (auto const& item : attendees_of(e.body)) {
        auto* cal = c.find_calendar(text_at(item.get_object(), "email"));
        if (cal == nullptr || cal == &home || !cal->primary || e.cancelled) continue;
        auto const it = cal->events.find(e.id);
        if (it == cal->events.end()) {
            if (cal->retired.contains(e.id)) continue;
            event copy;
            copy.id = e.id;
            copy.created = c.now();
            copy.body["status"] = text_at(e.body, "status", "confirmed");
            take_shared(copy, e);
            touch(c, *cal, store(*cal, std::move(copy)), "insert", w);
            continue;
        }
        auto& held = it->second;
        // A guest who removed their copy is not invited again by a later edit.
        if (held.cancelled && attendee(before, cal->id) != nullptr) continue;
        event next = held;
        next.cancelled = next.bare = false;
        next.body["status"] = text_at(e.body, "status", "confirmed");
        take_shared(next, e);
        if (next.body == held.body && !held.cancelled) continue;
        replace_stored(*cal, held, std::move(next));
        touch(c, *cal, held, "update", w);
    }
    for (auto const& item : before) {
        auto const email = text_at(item.get_object(), "email");
        if (!e.cancelled && attendee(attendees_of(e.body), email) != nullptr) continue;
        auto* cal = c.find_calendar(email);
        if (cal == nullptr || cal == &home || !cal->primary) continue;
        auto const it = cal->events.find(e.id);
        if (it == cal->events.end() || it->second.cancelled || organizer_of(it->second) == cal->id) continue;
        cancel(*cal, it->second, true);
        touch(c, *cal, it->second, "delete", w);
    }
}

// What a guest changed on their copy goes to the organizer: their own answer, shared properties, and with guestsCanModify all.
void report_to_organizer(core& c, calendar const& guest_cal, event const& copy, writer const& w) {
    auto* home = c.find_calendar(organizer_of(copy));
    auto* original = home != nullptr ? find_event(*home, copy.id) : nullptr;
    if (original == nullptr || original->cancelled) return;
    auto const before = attendees_of(original->body);
    if (before.size() > 200) return;
    event next = *original;
    if (flag_at(original->body, "guestsCanModify")) {
        take_shared(next, copy);
    } else if (auto* all = next.body.if_contains("attendees")) {
        auto const& theirs = attendees_of(copy.body);
        for (auto& item : all->get_array())
            if (text_at(item.get_object(), "email") == guest_cal.id)
                if (auto const* own = attendee(theirs, guest_cal.id)) item = *own;
        for (auto const& item : theirs)
            if (attendee(before, text_at(item.get_object(), "email")) == nullptr) all->get_array().push_back(item);
        if (auto const* p = object_at(copy.body, "extendedProperties"))
            if (auto const* s = p->if_contains("shared")) {
                auto& to = next.body["extendedProperties"];
                if (!to.is_object()) to = bj::object{};
                to.get_object()["shared"] = *s;
            }
    }
    if (next.body == original->body) return;
    replace_stored(*home, *original, std::move(next));
    touch(c, *home, *original, "update", w);
    spread(c, *home, *original, before, w);
}

// True when a guest's new version changes only what is theirs.
bool guest_may(calendar const& cal, event const& old, event const& next) {
    if (flag_at(old.body, "guestsCanModify")) return true;
    auto a = shared_part(old.body), b = shared_part(next.body);
    for (auto* o : {&a, &b}) {
        o->erase("attendees");
        o->erase("extendedProperties");
        o->erase("sequence");
    }
    if (a != b) return false;
    auto const& was = attendees_of(old.body);
    auto const& is = attendees_of(next.body);
    for (auto const& item : was) {
        auto const email = text_at(item.get_object(), "email");
        auto const* now = attendee(is, email);
        if (now == nullptr || (email != cal.id && *now != item.get_object())) return false;
    }
    return is.size() == was.size() || flag_at(old.body, "guestsCanInviteOthers", true);
}

// With attendeesOmitted only the writer's own entry counts.
bj::array with_own_answer(bj::array const& stored, bj::array const& sent, std::string_view self) {
    bj::array out = stored;
    auto const* own = attendee(sent, self);
    if (own == nullptr) return out;
    for (auto& item : out)
        if (text_at(item.get_object(), "email") == self) merge(item.get_object(), *own);
    return out;
}

void record_mails(core& c, calendar const& cal, event const& e, bj::array const& before, writer const& w) {
    if (w.no_mail_of_any_kind()) return;
    std::map<std::string, std::vector<std::string>> by_kind;
    auto const wanted = [&](std::string_view email) {
        return email != cal.id && email != w.user && (w.send_updates == "all" || c.find_user(email) == nullptr);
    };
    auto const& after = attendees_of(e.body);
    for (auto const& item : after) {
        std::string const email(text_at(item.get_object(), "email"));
        if (wanted(email)) by_kind[e.cancelled ? "cancellation" : attendee(before, email) == nullptr ? "invitation" : "update"].push_back(email);
    }
    for (auto const& item : before) {
        std::string const email(text_at(item.get_object(), "email"));
        if (wanted(email) && attendee(after, email) == nullptr) by_kind["cancellation"].push_back(email);
    }
    for (auto& [kind, to] : by_kind) c.mails.push_back({c.now(), kind, cal.id, e.id, w.user, std::move(to), w.send_updates});
}

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

event* find_event(calendar& cal, std::string_view id) {
    auto const it = cal.events.find(id);
    return it != cal.events.end() ? &it->second : nullptr;
}

void age(core& c, calendar& cal) {
    auto const limit = c.now() - std::chrono::days(c.knob.tombstone_days);
    while (!cal.tombstones.empty() && cal.tombstones.front().first < limit) {
        auto const [when, id] = cal.tombstones.front();
        cal.tombstones.pop_front();
        auto const it = cal.events.find(id);
        if (it == cal.events.end() || !it->second.cancelled || it->second.updated > when) continue;
        cal.purged_through = std::max(cal.purged_through, it->second.change);
        cal.log.erase(it->second.change);
        auto const uid = std::string(text_at(it->second.body, "iCalUID"));
        auto const [from, to] = cal.by_ical_uid.equal_range(uid);
        for (auto i = from; i != to; ++i) {
            if (i->second != id) continue;
            cal.by_ical_uid.erase(i);
            break;
        }
        cal.events.erase(it);
        cal.retired.insert(id);
    }
}

void complete_meets(core& c) {
    while (!c.meets.empty() && c.meets.begin()->first <= c.now()) {
        auto const [calendar_id, event_id] = c.meets.begin()->second;
        c.meets.erase(c.meets.begin());
        auto* cal = c.find_calendar(calendar_id);
        auto* e = cal != nullptr ? find_event(*cal, event_id) : nullptr;
        if (e == nullptr || e->cancelled) continue;
        auto const* data = object_at(e->body, "conferenceData");
        auto const* request = data != nullptr ? object_at(*data, "createRequest") : nullptr;
        auto const* status = request != nullptr ? object_at(*request, "status") : nullptr;
        if (status == nullptr || text_at(*status, "statusCode") != "pending") continue;
        finish_meet(c, *e);
        writer const google{.user = "google"};
        auto const before = attendees_of(e->body);
        touch(c, *cal, *e, "update", google);
        spread(c, *cal, *e, before, google);
    }
}

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
    if (text_at(body, "eventType", "default") != "default") return refuse(400, "calendar", "eventTypeRestriction", "Only events of type default can be imported.");
    for (auto [i, end] = cal.by_ical_uid.equal_range(uid); i != end; ++i) {
        auto* known = find_event(cal, i->second);
        if (known != nullptr && !known->cancelled && !known->body.contains("recurringEventId")) return write_event(c, cal, known->id, body, true, {}, w, v);
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
        for (auto const* name : {"iCalUID", "organizer", "creator", "eventType", "privateCopy", "recurringEventId", "originalStartTime", "sequence", "conferenceData", "hangoutLink"})
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
    if (asked < sequence) return refuse(400, "global", "invalid", "Invalid sequence value. The specified sequence number is below the current sequence number of the resource.");
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
    if (text_at(e->body, "eventType", "default") != "default") return refuse(400, "calendar", "eventTypeRestriction", "Only events of type default can be moved.");
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
