#include "tests/emulator/control.h"

#include "common/base/encoding.h"
#include "tests/emulator/calendars.h"
#include "tests/emulator/events.h"
#include "tests/emulator/push.h"
#include "tests/emulator/times.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace calbridge::emulator {

namespace {

reply ok(bj::value body) {
    reply out;
    out.body = std::move(body);
    return out;
}
reply wrong(std::string_view why, int status = 400) {
    reply out;
    out.status = status;
    out.body = bj::object{{"error", why}};
    return out;
}

std::uint64_t since_of(params const& q) { return static_cast<std::uint64_t>(to_integer(value_of(q, "since")).value_or(0)); }

bj::object to_json(http::headers const& fields) {
    bj::object out;
    for (auto const& [name, value] : fields) out[lower(name)] = value;
    return out;
}

bj::object to_json(fault const& f) {
    return {{"match", bj::object{{"method", f.method}, {"path_prefix", f.path_prefix}, {"path_contains", f.path_contains}, {"nth", f.nth}}},
            {"action", f.action}, {"status", f.status}, {"reason", f.reason}, {"delay_ms", f.delay_ms}, {"times", f.times}, {"seen", f.seen}, {"hit", f.hit}};
}

bj::object summary_of(calendar const& cal) {
    bj::object roles;
    for (auto const& [who, role] : cal.roles) roles[who] = role;
    return {{"id", cal.id}, {"summary", cal.summary}, {"owner", cal.owner}, {"time_zone", cal.time_zone}, {"primary", cal.primary},
            {"watchable", cal.watchable}, {"change", cal.change}, {"events", cal.events.size()}, {"roles", std::move(roles)}};
}

}  // namespace

answer control::handle(request const& r) {
    auto const q = parse_params(r.query);
    boost::system::error_code ec;
    auto const whole = bj::parse(r.body.empty() ? std::string_view("{}") : std::string_view(r.body), ec);
    bj::object const body = !ec && whole.is_object() ? whole.get_object() : bj::object{};
    reply done = !q ? wrong("malformed query") : ec ? wrong("malformed JSON") : route(r, *q, body, whole);
    answer out;
    out.status = done.status;
    out.fields = std::move(done.fields);
    out.fields.emplace_back("Content-Type", "application/json; charset=utf-8");
    out.fields.emplace_back("Cache-Control", "no-store");
    if (!done.body.is_null()) out.body = bj::serialize(done.body) + "\n";
    return out;
}

