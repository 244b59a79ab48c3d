#include "tests/emulator/event_extras.h"

#include "tests/emulator/event_store.h"
#include "tests/emulator/guests.h"

namespace calbridge::emulator {

namespace {

std::optional<reply> settle_reminders(bj::object& r) {
    auto const* overrides = array_at(r, "overrides");
    if (overrides == nullptr || overrides->empty()) {
        r.erase("overrides");
        return std::nullopt;
    }
    if (flag_at(r, "useDefault"))
        return refuse(400, "calendar", "cannotUseDefaultRemindersAndSpecifyOverride",
                      "Cannot specify both default reminders and overrides at the same time.");
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

}  // namespace

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
    bj::object request{
        {"requestId", id}, {"conferenceSolutionKey", bj::object{{"type", type}}}, {"status", bj::object{{"statusCode", "pending"}}}};
    e.body["conferenceData"] = bj::object{{"createRequest", std::move(request)}};
    e.body.erase("hangoutLink");
    if (c.knob.meet_delay_s <= 0) finish_meet(c, e);
    else c.meets.emplace(c.now() + std::chrono::seconds(c.knob.meet_delay_s), std::pair(cal.id, e.id));
    return std::nullopt;
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

}  // namespace calbridge::emulator
