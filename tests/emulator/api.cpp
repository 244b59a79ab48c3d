#include "tests/emulator/api.h"

#include "tests/emulator/calendars.h"
#include "tests/emulator/event_rules.h"
#include "tests/emulator/events.h"
#include "tests/emulator/listing.h"
#include "tests/emulator/oauth.h"
#include "tests/emulator/push.h"
#include "tests/emulator/series.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace calbridge::emulator {

namespace {

constexpr std::string_view scope_prefix = "https://www.googleapis.com/auth/";

reply not_found() { return refuse(404, "global", "notFound", "Not Found"); }

answer finish(core const& c, reply r, api_method const* m, params const& query) {
    if (r.status == 200 && m != nullptr) {
        if (auto const* fields = find_value(query, "fields")) {
            auto const selector = field_selector::parse(*fields);
            r.body = selector->apply(r.body);
        }
    }
    answer out;
    out.status = r.status;
    out.fields = std::move(r.fields);
    out.deliver_first = r.deliver_first;
    if (r.body.is_null()) return out;
    out.fields.emplace_back("Content-Type", "application/json; charset=UTF-8");
    out.fields.emplace_back("Cache-Control", "private, max-age=0, must-revalidate, no-transform");
    out.body = with_raw_events(c, value_of(query, "prettyPrint", "true") == "false" ? bj::serialize(r.body) : pretty(r.body));
    return out;
}

writer writer_from(call const& k) {
    writer w{.user = k.who.email, .client = k.token.client};
    w.send_updates = std::string(value_of(k.query, "sendUpdates", is_true(k.query, "sendNotifications") ? "all" : ""));
    w.conference = value_of(k.query, "conferenceDataVersion") == "1";
    w.attachments = is_true(k.query, "supportsAttachments");
    return w;
}

view view_from(call const& k, role access) {
    view v{.user = k.who.email, .zone = std::string(value_of(k.query, "timeZone")), .access = access};
    v.attendees_max = to_integer(value_of(k.query, "maxAttendees")).value_or(0);
    return v;
}

// The access a token's scopes leave of what the user has.
role limited_by_scopes(role access, calendar const& cal, access_token const& t, api_method const& m) {
    role best = role::none;
    for (auto const& s : m.scopes) {
        if (!t.scopes.contains(s)) continue;
        auto const name = s.starts_with(scope_prefix) ? std::string_view(s).substr(scope_prefix.size()) : std::string_view(s);
        role here = access;
        if (name.find(".owned") != std::string_view::npos) here = access == role::owner ? access : role::none;
        else if (name == "calendar.app.created")
            here = !cal.created_by_client.empty() && cal.created_by_client == t.client ? access : role::none;
        else if (name == "calendar.events.public.readonly") here = role::none;
        else if (name == "calendar.events.freebusy") here = std::min(access, role::free_busy_reader);
        best = std::max(best, here);
    }
    return best;
}

}  // namespace

api::api(core& c) : c_(c) {
    methods_ = {{"calendar.events.list", &api::events_list},
                {"calendar.events.get", &api::events_get},
                {"calendar.events.insert", &api::events_insert},
                {"calendar.events.import", &api::events_import},
                {"calendar.events.update", &api::events_update},
                {"calendar.events.patch", &api::events_patch},
                {"calendar.events.delete", &api::events_delete},
                {"calendar.events.move", &api::events_move},
                {"calendar.events.instances", &api::events_instances},
                {"calendar.events.watch", &api::events_watch},
                {"calendar.calendarList.list", &api::entries_list},
                {"calendar.calendarList.get", &api::entries_get},
                {"calendar.calendarList.insert", &api::entries_insert},
                {"calendar.calendarList.patch", &api::entries_write},
                {"calendar.calendarList.update", &api::entries_write},
                {"calendar.calendarList.delete", &api::entries_delete},
                {"calendar.calendarList.watch", &api::entries_watch},
                {"calendar.calendars.get", &api::calendars_get},
                {"calendar.calendars.insert", &api::calendars_insert},
                {"calendar.calendars.patch", &api::calendars_patch},
                {"calendar.calendars.update", &api::calendars_update},
                {"calendar.calendars.delete", &api::calendars_delete},
                {"calendar.channels.stop", &api::channels_stop},
                {"calendar.colors.get", &api::colors_get},
                {"calendar.freebusy.query", &api::freebusy_query},
                {"calendar.settings.list", &api::settings_list},
                {"calendar.settings.get", &api::settings_get}};
}

