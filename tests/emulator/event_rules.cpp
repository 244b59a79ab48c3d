#include "tests/emulator/event_rules.h"

#include "tests/emulator/series.h"
#include "tests/emulator/times.h"

#include <algorithm>
#include <array>

namespace calbridge::emulator {

namespace {

constexpr std::array writable{"summary",
                              "description",
                              "location",
                              "start",
                              "end",
                              "endTimeUnspecified",
                              "recurrence",
                              "status",
                              "transparency",
                              "visibility",
                              "colorId",
                              "attendees",
                              "extendedProperties",
                              "source",
                              "attachments",
                              "guestsCanInviteOthers",
                              "guestsCanModify",
                              "guestsCanSeeOtherGuests",
                              "anyoneCanAddSelf",
                              "gadget",
                              "sequence",
                              "birthdayProperties",
                              "focusTimeProperties",
                              "outOfOfficeProperties",
                              "workingLocationProperties"};
constexpr std::array at_creation{"eventType", "privateCopy", "iCalUID", "recurringEventId", "originalStartTime"};
constexpr std::array shared{"summary",
                            "description",
                            "location",
                            "start",
                            "end",
                            "endTimeUnspecified",
                            "recurrence",
                            "attendees",
                            "source",
                            "attachments",
                            "guestsCanInviteOthers",
                            "guestsCanModify",
                            "guestsCanSeeOtherGuests",
                            "anyoneCanAddSelf",
                            "sequence",
                            "conferenceData",
                            "hangoutLink",
                            "eventType",
                            "iCalUID",
                            "organizer",
                            "creator",
                            "recurringEventId",
                            "originalStartTime"};

reply invalid(std::string_view message) { return refuse(400, "global", "invalid", message); }

struct point {
    instant at;
    bool all_day{false};
    std::string zone;
};

std::optional<reply> read_point(bj::object const& body, calendar const& cal, std::string_view which, point& out) {
    std::string const name = which == "start" ? "start time" : "end time";
    auto const missing = [&] { return refuse(400, "global", "required", "Missing " + name + "."); };
    auto const* o = object_at(body, which);
    if (o == nullptr) return missing();
    auto const date = text_at(*o, "date"), date_time = text_at(*o, "dateTime"), zone = text_at(*o, "timeZone");
    if (date.empty() && date_time.empty()) return missing();
    if (!date.empty() && !date_time.empty()) return invalid("Invalid " + name + ".");
    if (!zone.empty() && !is_zone(zone)) return invalid("Invalid time zone definition for " + name + ".");
    out.all_day = !date.empty();
    auto const at = out.all_day ? parse_date(date) : parse_in_zone(date_time, zone.empty() ? std::string_view(cal.time_zone) : zone);
    if (!at) return invalid("Invalid " + name + ".");
    out.at = *at;
    if (!out.all_day) out.zone = std::string(zone);
    return std::nullopt;
}

bj::object stored_point(point const& p, calendar const& cal) {
    if (p.all_day) return {{"date", format_date(p.at)}};
    bj::object out{{"dateTime", format_in_zone(p.at, p.zone.empty() ? cal.time_zone : p.zone)}};
    if (!p.zone.empty()) out["timeZone"] = p.zone;
    return out;
}

std::optional<reply> settle_times(event& e, calendar const& cal) {
    point start, end;
    if (auto no = read_point(e.body, cal, "start", start)) return no;
    if (auto no = read_point(e.body, cal, "end", end)) return no;
    if (start.all_day != end.all_day) return invalid("Start and end times must either both be date or both be dateTime.");
    if (auto const* lines = array_at(e.body, "recurrence"); lines != nullptr && !lines->empty() && !start.all_day) {
        if (start.zone.empty()) return refuse(400, "global", "required", "Missing time zone definition for start time.");
        if (end.zone.empty()) return refuse(400, "global", "required", "Missing time zone definition for end time.");
    }
    if (end.at <= start.at) return refuse(400, "calendar", "timeRangeEmpty", "The specified time range is empty.");
    e.starts = start.at;
    e.ends = end.at;
    e.all_day = start.all_day;
    e.body["start"] = stored_point(start, cal);
    e.body["end"] = stored_point(end, cal);
    return std::nullopt;
}

std::optional<reply> settle_recurrence(event& e, calendar const& cal) {
    auto const* lines = array_at(e.body, "recurrence");
    if (lines == nullptr) return std::nullopt;
    if (lines->empty()) {
        e.body.erase("recurrence");
        return std::nullopt;
    }
    if (is_exception(e)) return invalid("Invalid recurrence rule.");
    for (auto const& line : *lines)
        if (!line.is_string()) return invalid("Invalid recurrence rule.");
    if (!fault_in(series_of(e, cal)).empty()) return invalid("Invalid recurrence rule.");
    return std::nullopt;
}

std::optional<reply> settle_attendees(bj::object& body) {
    auto const* given = array_at(body, "attendees");
    if (given == nullptr) return std::nullopt;
    bj::array out;
    std::set<std::string> seen;
    auto const* organizer = object_at(body, "organizer");
    auto const organizer_email = organizer != nullptr ? text_at(*organizer, "email") : std::string_view{};
    for (auto const& item : *given) {
        auto const& a = item.get_object();
        auto const email = lower(text_at(a, "email"));
        if (email.empty()) return refuse(400, "global", "required", "Missing attendee email.");
        auto const at = email.find('@');
        if (at == std::string::npos || at == 0 || at + 1 == email.size() || email.find(' ') != std::string::npos)
            return invalid("Invalid attendee email.");
        if (!seen.insert(email).second) continue;
        auto const answer = text_at(a, "responseStatus", "needsAction");
        if (answer != "needsAction" && answer != "declined" && answer != "tentative" && answer != "accepted")
            return invalid("Invalid attendee response status.");
        bj::object entry{{"email", email}, {"responseStatus", answer}};
        for (auto const* name : {"displayName", "comment", "id"})
            if (auto const text = text_at(a, name); !text.empty()) entry[name] = text;
        for (auto const* name : {"optional", "resource"})
            if (flag_at(a, name)) entry[name] = true;
        if (auto const* n = a.if_contains("additionalGuests"); n != nullptr && n->is_int64() && n->get_int64() > 0)
            entry["additionalGuests"] = *n;
        if (email == organizer_email) entry["organizer"] = true;
        out.emplace_back(std::move(entry));
    }
    if (out.empty()) body.erase("attendees");
    else body["attendees"] = std::move(out);
    return std::nullopt;
}

std::optional<reply> settle_properties(bj::object& body) {
    auto* whole = body.if_contains("extendedProperties");
    if (whole == nullptr) return std::nullopt;
    std::size_t count = 0, size = 0;
    bj::object kept;
    for (auto const* kind : {"private", "shared"}) {
        auto const* given = object_at(whole->get_object(), kind);
        if (given == nullptr) continue;
        bj::object out;
        for (auto const& [key, value] : *given) {
            // Both limits are silent in the real service: a long key is dropped, a long value cut.
            if (!value.is_string() || count_code_points(key) > 44) continue;
            auto text = cut_code_points(std::string_view(value.get_string()), 1024);
            size += key.size() + text.size();
            ++count;
            out[key] = std::move(text);
        }
        if (!out.empty()) kept[kind] = std::move(out);
    }
    if (count > 300 || size > 32768) return invalid("Extended properties exceed the limits of an event.");
    if (kept.empty()) body.erase("extendedProperties");
    else *whole = std::move(kept);
    return std::nullopt;
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> names) {
    return std::ranges::find(names, text) != names.end();
}

std::optional<reply> settle_words(bj::object& body) {
    auto const status = text_at(body, "status", "confirmed");
    if (!is_one_of(status, {"confirmed", "tentative", "cancelled"})) return invalid("Invalid event status.");
    body["status"] = std::string(status);
    if (auto const t = text_at(body, "transparency"); !t.empty() && !is_one_of(t, {"opaque", "transparent"}))
        return invalid("Invalid transparency value.");
    if (auto const v = text_at(body, "visibility"); !v.empty() && !is_one_of(v, {"default", "public", "private", "confidential"}))
        return invalid("Invalid visibility value.");
    if (auto const color = text_at(body, "colorId"); !color.empty()) {
        auto const n = to_integer(color);
        if (!n || *n < 1 || *n > 11) return invalid("Invalid event color id.");
    }
    auto const type = text_at(body, "eventType", "default");
    if (!is_one_of(type, {"default", "birthday", "focusTime", "fromGmail", "outOfOffice", "workingLocation"}))
        return invalid("Invalid event type.");
    body["eventType"] = std::string(type);
    if (auto const* files = array_at(body, "attachments"); files != nullptr && files->size() > 25) return invalid("Too many attachments.");
    if (auto const* source = object_at(body, "source")) {
        auto const url = text_at(*source, "url");
        if (!url.starts_with("http://") && !url.starts_with("https://")) return invalid("Invalid source URL.");
    }
    return std::nullopt;
}

// What equals its default is not shown by the service.
void leave_out_defaults(bj::object& body) {
    for (auto const* name : {"summary", "description", "location", "colorId"})
        if (body.contains(name) && text_at(body, name).empty()) body.erase(name);
    for (auto const& [name, value] : {std::pair{"transparency", "opaque"}, std::pair{"visibility", "default"}})
        if (text_at(body, name, value) == value) body.erase(name);
    for (auto const* name : {"guestsCanModify", "anyoneCanAddSelf", "endTimeUnspecified", "privateCopy"})
        if (!flag_at(body, name)) body.erase(name);
    for (auto const* name : {"guestsCanInviteOthers", "guestsCanSeeOtherGuests"})
        if (flag_at(body, name, true)) body.erase(name);
    if (auto const* a = array_at(body, "attachments"); a != nullptr && a->empty()) body.erase("attachments");
}

}  // namespace

bj::object writable_part(bj::object const& body, bool creating) {
    bj::object out;
    auto const take = [&](auto const& names) {
        for (auto const* name : names)
            if (auto const* v = body.if_contains(name)) out[name] = *v;
    };
    take(writable);
    if (creating) take(at_creation);
    return out;
}

std::optional<reply> settle(event& e, calendar const& cal) {
    if (auto no = settle_times(e, cal)) return no;
    if (auto no = settle_recurrence(e, cal)) return no;
    if (auto no = settle_attendees(e.body)) return no;
    if (auto no = settle_properties(e.body)) return no;
    if (auto no = settle_words(e.body)) return no;
    leave_out_defaults(e.body);
    return std::nullopt;
}

bool is_event_id(std::string_view id) {
    return id.size() >= 5 && id.size() <= 1024 &&
           std::ranges::all_of(id, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'v'); });
}

bool is_private(event const& e) {
    auto const visibility = text_at(e.body, "visibility");
    return visibility == "private" || visibility == "confidential";
}

std::string_view organizer_of(event const& e) {
    auto const* o = object_at(e.body, "organizer");
    return o != nullptr ? text_at(*o, "email") : std::string_view{};
}

bj::object shared_part(bj::object const& body) {
    bj::object out;
    for (auto const* name : shared)
        if (auto const* v = body.if_contains(name)) out[name] = *v;
    if (auto const* properties = object_at(body, "extendedProperties"))
        if (auto const* s = properties->if_contains("shared")) out["extendedProperties"] = bj::object{{"shared", *s}};
    return out;
}

}  // namespace calbridge::emulator
