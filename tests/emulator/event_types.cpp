#include "tests/emulator/event_types.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>

namespace calbridge::emulator {

namespace {

reply bad(std::string_view why) { return refuse(400, "calendar", "eventTypeRestriction", why); }

bool is_one_day(event const& e) { return e.all_day && e.ends - e.starts == std::chrono::days(1); }

bool repeats_yearly(event const& e) {
    auto const* lines = array_at(e.body, "recurrence");
    if (lines == nullptr || lines->size() != 1) return false;
    auto const line = std::string_view(lines->at(0).get_string());
    return line == "RRULE:FREQ=YEARLY" || line == "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1";
}

std::string_view properties_of(std::string_view type) {
    if (type == "focusTime") return "focusTimeProperties";
    if (type == "outOfOffice") return "outOfOfficeProperties";
    return "workingLocationProperties";
}

// The page fills in what a person has no choice about.
void fill_in(event& e, std::string_view type) {
    auto const set = [&](std::string_view name, bj::value value) {
        if (!e.body.contains(name)) e.body[name] = std::move(value);
    };
    if (type == "birthday") {
        set("visibility", "private");
        set("transparency", "transparent");
        set("recurrence", bj::array{"RRULE:FREQ=YEARLY"});
        set("birthdayProperties", bj::object{{"type", "birthday"}});
    } else if (type == "workingLocation") {
        set("visibility", "public");
        set("transparency", "transparent");
        set("workingLocationProperties", bj::object{{"type", "homeOffice"}, {"homeOffice", bj::object{}}});
    } else if (type == "focusTime") {
        set("focusTimeProperties", bj::object{{"autoDeclineMode", "declineNone"}, {"chatStatus", "doNotDisturb"}});
    } else if (type == "outOfOffice") {
        set("outOfOfficeProperties", bj::object{{"autoDeclineMode", "declineNone"}});
    }
}

// What must hold before and after every write.
std::optional<reply> check_form(event const& e, std::string_view type) {
    auto const visibility = text_at(e.body, "visibility", "default"), transparency = text_at(e.body, "transparency", "opaque");
    if (type == "birthday") {
        if (!is_one_day(e)) return bad("A birthday is an all-day event of one day.");
        if (visibility != "private" || transparency != "transparent") return bad("A birthday is private and transparent.");
        bool const instance = e.body.contains("recurringEventId");
        if (!instance && !repeats_yearly(e)) return bad("A birthday repeats every year.");
        return std::nullopt;
    }
    if (type == "fromGmail") return std::nullopt;
    auto const needed = properties_of(type);
    if (!e.body.contains(needed)) return bad("Missing " + std::string(needed) + ".");
    if (type == "workingLocation") {
        if (visibility != "public" || transparency != "transparent") return bad("A working location is public and transparent.");
        if (e.all_day && !is_one_day(e)) return bad("An all-day working location is of one day.");
        return std::nullopt;
    }
    if (e.all_day) return bad("Events of this type need a time.");
    if (transparency != "opaque") return bad("Events of this type are opaque.");
    return std::nullopt;
}

bool only_changes(event const& old, event const& next, std::span<char const* const> allowed) {
    std::set<std::string, std::less<>> names;
    for (auto const* body : {&old.body, &next.body})
        for (auto const& [name, _] : *body) names.emplace(name);
    for (auto const& name : names) {
        if (name == "sequence" || std::ranges::find(allowed, name) != allowed.end()) continue;
        auto const *a = old.body.if_contains(name), *b = next.body.if_contains(name);
        if ((a == nullptr) != (b == nullptr) || (a != nullptr && *a != *b)) return false;
    }
    return true;
}

}  // namespace

std::optional<reply> check_new_type(calendar const& cal, event& e, writer const& w) {
    auto const type = std::string(text_at(e.body, "eventType", "default"));
    if (type == "default") return std::nullopt;
    bool const person = w.client.empty();
    if (type == "fromGmail" && !person) return bad("Events of this type cannot be created.");
    if (type != "birthday" && type != "fromGmail" && !cal.primary) return bad("Events of this type belong on a primary calendar.");
    if (person) fill_in(e, type);
    else if (type == "birthday")
        if (auto const* p = object_at(e.body, "birthdayProperties"); p != nullptr && text_at(*p, "type", "birthday") != "birthday")
            return bad("Only birthdays of type birthday can be created.");
    return check_form(e, type);
}

std::optional<reply> check_type_write(event const& old, event const& next) {
    auto const type = text_at(old.body, "eventType", "default");
    if (type == "default") return std::nullopt;
    if (auto no = check_form(next, type)) return no;
    if (type == "birthday") {
        static constexpr std::array free{"colorId", "summary", "start", "end"};
        static constexpr std::array linked{"colorId", "summary"};
        auto const* p = object_at(old.body, "birthdayProperties");
        bool const fixed = p != nullptr && (p->contains("contact") || text_at(*p, "type") == "self");
        if (!only_changes(old, next, fixed ? std::span<char const* const>(linked) : free))
            return bad("This cannot be changed on a birthday.");
    } else if (type == "fromGmail") {
        static constexpr std::array allowed{"colorId", "visibility", "transparency", "status", "attendees", "extendedProperties"};
        if (!only_changes(old, next, allowed)) return bad("This cannot be changed on an event from Gmail.");
    }
    return std::nullopt;
}

}  // namespace calbridge::emulator