api::outcome api::handle(request const& r) {
    outcome done;
    // A proxy that blocks PATCH is got around with POST and this header.
    auto const verb = r.method == "POST" ? std::string(header(r.fields, "X-HTTP-Method-Override").value_or(r.method)) : r.method;
    auto const found = c_.rules.find(verb, r.path);
    auto const query = parse_params(r.query);
    if (found.method == nullptr || !query) {
        c_.violate(r.method, r.path, !query ? "malformed query" : found.path_known ? "method is not allowed here" : "no such path");
        done.out = finish(c_, !query ? refuse(400, "global", "badRequest", "Bad Request") : not_found(), nullptr, {});
        return done;
    }
    done.method_id = found.method->id;
    auto r2 = run(r, *found.method, found.path, *query, done.user);
    if (c_.options.check_answers && r2.status == 200)
        for (auto& fault : c_.rules.check_answer(*found.method, r2.body))
            c_.violate(r.method, r.path, "the emulator's own answer: " + fault);
    done.out = finish(c_, std::move(r2), found.method, *query);
    return done;
}

reply api::run(request const& r, api_method const& m, params const& path, params const& query, std::string& user) {
    auto faults = c_.rules.check_query(m, query);
    if (auto const* fields = find_value(query, "fields")) {
        auto const selector = field_selector::parse(*fields);
        if (!selector) {
            faults.push_back("parameter fields is no selector");
        } else if (auto const name = selector->unknown_field(m.result); !name.empty()) {
            c_.violate(r.method, r.path, "fields names " + name + ", which does not exist");
            return refuse(400, "global", "invalidParameter", "Invalid field selection " + name, "parameter", "fields");
        }
    }
    bj::object body;
    if (m.body != nullptr) {
        boost::system::error_code ec;
        auto parsed = bj::parse(r.body.empty() ? std::string_view("{}") : std::string_view(r.body), ec);
        if (ec || !parsed.is_object()) {
            c_.violate(r.method, r.path, "the body is no JSON object");
            return refuse(400, "global", "parseError", "Parse Error");
        }
        if (!r.body.empty() && !header(r.fields, "Content-Type").value_or("").starts_with("application/json"))
            faults.push_back("the body's content type is not application/json");
        for (auto& fault : c_.rules.check_body(m, parsed)) faults.push_back(std::move(fault));
        body = std::move(parsed.get_object());
    } else if (!r.body.empty()) {
        faults.push_back("a body was sent where none belongs");
    }
    if (!faults.empty()) {
        std::string all;
        for (auto const& f : faults) {
            c_.violate(r.method, r.path, f);
            all += (all.empty() ? "" : "; ") + f;
        }
        return refuse(400, "global", "badRequest", m.id + ": " + all);
    }

    auto const credentials = header(r.fields, "Authorization");
    if (!credentials || !lower(*credentials).starts_with("bearer "))
        return refuse_at_front(
            401, "required", "Login Required.",
            "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid "
            "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
            "UNAUTHENTICATED", "CREDENTIALS_MISSING", m.id);
    auto const* t = live_token(c_, r.fields);
    auto* who = t != nullptr ? c_.find_user(t->user) : nullptr;
    if (who == nullptr)
        return refuse_at_front(401, "authError", "Invalid Credentials",
                               "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
                               "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
                               "UNAUTHENTICATED", "ACCESS_TOKEN_INVALID", m.id);
    user = who->email;
    if (std::ranges::none_of(m.scopes, [&](auto const& s) { return t->scopes.contains(s); })) {
        auto out =
            refuse_at_front(403, "insufficientPermissions", "Insufficient Permission", "Request had insufficient authentication scopes.",
                            "PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", m.id);
        out.fields.emplace_back("WWW-Authenticate", "Bearer realm=\"https://accounts.google.com/\", error=\"insufficient_scope\"");
        return out;
    }
    if (auto no = take_quota(*t, query, r.fields)) return *no;
    if (!who->has_calendar) return refuse(403, "calendar", "notACalendarUser", "The user must be signed up for Google Calendar.");
    auto const it = methods_.find(m.id);
    bool const labels = value_of(query, "eventLabelVersion") == "1";
    if (it == methods_.end() || labels) {
        auto const what = labels ? std::string("eventLabelVersion=1") : m.id;
        c_.violate(r.method, r.path, what + " is not emulated");
        return refuse(501, "global", "notImplemented", what + " is not emulated.");
    }
    call const k{m, path, query, body, r.fields, *who, *t};
    return (this->*it->second)(k);
}

