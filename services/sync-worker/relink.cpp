#include "authorised.h"
#include "pass.h"

#include <algorithm>

namespace calbridge::worker {

namespace {

constexpr int calls_where_mirrored_max = 500;
constexpr int calls_on_suspicion_max = 50;

struct suspects {
    std::vector<std::string> linked;
    std::int64_t known{0};
    std::map<std::string, calendar_id> mirrored;  // another calendar of the connection shows the event
    std::vector<store::calendar_row> others;
};

task<result<suspects>> look_at_rows(pass& p, std::vector<std::string> ids) {
    suspects out;
    auto begun = co_await p.with.db.begin(p.held.tenant);
    if (!begun) co_return begun.error();
    pg::transaction& tx = **begun;
    auto linked = co_await store::linked_here(tx, p.held, std::move(ids));
    if (!linked) co_return linked.error();
    out.linked = std::move(*linked);
    if (out.linked.empty()) co_return out;
    auto known = co_await store::count_live_links(tx, p.held);
    if (!known) co_return known.error();
    out.known = *known;
    auto others = co_await store::other_calendars(tx, p.held, p.connection.id);
    if (!others) co_return others.error();
    out.others = std::move(*others);
    auto elsewhere = co_await store::mirrored_elsewhere(tx, p.held, p.connection.id, out.linked);
    if (!elsewhere) co_return elsewhere.error();
    for (store::event_elsewhere const& each : *elsewhere) out.mirrored.emplace(each.event.event_id, each.calendar);
    co_return out;
}

// The event in that calendar; empty: not there, or deleted there too.
task<google::answer<std::optional<domain::calendar_event>>> seen_in(pass& p, store::calendar_row const& calendar, std::string id) {
    std::function<task<google::answer<domain::calendar_event>>(secret const&)> read = [&](secret const& token) {
        return p.with.api.get(token, calendar.google_id, id, in(p.with.within.call_time_max));
    };
    auto event = co_await authorised<domain::calendar_event>(p.with, p.held.tenant, p.connection.id, read);
    if (event) {
        if (event->is_cancelled()) co_return std::optional<domain::calendar_event>{};
        co_return std::optional<domain::calendar_event>(std::move(*event));
    }
    bool const missing = event.error().code == errc::not_found || event.error().code == errc::gone || event.error().calendar_gone;
    if (missing) co_return std::optional<domain::calendar_event>{};
    co_return event.error();
}

}  // namespace

task<result<std::optional<deletions>>> look_at_deletions(pass& p, std::vector<domain::calendar_event> const& items) {
    deletions out;
    std::vector<std::string> ids;
    for (domain::calendar_event const& event : items)
        if (event.is_cancelled() && !exception_named(event)) ids.push_back(event.id);
    if (ids.empty() || p.connection.mode == domain::sync_mode::busy_only) co_return std::optional<deletions>(std::move(out));
    auto rows = co_await look_at_rows(p, std::move(ids));
    if (!rows) co_return rows.error();
    out.known = rows->known;
    int where_mirrored = calls_where_mirrored_max, on_suspicion = calls_on_suspicion_max;
    for (std::string const& id : rows->linked) {
        auto const mirrored = rows->mirrored.find(id);
        int& calls = mirrored != rows->mirrored.end() ? where_mirrored : on_suspicion;
        for (store::calendar_row const& other : rows->others) {
            if ((mirrored != rows->mirrored.end() && other.id != mirrored->second) || calls-- <= 0) continue;
            auto there = co_await seen_in(p, other, id);
            if (!there) {
                google::call_error const error = there.error();
                troubled(p, error, next_move::defer_calendar);
                co_return std::optional<deletions>{};
            }
            if (!*there) continue;
            out.moved.emplace(id, moved_event{other, std::move(**there)});
            break;
        }
    }
    out.linked = rows->linked.size() - out.moved.size();
    co_return std::optional<deletions>(std::move(out));
}

}  // namespace calbridge::worker
