#include "tests/emulator/event_filter.h"

#include "tests/emulator/times.h"

#include <algorithm>

namespace calbridge::emulator {

namespace {

bool has_property(event const& e, char const* kind, std::string_view wanted) {
    auto const eq = wanted.find('=');
    auto const* all = object_at(e.body, "extendedProperties");
    auto const* some = all != nullptr ? object_at(*all, kind) : nullptr;
    return some != nullptr && eq != std::string_view::npos && some->contains(wanted.substr(0, eq)) &&
           text_at(*some, wanted.substr(0, eq)) == wanted.substr(eq + 1);
}

}  // namespace

bool event_filter::holds(calendar const& cal, event const& e) const {
    if (!types.empty() && !(e.cancelled && e.bare) && std::ranges::find(types, text_at(e.body, "eventType", "default")) == types.end())
        return false;
    if (delta) return true;
    // Without expansion a cancelled occurrence of a living series is always told.
    bool const told = !single && is_exception(e) && !e.orphan;
    if (e.cancelled && !deleted && !told && !updated_from) return false;
    if (updated_from && e.updated < *updated_from) return false;
    if (!uid.empty() && text_at(e.body, "iCalUID") != uid) return false;
    // Nobody can say when an event stored as text is.
    if ((from || to) && e.raw.empty() && !overlaps(cal, e)) return false;
    for (auto p : private_properties)
        if (!has_property(e, "private", p)) return false;
    for (auto p : shared_properties)
        if (!has_property(e, "shared", p)) return false;
    return text.empty() || speaks_of(e);
}

bool event_filter::overlaps(calendar const& cal, event const& e) const {
    // A series is of interest when one of its occurrences is.
    if (e.is_master() && !is_exception(e)) return !starts_within(series_of(e, cal), from, to, 1).empty();
    return (!from || finishes(cal, e) > *from) && (!to || begins(cal, e) < *to);
}

bool event_filter::speaks_of(event const& e) const {
    auto const wanted = lower(text);
    auto const in = [&](std::string_view t) { return lower(t).find(wanted) != std::string::npos; };
    if (in(text_at(e.body, "summary")) || in(text_at(e.body, "description")) || in(text_at(e.body, "location"))) return true;
    auto const* all = array_at(e.body, "attendees");
    return all != nullptr && std::ranges::any_of(*all, [&](bj::value const& a) {
               return in(text_at(a.get_object(), "email")) || in(text_at(a.get_object(), "displayName"));
           });
}

event_filter filter_from(params const& query, bool delta, bool single) {
    event_filter f;
    f.delta = delta;
    f.single = single;
    for (auto const& [name, value] : query) {
        if (name == "eventTypes") f.types.emplace_back(value);
        else if (name == "privateExtendedProperty") f.private_properties.emplace_back(value);
        else if (name == "sharedExtendedProperty") f.shared_properties.emplace_back(value);
        else if (name == "timeMin") f.from = parse_with_offset(value);
        else if (name == "timeMax") f.to = parse_with_offset(value);
        else if (name == "updatedMin") f.updated_from = parse_with_offset(value);
        else if (name == "q") f.text = value;
        else if (name == "iCalUID") f.uid = value;
        else if (name == "showDeleted") f.deleted = value == "true";
    }
    // The service ignores fractions of a second here.
    if (f.from) f.from = std::chrono::floor<std::chrono::seconds>(*f.from);
    if (f.to) f.to = std::chrono::floor<std::chrono::seconds>(*f.to);
    return f;
}

}  // namespace calbridge::emulator
