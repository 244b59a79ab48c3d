// What a person does in their calendar, and who there is.
#include "tests/emulator/control.h"

#include "tests/emulator/calendars.h"
#include "tests/emulator/control_words.h"
#include "tests/emulator/events.h"
#include "tests/emulator/person.h"
#include "tests/emulator/push.h"
#include "tests/emulator/series.h"
#include "tests/emulator/times.h"

#include <fmt/format.h>

namespace calbridge::emulator {

namespace {

bj::object summary_of(calendar const& cal) {
    bj::object roles;
    for (auto const& [who, role] : cal.roles) roles[who] = role;
    return {{"id", cal.id},
            {"summary", cal.summary},
            {"owner", cal.owner},
            {"time_zone", cal.time_zone},
            {"primary", cal.primary},
            {"watchable", cal.watchable},
            {"change", cal.change},
            {"events", cal.events.size()},
            {"roles", std::move(roles)}};
}

}  // namespace

reply control::users(request const& r, std::vector<std::string> const& at, bj::object const& body) {
    if (at.size() > 1) return list_of(r, at, body);
    if (r.method == "POST") {
        auto const email = lower(text_at(body, "email"));
        if (email.find('@') == std::string::npos) return wrong("email is required");
        std::string const zone(text_at(body, "time_zone", "Europe/Zurich"));
        if (!is_zone(zone)) return wrong("time_zone is not known");
        auto& u = create_user(c_, email, zone);
        u.name = std::string(text_at(body, "name", u.name));
        u.hd = std::string(text_at(body, "hd", u.hd));
        u.has_calendar = flag_at(body, "has_calendar", u.has_calendar);
        return ok(bj::object{{"email", u.email}, {"sub", u.sub}, {"calendar", u.email}});
    }
    bj::array out;
    for (auto const& [_, u] : c_.users)
        out.emplace_back(bj::object{{"email", u.email}, {"sub", u.sub}, {"name", u.name}, {"time_zone", u.time_zone}});
    return ok(bj::object{{"users", std::move(out)}});
}

reply control::clients(request const& r, bj::object const& body) {
    if (r.method == "POST") {
        std::string const id(text_at(body, "id"));
        if (id.empty()) return wrong("id is required");
        auto& client = c_.clients[id];
        client.id = id;
        client.secret = std::string(text_at(body, "secret", client.secret));
        client.project = std::string(text_at(body, "project", client.project));
        client.deleted = flag_at(body, "deleted", client.deleted);
        if (auto const* uris = array_at(body, "redirect_uris")) {
            client.redirect_uris.clear();
            for (auto const& u : *uris) client.redirect_uris.emplace_back(u.is_string() ? std::string(u.get_string()) : std::string());
        }
    }
    bj::array out;
    for (auto const& [_, client] : c_.clients) {
        bj::array uris;
        for (auto const& u : client.redirect_uris) uris.emplace_back(u);
        out.emplace_back(
            bj::object{{"id", client.id}, {"project", client.project}, {"redirect_uris", std::move(uris)}, {"deleted", client.deleted}});
    }
    return ok(bj::object{{"clients", std::move(out)}});
}

reply control::calendars(request const& r, std::vector<std::string> const& at, params const& q, bj::object const& body) {
    if (at.size() == 1) {
        if (r.method == "POST") {
            auto* owner = c_.find_user(text_at(body, "owner"));
            if (owner == nullptr) return wrong("owner is not known");
            std::string const id(text_at(body, "id", "c_" + c_.random_id(40) + "@group.calendar.google.com"));
            std::string const zone(text_at(body, "time_zone", owner->time_zone));
            if (!is_zone(zone)) return wrong("time_zone is not known");
            auto& cal = create_calendar(c_, *owner, id, std::string(text_at(body, "summary", "Calendar")), zone);
            cal.watchable = flag_at(body, "watchable", true);
            return ok(summary_of(cal));
        }
        bj::array out;
        auto const user = value_of(q, "user");
        for (auto const& [_, cal] : c_.calendars)
            if (user.empty() || role_of(cal, user) != role::none) out.emplace_back(summary_of(cal));
        return ok(bj::object{{"calendars", std::move(out)}});
    }
    auto* cal = c_.find_calendar(at[1]);
    if (cal == nullptr) return wrong("no such calendar", 404);
    if (at.size() > 2 && at[2] == "events") return events(r, *cal, at, q, body);
    if (at.size() == 3 && at[2] == "bulk" && r.method == "POST") return bulk(*cal, body);
    if (at.size() == 3 && at[2] == "raw" && r.method == "POST") return raw(*cal, body);
    if (at.size() == 3 && at[2] == "share" && r.method == "POST") {
        auto const email = lower(text_at(body, "email"));
        auto const role = text_at(body, "role", "reader");
        if (role != "none" && role_named(role) == role::none) return wrong("role is not known");
        share(c_, *cal, email, role, flag_at(body, "add_to_list", true));
        return ok(summary_of(*cal));
    }
    if (at.size() == 3 && at[2] == "expire_tokens" && r.method == "POST") {
        auto const email = text_at(body, "email");
        for (auto const& [who, _] : c_.users)
            if (email.empty() || email == who) ++cal->epochs[who];
        return ok(summary_of(*cal));
    }
    if (at.size() != 2) return wrong("no such control", 404);
    if (r.method == "PATCH") {
        cal->watchable = flag_at(body, "watchable", cal->watchable);
        cal->summary = std::string(text_at(body, "summary", cal->summary));
        std::string const zone(text_at(body, "time_zone", cal->time_zone));
        if (!is_zone(zone)) return wrong("time_zone is not known");
        cal->time_zone = zone;
        cal->etag = c_.next_etag_number();
    } else if (r.method == "DELETE") {
        erase_calendar(c_, at[1]);
        return ok(bj::object{{"deleted", at[1]}});
    }
    return ok(summary_of(*cal));
}

reply control::events(request const& r, calendar& cal, std::vector<std::string> const& at, params const& q, bj::object const& body) {
    std::string const who(value_of(q, "as", cal.owner));
    writer const person{.user = who, .send_updates = std::string(value_of(q, "sendUpdates")), .conference = true, .attachments = true};
    view const seen{.user = who, .zone = std::string(value_of(q, "timeZone")), .access = role::owner};
    auto const check = [&](std::string_view verb, std::string const& path) -> std::optional<reply> {
        auto const rule = c_.rules.find(verb, path);
        std::string all;
        for (auto const& f : c_.rules.check_body(*rule.method, body)) all += f + "; ";
        return all.empty() ? std::nullopt : std::optional(wrong(all));
    };
    if (at.size() == 3 && r.method == "GET") {
        auto const from = parse_with_offset(value_of(q, "timeMin")), to = parse_with_offset(value_of(q, "timeMax"));
        bj::array out;
        bool const deleted = value_of(q, "deleted") == "true", single = is_true(q, "singleEvents");
        auto const show = [&](event const& e) {
            if ((e.cancelled && !deleted) || !e.raw.empty()) return;
            if ((from && e.ends <= *from) || (to && e.starts >= *to)) return;
            out.emplace_back(render(c_, cal, e, seen));
        };
        for (auto const& [_, e] : cal.events) {
            if (!single || !e.is_master()) {
                auto const* master = single && is_exception(e) ? find_event(cal, master_id_of(e)) : nullptr;
                if (master == nullptr || !master->is_master() || e.orphan) show(e);
                continue;
            }
            for (auto const& one : expand(cal, e, from, to, 1000)) show(one);
        }
        return ok(bj::object{{"time_zone", cal.time_zone}, {"change", cal.change}, {"items", std::move(out)}});
    }
    if (at.size() == 3 && r.method == "POST") {
        if (auto no = check("POST", "/calendar/v3/calendars/x/events")) return *no;
        return insert_event(c_, cal, body, person, seen);
    }
    if (at.size() < 4) return wrong("no such control", 404);
    auto named = aim(cal, at[3]);
    if (!named) return wrong("no such event", 404);
    auto const* e = named.get();
    if (at.size() == 4) {
        if (r.method == "GET") return ok(render(c_, cal, *e, seen));
        if (r.method == "DELETE") return delete_event(c_, cal, at[3], {}, person);
        if (r.method == "PATCH" || r.method == "PUT") {
            if (auto no = check(r.method, "/calendar/v3/calendars/x/events/y")) return *no;
            return write_event(c_, cal, at[3], body, r.method == "PUT", {}, person, seen);
        }
    }
    if (at.size() == 5 && r.method == "POST" && (at[4] == "edit" || at[4] == "remove")) {
        auto const scope = text_at(body, "scope", "all");
        if (scope != "one" && scope != "following" && scope != "all") return wrong("scope is one, following or all");
        person_edit edit{.calendar = cal.id, .event = at[3], .remove = at[4] == "remove", .new_id = flag_at(body, "new_id"), .as = who};
        edit.over = scope == "one"         ? person_edit::scope::one
                    : scope == "following" ? person_edit::scope::following
                                           : person_edit::scope::all;
        if (auto const* change = object_at(body, "change")) edit.change = *change;
        edit.send_updates = person.send_updates;
        return edit_as_person(c_, edit);
    }
    if (at.size() == 5 && r.method == "POST" && at[4] == "rsvp") {
        auto const email = lower(text_at(body, "email", cal.id));
        auto* guest = c_.find_calendar(email);
        // A guest without a copy (not a user here) answers by mail, which lands on the organizer's event.
        auto& on = guest != nullptr && aim(*guest, at[3]) ? *guest : cal;
        bj::array all;
        auto answered = aim(on, at[3]);
        auto const* held = array_at(answered.get()->body, "attendees");
        bool listed = false;
        if (held != nullptr)
            for (auto const& item : *held) {
                all.push_back(item);
                if (text_at(item.get_object(), "email") != email) continue;
                listed = true;
                all.back().get_object()["responseStatus"] = text_at(body, "response", "accepted");
            }
        if (!listed) return wrong("not a guest of this event");
        writer const answering{.user = email, .conference = true, .attachments = true};
        bj::object const patch{{"attendees", std::move(all)}};
        return write_event(c_, on, at[3], patch, false, {}, answering, seen);
    }
    if (at.size() == 5 && r.method == "POST" && at[4] == "copy") {
        // What the calendar's "duplicate" does: everything, private properties included, under a new id.
        bj::object copy = e->body;
        for (auto const* name : {"iCalUID", "organizer", "creator", "sequence", "hangoutLink", "conferenceData"}) copy.erase(name);
        merge(copy, body);
        return insert_event(c_, cal, copy, person, seen);
    }
    if (at.size() == 5 && r.method == "POST" && at[4] == "move") {
        auto* to = c_.find_calendar(text_at(body, "to"));
        if (to == nullptr) return wrong("no such calendar", 404);
        return move_event(c_, cal, at[3], *to, person, seen);
    }
    return wrong("no such control", 404);
}

}  // namespace calbridge::emulator
