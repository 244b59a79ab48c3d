#include "page_work.h"

#include "domain/recurrence.h"

#include <algorithm>

namespace calbridge::worker {

namespace {

constexpr std::chrono::hours cut_remembered{24};  // a tail may come this long after its series was cut

struct candidate {
    domain::calendar_event event;
    std::optional<continuation> from;
    bool on_page{true};
};

bool may_be_tail(domain::calendar_event const& event) { return !event.recurrence.empty() || has_root(event.id) || !event.stamp.empty(); }

// Series that were cut by a pull some time ago: what followed them may come only now.
task<result<std::vector<series_cut_seen>>> earlier_cuts(page_view& v) {
    std::vector<series_cut_seen> cuts;
    auto pulled = co_await store::series_pulled_since(v.tx, v.p.held, std::chrono::duration_cast<std::chrono::seconds>(cut_remembered));
    if (!pulled) co_return pulled.error();
    std::map<std::string, store::pulled_series const*> wanted;
    std::vector<std::string> tasks;
    for (store::pulled_series const& each : *pulled) {
        if (each.before.recurrence.empty() || !wanted.emplace(each.task.str(), &each).second) continue;
        tasks.push_back(each.task.str());
    }
    auto rows = co_await store::lock_tasks(v.tx, v.p.held.tenant, std::move(tasks));
    if (!rows) co_return rows.error();
    for (store::task_and_link& each : *rows) {
        store::pulled_series const& pull = *wanted.at(each.task.id.str());
        auto const key = domain::cut_at(pull.before.recurrence, pull.after.recurrence, pull.before.time);
        if (key && each.link) cuts.push_back({std::move(each), pull.before, *key});
    }
    co_return cuts;
}

std::optional<continuation> followed_by(page_view const& v, std::vector<series_cut_seen> const& cuts, domain::calendar_event const& tail) {
    for (series_cut_seen const& cut : cuts)
        if (continues(tail, cut, v.around)) return continuation{cut.series.task, cut.key};
    auto const root = has_root(tail.id) ? v.series.find(root_id(tail.id)) : v.series.end();
    if (root == v.series.end()) return {};
    auto const key = continued_from(tail, *root->second.link);
    if (!key) return {};
    return continuation{root->second.task, *key};
}

// Tails that came before the cut on this page: unlinked ones become tasks, imported ones are told of.
task<result<void>> earlier_tails(page_view& v, std::vector<candidate>& to) {
    std::vector<instant> starts;
    std::vector<std::string> roots;
    for (series_cut_seen const& cut : v.cuts) {
        if (auto const at = domain::start_of_occurrence(cut.key, cut.before.time.zone))
            starts.push_back(at->all_day ? std::chrono::time_point_cast<std::chrono::microseconds>(at->first_day) : at->start);
        roots.push_back(root_id(cut.series.link->event_id));
    }
    auto mirrored = co_await store::mirrored_series(v.tx, v.p.held, std::move(starts), std::move(roots));
    if (!mirrored) co_return mirrored.error();
    std::map<std::string, continuation> linked;
    std::vector<std::string> linked_ids;
    for (store::mirrored_raw const& each : *mirrored) {
        if (v.newest.contains(each.event_id)) continue;
        auto event = google::read_kept_event(each.raw, v.around.calendar.time_zone);
        if (!event) continue;
        auto from = followed_by(v, v.cuts, *event);
        if (!from) continue;
        if (each.link) {
            linked_ids.push_back(each.event_id);
            linked.emplace(each.event_id, std::move(*from));
        } else {
            to.push_back({std::move(*event), std::move(from), false});
        }
    }
    if (linked.empty()) co_return result<void>{};
    auto locked = co_await store::lock_page(v.tx, v.p.held.tenant, v.p.held.calendar, std::move(linked_ids), {});
    if (!locked) co_return locked.error();
    for (store::task_and_link& rows : locked->links) {
        if (!is_open(rows) || rows.task.split_from_task || rows.task.origin != "google") continue;
        continuation const from = linked.at(rows.link->event_id);
        if (from.parent.id == rows.task.id) continue;
        effects const told = split_recognised(rows, from, v.around);
        auto noted = co_await store::note_split(v.tx, v.p.held.tenant, told.task.id, from.parent.id, from.key);
        if (!noted) co_return noted.error();
        auto written = co_await write(v.p.with, v.tx, told, v.messages, v.p.cause);
        if (!written) co_return written.error();
    }
    co_return result<void>{};
}

task<result<std::vector<candidate>>> find_candidates(page_view& v) {
    std::vector<candidate> out;
    import_rules const rules = import_rules_of(v.around.connection);
    std::vector<series_cut_seen> cuts = v.cuts;
    bool looked_back = false;
    for (auto const& [id, at] : v.newest) {
        domain::calendar_event const& event = v.items[at];
        if (event.is_cancelled() || !event.time || exception_named(event) || v.rows.contains(id)) continue;
        std::optional<continuation> from;
        if (may_be_tail(event)) {
            from = followed_by(v, cuts, event);
            if (!from && !looked_back) {
                looked_back = true;
                auto earlier = co_await earlier_cuts(v);
                if (!earlier) co_return earlier.error();
                std::ranges::move(*earlier, std::back_inserter(cuts));
                from = followed_by(v, cuts, event);
            }
        }
        if (from || not_imported(event, rules, v.around).empty()) out.push_back({event, std::move(from), true});
    }
    if (!v.cuts.empty()) {
        auto tails = co_await earlier_tails(v, out);
        if (!tails) co_return tails.error();
    }
    co_return out;
}

}  // namespace

task<result<void>> take_in_imports(page_view& v) {
    if (!pulls(v.around.connection.mode)) co_return result<void>{};
    auto candidates = co_await find_candidates(v);
    if (!candidates) co_return candidates.error();
    if (candidates->empty()) co_return result<void>{};
    std::vector<std::string> ids;
    for (candidate const& c : *candidates) ids.push_back(c.event.id);
    auto known = co_await store::known_events(v.tx, v.p.held.tenant, std::move(ids));
    if (!known) co_return known.error();
    std::ranges::sort(*known);
    std::erase_if(*candidates, [&](candidate const& c) { return std::ranges::binary_search(*known, c.event.id); });

    std::vector<imported_event> made;
    std::vector<store::meeting_claim> claims;
    for (candidate const& c : *candidates) {
        auto one = import_event(c.event, c.from, v.around);
        if (!one) {
            set_aside(v, c.event, "unreadable_event", "An event to be imported could not be read.");
            continue;
        }
        claims.push_back(one->claim);
        made.push_back(std::move(*one));
    }
    auto won = co_await store::claim_meetings(v.tx, v.p.held.tenant, std::move(claims));
    if (!won) co_return won.error();
    std::vector<store::imported_rows> rows;
    std::vector<domain::task_update> updates;
    for (std::size_t i = 0; i < made.size(); ++i) {
        if (!(*won)[i]) continue;
        rows.push_back(std::move(made[i].rows));
        updates.push_back(std::move(made[i].update));
    }
    auto inserted = co_await store::insert_imports(v.tx, rows);
    if (!inserted) co_return inserted.error();
    auto told = co_await tell_crm(v.p.with, v.tx, updates, v.messages, v.p.cause);
    if (!told) co_return told.error();
    v.p.out.imported += rows.size();
    for (store::imported_rows& each : rows) {
        std::string const id = each.link.event_id;
        v.made[id] = each.link.id;
        if (each.link.base->recurrence.empty()) continue;
        v.reread.push_back(id);
        store::task_and_link now;
        now.task = std::move(each.task);
        now.link = std::move(each.link);
        v.series[id] = std::move(now);
    }
    co_return result<void>{};
}

}  // namespace calbridge::worker