std::optional<reply> api::take_quota(access_token const& t, params const& query, http::headers const& fields) {
    auto const now = c_.now();
    auto const full = [&](std::string const& key, std::int64_t limit) {
        if (limit <= 0) return false;
        auto& window = c_.quota[key];
        while (!window.empty() && now - window.front() >= std::chrono::minutes(1)) window.pop_front();
        if (static_cast<std::int64_t>(window.size()) >= limit) return true;
        window.push_back(now);
        return false;
    };
    std::string charged(value_of(query, "quotaUser", header(fields, "X-Goog-Quota-User").value_or(t.user)));
    if (full("u " + t.project + " " + charged, c_.knob.quota_user_per_minute))
        return refuse(403, "usageLimits", "userRateLimitExceeded", "User Rate Limit Exceeded");
    if (full("p " + t.project, c_.knob.quota_project_per_minute))
        return refuse(429, "usageLimits", "rateLimitExceeded", "Rate Limit Exceeded");
    return std::nullopt;
}

std::optional<reply> api::reach(call const& k, role least, calendar*& cal, role& access, std::string_view name) {
    auto const id = name == "destination" ? value_of(k.query, name) : k.in_path(name);
    cal = c_.find_calendar(id == "primary" ? std::string_view(k.who.email) : id);
    access = cal != nullptr ? limited_by_scopes(role_of(*cal, k.who.email), *cal, k.token, k.method) : role::none;
    if (access == role::none) return not_found();
    if (access < least)
        return refuse(403, "calendar", "requiredAccessLevel",
                      "You need to have " + std::string(name_of(least)) + " access to this calendar.");
    return std::nullopt;
}

std::optional<reply> api::reach_event(call const& k, role least, calendar*& cal, role& access) {
    if (auto no = reach(k, least, cal, access)) return no;
    if (access != role::writer_without_private_access) return std::nullopt;
    auto at = aim(*cal, k.in_path("eventId"));
    return at && is_private(*at.get()) ? std::optional(not_found()) : std::nullopt;
}

// ---- events ----

reply api::events_list(call const& k) {
    calendar* cal = nullptr;
    role access{};
    if (auto no = reach(k, role::free_busy_reader, cal, access)) return *no;
    auto out = list_events(c_, k, *cal, access);
    auto const etag = header(out.fields, "ETag"), seen = header(k.fields, "If-None-Match");
    if (out.status == 200 && etag && seen && *etag == *seen) {
        out.status = 304;
        out.body = nullptr;
    }
    return out;
}

reply api::events_get(call const& k) {
    calendar* cal = nullptr;
    role access{};
    if (auto no = reach_event(k, role::free_busy_reader, cal, access)) return *no;
    age(c_, *cal);
    auto at = aim(*cal, k.in_path("eventId"));
    if (!at) return not_found();
    auto const* e = at.get();
    reply out;
    out.fields.emplace_back("ETag", etag_text(e->etag));
    if (header(k.fields, "If-None-Match") == etag_text(e->etag)) out.status = 304;
    else out.body = render(c_, *cal, *e, view_from(k, access));
    return out;
}

reply api::events_insert(call const& k) {
    calendar* cal = nullptr;
    role access{};
    if (auto no = reach(k, role::writer_without_private_access, cal, access)) return *no;
    return insert_event(c_, *cal, k.body, writer_from(k), view_from(k, access));
}

reply api::events_import(call const& k) {
    calendar* cal = nullptr;
    role access{};
    if (auto no = reach(k, role::writer_without_private_access, cal, access)) return *no;
    return import_event(c_, *cal, k.body, writer_from(k), view_from(k, access));
}

