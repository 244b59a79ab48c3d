#include "store/bulk.h"

#include "store/row_reader.h"

#include <algorithm>

namespace calbridge::store {

namespace {

constexpr pg::statement next_tasks{"tasks_of_connection",
                                   "SELECT " CALBRIDGE_TASK_COLUMNS ", " CALBRIDGE_LINK_COLUMNS ", " CALBRIDGE_OPERATION_COLUMNS
                                   R"(
    FROM (SELECT n.tenant_id, n.task_id FROM tasks n
        WHERE n.tenant_id = $1 AND n.user_id = $2 AND n.task_id > $4
        AND n.calendar_id IN (SELECT c.calendar_id FROM calendars c WHERE c.tenant_id = $1 AND c.connection_id = $3)
        ORDER BY n.task_id LIMIT $5) k
    JOIN tasks t ON (t.tenant_id, t.task_id) = (k.tenant_id, k.task_id)
    LEFT JOIN task_links l ON (l.tenant_id, l.task_id) = (t.tenant_id, t.task_id) AND l.state <> 'ended'
    LEFT JOIN LATERAL (SELECT n.operation_id FROM operations n WHERE (n.tenant_id, n.link_id) = (l.tenant_id, l.link_id)
        AND n.state = 'pending' ORDER BY n.sequence DESC LIMIT 1) p ON true
    LEFT JOIN operations o ON (o.tenant_id, o.operation_id) = (l.tenant_id, p.operation_id)
    ORDER BY t.task_id)"};
constexpr pg::statement series_links{"bulk_series_links", "SELECT " CALBRIDGE_LINK_COLUMNS R"(
    FROM task_links l WHERE l.tenant_id = $1 AND l.task_id = ANY ($2) AND l.state <> 'ended')"};
constexpr pg::statement calendars{"calendars_of_connection", "SELECT " CALBRIDGE_CALENDAR_COLUMNS R"(
    FROM calendars c WHERE c.tenant_id = $1 AND c.connection_id = $2)"};
constexpr pg::statement mark{"mark_bulk", R"(
    WITH next AS (
        SELECT n.task_id FROM tasks n
        WHERE n.tenant_id = $1 AND n.user_id = $2 AND n.task_id > $4
        AND n.calendar_id IN (SELECT c.calendar_id FROM calendars c WHERE c.tenant_id = $1 AND c.connection_id = $3)
        ORDER BY n.task_id LIMIT $5 FOR NO KEY UPDATE OF n
    ), marked AS (
        UPDATE tasks t SET dirty_seq = t.dirty_seq + 1, retry_at = NULL, bulk_request = $6, bulk_at = now()
        FROM next WHERE t.tenant_id = $1 AND t.task_id = next.task_id
        RETURNING t.task_id
    )
    SELECT count(*), coalesce(max(task_id), '') FROM marked)"};
constexpr pg::statement counts{"bulk_progress", R"(
    SELECT count(*), count(*) FILTER (WHERE synced_seq < dirty_seq), count(*) FILTER (WHERE state IN ('failed', 'parked')),
    count(*) FILTER (WHERE state = 'conflict')
    FROM tasks WHERE tenant_id = $1 AND bulk_request = $2)"};

pg::params of(tenant_id const& tenant, connection_row const& connection, task_id const& after, int most) {
    pg::params with;
    with.add(tenant).add(connection.user).add(connection.id).add(after).add(most);
    return with;
}

}  // namespace

task<result<std::vector<task_and_link>>> tasks_of_connection(pg::database& db, tenant_id tenant, connection_row const& connection,
                                                             task_id after, int most) {
    pg::params with = of(tenant, connection, after, most);
    auto const rows = co_await pg::run_once(db, tenant, next_tasks, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<task_and_link> all;
    std::vector<std::string> series;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        task_and_link one;
        one.task = r.task(tenant);
        if (!r.is_null()) {
            one.link = r.link(tenant);
            if (!r.is_null()) one.unanswered = r.operation(tenant);
        }
        if (r.problem()) co_return *r.problem();
        if (one.task.series) series.push_back(one.task.series->str());
        all.push_back(std::move(one));
    }
    if (series.empty()) co_return all;
    pg::params by_series;
    by_series.add(tenant).add_array(series);
    auto const links = co_await pg::run_once(db, tenant, series_links, std::move(by_series));
    if (!links) co_return links.error();
    for (std::size_t i = 0; i < links->size(); ++i) {
        row_reader r(*links, i);
        link_row const link = r.link(tenant);
        if (r.problem()) co_return *r.problem();
        for (task_and_link& each : all)
            if (each.task.series && *each.task.series == link.task) each.series = link;
    }
    co_return all;
}

task<result<std::vector<calendar_row>>> calendars_of_connection(pg::database& db, tenant_id tenant, connection_id connection) {
    pg::params with;
    with.add(tenant).add(connection);
    auto const rows = co_await pg::run_once(db, tenant, calendars, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<calendar_row> all;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        all.push_back(r.calendar(tenant));
        if (r.problem()) co_return *r.problem();
    }
    co_return all;
}

task<result<bulk_marked>> mark_bulk(pg::transaction& tx, tenant_id tenant, connection_row const& connection, request_id request,
                                    task_id after, int most) {
    pg::params with = of(tenant, connection, after, most);
    with.add(request);
    auto const rows = co_await tx.query(mark, std::move(with));
    if (!rows) co_return rows.error();
    bulk_marked out;
    out.count = static_cast<std::size_t>(rows->integer(0, 0));
    out.last = task_id(std::string(rows->text(0, 1)));
    co_return out;
}

task<result<bulk_counts>> bulk_progress(pg::database& db, tenant_id tenant, request_id request) {
    pg::params with;
    with.add(tenant).add(request);
    auto const rows = co_await pg::run_once(db, tenant, counts, std::move(with));
    if (!rows) co_return rows.error();
    co_return bulk_counts{rows->integer(0, 0), rows->integer(0, 1), rows->integer(0, 2), rows->integer(0, 3)};
}

}  // namespace calbridge::store
