// Much data and strange data, and the lists of calendars people have.
#include "tests/emulator/calendars.h"
#include "tests/emulator/control.h"
#include "tests/emulator/control_words.h"
#include "tests/emulator/event_store.h"
#include "tests/emulator/series.h"
#include "tests/emulator/times.h"

#include <fmt/format.h>

namespace calbridge::emulator {

reply control::bulk(calendar& cal, bj::object const& body) {
    auto const count = body.contains("count") && body.at("count").is_int64() ? body.at("count").get_int64() : 0;
    auto const start = parse_with_offset(text_at(body, "start", "2026-01-01T08:00:00Z"));
    auto const every = body.contains("every_minutes") && body.at("every_minutes").is_int64() ? body.at("every_minutes").get_int64() : 30;
    if (auto const master = text_at(body, "exceptions_of"); !master.empty()) return bulk_exceptions(cal, master, count);
    if (count < 1 || count > 1000000 || !start || every < 1) return wrong("count, start or every_minutes is out of bounds");
    writer const person{.user = cal.owner};
    view const seen{.user = cal.owner};
    for (std::int64_t i = 0; i < count; ++i) {
        auto const from = *start + std::chrono::minutes(every * i);
        bj::object const e{{"summary", fmt::format("{} {}", text_at(body, "summary", "Event"), i)},
                           {"start", bj::object{{"dateTime", format_in_zone(from, "UTC")}}},
                           {"end", bj::object{{"dateTime", format_in_zone(from + std::chrono::minutes(every), "UTC")}}}};
        insert_event(c_, cal, e, person, seen);
    }
    return ok(bj::object{{"id", cal.id}, {"change", cal.change}, {"events", cal.events.size()}});
}

reply control::bulk_exceptions(calendar& cal, std::string_view id, std::int64_t count) {
    auto const* master = find_event(cal, id);
    if (master == nullptr || !master->is_master() || count < 1 || count > 100000) return wrong("no such series, or count is out of bounds");
    writer const person{.user = cal.owner};
    std::int64_t n = 0;
    for (auto const at : starts_within(series_of(*master, cal), {}, {}, static_cast<std::size_t>(count))) {
        auto e = instance_of(cal, *master, at);
        if (find_event(cal, e.id) != nullptr) continue;
        e.body["summary"] = fmt::format("{} changed {}", text_at(master->body, "summary"), n++);
        touch(c_, cal, store(cal, std::move(e)), "update", person);
    }
    return ok(bj::object{{"id", cal.id}, {"change", cal.change}, {"events", cal.events.size()}, {"made", n}});
}

reply control::raw(calendar& cal, bj::object const& body) {
    std::string const id(text_at(body, "id", c_.random_id(26)));
    std::string const text(text_at(body, "json"));
    if (text.size() < 2 || text.front() != '{' || text.back() != '}') return wrong("json is the text of an object");
    event e;
    if (auto* known = find_event(cal, id); known != nullptr) e = *known;
    e.id = id;
    e.raw = text;
    e.cancelled = e.bare = false;
    if (!e.body.contains("organizer")) e.body = {{"iCalUID", id + "@google.com"}, {"organizer", bj::object{{"email", cal.id}}}};
    writer const google{.user = "google"};
    auto& kept = store(cal, std::move(e));
    touch(c_, cal, kept, "update", google);
    return ok(bj::object{{"id", id}, {"etag", etag_text(kept.etag)}});
}

reply control::list_of(request const& r, std::vector<std::string> const& at, bj::object const& body) {
    auto* who = c_.find_user(at[1]);
    if (who == nullptr) return wrong("no such user", 404);
    if (at.size() == 3 && at[2] == "expire_tokens" && r.method == "POST") {
        ++who->list_epoch;
        return ok(bj::object{{"email", who->email}});
    }
    if (at.size() != 4 || at[2] != "calendars") return wrong("no such control", 404);
    if (r.method == "DELETE") {
        if (!remove_entry(c_, *who, at[3])) return wrong("not on the list", 404);
        return ok(bj::object{{"removed", at[3]}});
    }
    auto const* cal = c_.find_calendar(at[3]);
    if (cal == nullptr || role_of(*cal, who->email) == role::none) return wrong("no such calendar", 404);
    if (r.method == "POST") list_calendar(c_, *who, *cal);
    if (!body.empty())
        if (auto no = change_entry(c_, *who, *cal, body, true)) return *no;
    auto const it = who->list.find(at[3]);
    if (it == who->list.end()) return wrong("not on the list", 404);
    return ok(render_entry(*cal, *who, it->second));
}

}  // namespace calbridge::emulator
