#include "wire/stored.h"

#include "common/base/encoding.h"
#include "common/json/json.h"
#include "wire/task_codec.h"

#include <algorithm>
#include <limits>

namespace calbridge::wire {
namespace {

// What a column may hold: JSON escapes and jsonb's blanks make a text longer than it was on its topic.
constexpr std::size_t stored_bytes_max = 16u << 20;

boost::json::string text(std::string_view from) {
    auto const clean = scrub_text(from);
    return boost::json::string(boost::json::string_view(clean.data(), clean.size()));
}

void add_text(json::object& to, std::string_view name, std::string_view value) {
    if (!value.empty()) to[name] = text(value);
}

std::string read_text(json::object const& from, std::string_view name) { return std::string(json::text_or(from, name)); }

json::object store_time(domain::time_range const& t) {
    json::object out;
    if (t.all_day) {
        out["firstDay"] = static_cast<std::int64_t>(t.first_day.time_since_epoch().count());
        out["endDay"] = static_cast<std::int64_t>(t.end_day.time_since_epoch().count());
    } else {
        out["start"] = static_cast<std::int64_t>(t.start.time_since_epoch().count());
        out["end"] = static_cast<std::int64_t>(t.end.time_since_epoch().count());
        add_text(out, "zone", t.zone);
    }
    return out;
}

int bounded_int(std::int64_t value) {
    return static_cast<int>(std::clamp<std::int64_t>(value, std::numeric_limits<int>::min(), std::numeric_limits<int>::max()));
}

domain::time_range load_time(json::object const& from) {
    auto const days = [&](std::string_view name) {
        return std::chrono::sys_days{std::chrono::days(bounded_int(json::integer_or(from, name)))};
    };
    auto const at = [&](std::string_view name) { return instant{std::chrono::microseconds(json::integer_or(from, name))}; };
    if (from.contains("firstDay")) return {.all_day = true, .first_day = days("firstDay"), .end_day = days("endDay")};
    return {.start = at("start"), .end = at("end"), .zone = read_text(from, "zone")};
}

result<json::value> parse(std::string_view document, std::string_view what) {
    return json::parse(document, what, {.bytes_max = stored_bytes_max}, true);
}

}  // namespace

std::string store_fields(domain::fields const& f) {
    json::object out;
    add_text(out, "title", f.title);
    add_text(out, "description", f.description);
    add_text(out, "footer", f.footer);
    add_text(out, "location", f.location);
    out["time"] = store_time(f.time);
    add_text(out, "color", f.color_id);
    if (!f.reminders.use_default) {
        auto& list = out["reminders"].emplace_array();
        for (auto const& one : f.reminders.overrides) {
            json::object entry;
            entry["method"] = text(one.method);
            entry["minutes"] = one.minutes;
            list.push_back(std::move(entry));
        }
    }
    if (!f.guests.empty()) {
        auto& list = out["guests"].emplace_array();
        for (auto const& one : f.guests) {
            json::object entry;
            entry["email"] = text(one.email);
            add_text(entry, "name", one.name);
            if (one.optional) entry["optional"] = true;
            list.push_back(std::move(entry));
        }
    }
    if (f.meet) out["meet"] = true;
    if (!f.recurrence.empty()) {
        auto& list = out["recurrence"].emplace_array();
        for (auto const& line : f.recurrence) list.push_back(text(line));
    }
    return json::serialize(out);
}

result<domain::fields> load_fields(std::string_view document) {
    auto const parsed = parse(document, "stored fields");
    if (!parsed) return parsed.error();
    auto const* const from = parsed->if_object();
    auto const* const time = from ? json::object_at(*from, "time") : nullptr;
    if (!time) return fail(errc::malformed, "stored fields: not an object with a time");

    domain::fields out;
    out.title = read_text(*from, "title");
    out.description = read_text(*from, "description");
    out.footer = read_text(*from, "footer");
    out.location = read_text(*from, "location");
    out.time = load_time(*time);
    out.color_id = read_text(*from, "color");
    if (auto const* const list = json::array_at(*from, "reminders")) {
        out.reminders.use_default = false;
        for (auto const& one : *list) {
            if (auto const* const entry = one.if_object())
                out.reminders.overrides.push_back(
                    {.method = read_text(*entry, "method"), .minutes = bounded_int(json::integer_or(*entry, "minutes"))});
        }
    }
    if (auto const* const list = json::array_at(*from, "guests")) {
        for (auto const& one : *list) {
            if (auto const* const entry = one.if_object())
                out.guests.push_back({.email = read_text(*entry, "email"),
                                      .name = read_text(*entry, "name"),
                                      .optional = json::boolean_or(*entry, "optional")});
        }
    }
    out.meet = json::boolean_or(*from, "meet");
    if (auto const* const list = json::array_at(*from, "recurrence")) {
        for (auto const& line : *list)
            if (line.is_string()) out.recurrence.emplace_back(line.get_string());
    }
    return out;
}

std::string store_conflicts(std::vector<domain::field_conflict> const& conflicts) {
    json::array out;
    for (auto const& one : conflicts) {
        json::object entry;
        entry["field"] = domain::name(one.which);
        if (one.winner) entry["winner"] = *one.winner == domain::side::crm ? "crm" : "google";
        entry["base"] = text(one.base);
        entry["crm"] = text(one.crm);
        entry["google"] = text(one.google);
        out.push_back(std::move(entry));
    }
    return json::serialize(out);
}

result<std::vector<domain::field_conflict>> load_conflicts(std::string_view document) {
    auto const parsed = parse(document, "stored conflicts");
    if (!parsed) return parsed.error();
    auto const* const list = parsed->if_array();
    if (!list) return fail(errc::malformed, "stored conflicts: not an array");

    std::vector<domain::field_conflict> out;
    for (auto const& one : *list) {
        auto const* const entry = one.if_object();
        auto const which = entry ? domain::field_named(json::text_or(*entry, "field")) : std::nullopt;
        if (!which) continue;  // a field of a newer version
        domain::field_conflict conflict{
            .which = *which, .base = read_text(*entry, "base"), .crm = read_text(*entry, "crm"), .google = read_text(*entry, "google")};
        auto const winner = json::text_or(*entry, "winner");
        if (winner == "crm") conflict.winner = domain::side::crm;
        if (winner == "google") conflict.winner = domain::side::google;
        out.push_back(std::move(conflict));
    }
    return out;
}

std::string store_task(domain::task_changed const& t) { return encode_task_changed(t, encoding::json); }

result<domain::task_changed> load_task(std::string_view document) { return decode_task(document, encoding::json, stored_bytes_max); }

}  // namespace calbridge::wire
