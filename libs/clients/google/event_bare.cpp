#include "clients/google/event_json.h"

#include <array>

namespace calbridge::google {

namespace {

constexpr std::size_t kept_bytes_max = 4u << 20;
constexpr std::array kept_members{"kind",         "id",         "status",           "start",
                                  "end",          "recurrence", "recurringEventId", "originalStartTime",
                                  "transparency", "visibility", "eventType"};

}  // namespace

result<domain::calendar_event> read_kept_event(std::string_view raw, std::string_view calendar_zone) {
    return read_event_text(std::string(raw), calendar_zone);
}

std::string bare_event(std::string_view raw) {
    auto const parsed = json::parse(raw, "event", {.bytes_max = kept_bytes_max, .depth_max = 64}, true);
    if (!parsed || !parsed->is_object()) return "{}";
    json::object const& from = parsed->get_object();
    json::object out;
    for (char const* const name : kept_members)
        if (auto const* const member = from.if_contains(name)) out[name] = *member;
    if (json::array const* const attendees = json::array_at(from, "attendees"))
        for (json::value const& each : *attendees)
            if (each.is_object() && json::boolean_or(each.get_object(), "self")) {
                json::object const own{{"self", true}, {"responseStatus", json::text_or(each.get_object(), "responseStatus")}};
                out["attendees"] = json::array{own};
                break;
            }
    return json::serialize(json::value(std::move(out)));
}

}  // namespace calbridge::google
