#include "tests/zoom_emulator/meeting.h"

#include "tests/emulator/times.h"

#include <algorithm>
#include <array>

namespace calbridge::zoom_emulator {

namespace {

constexpr std::size_t occurrences_max = 50;

std::int64_t number_at(bj::object const& o, std::string_view name, std::int64_t fallback) {
    auto const* v = o.if_contains(name);
    if (v == nullptr) return fallback;
    if (v->is_int64()) return v->get_int64();
    return v->is_string() ? emulator::to_integer(text_at(o, name)).value_or(fallback) : fallback;
}

bool is_number(bj::object const& o, std::string_view name) {
    auto const* v = o.if_contains(name);
    return v == nullptr || v->is_int64() || (v->is_string() && emulator::to_integer(text_at(o, name)));
}

// "2026-11-25T09:00:00Z" is UTC, without Z it is wall time in the meeting's zone. Seconds are needed, fractions are not known.
std::optional<instant> read_start(std::string_view text, std::string_view zone) {
    if (text.size() != 19 && text.size() != 20) return std::nullopt;
    if (text.size() == 20 && text.back() != 'Z') return std::nullopt;
    return emulator::parse_in_zone(text, zone);
}

std::string utc(instant at) { return emulator::format_in_zone(at, "UTC"); }

// Sunday is 1.
std::string days_of(std::string_view text) {
    static constexpr std::array names{"SU", "MO", "TU", "WE", "TH", "FR", "SA"};
    std::string out;
    for (auto const part : emulator::split(text, ',')) {
        auto const n = emulator::to_integer(part).value_or(0);
        if (n >= 1 && n <= 7) out += (out.empty() ? "" : ",") + std::string(names[static_cast<std::size_t>(n - 1)]);
    }
    return out;
}

std::string rule_of(meeting const& m) {
    auto const& r = m.recurrence;
    auto const type = number_at(r, "type", 0);
    std::string rule = std::string("RRULE:FREQ=") + (type == 2 ? "WEEKLY" : type == 3 ? "MONTHLY" : "DAILY");
    rule += ";INTERVAL=" + std::to_string(std::max<std::int64_t>(1, number_at(r, "repeat_interval", 1)));
    if (auto const days = days_of(text_at(r, "weekly_days")); type == 2 && !days.empty()) rule += ";BYDAY=" + days;
    if (type == 3 && r.contains("monthly_day")) rule += ";BYMONTHDAY=" + std::to_string(number_at(r, "monthly_day", 1));
    if (type == 3 && r.contains("monthly_week"))
        rule += ";BYDAY=" + std::to_string(number_at(r, "monthly_week", 1)) + days_of(std::to_string(number_at(r, "monthly_week_day", 1)));
    if (auto const until = emulator::parse_with_offset(text_at(r, "end_date_time"))) rule += ";UNTIL=" + emulator::format_basic_utc(*until);
    else rule += ";COUNT=" + std::to_string(std::max<std::int64_t>(1, number_at(r, "end_times", 1)));
    return rule;
}

void take_text(std::string& to, bj::object const& body, char const* name, std::size_t most, faults& wrong) {
    auto const* v = body.if_contains(name);
    if (v == nullptr) return;
    if (!v->is_string()) wrong.emplace_back(name, "Invalid field.");
    else if (emulator::count_code_points(text_at(body, name)) > most)
        wrong.emplace_back(name, "The value that you entered exceeds the maximum length of " + std::to_string(most) + ".");
    else to = std::string(text_at(body, name));
}

void take_recurrence(meeting& m, bj::object const& body, faults& wrong) {
    if (auto const* r = object_at(body, "recurrence")) m.recurrence = *r;
    if (m.type != 8) {
        m.recurrence = {};
        return;
    }
    auto const type = number_at(m.recurrence, "type", 0);
    if (type < 1 || type > 3) wrong.emplace_back("recurrence.type", "Invalid field.");
    auto const times = number_at(m.recurrence, "end_times", 1);
    if (times < 1 || times > static_cast<std::int64_t>(occurrences_max)) wrong.emplace_back("recurrence.end_times", "Invalid field.");
    if (auto const end = text_at(m.recurrence, "end_date_time"); !end.empty() && !emulator::parse_with_offset(end))
        wrong.emplace_back("recurrence.end_date_time", "Invalid field.");
}

}  // namespace

faults take(meeting& m, bj::object const& body, instant now, std::string_view host_zone) {
    faults wrong;
    take_text(m.topic, body, "topic", 200, wrong);
    take_text(m.agenda, body, "agenda", 2000, wrong);
    take_text(m.password, body, "password", 10, wrong);
    for (auto const* name : {"type", "duration"})
        if (!is_number(body, name)) wrong.emplace_back(name, "Invalid field.");
    auto const type = number_at(body, "type", m.type);
    if (type != 1 && type != 2 && type != 3 && type != 8) wrong.emplace_back("type", "Invalid field.");
    m.type = static_cast<int>(type);
    m.minutes = number_at(body, "duration", m.minutes);
    if (m.minutes < 1 || m.minutes > 1440) wrong.emplace_back("duration", "Invalid field.");
    std::string zone(text_at(body, "timezone", m.time_zone.empty() ? host_zone : std::string_view(m.time_zone)));
    if (!emulator::is_zone(zone)) wrong.emplace_back("timezone", "Invalid field.");
    m.time_zone = std::move(zone);
    if (auto const text = text_at(body, "start_time"); body.contains("start_time")) {
        m.starts = read_start(text, m.time_zone);
        if (!m.starts) wrong.emplace_back("start_time", "Invalid field.");
    }
    if (m.type == 1 || m.type == 3) m.starts.reset();
    else if (!m.starts) m.starts = now;
    take_recurrence(m, body, wrong);
    if (auto const* s = object_at(body, "settings"))
        for (auto const& [name, value] : *s) m.settings[name] = value;
    if (auto const* t = emulator::array_at(body, "tracking_fields")) m.tracking_fields = *t;
    return wrong;
}

std::vector<std::string> unknown_members(bj::object const& body) {
    static constexpr std::array known{"agenda",       "default_password", "duration",   "password",    "pre_schedule", "recurrence",
                                      "schedule_for", "settings",         "start_time", "template_id", "timezone",     "topic",
                                      "type",         "tracking_fields"};
    std::vector<std::string> out;
    for (auto const& [name, _] : body)
        if (std::ranges::find(known, std::string_view(name)) == known.end()) out.emplace_back(name);
    return out;
}

std::vector<instant> occurrences(meeting const& m) {
    if (m.type != 8 || !m.starts) return {};
    emulator::series s{.first = *m.starts, .length = std::chrono::minutes(m.minutes), .zone = m.time_zone, .lines = {rule_of(m)}};
    return emulator::starts_within(s, {}, {}, occurrences_max);
}

std::optional<instant> ends(meeting const& m) {
    if (!m.starts) return std::nullopt;
    auto const all = occurrences(m);
    return (all.empty() ? *m.starts : all.back()) + std::chrono::minutes(m.minutes);
}

bj::object render_row(meeting const& m, std::string const& join_base) {
    bj::object out{{"uuid", m.uuid},          {"id", m.id},
                   {"host_id", m.host_id},    {"topic", m.topic},
                   {"type", m.type},          {"duration", m.minutes},
                   {"timezone", m.time_zone}, {"created_at", utc(m.created)}};
    if (m.starts) out["start_time"] = utc(*m.starts);
    if (!m.agenda.empty()) out["agenda"] = emulator::cut_code_points(m.agenda, 250);
    out["join_url"] = join_base + "/j/" + std::to_string(m.id) + "?pwd=" + m.password;
    return out;
}

bj::object render(meeting const& m, std::string const& join_base) {
    auto out = render_row(m, join_base);
    if (!m.agenda.empty()) out["agenda"] = m.agenda;
    out["host_email"] = m.host_email;
    out["status"] = "waiting";
    out["start_url"] = join_base + "/s/" + std::to_string(m.id) + "?zak=" + m.uuid;
    out["password"] = m.password;
    out["settings"] = m.settings;
    if (!m.tracking_fields.empty()) out["tracking_fields"] = m.tracking_fields;
    if (m.type != 8) return out;
    out["recurrence"] = m.recurrence;
    bj::array all;
    for (auto const at : occurrences(m)) {
        bool const gone = std::ranges::find(m.removed, at) != m.removed.end();
        all.emplace_back(bj::object{{"occurrence_id", std::to_string(emulator::unix_ms(at))},
                                    {"start_time", utc(at)},
                                    {"duration", m.minutes},
                                    {"status", gone ? "deleted" : "available"}});
    }
    out["occurrences"] = std::move(all);
    return out;
}

}  // namespace calbridge::zoom_emulator
