#include "store/destination.h"

#include "store/row_reader.h"

namespace calbridge::store {

namespace {

constexpr pg::statement find_here{"find_destination", "SELECT " CALBRIDGE_CALENDAR_COLUMNS R"(
    FROM calendars c
    WHERE c.tenant_id = $1 AND c.connection_id = $2 AND c.google_calendar_id = $3 AND c.missing_since IS NULL)"};
constexpr pg::statement find_elsewhere{"find_destination_elsewhere", R"(
    SELECT 1 FROM user_calendar_connections u JOIN calendars c ON (c.tenant_id, c.connection_id) = (u.tenant_id, u.connection_id)
    WHERE u.tenant_id = $1 AND u.user_id = $2 AND u.connection_id <> $3 AND u.status <> 'disconnected' AND c.google_calendar_id = $4
    AND c.missing_since IS NULL AND c.access_role IN ('owner', 'writer', 'writerWithoutPrivateAccess') LIMIT 1)"};
constexpr pg::statement move_children{"move_occurrences", R"(
    WITH held AS (
    SELECT t.task_id FROM tasks t WHERE t.tenant_id = $1 AND t.series_task_id = $2 ORDER BY t.task_id FOR NO KEY UPDATE
    ), linked AS (
    UPDATE task_links l SET calendar_id = $3, google_calendar_id = $4
    FROM held WHERE l.tenant_id = $1 AND l.task_id = held.task_id AND l.state <> 'ended')
    UPDATE tasks t SET calendar_id = $3 FROM held WHERE t.tenant_id = $1 AND t.task_id = held.task_id)"};

}  // namespace

task<result<destination>> find_destination(pg::database& db, tenant_id tenant, connection_id connection, user_id user,
                                           std::string google_id) {
    destination found;
    pg::params here;
    here.add(tenant).add(connection).add(google_id);
    auto rows = co_await pg::run_once(db, tenant, find_here, std::move(here));
    if (!rows) co_return rows.error();
    if (!rows->empty()) {
        row_reader r(*rows, 0);
        found.calendar = r.calendar(tenant);
        if (r.problem()) co_return *r.problem();
        co_return found;
    }
    pg::params elsewhere;
    elsewhere.add(tenant).add(user).add(connection).add(google_id);
    rows = co_await pg::run_once(db, tenant, find_elsewhere, std::move(elsewhere));
    if (!rows) co_return rows.error();
    found.elsewhere = !rows->empty();
    co_return found;
}

task<result<void>> move_occurrences(pg::transaction& tx, tenant_id tenant, task_id series, calendar_id calendar, std::string google_id) {
    pg::params with;
    with.add(tenant).add(series).add(calendar).add(google_id);
    auto const rows = co_await tx.query(move_children, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

}  // namespace calbridge::store
