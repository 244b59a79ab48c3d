#include "page_work.h"

#include "store/occurrences.h"

#include "domain/recurrence.h"
#include "domain/scope.h"

#include <algorithm>

namespace calbridge::worker {

bool is_open(store::task_and_link const& rows) { return rows.link && rows.link->state != domain::link_state::ended; }

std::optional<store::operation_row> stamped_by(page_view const& v, domain::calendar_event const& event) {
    auto const id = parse_uuid(event.operation);
    if (!id) return {};
    auto const found = v.operations.find(*id);
    return found == v.operations.end() ? std::nullopt : std::optional(found->second);
}

void set_aside(page_view& v, domain::calendar_event const& event, std::string reason, std::string detail) {
    ++v.p.out.odd;
    v.odd.push_back({event.id, std::move(reason), std::move(detail), event.raw});
}

store::task_and_link after(effects const& e) {
    store::task_and_link rows;
    rows.task = e.task;
    if (e.raise_dirty) ++rows.task.dirty_seq;
    if (e.synced) rows.task.synced_seq = *e.synced;
    rows.link = e.link;
    return rows;
}

task<result<void>> take_in(page_view& v, inbound const& seen, domain::calendar_event const& event) {
    if (seen.odd) {
        set_aside(v, event, "unreadable_event", *seen.odd);
        if (seen.change.task_is_new) co_return result<void>{};
    }
    co_return co_await write(v.p.with, v.tx, seen.change, v.messages, v.p.cause);
}

namespace {

// A series whose rule changed in Google: exceptions it makes room for may be known already; one that a person cut may go on under another
// event, and the occurrences behind the cut end quietly with it. Before `seen` is written, which wakes what is left.
task<result<void>> follow_rule(page_view& v, store::task_and_link const& before, effects const& seen) {
    domain::fields const* const shown = before.link->remote        ? &*before.link->remote
                                        : before.link->google_base ? &*before.link->google_base
                                                                   : nullptr;
    bool const lives = seen.link && seen.link->state == domain::link_state::live && seen.link->remote;
    if (!shown || !lives || !pulls(v.around.connection.mode)) co_return result<void>{};
    domain::fields const& now = *seen.link->remote;
    if (domain::same(domain::field::recurrence, *shown, now) && domain::same(domain::field::time, *shown, now)) co_return result<void>{};
    if (!now.recurrence.empty()) v.reread.push_back(seen.link->event_id);
    auto const cut = shown->recurrence.empty() ? std::nullopt : domain::cut_at(shown->recurrence, now.recurrence, shown->time);
    if (!cut) co_return result<void>{};
    store::task_and_link series = after(seen);
    v.cuts.push_back({std::move(series), *shown, *cut});
    auto open = co_await store::open_occurrences(v.tx, v.p.held.tenant, seen.task.id);
    if (!open) co_return open.error();
    std::vector<std::string> const gone = dropped_occurrences(*seen.link, *open);
    for (std::string const& key : gone) v.quiet.insert(domain::occurrence_row(seen.task.id, key).str());
    co_return co_await store::end_these_occurrences(v.tx, v.p.held.tenant, seen.task.id, gone, "not_in_series");
}

task<result<void>> linked_event(page_view& v, domain::calendar_event const& event, store::task_and_link const& rows,
                                std::map<std::string, moved_event> const& moved) {
    ++v.p.out.linked;
    // Our own move, whose answer is still to be read, sees to itself; meanwhile its exceptions go from here too.
    bool const under_way = event.is_cancelled() && rows.unanswered && rows.unanswered->kind == "move";
    if (under_way) v.gone.insert(event.id);
    auto const elsewhere = event.is_cancelled() && !under_way ? moved.find(event.id) : moved.end();
    inbound seen;
    if (elsewhere != moved.end()) {
        surroundings const there = surroundings_of(v.p, elsewhere->second.to);
        seen = moved_in_google(rows, elsewhere->second.event, there);
        v.gone.insert(event.id);
    } else {
        seen = event_seen(rows, stamped_by(v, event), event, v.around);
    }
    store::task_and_link const now = after(seen.change);
    if (elsewhere == moved.end()) {
        auto followed = co_await follow_rule(v, rows, seen.change);
        if (!followed) co_return followed.error();
    }
    auto taken = co_await take_in(v, seen, event);
    if (!taken) co_return taken.error();
    if (elsewhere != moved.end()) {
        store::calendar_row const& to = elsewhere->second.to;
        co_return co_await store::note_moved_event(v.tx, v.p.held.tenant, now.task.id, to.id, to.google_id);
    }
    if (!now.link || now.link->state == domain::link_state::ended) {
        v.gone.insert(event.id);
        v.series.erase(event.id);
    } else {
        v.series[event.id] = now;
    }
    co_return result<void>{};
}

task<result<void>> lock(page_view& v) {
    std::vector<std::string> ids;
    std::vector<uuid> operations;
    for (auto const& [id, at] : v.newest) {
        domain::calendar_event const& event = v.items[at];
        ids.push_back(id);
        if (auto const name = exception_named(event)) ids.push_back(name->master);
        else if (has_root(id)) ids.push_back(root_id(id));
        if (auto operation = parse_uuid(event.operation)) operations.push_back(*operation);
    }
    std::ranges::sort(ids);
    auto const repeats = std::ranges::unique(ids);
    ids.erase(repeats.begin(), repeats.end());
    auto locked = co_await store::lock_page(v.tx, v.p.held.tenant, v.p.held.calendar, std::move(ids), std::move(operations));
    if (!locked) co_return locked.error();
    for (store::task_and_link& rows : locked->links) {
        if (!rows.link) continue;
        std::string const id = rows.link->event_id;
        if (is_open(rows) && !rows.task.series) v.series[id] = rows;
        v.rows[id] = std::move(rows);
    }
    for (store::operation_row& operation : locked->operations) v.operations[operation.id.value] = std::move(operation);
    co_return result<void>{};
}

// Masters and single events first: what their exceptions mean depends on them.
task<result<void>> whole_events(page_view& v, std::map<std::string, moved_event> const& moved) {
    for (auto const& [id, at] : v.newest) {
        domain::calendar_event const& event = v.items[at];
        if (exception_named(event)) continue;
        auto const known = v.rows.find(id);
        if (known == v.rows.end() || !is_open(known->second)) continue;
        store::task_and_link const rows = known->second;
        auto done = co_await linked_event(v, event, rows, moved);
        if (!done) co_return done.error();
    }
    co_return result<void>{};
}

task<result<void>> mirror_all(page_view& v) {
    bool const busy_only = v.around.connection.mode == domain::sync_mode::busy_only;
    std::vector<store::mirrored_event> mirrored;
    mirrored.reserve(v.newest.size());
    for (auto const& [id, at] : v.newest) {
        domain::calendar_event const& event = v.items[at];
        std::optional<link_id> link;
        bool from_google = true;
        if (auto const known = v.rows.find(id); known != v.rows.end() && known->second.link) {
            link = known->second.link->id;
            from_google = known->second.task.origin == "google";
        }
        if (auto const made = v.made.find(id); made != v.made.end()) link = made->second;
        bool const details = !busy_only && !(is_private(event) && from_google);
        mirrored.push_back(mirror_of(event, link, details));
    }
    auto changed = co_await store::mirror(v.tx, v.p.held, std::move(mirrored), v.p.out.full ? v.p.pass_id : 0);
    if (!changed) co_return changed.error();
    v.p.out.changed += *changed;
    std::vector<std::string> gone;
    for (auto const& [id, at] : v.newest)
        if (v.items[at].is_cancelled() && !exception_named(v.items[at])) gone.push_back(id);
    co_return co_await store::cancel_exceptions(v.tx, v.p.held, std::move(gone));
}

}  // namespace

task<result<void>> apply_items(pass& p, pg::transaction& tx, surroundings const& around, std::vector<domain::calendar_event> items,
                               std::map<std::string, moved_event> const& moved, std::vector<store::outbox_message>& messages) {
    page_view v{p, tx, around, messages, std::move(items)};
    for (std::size_t i = 0; i < v.items.size(); ++i) {
        if (v.items[i].is_cancelled()) complete_exception(v.items[i]);
        // The same event twice in one page: the last one wins.
        v.newest[v.items[i].id] = i;
    }
    if (around.connection.mode != domain::sync_mode::busy_only) {
        auto locked = co_await lock(v);
        if (!locked) co_return locked.error();
        auto whole = co_await whole_events(v, moved);
        if (!whole) co_return whole.error();
        auto imported = co_await take_in_imports(v);
        if (!imported) co_return imported.error();
        auto exceptions = co_await take_in_exceptions(v);
        if (!exceptions) co_return exceptions.error();
    }
    auto mirrored = co_await mirror_all(v);
    if (!mirrored) co_return mirrored.error();
    auto aside = co_await store::quarantine_events(tx, p.held, std::move(v.odd));
    if (!aside) co_return aside.error();
    co_return co_await note_busy(p, tx, around, v.items);
}

}  // namespace calbridge::worker
