#include "store/busy.h"

#include "store/fresh_plan.h"
#include "store/row_reader.h"

namespace calbridge::store {

namespace {

constexpr pg::statement drop_others{"drop_busy", R"(
    DELETE FROM blocked_times b
    WHERE b.tenant_id = $1 AND b.calendar_id = $2 AND b.source_event_id = ANY ($3)
    AND NOT EXISTS (SELECT 1 FROM unnest($4::text[], $5::timestamptz[]) AS i (id, starts) WHERE i.id = b.google_event_id
    AND i.starts = b.starts_at))"};
constexpr pg::statement put{"put_busy", R"(
    INSERT INTO blocked_times AS b (tenant_id, calendar_id, connection_id, google_event_id, source_event_id, starts_at, ends_at)
    SELECT DISTINCT ON (i.id, i.starts) $1, $2, $3, i.id, i.source, i.starts, i.ends
    FROM unnest($4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[]) AS i (id, source, starts, ends)
    ORDER BY i.id, i.starts, i.ends DESC
    ON CONFLICT (tenant_id, calendar_id, google_event_id, starts_at) DO UPDATE SET ends_at = excluded.ends_at,
    source_event_id = excluded.source_event_id
    WHERE (b.ends_at, b.source_event_id) IS DISTINCT FROM (excluded.ends_at, excluded.source_event_id))"};
constexpr pg::statement sources_after{"busy_sources", R"(
    SELECT e.tenant_id, e.google_event_id, e.etag, e.status, e.raw, e.recurring_event_id, e.original_start, e.link_id
    FROM events e
    WHERE e.tenant_id = $1 AND e.calendar_id = $2 AND e.google_event_id > $3 AND e.status <> 'cancelled'
    AND (e.recurring OR ($4 AND e.all_day AND e.recurring_event_id IS NULL))
    ORDER BY e.google_event_id LIMIT $5::bigint)"};
constexpr pg::statement series_after{"busy_series", R"(
    SELECT e.tenant_id, e.google_event_id, e.etag, e.status, e.raw, e.recurring_event_id, e.original_start, e.link_id
    FROM events e
    WHERE e.tenant_id = $1 AND e.calendar_id = $2 AND e.google_event_id > $3 AND e.status <> 'cancelled' AND e.recurring
    ORDER BY e.google_event_id LIMIT $4::bigint)"};
constexpr pg::statement drop_past{"drop_past_busy", "DELETE FROM blocked_times WHERE tenant_id = $1 AND calendar_id = $2 AND ends_at < $3"};
constexpr pg::statement move_edge{"move_busy_edge", R"(
    UPDATE calendars SET blocked_until = $4 WHERE tenant_id = $1 AND calendar_id = $2 AND lease_epoch = $3)"};

pg::params at(held_lease const& held) {
    pg::params with;
    with.add(held.tenant).add(held.calendar);
    return with;
}

}  // namespace

task<result<void>> save_busy(pg::transaction& tx, held_lease const& held, connection_id connection, std::vector<std::string> sources,
                             std::vector<busy_row> rows) {
    if (sources.empty()) co_return result<void>{};
    std::vector<std::string> ids, from;
    std::vector<std::optional<instant>> starts, ends;
    for (busy_row& each : rows) {
        ids.push_back(std::move(each.event_id));
        from.push_back(std::move(each.source));
        starts.push_back(each.starts);
        ends.push_back(each.ends);
    }
    pg::params dropped = at(held);
    dropped.add_array(sources).add_array(ids).add_array(starts);
    std::vector<pg::transaction::step> steps;
    steps.push_back({&plan_anew, {}});
    steps.push_back({&drop_others, std::move(dropped)});
    steps.push_back({&plan_as_usual, {}});
    if (!ids.empty()) {
        pg::params with = at(held);
        with.add(connection).add_array(ids).add_array(from).add_array(starts).add_array(ends);
        steps.push_back({&put, std::move(with)});
    }
    auto const done = co_await tx.batch(std::move(steps));
    if (!done) co_return done.error();
    co_return result<void>{};
}

task<result<std::vector<mirrored_raw>>> busy_sources(pg::transaction& tx, held_lease const& held, std::string after, bool all_day_too,
                                                     int most) {
    pg::params with = at(held);
    with.add(after);
    if (all_day_too) with.add(true);
    with.add(most);
    auto const rows = co_await tx.query(all_day_too ? sources_after : series_after, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<mirrored_raw> out;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        out.push_back(read_mirrored(r, held.tenant));
    }
    co_return out;
}

task<result<void>> move_busy_edge(pg::transaction& tx, held_lease const& held, instant edge, instant past) {
    pg::params forgotten = at(held);
    forgotten.add(past);
    pg::params moved = at(held);
    moved.add(held.epoch).add(edge);
    std::vector<pg::transaction::step> steps;
    steps.push_back({&drop_past, std::move(forgotten)});
    steps.push_back({&move_edge, std::move(moved)});
    auto const done = co_await tx.batch(std::move(steps));
    if (!done) co_return done.error();
    co_return result<void>{};
}

task<result<void>> forget_busy_edge(pg::transaction& tx, held_lease const& held) {
    pg::params with = at(held);
    std::optional<instant> const none;
    with.add(held.epoch).add(none);
    auto const done = co_await tx.query(move_edge, std::move(with));
    if (!done) co_return done.error();
    co_return result<void>{};
}

}  // namespace calbridge::store
