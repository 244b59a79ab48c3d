#include "store/occurrences.h"

#include "store/row_reader.h"

namespace calbridge::store {

namespace {

constexpr pg::statement open_ones{"open_occurrences", R"(
    SELECT t.tenant_id, t.occurrence FROM tasks t JOIN task_links l ON (l.tenant_id, l.task_id) = (t.tenant_id, t.task_id)
    WHERE t.tenant_id = $1 AND t.series_task_id = $2 AND l.state <> 'ended'
    ORDER BY t.occurrence)"};
constexpr pg::statement count_ones{"count_occurrences", R"(
    SELECT tenant_id, series_task_id, count(*) FROM tasks
    WHERE tenant_id = $1 AND series_task_id = ANY ($2)
    GROUP BY 1, 2)"};
constexpr pg::statement end_rows{"end_occurrence_rows", R"(
    UPDATE tasks SET state = 'removed', reason = $4, explanation = '', failures = 0, retry_at = NULL
    WHERE tenant_id = $1 AND series_task_id = $2 AND occurrence = ANY ($3) AND synced_seq >= dirty_seq AND state <> 'removed')"};
constexpr pg::statement end_links{"end_occurrence_links", R"(
    UPDATE task_links l SET state = 'ended', state_reason = $4, ended_at = now(), has_conflict = false, conflict_data = NULL, frozen = false,
    meet_pending = false
    FROM tasks t
    WHERE t.tenant_id = $1 AND t.series_task_id = $2 AND t.occurrence = ANY ($3) AND t.state = 'removed'
    AND (l.tenant_id, l.task_id) = (t.tenant_id, t.task_id) AND l.state <> 'ended')"};
// What the CRM said last is from before the move; its next word counts again.
constexpr pg::statement move_wish{"move_calendar_wish", R"(
    UPDATE tasks SET snapshot = jsonb_set(snapshot, '{calendar}', to_jsonb($3::text))
    WHERE tenant_id = $1 AND task_id = $2 AND coalesce(snapshot ->> 'calendar', '') <> '')"};
constexpr pg::statement move_rows{"moved_occurrence_rows", R"(
    UPDATE tasks SET calendar_id = $3
    WHERE tenant_id = $1 AND series_task_id = $2 AND calendar_id IS DISTINCT FROM $3)"};
constexpr pg::statement move_links{"moved_occurrence_links", R"(
    UPDATE task_links l SET calendar_id = $3, google_calendar_id = $4
    FROM tasks t
    WHERE t.tenant_id = $1 AND t.series_task_id = $2 AND (l.tenant_id, l.task_id) = (t.tenant_id, t.task_id) AND l.state <> 'ended')"};

}  // namespace

task<result<std::vector<std::string>>> open_occurrences(pg::transaction& tx, tenant_id tenant, task_id series) {
    pg::params with;
    with.add(tenant).add(series);
    auto const rows = co_await tx.query(open_ones, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        r.tenant(tenant);
        keys.push_back(r.text());
    }
    co_return keys;
}

task<result<std::map<std::string, std::int64_t>>> count_occurrences(pg::transaction& tx, tenant_id tenant,
                                                                    std::vector<std::string> series) {
    std::map<std::string, std::int64_t> counts;
    if (series.empty()) co_return counts;
    pg::params with;
    with.add(tenant).add_array(series);
    auto const rows = co_await tx.query(count_ones, std::move(with));
    if (!rows) co_return rows.error();
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        r.tenant(tenant);
        std::string const id = r.text();
        counts[id] = r.integer();
    }
    co_return counts;
}

task<result<void>> end_these_occurrences(pg::transaction& tx, tenant_id tenant, task_id series, std::vector<std::string> keys,
                                         std::string reason) {
    if (keys.empty()) co_return result<void>{};
    pg::params with;
    with.add(tenant).add(series).add_array(keys).add(reason);
    std::vector<pg::transaction::step> steps;
    steps.push_back({&end_rows, with});
    steps.push_back({&end_links, with});
    auto const rows = co_await tx.batch(std::move(steps));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<void>> note_moved_event(pg::transaction& tx, tenant_id tenant, task_id series, calendar_id to, std::string google_calendar_id) {
    pg::params rows_moved;
    rows_moved.add(tenant).add(series).add(to);
    pg::params links_moved = rows_moved;
    links_moved.add(google_calendar_id);
    pg::params wish;
    wish.add(tenant).add(series).add(google_calendar_id);
    std::vector<pg::transaction::step> steps;
    steps.push_back({&move_wish, std::move(wish)});
    steps.push_back({&move_rows, std::move(rows_moved)});
    steps.push_back({&move_links, std::move(links_moved)});
    auto const rows = co_await tx.batch(std::move(steps));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

}  // namespace calbridge::store
