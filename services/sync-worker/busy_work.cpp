#include "pass.h"

#include "store/busy.h"

#include "domain/busy.h"

#include <algorithm>
#include <set>

namespace calbridge::worker {

namespace {

constexpr std::chrono::hours day{24};
constexpr instant far_away{std::chrono::sys_days{std::chrono::year(9000) / 1 / 1}};  // single events block however far ahead they are
constexpr int exceptions_read_max = 5000;
constexpr int sources_at_once = 200;

struct busy_page {
    std::vector<std::string> sources;
    std::vector<store::busy_row> rows;
    std::vector<store::odd_event> odd;
};

struct busy_reader {
    instant now;
    std::chrono::hours horizon;
    std::string zone;
    bool tentative;

    void add(domain::calendar_event const& event, std::vector<domain::calendar_event> const& exceptions, busy_page& to) const {
        to.sources.push_back(event.id);
        bool const series = !event.recurrence.empty();
        domain::occurrence_window const within{.from = now - day, .to = series ? now + horizon : far_away};
        auto const found = domain::busy_spans(event, exceptions, within, zone);
        if (!found) {
            if (series && !event.is_cancelled()) to.odd.push_back({event.id, "unreadable_series", found.error().context, event.raw});
            return;
        }
        for (domain::busy_span const& span : found->spans)
            if (tentative || !span.tentative) to.rows.push_back({span.event_id, event.id, span.starts, span.ends});
    }
};

busy_reader reader_of(pass const& p, surroundings const& around) {
    return {.now = around.now,
            .horizon = p.with.within.blocked_horizon,
            .zone = around.calendar.time_zone,
            .tentative = blocks_tentative(around.connection)};
}

using by_series = std::map<std::string, std::vector<domain::calendar_event>>;

task<result<by_series>> exceptions_of(pass& p, pg::transaction& tx, std::string const& zone, std::vector<std::string> series) {
    by_series out;
    auto kept = co_await store::mirrored_exceptions(tx, p.held, std::move(series), exceptions_read_max);
    if (!kept) co_return kept.error();
    for (store::mirrored_raw const& each : *kept) {
        auto event = google::read_kept_event(each.raw, zone);
        if (!event || !each.series) continue;
        event->status = each.status;
        event->recurring_event_id = *each.series;
        complete_exception(*event);
        out[*each.series].push_back(std::move(*event));
    }
    co_return out;
}

}  // namespace

task<result<void>> note_busy(pass& p, pg::transaction& tx, surroundings const& around, std::vector<domain::calendar_event> const& items) {
    std::map<std::string, domain::calendar_event const*> whole, exceptions;
    std::set<std::string> masters;
    for (domain::calendar_event const& event : items) {
        if (event.recurring_event_id.empty()) {
            whole[event.id] = &event;
        } else {
            exceptions[event.id] = &event;
            masters.insert(event.recurring_event_id);
        }
    }
    std::vector<std::string> not_on_page;
    for (std::string const& id : masters)
        if (!whole.contains(id)) not_on_page.push_back(id);
    std::string const zone = around.calendar.time_zone;
    auto mirrored = co_await store::mirrored_events(tx, p.held, std::move(not_on_page));
    if (!mirrored) co_return mirrored.error();
    std::map<std::string, domain::calendar_event> read;
    for (store::mirrored_raw const& each : *mirrored) {
        auto event = google::read_kept_event(each.raw, zone);
        if (!event) continue;
        event->status = each.status;
        read[each.event_id] = std::move(*event);
    }
    for (auto const& [id, event] : read) whole[id] = &event;
    std::vector<std::string> series;
    for (auto const& [id, event] : whole)
        if (!event->recurrence.empty()) series.push_back(id);
    auto of_series = co_await exceptions_of(p, tx, zone, std::move(series));
    if (!of_series) co_return of_series.error();

    busy_reader const reader = reader_of(p, around);
    busy_page page;
    std::vector<domain::calendar_event> const none;
    for (auto const& [id, event] : whole) {
        auto const found = of_series->find(id);
        reader.add(*event, found == of_series->end() ? none : found->second, page);
    }
    // Somebody who may see busy times only is shown occurrences without their series.
    for (auto const& [id, event] : exceptions)
        if (!whole.contains(event->recurring_event_id)) reader.add(*event, none, page);
    p.out.odd += page.odd.size();
    auto aside = co_await store::quarantine_events(tx, p.held, std::move(page.odd));
    if (!aside) co_return aside.error();
    co_return co_await store::save_busy(tx, p.held, p.connection.id, std::move(page.sources), std::move(page.rows));
}

task<result<void>> roll_busy(pass& p) {
    instant const now = p.with.now.now();
    instant const edge = now + p.with.within.blocked_horizon;
    if (p.calendar.blocked_until && *p.calendar.blocked_until >= edge - day) co_return result<void>{};
    bool const everything = !p.calendar.blocked_until;
    std::string after;
    for (;;) {
        auto begun = co_await p.with.db.begin(p.held.tenant);
        if (!begun) co_return begun.error();
        pg::transaction& tx = **begun;
        auto calendar = co_await store::check_lease(tx, p.held);
        if (!calendar) co_return calendar.error();
        surroundings const around = surroundings_of(p, *calendar);
        auto sources = co_await store::busy_sources(tx, p.held, after, everything, sources_at_once);
        if (!sources) co_return sources.error();
        std::vector<std::string> ids;
        for (store::mirrored_raw const& each : *sources) ids.push_back(each.event_id);
        auto of_series = co_await exceptions_of(p, tx, around.calendar.time_zone, std::move(ids));
        if (!of_series) co_return of_series.error();
        busy_reader const reader = reader_of(p, around);
        busy_page page;
        for (store::mirrored_raw const& each : *sources)
            if (auto event = google::read_kept_event(each.raw, around.calendar.time_zone))
                reader.add(*event, (*of_series)[each.event_id], page);
        bool const last = sources->size() < static_cast<std::size_t>(sources_at_once);
        if (!sources->empty()) after = sources->back().event_id;
        auto saved = co_await store::save_busy(tx, p.held, p.connection.id, std::move(page.sources), std::move(page.rows));
        if (!saved) co_return saved.error();
        if (last) {
            auto moved = co_await store::move_busy_edge(tx, p.held, edge, now - day);
            if (!moved) co_return moved.error();
        }
        auto done = co_await tx.commit();
        if (!done) co_return done.error();
        if (last) co_return result<void>{};
    }
}

}  // namespace calbridge::worker
