// How an event looks to one reader.
#include "common/base/encoding.h"
#include "tests/emulator/event_rules.h"
#include "tests/emulator/events.h"
#include "tests/emulator/series.h"
#include "tests/emulator/times.h"

#include <boost/json/serialize.hpp>

namespace calbridge::emulator {

namespace {

bj::object render_point(bj::object const& stored, instant at, bool all_day, std::string_view zone) {
    if (all_day) return stored;
    bj::object out{{"dateTime", format_in_zone(at, zone)}};
    if (auto const* z = stored.if_contains("timeZone")) out["timeZone"] = *z;
    return out;
}

// Which occurrence of which series it is.
void render_origin(bj::object& out, event const& e, std::string_view zone) {
    if (!is_exception(e)) return;
    out["recurringEventId"] = master_id_of(e);
    if (auto const* stored = object_at(e.body, "originalStartTime"))
        out["originalStartTime"] = render_point(*stored, e.original, e.original_all_day, zone);
}

void render_attendees(bj::object& out, bj::array const& all, calendar const& cal, event const& e, view const& v) {
    bool const organises = organizer_of(e) == cal.id;
    bool const hidden = !organises && !flag_at(e.body, "guestsCanSeeOtherGuests", true);
    bool const cut = v.attendees_max > 0 && static_cast<std::int64_t>(all.size()) > v.attendees_max;
    bj::array shown;
    shown.reserve(all.size());
    for (auto const& item : all) {
        auto const& a = item.get_object();
        bool const self = text_at(a, "email") == cal.id;
        if ((cut || hidden) && !self) continue;
        shown.push_back(item);
        if (self) shown.back().get_object()["self"] = true;
    }
    if (!shown.empty()) out["attendees"] = std::move(shown);
    if (cut || hidden) out["attendeesOmitted"] = true;
}

// The beginning of a stand-in's id, as nobody else writes ids.
constexpr std::string_view stand_in = "raw-event-of-the-emulator\x1f";

// The stored text with what makes it an item of a listing at all, unless the test wrote that too.
std::string item_text(event const& e) {
    std::string head;
    for (auto const& [name, value] : {std::pair<std::string, std::string>{"kind", "\"calendar#event\""},
                                      {"etag", bj::serialize(bj::value(etag_text(e.etag)))},
                                      {"id", bj::serialize(bj::value(e.id))}})
        if (e.raw.find("\"" + name + "\"") == std::string::npos) head += "\"" + name + "\":" + value + ",";
    auto rest = e.raw.substr(1);
    if (rest == "}" && !head.empty()) head.pop_back();
    return "{" + head + rest;
}

void mark_self(bj::object& out, std::string_view name, std::string_view calendar) {
    auto* who = out.if_contains(name);
    if (who != nullptr && text_at(who->get_object(), "email") == calendar) who->get_object()["self"] = true;
}

}  // namespace

bj::object render(core const& c, calendar const& cal, event const& e, view const& v) {
    bj::object out;
    if (!e.raw.empty() && !e.cancelled) {
        out["id"] = std::string(stand_in) + cal.id + "\x1f" + e.id;
        return out;
    }
    out.reserve(28);
    out["kind"] = "calendar#event";
    out["etag"] = etag_text(e.etag);
    out["id"] = e.id;
    std::string_view const zone = v.zone.empty() ? std::string_view(cal.time_zone) : std::string_view(v.zone);
    if (e.cancelled && (e.bare || v.in_list || is_exception(e))) {
        // Only these are guaranteed; readers that count on more are wrong.
        out["status"] = "cancelled";
        render_origin(out, e, zone);
        return out;
    }
    auto const* start = object_at(e.body, "start");
    auto const* end = object_at(e.body, "end");
    if (v.access == role::free_busy_reader || (v.access == role::reader && is_private(e))) {
        out["status"] = e.cancelled ? "cancelled" : "confirmed";
        if (start != nullptr) out["start"] = render_point(*start, e.starts, e.all_day, zone);
        if (end != nullptr) out["end"] = render_point(*end, e.ends, e.all_day, zone);
        render_origin(out, e, zone);
        out["visibility"] = "private";
        out["eventType"] = "default";
        return out;
    }
    for (auto const& [key, value] : e.body) {
        std::string_view const name(key.data(), key.size());
        if (name == "start" || name == "end" || name == "attendees" || name == "originalStartTime") continue;
        if (name == "source") {
            // Visible to the creator only.
            auto const* creator = object_at(e.body, "creator");
            if (creator == nullptr || text_at(*creator, "email") != v.user) continue;
        }
        out[key] = value;
    }
    out["status"] = e.cancelled ? std::string_view("cancelled") : text_at(e.body, "status", "confirmed");
    out["htmlLink"] = c.options.base_url + "/event?eid=" + base64url(as_bytes(e.id + " " + cal.id));
    out["created"] = format_utc(e.created);
    out["updated"] = format_utc(e.updated);
    if (start != nullptr) out["start"] = render_point(*start, e.starts, e.all_day, zone);
    if (end != nullptr) out["end"] = render_point(*end, e.ends, e.all_day, zone);
    render_origin(out, e, zone);
    mark_self(out, "organizer", cal.id);
    mark_self(out, "creator", cal.id);
    if (auto const* all = array_at(e.body, "attendees")) render_attendees(out, *all, cal, e, v);
    auto const mine = e.reminders.find(v.user);
    if (mine != e.reminders.end()) out["reminders"] = mine->second;
    else out["reminders"] = bj::object{{"useDefault", true}};
    return out;
}

std::string with_raw_events(core const& c, std::string text) {
    // How the serializer spells the separator.
    static auto const written = [] {
        auto const quoted = bj::serialize(bj::value(stand_in));
        return quoted.substr(0, quoted.size() - 1);
    }();
    auto const separator = written.substr(written.rfind('\\'));
    for (auto at = text.find(written); at != std::string::npos; at = text.find(written, at)) {
        auto const close = text.find('"', at + written.size());
        auto const name = text.substr(at + written.size(), close - at - written.size());
        auto const mark = name.find(separator);
        auto const cal = c.calendars.find(name.substr(0, mark));
        auto const from = text.rfind('{', at), to = text.find('}', close) + 1;
        std::string shown = "{}";
        if (cal != c.calendars.end())
            if (auto const e = cal->second.events.find(name.substr(mark + separator.size())); e != cal->second.events.end())
                shown = item_text(e->second);
        text.replace(from, to - from, shown);
        at = from + shown.size();
    }
    return text;
}

}  // namespace calbridge::emulator
