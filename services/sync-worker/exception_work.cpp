#include "page_work.h"

#include "store/occurrences.h"

#include "domain/recurrence.h"
#include "domain/scope.h"

namespace calbridge::worker {

namespace {

struct found_exception {
    domain::calendar_event event;
    exception_name name;
    bool on_page;
};

struct known_exceptions {
    std::vector<found_exception> all;
    std::map<std::string, store::task_and_link> rows;     // by task id: rows without a link to the event
    std::map<std::string, store::mirrored_raw> mirrored;  // by event id, as the mirror has it
    std::map<std::string, std::int64_t> counts;           // by series' task id
};

task<result<std::vector<found_exception>>> find_exceptions(page_view& v) {
    std::vector<found_exception> all;
    for (auto const& [id, at] : v.newest)
        if (auto name = exception_named(v.items[at])) all.push_back({v.items[at], std::move(*name), true});
    // Those that came before their series was linked, or before its rule made room for them.
    auto kept = co_await store::mirrored_exceptions(v.tx, v.p.held, v.reread, static_cast<int>(exceptions_max) + 100);
    if (!kept) co_return kept.error();
    for (store::mirrored_raw const& each : *kept) {
        if (v.newest.contains(each.event_id)) continue;
        auto event = google::read_kept_event(each.raw, v.around.calendar.time_zone);
        if (!event) continue;
        event->status = each.status;
        complete_exception(*event);
        if (auto name = exception_named(*event)) all.push_back({std::move(*event), std::move(*name), false});
    }
    std::erase_if(all, [&](found_exception const& f) { return v.gone.contains(f.name.master); });
    co_return all;
}

task_id row_of(page_view const& v, found_exception const& f) {
    return domain::occurrence_row(v.series.at(f.name.master).task.id, f.name.key);
}

// Locks and reads what exists of the exceptions already.
task<result<void>> look(page_view& v, known_exceptions& known) {
    std::vector<std::string> not_on_page, without_link, ids, series;
    for (found_exception const& f : known.all)
        if (!f.on_page) not_on_page.push_back(f.event.id);
    if (!not_on_page.empty()) {
        auto locked = co_await store::lock_page(v.tx, v.p.held.tenant, v.p.held.calendar, std::move(not_on_page), {});
        if (!locked) co_return locked.error();
        for (store::task_and_link& rows : locked->links)
            if (rows.link) v.rows.emplace(rows.link->event_id, std::move(rows));
    }
    for (found_exception const& f : known.all) {
        if (v.rows.contains(f.event.id) || !v.series.contains(f.name.master)) continue;
        without_link.push_back(row_of(v, f).str());
        series.push_back(v.series.at(f.name.master).task.id.str());
        ids.push_back(f.event.id);
    }
    auto rows = co_await store::lock_tasks(v.tx, v.p.held.tenant, std::move(without_link));
    if (!rows) co_return rows.error();
    for (store::task_and_link& each : *rows) known.rows[each.task.id.str()] = std::move(each);
    auto mirrored = co_await store::mirrored_events(v.tx, v.p.held, std::move(ids));
    if (!mirrored) co_return mirrored.error();
    for (store::mirrored_raw& each : *mirrored) known.mirrored[each.event_id] = std::move(each);
    auto counts = co_await store::count_occurrences(v.tx, v.p.held.tenant, std::move(series));
    if (!counts) co_return counts.error();
    known.counts = std::move(*counts);
    co_return result<void>{};
}

task<result<void>> unlinked(page_view& v, known_exceptions& known, found_exception const& f) {
    store::task_and_link const series = v.series.at(f.name.master);
    std::optional<store::task_and_link> row;
    if (auto const ended = v.rows.find(f.event.id); ended != v.rows.end()) row = ended->second;
    else if (auto const waiting = known.rows.find(row_of(v, f).str()); waiting != known.rows.end()) row = waiting->second;
    // Linked to an instance of an event the series had before: the push sees to it.
    if (row && is_open(*row)) co_return result<void>{};
    auto const kept = known.mirrored.find(f.event.id);
    bool const same = kept != known.mirrored.end() && kept->second.etag == f.event.etag && kept->second.status == f.event.status;
    exception_seen const seen = unlinked_exception(series, row, f.name, f.event, same || !f.on_page, v.around);
    if (!seen.seen) co_return result<void>{};
    if (seen.makes_row) {
        std::int64_t& count = known.counts[series.task.id.str()];
        if (count >= exceptions_max) {
            set_aside(v, f.event, "too_many_exceptions", "The series has more changed occurrences than are followed one by one.");
            co_return result<void>{};
        }
        ++count;
    }
    ++v.p.out.linked;
    auto taken = co_await take_in(v, *seen.seen, f.event);
    if (!taken) co_return taken.error();
    if (!seen.seen->change.task.series) v.series[f.name.master] = after(seen.seen->change);
    else if (seen.seen->change.link) v.made[f.event.id] = seen.seen->change.link->id;
    co_return result<void>{};
}

}  // namespace

task<result<void>> take_in_exceptions(page_view& v) {
    known_exceptions known;
    auto found = co_await find_exceptions(v);
    if (!found) co_return found.error();
    known.all = std::move(*found);
    if (known.all.empty()) co_return result<void>{};
    auto looked = co_await look(v, known);
    if (!looked) co_return looked.error();
    for (found_exception const& f : known.all) {
        auto const linked = v.rows.find(f.event.id);
        auto const series = v.series.find(f.name.master);
        if (linked != v.rows.end() && is_open(linked->second)) {
            if (!f.on_page || v.quiet.contains(linked->second.task.id.str())) continue;
            ++v.p.out.linked;
            store::task_and_link rows = linked->second;
            if (series != v.series.end()) rows.series = series->second.link;
            inbound const seen = linked_exception(std::move(rows), stamped_by(v, f.event), f.name, f.event, v.around);
            auto taken = co_await take_in(v, seen, f.event);
            if (!taken) co_return taken.error();
        } else if (series != v.series.end()) {
            auto done = co_await unlinked(v, known, f);
            if (!done) co_return done.error();
        }
    }
    co_return result<void>{};
}

}  // namespace calbridge::worker
