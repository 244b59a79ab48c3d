#include "tests/emulator/series.h"

#include "tests/emulator/event_rules.h"
#include "tests/emulator/event_store.h"
#include "tests/emulator/times.h"

#include <algorithm>
#include <array>
#include <set>

namespace calbridge::emulator {

namespace {

// What an exception never takes over from its master.
constexpr std::array its_own{"start", "end", "recurrence", "recurringEventId", "originalStartTime", "status", "sequence", "iCalUID"};

bj::object point_at(bj::object const* like, instant at, bool all_day, std::string_view fallback_zone) {
    if (all_day) return {{"date", format_date(at)}};
    std::string_view const zone = like != nullptr ? text_at(*like, "timeZone") : std::string_view{};
    bj::object out{{"dateTime", format_in_zone(at, zone.empty() ? fallback_zone : zone)}};
    if (!zone.empty()) out["timeZone"] = zone;
    return out;
}

void set_times(event& e, calendar const& cal, event const& like, instant starts, instant ends) {
    e.starts = starts;
    e.ends = ends;
    e.all_day = like.all_day;
    e.body["start"] = point_at(object_at(like.body, "start"), starts, e.all_day, cal.time_zone);
    e.body["end"] = point_at(object_at(like.body, "end"), ends, e.all_day, cal.time_zone);
}

bool same(bj::object const& a, bj::object const& b, std::string_view name) {
    auto const *x = a.if_contains(name), *y = b.if_contains(name);
    return x == nullptr || y == nullptr ? x == y : *x == *y;
}

// What the exception had not changed takes the master's new value.
event followed(calendar const& cal, event const& exception, event const& old, event const& now) {
    event next = exception;
    std::set<std::string> names;
    for (auto const* body : {&old.body, &now.body})
        for (auto const& [name, _] : *body) names.emplace(name);
    for (auto const& name : names) {
        if (std::ranges::find(its_own, name) != its_own.end() || !same(exception.body, old.body, name)) continue;
        if (auto const* v = now.body.if_contains(name)) next.body[name] = *v;
        else next.body.erase(name);
    }
    bool const unmoved = exception.starts == exception.original && exception.all_day == old.all_day &&
                         exception.ends - exception.starts == old.ends - old.starts;
    if (unmoved) set_times(next, cal, now, exception.original, exception.original + (now.ends - now.starts));
    for (auto const& [user, reminders] : now.reminders) {
        auto const mine = exception.reminders.find(user), before = old.reminders.find(user);
        bool const untouched = mine == exception.reminders.end() ? before == old.reminders.end()
                                                                 : before != old.reminders.end() && mine->second == before->second;
        if (untouched) next.reminders[user] = reminders;
    }
    return next;
}

}  // namespace

bool is_exception(event const& e) { return e.body.contains("recurringEventId"); }
std::string_view master_id_of(event const& e) { return text_at(e.body, "recurringEventId"); }

instant begins(calendar const& cal, event const& e) { return e.all_day ? midnight_in(e.starts, cal.time_zone) : e.starts; }
instant finishes(calendar const& cal, event const& e) { return e.all_day ? midnight_in(e.ends, cal.time_zone) : e.ends; }

event instance_of(calendar const& cal, event const& master, instant original) {
    event e = master;
    e.id = instance_id(master.id, original, master.all_day);
    e.change = 0;
    e.original = original;
    e.original_all_day = master.all_day;
    e.body.erase("recurrence");
    set_times(e, cal, master, original, original + (master.ends - master.starts));
    e.body["recurringEventId"] = master.id;
    e.body["originalStartTime"] = e.body["start"];
    return e;
}

std::optional<event> find_instance(calendar& cal, std::string_view id) {
    auto const name = read_instance_id(id);
    auto const* master = name ? find_event(cal, name->master) : nullptr;
    if (master == nullptr || !master->body.contains("recurrence") || is_exception(*master) || master->all_day != name->all_day)
        return std::nullopt;
    if (!has_start(series_of(*master, cal), name->original)) return std::nullopt;
    return instance_of(cal, *master, name->original);
}

target aim(calendar& cal, std::string_view id) {
    target out;
    out.kept = find_event(cal, id);
    if (out.kept == nullptr || out.kept->orphan) out.instance = find_instance(cal, id);
    return out;
}

event& keep(calendar& cal, target& at, event&& next) {
    next.orphan = false;
    // Where it stands in the log now, which may not be where it stood when `next` was made from it.
    if (at.kept != nullptr) next.change = at.kept->change;
    if (!at.instance) {
        *at.kept = std::move(next);
        return *at.kept;
    }
    at.kept = &store(cal, std::move(next));
    at.instance.reset();
    return *at.kept;
}

std::vector<event*> exceptions_of(calendar& cal, std::string_view master, bool orphans) {
    std::vector<event*> out;
    std::string const prefix = std::string(master) + "_";
    for (auto it = cal.events.lower_bound(prefix); it != cal.events.end() && it->first.starts_with(prefix); ++it)
        if (master_id_of(it->second) == master && (orphans || !it->second.orphan)) out.push_back(&it->second);
    std::ranges::sort(out, {}, [](event const* e) { return e->original; });
    return out;
}

namespace {

// What somebody may still hold of a series that had gone: told again, as an occurrence or as none.
void tell_vanished(core& c, calendar& cal, event const& master, writer const& w) {
    auto const lost = cal.vanished.find(master.id);
    if (lost == cal.vanished.end()) return;
    auto const ids = std::move(lost->second);
    cal.vanished.erase(lost);
    for (auto const& id : ids) {
        if (cal.events.contains(id)) continue;
        if (auto instance = find_instance(cal, id)) {
            touch(c, cal, store(cal, std::move(*instance)), "update", w);
        } else if (auto const name = read_instance_id(id)) {
            event gone = instance_of(cal, master, name->original);
            gone.id = id;
            gone.original_all_day = name->all_day;
            gone.orphan = true;
            cancel(gone, false);
            touch(c, cal, store(cal, std::move(gone)), "delete", w);
        }
    }
}

}  // namespace

void after_write(core& c, calendar& cal, event const& old, event const& now, writer const& w) {
    if (is_exception(now)) return;
    if (old.cancelled && !now.cancelled) tell_vanished(c, cal, now, w);
    if (!old.body.contains("recurrence") && !now.body.contains("recurrence")) return;
    auto const all = exceptions_of(cal, now.id, true);
    if (all.empty()) return;
    std::set<instant> starts;
    if (now.body.contains("recurrence"))
        walk(series_of(now, cal), [&](instant at) {
            starts.insert(at);
            return at <= all.back()->original;
        });
    for (auto* e : all) {
        bool const made = e->original_all_day == now.all_day && starts.contains(e->original);
        if (e->orphan && made) {
            auto next = instance_of(cal, now, e->original);
            next.change = e->change;
            *e = std::move(next);
            touch(c, cal, *e, "update", w);
        } else if (!e->orphan && !made) {
            e->orphan = true;
            cancel(*e, false);
            touch(c, cal, *e, "delete", w);
        } else if (made && !e->cancelled) {
            auto next = followed(cal, *e, old, now);
            if (next.body == e->body && next.reminders == e->reminders) continue;
            bool const content = next.body != e->body;
            *e = std::move(next);
            touch(c, cal, *e, "update", w, content);
        }
    }
}

void drop_exceptions(calendar& cal, std::string_view master) {
    for (auto* e : exceptions_of(cal, master, true)) {
        cal.vanished[std::string(master)].insert(e->id);
        erase(cal, *e);
    }
}

std::vector<event> expand(calendar& cal, event const& master, std::optional<instant> from, std::optional<instant> to, std::size_t most) {
    std::vector<event> out;
    std::set<instant> changed;
    auto const wanted = [&](event const& e) { return (!from || finishes(cal, e) > *from) && (!to || begins(cal, e) < *to); };
    for (auto const* e : exceptions_of(cal, master.id)) {
        changed.insert(e->original);
        if (wanted(*e)) out.push_back(*e);
    }
    for (auto const at : starts_within(series_of(master, cal), from, to, most))
        if (!changed.contains(at)) out.push_back(instance_of(cal, master, at));
    std::ranges::sort(out, {}, &event::id);
    return out;
}

}  // namespace calbridge::emulator
