#include "clients/google/event_json.h"
#include "clients/google/times.h"

#include "domain/footer.h"

#include <algorithm>
#include <cctype>
#include <set>

namespace calbridge::google {

namespace {

using domain::field;

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

json::object write_reminders(domain::reminder_list const& from, write_kind kind) {
    json::object out;
    out["useDefault"] = from.use_default;
    if (!from.use_default) {
        json::array overrides;
        for (auto const& one : from.overrides) overrides.push_back(json::object{{"method", one.method}, {"minutes", one.minutes}});
        out["overrides"] = std::move(overrides);
    } else if (kind == write_kind::patch) {
        out["overrides"] = nullptr;  // Objects merge: old overrides beside the default would be refused.
    }
    return out;
}

void write_conference(event_write const& what, write_kind kind, json::object& out) {
    if (what.values.meet) {
        json::object solution{{"type", "hangoutsMeet"}};
        json::object request{{"requestId", what.meet_request_id}, {"conferenceSolutionKey", std::move(solution)}};
        out["conferenceData"] = json::object{{"createRequest", std::move(request)}};
    } else if (kind == write_kind::patch) {
        out["conferenceData"] = nullptr;
    }
}

json::object new_attendee(domain::guest const& who) {
    json::object out{{"email", who.email}};
    if (!who.name.empty()) out["displayName"] = who.name;
    if (who.optional) out["optional"] = true;
    return out;
}

}  // namespace

json::array write_attendees(std::vector<domain::guest> const& guests, std::string_view attendees_data) {
    json::array out;
    std::set<std::string, std::less<>> sent;
    auto const known = json::parse(attendees_data.empty() ? std::string_view("[]") : attendees_data, "attendees_data",
                                   {.bytes_max = 1 << 20, .depth_max = 32}, true);
    if (known && known->is_array()) {
        for (auto const& one : known->get_array()) {
            if (!one.is_object()) continue;
            json::object attendee = one.get_object();
            std::string const email = lower(json::text_or(attendee, "email"));
            auto const guest = std::ranges::find(guests, email, &domain::guest::email);
            bool const stays =
                json::boolean_or(attendee, "resource") || json::boolean_or(attendee, "organizer") || json::boolean_or(attendee, "self");
            if ((guest == guests.end() && !stays) || !sent.insert(email).second) continue;
            if (guest != guests.end() && guest->optional != json::boolean_or(attendee, "optional")) attendee["optional"] = guest->optional;
            out.push_back(std::move(attendee));
        }
    }
    for (auto const& who : guests) {
        if (sent.insert(who.email).second) out.push_back(new_attendee(who));
    }
    return out;
}

json::object write_event(event_write const& what, std::optional<std::string> const& event_id) {
    write_kind const kind = event_id ? write_kind::insert : write_kind::patch;
    domain::fields const& v = what.values;
    json::object out;
    if (event_id) out["id"] = *event_id;
    if (what.restore) out["status"] = "confirmed";
    if (what.pushed.has(field::title)) out["summary"] = v.title;
    if (what.pushed.has(field::description) || what.pushed.has(field::footer))
        out["description"] = domain::join_description(v.description, v.footer);
    if (what.pushed.has(field::location)) out["location"] = v.location;
    // A series needs the zone its wall time lives in, which a single event may not have had.
    bool const becomes_series = what.pushed.has(field::recurrence) && !v.recurrence.empty();
    if (what.pushed.has(field::time) || becomes_series) {
        out["start"] = write_moment(v.time, true, kind);
        out["end"] = write_moment(v.time, false, kind);
    }
    if (becomes_series || (what.pushed.has(field::recurrence) && kind == write_kind::patch)) {
        json::array lines;
        for (auto const& line : v.recurrence) lines.emplace_back(line);
        out["recurrence"] = std::move(lines);
    }
    if (what.pushed.has(field::color)) {
        if (!v.color_id.empty()) out["colorId"] = v.color_id;
        else if (kind == write_kind::patch) out["colorId"] = nullptr;
    }
    if (what.pushed.has(field::reminders)) out["reminders"] = write_reminders(v.reminders, kind);
    if (what.pushed.has(field::guests)) out["attendees"] = write_attendees(v.guests, what.attendees_data);
    if (what.pushed.has(field::meet)) write_conference(what, kind, out);
    json::object own{{domain::stamp_property, what.stamp}, {domain::operation_property, what.operation}};
    out["extendedProperties"] = json::object{{"private", std::move(own)}};
    return out;
}

}  // namespace calbridge::google
