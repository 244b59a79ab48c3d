#include "tests/emulator/event_store.h"

#include "tests/emulator/event_rules.h"
#include "tests/emulator/push.h"
#include "tests/emulator/series.h"

#include <algorithm>

namespace calbridge::emulator {

void touch(core& c, calendar& cal, event& e, std::string_view kind, writer const& w, bool content) {
    if (e.change != 0) cal.log.erase(e.change);
    e.change = ++cal.change;
    cal.log.emplace_hint(cal.log.end(), e.change, &e);
    e.etag = c.next_etag_number();
    if (content) e.updated = c.now();
    if (e.cancelled && kind == "delete") cal.tombstones.emplace_back(c.now(), e.id);
    c.effects.push_back({++c.counter, c.now(), w.user, w.client, cal.id, e.id, std::string(kind), e.etag});
    if (c.effects.size() > c.options.log_max) c.effects.pop_front();
    notify(c, events_resource(cal.id));
}

event& store(calendar& cal, event&& e) {
    auto id = e.id;
    if (!cal.events.contains(id)) cal.by_ical_uid.emplace(std::string(text_at(e.body, "iCalUID")), id);
    return cal.events.insert_or_assign(std::move(id), std::move(e)).first->second;
}

void cancel(event& e, bool bare) {
    e.cancelled = true;
    e.bare = bare;
    e.body["status"] = "cancelled";
}

void erase(calendar& cal, event& e) {
    cal.log.erase(e.change);
    auto const [from, to] = cal.by_ical_uid.equal_range(text_at(e.body, "iCalUID"));
    for (auto i = from; i != to; ++i) {
        if (i->second != e.id) continue;
        cal.by_ical_uid.erase(i);
        break;
    }
    cal.events.erase(cal.events.find(e.id));
}

bj::array const& attendees_of(bj::object const& body) {
    static bj::array const none;
    auto const* a = array_at(body, "attendees");
    return a != nullptr ? *a : none;
}

bj::object const* attendee(bj::array const& all, std::string_view email) {
    for (auto const& item : all)
        if (text_at(item.get_object(), "email") == email) return &item.get_object();
    return nullptr;
}

bool is_guest_copy(calendar const& cal, event const& e) { return !e.detached && organizer_of(e) != cal.id; }

event* find_event(calendar& cal, std::string_view id) {
    auto const it = cal.events.find(id);
    return it != cal.events.end() ? &it->second : nullptr;
}

void age(core& c, calendar& cal) {
    auto const limit = c.now() - std::chrono::days(c.knob.tombstone_days);
    while (!cal.tombstones.empty() && cal.tombstones.front().first < limit) {
        auto const [when, id] = cal.tombstones.front();
        cal.tombstones.pop_front();
        auto const it = cal.events.find(id);
        if (it == cal.events.end() || !it->second.cancelled || it->second.updated > when) continue;
        bool const exception = is_exception(it->second);
        if (exception && !it->second.orphan) {
            // A cancelled occurrence is remembered for as long as its series lives.
            auto const* master = find_event(cal, master_id_of(it->second));
            if (master != nullptr && !master->cancelled) continue;
        }
        cal.purged_through = std::max(cal.purged_through, it->second.change);
        erase(cal, it->second);
        cal.vanished.erase(id);
        if (!exception) cal.retired.insert(id);
    }
}

}  // namespace calbridge::emulator