reply control::route(request const& r, params const& q, bj::object const& body, bj::value const& whole) {
    std::vector<std::string> at;
    for (auto part : split(std::string_view(r.path).substr(std::string_view("/_control").size()), '/')) {
        auto decoded = percent_decode(part);
        if (!decoded) return wrong("malformed path");
        if (!decoded->empty()) at.push_back(std::move(*decoded));
    }
    auto const& what = at.empty() ? std::string() : at[0];
    bool const get = r.method == "GET", post = r.method == "POST", del = r.method == "DELETE";
    if (what == "users") return users(r, body);
    if (what == "clients") return clients(r, body);
    if (what == "calendars") return calendars(r, at, q, body);
    if (what == "consent" && post) return consent_of(body);
    if (what == "tokens" && post) return token_for(body);
    if (what == "faults") return faults(r, whole);
    if (what == "clock") return clock_of(r, body);
    if (what == "push" && post) return push(body);
    if (what == "requests" && get) return requests(q);
    if (what == "deliveries" && get) return deliveries(q);
    if (what == "channels" && get) return channels();
    if (what == "stats" && get) return stats();
    if (what == "reset" && post) return reset(body);
    if (what == "revoke" && post) {
        oauth_.revoke_project(std::string(text_at(body, "email")), std::string(text_at(body, "project", "calbridge")));
        return ok(bj::object{{"revoked", true}});
    }
    if (what == "knobs") {
        if (post)
            if (auto fault = assign(c_.knob, body); !fault.empty()) return wrong(fault);
        return ok(emulator::to_json(c_.knob));
    }
    if (what == "violations") {
        if (del) c_.violations.clear();
        bj::array out;
        for (auto const& v : c_.violations)
            if (v.number > since_of(q)) out.emplace_back(bj::object{{"number", v.number}, {"at", format_utc(v.at)}, {"method", v.method}, {"path", v.path}, {"what", v.what}});
        return ok(bj::object{{"violations", std::move(out)}});
    }
    if (what == "mails") {
        if (del) c_.mails.clear();
        bj::array out;
        for (auto const& m : c_.mails) {
            bj::array to;
            for (auto const& t : m.to) to.emplace_back(t);
            out.emplace_back(bj::object{{"at", format_utc(m.at)}, {"kind", m.kind}, {"calendar", m.calendar}, {"event", m.event}, {"from", m.from}, {"to", std::move(to)}, {"send_updates", m.send_updates}});
        }
        return ok(bj::object{{"mails", std::move(out)}});
    }
    if (what == "effects" && get) {
        bj::array out;
        for (auto const& e : c_.effects)
            if (e.number > since_of(q))
                out.emplace_back(bj::object{{"number", e.number}, {"at", format_utc(e.at)}, {"actor", e.actor}, {"client", e.client}, {"calendar", e.calendar}, {"event", e.event}, {"kind", e.kind}, {"etag", etag_text(e.etag)}});
        return ok(bj::object{{"effects", std::move(out)}});
    }
    return wrong("no such control: " + r.method + " " + r.path, 404);
}

