#include "tests/emulator/calendars.h"

#include "common/crypto/crypto.h"
#include "tests/emulator/push.h"
#include "tests/emulator/rows.h"
#include "tests/emulator/times.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

namespace calbridge::emulator {

namespace {

constexpr std::array event_palette{"#a4bdfc", "#7ae7bf", "#dbadff", "#ff887c", "#fbd75b", "#ffb878",
                                   "#46d6db", "#e1e1e1", "#5484ed", "#51b749", "#dc2127"};
constexpr std::array calendar_palette{"#ac725e", "#d06b64", "#f83a22", "#fa573c", "#ff7537", "#ffad46", "#42d692", "#16a765",
                                      "#7bd148", "#b3dc6c", "#fbe983", "#fad165", "#92e1c0", "#9fe1e7", "#9fc6e7", "#4986e7",
                                      "#9a9cff", "#b99aff", "#c2c2c2", "#cabdbf", "#cca6ac", "#f691b2", "#cd74e6", "#a47ae2"};

bj::object conference_properties() { return {{"allowedConferenceSolutionTypes", bj::array{"hangoutsMeet"}}}; }

void touch_entry(core& c, user& who, list_entry& e) {
    if (e.change != 0) who.list_log.erase(e.change);
    e.change = ++who.list_change;
    who.list_log[e.change] = e.calendar;
    e.etag = c.next_etag_number();
    notify(c, list_resource(who.email));
}

reply not_found() { return refuse(404, "global", "notFound", "Not Found"); }

std::optional<reply> take_entry(list_entry& e, bj::object const& body, bool rgb) {
    if (auto const* v = body.if_contains("summaryOverride")) e.summary_override = v->is_null() ? "" : std::string(v->get_string());
    for (auto const& [name, target] : {std::pair{"selected", &e.selected}, std::pair{"hidden", &e.hidden}})
        if (auto const* v = body.if_contains(name)) *target = v->is_bool() && v->get_bool();
    if (auto const id = text_at(body, "colorId"); !id.empty()) {
        auto const n = to_integer(id);
        if (!n || *n < 1 || *n > 24) return refuse(400, "global", "invalid", "Invalid calendar color id.");
        e.color_id = std::string(id);
        e.background = calendar_palette[static_cast<std::size_t>(*n - 1)];
    }
    if (rgb) {
        e.background = std::string(text_at(body, "backgroundColor", e.background));
        e.foreground = std::string(text_at(body, "foregroundColor", e.foreground));
    }
    if (auto const* v = body.if_contains("defaultReminders")) e.default_reminders = v->is_array() ? v->get_array() : bj::array{};
    return std::nullopt;
}

}  // namespace

bj::object render_gone_entry(list_entry const& e) {
    return {{"kind", "calendar#calendarListEntry"}, {"etag", etag_text(e.etag)}, {"id", e.calendar}, {"deleted", true}};
}

bj::object render_entry(calendar const& cal, user const& who, list_entry const& e) {
    auto const access = role_of(cal, who.email);
    if (e.deleted || access == role::none) return render_gone_entry(e);
    bj::object out{{"kind", "calendar#calendarListEntry"}, {"etag", etag_text(e.etag)}, {"id", cal.id}};
    out["summary"] = cal.summary;
    if (!cal.description.empty()) out["description"] = cal.description;
    if (!cal.location.empty()) out["location"] = cal.location;
    if (!e.summary_override.empty()) out["summaryOverride"] = e.summary_override;
    out["timeZone"] = cal.time_zone;
    out["colorId"] = e.color_id;
    out["backgroundColor"] = e.background;
    out["foregroundColor"] = e.foreground;
    if (e.selected) out["selected"] = true;
    if (e.hidden) out["hidden"] = true;
    out["accessRole"] = name_of(access);
    out["defaultReminders"] = e.default_reminders;
    if (e.primary) out["primary"] = true;
    out["conferenceProperties"] = conference_properties();
    if (!cal.primary) out["dataOwner"] = cal.owner;
    return out;
}

bj::object render_calendar(calendar const& cal) {
    bj::object out{{"kind", "calendar#calendar"}, {"etag", etag_text(cal.etag)}, {"id", cal.id}, {"summary", cal.summary}};
    if (!cal.description.empty()) out["description"] = cal.description;
    if (!cal.location.empty()) out["location"] = cal.location;
    out["timeZone"] = cal.time_zone;
    out["conferenceProperties"] = conference_properties();
    if (!cal.primary) out["dataOwner"] = cal.owner;
    return out;
}

calendar& create_calendar(core& c, user& owner, std::string id, std::string summary, std::string time_zone) {
    calendar cal;
    cal.id = id;
    cal.summary = std::move(summary);
    cal.time_zone = std::move(time_zone);
    cal.owner = owner.email;
    cal.primary = id == owner.email;
    cal.etag = c.next_etag_number();
    auto& kept = c.calendars.insert_or_assign(std::move(id), std::move(cal)).first->second;
    auto& entry = list_calendar(c, owner, kept);
    entry.primary = kept.primary;
    if (kept.primary) entry.default_reminders = bj::array{bj::object{{"method", "popup"}, {"minutes", 10}}};
    return kept;
}

list_entry& list_calendar(core& c, user& who, calendar const& cal) {
    auto& e = who.list[cal.id];
    e.calendar = cal.id;
    e.deleted = false;
    touch_entry(c, who, e);
    return e;
}

void share(core& c, calendar& cal, std::string const& with, std::string_view role, bool add_to_list) {
    if (role == "none") cal.roles.erase(with);
    else cal.roles[with] = std::string(role);
    if (c.knob.acl_change_kills_tokens) ++cal.epochs[with];
    auto* who = c.find_user(with);
    if (who == nullptr) return;
    auto const it = who->list.find(cal.id);
    bool const listed = it != who->list.end() && !it->second.deleted;
    // A change of role alone is no change of the list.
    if (role != "none" && add_to_list && !listed) {
        list_calendar(c, *who, cal);
    } else if (role == "none" && listed) {
        it->second.deleted = true;
        touch_entry(c, *who, it->second);
    }
}

namespace {

// The same account after a restart of the emulator: who connected before is recognised.
std::string subject_of(std::string const& email) {
    std::string out = "1";
    auto const digest = crypto::sha256(email);
    for (auto const byte : std::span(digest).first(20)) out += static_cast<char>('0' + byte % 10);
    return out;
}

}  // namespace

user& create_user(core& c, std::string const& email, std::string const& time_zone) {
    if (auto* known = c.find_user(email)) return *known;
    user u;
    u.email = email;
    u.sub = subject_of(email);
    auto const local = email.substr(0, email.find('@'));
    u.given_name =
        local.empty() ? local : std::string(1, static_cast<char>(std::toupper(static_cast<unsigned char>(local[0])))) + local.substr(1);
    u.family_name = "Example";
    u.name = u.given_name + " " + u.family_name;
    u.time_zone = time_zone;
    auto const domain = email.substr(email.find('@') + 1);
    if (domain != "gmail.com") u.hd = domain;
    auto& kept = c.users.emplace(email, std::move(u)).first->second;
    create_calendar(c, kept, email, email, time_zone);
    return kept;
}

reply get_entry(core&, call const& k, calendar& cal) {
    auto const it = k.who.list.find(cal.id);
    if (it == k.who.list.end() || it->second.deleted) return not_found();
    reply out;
    out.body = render_entry(cal, k.who, it->second);
    return out;
}

reply insert_entry(core& c, call const& k) {
    auto* cal = c.find_calendar(text_at(k.body, "id"));
    if (cal == nullptr || role_of(*cal, k.who.email) == role::none) return not_found();
    auto& e = list_calendar(c, k.who, *cal);
    if (auto no = take_entry(e, k.body, is_true(k.query, "colorRgbFormat"))) return *no;
    reply out;
    out.body = render_entry(*cal, k.who, e);
    return out;
}

std::optional<reply> change_entry(core& c, user& who, calendar const& cal, bj::object const& body, bool rgb) {
    auto const it = who.list.find(cal.id);
    if (it == who.list.end() || it->second.deleted) return not_found();
    if (auto no = take_entry(it->second, body, rgb)) return *no;
    touch_entry(c, who, it->second);
    return std::nullopt;
}

bool remove_entry(core& c, user& who, std::string_view calendar) {
    auto const it = who.list.find(calendar);
    if (it == who.list.end() || it->second.deleted) return false;
    it->second.deleted = true;
    touch_entry(c, who, it->second);
    return true;
}

reply write_entry(core& c, call const& k, calendar& cal) {
    if (auto no = change_entry(c, k.who, cal, k.body, is_true(k.query, "colorRgbFormat"))) return *no;
    return get_entry(c, k, cal);
}

reply delete_entry(core& c, call const& k, calendar& cal) {
    if (!remove_entry(c, k.who, cal.id)) return not_found();
    reply out;
    out.status = 204;
    return out;
}

reply insert_calendar(core& c, call const& k) {
    auto const summary = text_at(k.body, "summary");
    if (summary.empty()) return refuse(400, "global", "required", "Missing title.");
    auto const zone = text_at(k.body, "timeZone", k.who.time_zone);
    if (!is_zone(zone)) return refuse(400, "global", "invalid", "Invalid time zone.");
    auto& cal = create_calendar(c, k.who, "c_" + c.random_id(40) + "@group.calendar.google.com", std::string(summary), std::string(zone));
    cal.description = std::string(text_at(k.body, "description"));
    cal.location = std::string(text_at(k.body, "location"));
    cal.created_by_client = k.token.client;
    reply out;
    out.body = render_calendar(cal);
    return out;
}

reply write_calendar(core& c, call const& k, calendar& cal, bool replace) {
    if (role_of(cal, k.who.email) < role::owner)
        return refuse(403, "calendar", "requiredAccessLevel", "You need to have owner access to this calendar.");
    if (auto const zone = text_at(k.body, "timeZone", cal.time_zone); !is_zone(zone))
        return refuse(400, "global", "invalid", "Invalid time zone.");
    if (replace && text_at(k.body, "summary").empty()) return refuse(400, "global", "required", "Missing title.");
    for (auto const& [name, target] : {std::pair{"summary", &cal.summary}, std::pair{"description", &cal.description},
                                       std::pair{"location", &cal.location}, std::pair{"timeZone", &cal.time_zone}}) {
        auto const* v = k.body.if_contains(name);
        if (v != nullptr && v->is_string()) *target = std::string(v->get_string());
        else if ((v != nullptr || replace) && (target == &cal.description || target == &cal.location)) target->clear();
    }
    cal.etag = c.next_etag_number();
    reply out;
    out.body = render_calendar(cal);
    return out;
}

void erase_calendar(core& c, std::string id) {
    for (auto& [_, u] : c.users) remove_entry(c, u, id);
    c.channels_of.erase(events_resource(id));
    c.calendars.erase(id);
}

reply delete_calendar(core& c, call const& k, calendar& cal) {
    if (cal.owner != k.who.email) return refuse(403, "calendar", "requiredAccessLevel", "Only the data owner can delete a calendar.");
    if (cal.primary) return refuse(403, "global", "forbidden", "Forbidden");
    erase_calendar(c, cal.id);
    reply out;
    out.status = 204;
    return out;
}

namespace {

bool is_busy(calendar const& cal, event const& e) {
    if (text_at(e.body, "transparency") == "transparent") return false;
    auto const* all = array_at(e.body, "attendees");
    return all == nullptr || std::ranges::none_of(*all, [&](bj::value const& a) {
               return text_at(a.get_object(), "email") == cal.id && text_at(a.get_object(), "responseStatus") == "declined";
           });
}

}  // namespace

reply free_busy(core& c, call const& k) {
    auto const from = parse_with_offset(text_at(k.body, "timeMin")), to = parse_with_offset(text_at(k.body, "timeMax"));
    if (!from || !to) return refuse(400, "global", "required", "Missing time range.");
    if (*from >= *to) return refuse(400, "calendar", "timeRangeEmpty", "The specified time range is empty.");
    std::string const zone(text_at(k.body, "timeZone", "UTC"));
    if (!is_zone(zone)) return refuse(400, "global", "invalid", "Invalid time zone.");
    bj::object calendars;
    if (auto const* items = array_at(k.body, "items")) {
        for (auto const& item : *items) {
            std::string id(text_at(item.get_object(), "id"));
            auto* cal = c.find_calendar(id == "primary" ? k.who.email : id);
            if (cal == nullptr || role_of(*cal, k.who.email) == role::none) {
                calendars[id] =
                    bj::object{{"errors", bj::array{bj::object{{"domain", "global"}, {"reason", "notFound"}}}}, {"busy", bj::array{}}};
                continue;
            }
            std::vector<std::pair<instant, instant>> ranges;
            event_filter f;
            f.single = true;
            f.from = from;
            f.to = to;
            cursor at;
            rows_wanted const wanted{.filter = f, .expansion_max = 20000};
            each_row(*cal, wanted, at, [&](event const& e) {
                if (is_busy(*cal, e)) ranges.emplace_back(std::max(begins(*cal, e), *from), std::min(finishes(*cal, e), *to));
                return true;
            });
            std::ranges::sort(ranges);
            bj::array busy;
            instant open_from{}, open_to{};
            auto const close = [&] {
                if (open_to > open_from)
                    busy.emplace_back(bj::object{{"start", format_in_zone(open_from, zone)}, {"end", format_in_zone(open_to, zone)}});
            };
            for (auto const& [s, e] : ranges) {
                if (open_to > open_from && s <= open_to) {
                    open_to = std::max(open_to, e);
                    continue;
                }
                close();
                open_from = s;
                open_to = e;
            }
            close();
            calendars[id] = bj::object{{"busy", std::move(busy)}};
        }
    }
    reply out;
    out.body = bj::object{
        {"kind", "calendar#freeBusy"}, {"timeMin", format_utc(*from)}, {"timeMax", format_utc(*to)}, {"calendars", std::move(calendars)}};
    return out;
}

reply colors() {
    auto const table = [](auto const& palette) {
        bj::object out;
        for (std::size_t i = 0; i < palette.size(); ++i)
            out[std::to_string(i + 1)] = bj::object{{"background", palette[i]}, {"foreground", "#1d1d1d"}};
        return out;
    };
    reply out;
    out.body = bj::object{{"kind", "calendar#colors"},
                          {"updated", "2012-02-14T00:00:00.000Z"},
                          {"calendar", table(calendar_palette)},
                          {"event", table(event_palette)}};
    return out;
}

namespace {

std::array<std::pair<std::string_view, std::string>, 5> settings_of(user const& who) {
    return {{{"timezone", who.time_zone},
             {"locale", who.locale},
             {"format24HourTime", "true"},
             {"weekStart", "1"},
             {"defaultEventLength", "60"}}};
}

bj::object render_setting(std::string_view id, std::string const& value) {
    return {{"kind", "calendar#setting"}, {"etag", fmt::format("\"s{}\"", id)}, {"id", id}, {"value", value}};
}

}  // namespace

reply list_settings(user const& who) {
    bj::array items;
    for (auto const& [id, value] : settings_of(who)) items.emplace_back(render_setting(id, value));
    reply out;
    out.body = bj::object{{"kind", "calendar#settings"}, {"etag", "\"s0\""}, {"items", std::move(items)}};
    return out;
}

reply get_setting(user const& who, std::string_view name) {
    for (auto const& [id, value] : settings_of(who)) {
        if (id != name) continue;
        reply out;
        out.body = render_setting(id, value);
        return out;
    }
    return not_found();
}

}  // namespace calbridge::emulator