reply api::events_update(call const& k) {
    calendar* cal = nullptr;
    role access{};
    if (auto no = reach_event(k, role::writer_without_private_access, cal, access)) return *no;
    return write_event(c_, *cal, k.in_path("eventId"), k.body, true, header(k.fields, "If-Match").value_or(""), writer_from(k),
                       view_from(k, access));
}

reply api::events_patch(call const& k) {
    calendar* cal = nullptr;
    role access{};
    if (auto no = reach_event(k, role::writer_without_private_access, cal, access)) return *no;
    return write_event(c_, *cal, k.in_path("eventId"), k.body, false, header(k.fields, "If-Match").value_or(""), writer_from(k),
                       view_from(k, access));
}

reply api::events_delete(call const& k) {
    calendar* cal = nullptr;
    role access{};
    if (auto no = reach_event(k, role::writer_without_private_access, cal, access)) return *no;
    return delete_event(c_, *cal, k.in_path("eventId"), header(k.fields, "If-Match").value_or(""), writer_from(k));
}

reply api::events_move(call const& k) {
    calendar *from = nullptr, *to = nullptr;
    role access{};
    if (auto no = reach(k, role::writer, from, access)) return *no;
    if (auto no = reach(k, role::writer, to, access, "destination")) return *no;
    return move_event(c_, *from, k.in_path("eventId"), *to, writer_from(k), view_from(k, access));
}

reply api::events_instances(call const& k) {
    calendar* cal = nullptr;
    role access{};
    if (auto no = reach_event(k, role::free_busy_reader, cal, access)) return *no;
    return list_instances(c_, k, *cal, access);
}

reply api::events_watch(call const& k) {
    calendar* cal = nullptr;
    role access{};
    if (auto no = reach(k, role::free_busy_reader, cal, access)) return *no;
    return watch(c_, k, cal);
}

// ---- calendar list ----

reply api::entries_list(call const& k) { return list_calendars(c_, k); }

reply api::entries_get(call const& k) {
    calendar* cal = nullptr;
    role access{};
    if (auto no = reach(k, role::free_busy_reader, cal, access)) return *no;
    return get_entry(c_, k, *cal);
}

reply api::entries_insert(call const& k) { return insert_entry(c_, k); }

reply api::entries_write(call const& k) {
    calendar* cal = nullptr;
    role access{};
    if (auto no = reach(k, role::free_busy_reader, cal, access)) return *no;
    return write_entry(c_, k, *cal);
}

reply api::entries_delete(call const& k) {
    calendar* cal = nullptr;
    role access{};
    if (auto no = reach(k, role::free_busy_reader, cal, access)) return *no;
    return delete_entry(c_, k, *cal);
}

reply api::entries_watch(call const& k) { return watch(c_, k, nullptr); }

// ---- calendars and the rest ----

reply api::calendars_get(call const& k) {
    calendar* cal = nullptr;
    role access{};
    if (auto no = reach(k, role::free_busy_reader, cal, access)) return *no;
    reply out;
    out.fields.emplace_back("ETag", etag_text(cal->etag));
    if (header(k.fields, "If-None-Match") == etag_text(cal->etag)) out.status = 304;
    else out.body = render_calendar(*cal);
    return out;
}

reply api::calendars_insert(call const& k) { return insert_calendar(c_, k); }

reply api::calendars_patch(call const& k) {
    calendar* cal = nullptr;
    role access{};
    if (auto no = reach(k, role::owner, cal, access)) return *no;
    return write_calendar(c_, k, *cal, false);
}

reply api::calendars_update(call const& k) {
    calendar* cal = nullptr;
    role access{};
    if (auto no = reach(k, role::owner, cal, access)) return *no;
    return write_calendar(c_, k, *cal, true);
}

reply api::calendars_delete(call const& k) {
    calendar* cal = nullptr;
    role access{};
    if (auto no = reach(k, role::owner, cal, access)) return *no;
    return delete_calendar(c_, k, *cal);
}

reply api::channels_stop(call const& k) { return stop_channel(c_, k); }
reply api::colors_get(call const&) { return colors(); }
reply api::freebusy_query(call const& k) { return free_busy(c_, k); }
reply api::settings_list(call const& k) { return list_settings(k.who); }
reply api::settings_get(call const& k) { return get_setting(k.who, k.in_path("setting")); }

}  // namespace calbridge::emulator