reply control::users(request const& r, bj::object const& body) {
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
    for (auto const& [_, u] : c_.users) out.emplace_back(bj::object{{"email", u.email}, {"sub", u.sub}, {"name", u.name}, {"time_zone", u.time_zone}});
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
        out.emplace_back(bj::object{{"id", client.id}, {"project", client.project}, {"redirect_uris", std::move(uris)}, {"deleted", client.deleted}});
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
        for (auto const& [email, _] : c_.users)
            if (role_of(*cal, email) != role::none) share(c_, *cal, email, "none", false);
        c_.channels_of.erase(events_resource(cal->id));
        c_.calendars.erase(at[1]);
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
        for (auto const& [_, e] : cal.events) {
            if (e.cancelled && value_of(q, "deleted") != "true") continue;
            if ((from && e.ends <= *from) || (to && e.starts >= *to)) continue;
            out.emplace_back(render(c_, cal, e, seen));
        }
        return ok(bj::object{{"time_zone", cal.time_zone}, {"change", cal.change}, {"items", std::move(out)}});
    }
    if (at.size() == 3 && r.method == "POST") {
        if (auto no = check("POST", "/calendar/v3/calendars/x/events")) return *no;
        return insert_event(c_, cal, body, person, seen);
    }
    if (at.size() < 4) return wrong("no such control", 404);
    auto const* e = find_event(cal, at[3]);
    if (e == nullptr) return wrong("no such event", 404);
    if (at.size() == 4) {
        if (r.method == "GET") return ok(render(c_, cal, *e, seen));
        if (r.method == "DELETE") return delete_event(c_, cal, at[3], {}, person);
        if (r.method == "PATCH" || r.method == "PUT") {
            if (auto no = check(r.method, "/calendar/v3/calendars/x/events/y")) return *no;
            return write_event(c_, cal, at[3], body, r.method == "PUT", {}, person, seen);
        }
    }
    if (at.size() == 5 && r.method == "POST" && at[4] == "rsvp") {
        auto const email = lower(text_at(body, "email", cal.id));
        auto* guest = c_.find_calendar(email);
        // A guest without a copy (not a user here) answers by mail, which lands on the organizer's event.
        auto& on = guest != nullptr && find_event(*guest, at[3]) != nullptr ? *guest : cal;
        bj::array all;
        auto const* held = array_at(find_event(on, at[3])->body, "attendees");
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

reply control::bulk(calendar& cal, bj::object const& body) {
    auto const count = body.contains("count") && body.at("count").is_int64() ? body.at("count").get_int64() : 0;
    auto const start = parse_with_offset(text_at(body, "start", "2026-01-01T08:00:00Z"));
    auto const every = body.contains("every_minutes") && body.at("every_minutes").is_int64() ? body.at("every_minutes").get_int64() : 30;
    if (count < 1 || count > 1000000 || !start || every < 1) return wrong("count, start or every_minutes is out of bounds");
    writer const person{.user = cal.owner};
    view const seen{.user = cal.owner};
    for (std::int64_t i = 0; i < count; ++i) {
        auto const from = *start + std::chrono::minutes(every * i);
        bj::object const e{{"summary", fmt::format("{} {}", text_at(body, "summary", "Event"), i)},
                           {"start", bj::object{{"dateTime", format_in_zone(from, "UTC")}}},
                           {"end", bj::object{{"dateTime", format_in_zone(from + std::chrono::minutes(every), "UTC")}}}};
        insert_event(c_, cal, e, person, seen);
    }
    return ok(summary_of(cal));
}

reply control::consent_of(bj::object const& body) {
    auto const url = text_at(body, "url");
    consent choice{.account = lower(text_at(body, "email")), .deny = flag_at(body, "deny")};
    if (auto const* grant = array_at(body, "grant")) {
        choice.granted = scope_set{};
        for (auto const& s : *grant) choice.granted->insert(s.is_string() ? std::string(s.get_string()) : std::string());
    }
    auto const mark = url.find('?');
    auto const done = oauth_.approve(mark == std::string_view::npos ? std::string_view{} : url.substr(mark + 1), choice);
    if (!done.refused.empty()) return wrong(done.refused);
    return ok(bj::object{{"location", done.location}});
}

reply control::token_for(bj::object const& body) {
    auto const* who = c_.find_user(text_at(body, "email"));
    if (who == nullptr) return wrong("email is not known");
    access_token t;
    t.user = who->email;
    t.client = std::string(text_at(body, "client", c_.clients.empty() ? "test" : c_.clients.begin()->first));
    auto const client = c_.clients.find(t.client);
    t.project = client != c_.clients.end() ? client->second.project : "calbridge";
    if (auto const* scopes = array_at(body, "scopes"))
        for (auto const& s : *scopes) t.scopes.insert(s.is_string() ? std::string(s.get_string()) : std::string());
    else t.scopes = {"openid", "https://www.googleapis.com/auth/calendar"};
    t.expires = c_.now() + std::chrono::seconds(c_.knob.access_token_ttl_s);
    auto const text = "ya29.test" + c_.random_id(40);
    c_.access.emplace(text, std::move(t));
    return ok(bj::object{{"access_token", text}});
}

reply control::faults(request const& r, bj::value const& whole) {
    if (r.method == "DELETE") c_.faults.clear();
    if (r.method == "POST") {
        bj::array const list = whole.is_array() ? whole.get_array() : bj::array{whole};
        std::vector<fault> added;
        for (auto const& item : list) {
            if (!item.is_object()) return wrong("a fault is an object");
            auto const& o = item.get_object();
            fault f;
            if (auto const* m = object_at(o, "match")) {
                f.method = std::string(text_at(*m, "method"));
                f.path_prefix = std::string(text_at(*m, "path_prefix"));
                f.path_contains = std::string(text_at(*m, "path_contains"));
                if (auto const* n = m->if_contains("nth"); n != nullptr && n->is_int64()) f.nth = n->get_int64();
            }
            f.action = std::string(text_at(o, "action", "status"));
            static constexpr std::array known{"status", "lost_response", "delay", "html_502", "truncated", "reset"};
            if (std::ranges::find(known, f.action) == known.end()) return wrong("action is not known");
            if (auto const* n = o.if_contains("status"); n != nullptr && n->is_int64()) f.status = static_cast<int>(n->get_int64());
            if (auto const* n = o.if_contains("delay_ms"); n != nullptr && n->is_int64()) f.delay_ms = n->get_int64();
            if (auto const* n = o.if_contains("times"); n != nullptr && n->is_int64()) f.times = n->get_int64();
            f.reason = std::string(text_at(o, "reason", f.reason));
            f.domain = std::string(text_at(o, "domain", f.status == 403 || f.status == 429 ? "usageLimits" : "global"));
            f.message = std::string(text_at(o, "message", f.reason == "backendError" ? "Backend Error" : f.reason));
            if (auto const* a = o.if_contains("retry_after")) f.retry_after = a->is_int64() ? std::to_string(a->get_int64()) : a->is_string() ? std::string(a->get_string()) : "";
            f.lost_by_close = text_at(o, "how", "close") == "close";
            added.push_back(std::move(f));
        }
        c_.faults.insert(c_.faults.end(), added.begin(), added.end());
    }
    bj::array out;
    for (auto const& f : c_.faults) out.emplace_back(to_json(f));
    return ok(bj::object{{"faults", std::move(out)}});
}

reply control::clock_of(request const& r, bj::object const& body) {
    if (r.method == "POST") {
        if (auto const* by = body.if_contains("advance_ms"); by != nullptr && by->is_int64()) {
            c_.offset += std::chrono::milliseconds(by->get_int64());
        } else if (auto const to = parse_with_offset(text_at(body, "set"))) {
            c_.offset += *to - c_.now();
        } else {
            return wrong("advance_ms or set is required");
        }
        complete_meets(c_);
    }
    return ok(bj::object{{"now", format_utc(c_.now())}, {"offset_ms", std::chrono::duration_cast<std::chrono::milliseconds>(c_.offset).count()}});
}

reply control::push(bj::object const& body) {
    delivery d;
    d.address = std::string(text_at(body, "address"));
    d.channel = std::string(text_at(body, "channel_id"));
    d.state = std::string(text_at(body, "state", "exists"));
    if (d.address.empty()) {
        auto const it = std::ranges::find_if(c_.channels, [&](auto const& e) { return e.second.id == d.channel; });
        if (it == c_.channels.end()) return wrong("address or a known channel_id is required");
        d.address = it->second.address;
    }
    d.fields = {{"Content-Type", "application/json; utf-8"}, {"User-Agent", "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)"}};
    for (auto const& [member, name] : {std::pair{"channel_id", "X-Goog-Channel-ID"}, std::pair{"token", "X-Goog-Channel-Token"},
                                       std::pair{"resource_id", "X-Goog-Resource-ID"}, std::pair{"resource_uri", "X-Goog-Resource-URI"},
                                       std::pair{"expiration", "X-Goog-Channel-Expiration"}})
        if (body.contains(member)) d.fields.emplace_back(name, std::string(text_at(body, member)));
    d.fields.emplace_back("X-Goog-Resource-State", d.state);
    d.fields.emplace_back("X-Goog-Message-Number", std::string(text_at(body, "message_number", "1")));
    return ok(bj::object{{"delivery", queue_raw(c_, std::move(d))}});
}

reply control::requests(params const& q) const {
    bj::array out;
    auto const limit = to_integer(value_of(q, "limit")).value_or(1000);
    auto const since = since_of(q);
    // Numbers grow, so the first wanted entry is found by halving.
    auto it = std::ranges::lower_bound(c_.requests, since + 1, {}, &log_entry::number);
    for (; it != c_.requests.end() && static_cast<std::int64_t>(out.size()) < limit; ++it)
        out.emplace_back(bj::object{{"number", it->number}, {"at", format_utc(it->at)}, {"method", it->method}, {"path", it->path}, {"query", it->query},
                                    {"call", it->method_id}, {"user", it->user}, {"headers", to_json(it->fields)}, {"body", it->body},
                                    {"status", it->status}, {"ns", it->nanoseconds}, {"faulted", it->faulted}});
    return ok(bj::object{{"requests", std::move(out)}, {"last", c_.requests.empty() ? 0 : c_.requests.back().number}});
}

reply control::deliveries(params const& q) const {
    bj::array out;
    for (auto it = c_.deliveries.upper_bound(since_of(q)); it != c_.deliveries.end(); ++it) {
        auto const& d = it->second;
        bj::array answers;
        for (auto s : d.answers) answers.emplace_back(s);
        out.emplace_back(bj::object{{"id", it->first}, {"channel", d.sent.channel}, {"address", d.sent.address}, {"state", d.sent.state}, {"attempt", d.sent.attempt},
                                    {"made", format_utc(d.sent.made)}, {"due", format_utc(d.sent.due)}, {"finished", format_utc(d.finished)},
                                    {"outcome", d.outcome}, {"answers", std::move(answers)},
                                    {"message_number", header(d.sent.fields, "X-Goog-Message-Number").value_or("")}});
    }
    return ok(bj::object{{"deliveries", std::move(out)}});
}

reply control::channels() const {
    bj::array out;
    for (auto const& [_, ch] : c_.channels)
        out.emplace_back(bj::object{{"id", ch.id}, {"address", ch.address}, {"resource_id", ch.resource_id}, {"resource_uri", ch.resource_uri}, {"calendar", ch.calendar}, {"user", ch.user},
                                    {"client", ch.client}, {"created", format_utc(ch.created)}, {"expires", format_utc(ch.expires)},
                                    {"stopped", ch.stopped.has_value()}, {"live", !ch.stopped && ch.expires > c_.now()}, {"messages", ch.messages}});
    return ok(bj::object{{"channels", std::move(out)}});
}

reply control::stats() const {
    bj::object calls;
    std::uint64_t all = 0;
    for (auto const& [id, by_status] : c_.calls) {
        bj::object one;
        std::uint64_t total = 0;
        for (auto const& [status, n] : by_status) {
            one[std::to_string(status)] = n;
            total += n;
        }
        one["total"] = total;
        all += total;
        calls[id] = std::move(one);
    }
    bj::object deliveries;
    for (auto const& [_, d] : c_.deliveries) {
        auto& n = deliveries[d.outcome];
        n = n.is_uint64() ? n.get_uint64() + 1 : std::uint64_t{1};
    }
    return ok(bj::object{{"requests", all}, {"calls", std::move(calls)}, {"deliveries", std::move(deliveries)}, {"violations", c_.violations.size()}, {"users", c_.users.size()}, {"calendars", c_.calendars.size()}});
}

reply control::reset(bj::object const& body) {
    std::vector<std::pair<std::string, std::string>> keep;
    if (!flag_at(body, "all"))
        for (auto const& [email, u] : c_.users) keep.emplace_back(email, u.time_zone);
    else c_.clients.clear();
    c_.knob = {};
    c_.offset = {};
    c_.users.clear();
    c_.codes.clear();
    c_.access.clear();
    c_.refresh.clear();
    c_.refresh_order.clear();
    c_.grants.clear();
    c_.calendars.clear();
    c_.meets.clear();
    c_.channels_of.clear();
    c_.channels.clear();
    c_.queue.clear();
    c_.deliveries.clear();
    c_.quota.clear();
    c_.faults.clear();
    c_.requests.clear();
    c_.violations.clear();
    c_.mails.clear();
    c_.effects.clear();
    c_.calls.clear();
    for (auto const& [email, zone] : keep) create_user(c_, email, zone);
    return ok(bj::object{{"reset", true}});
}

}  // namespace calbridge::emulator
