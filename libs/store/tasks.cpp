#include "store/look.h"
#include "store/work.h"

#include "store/row_reader.h"

#include "domain/recurrence.h"

#include "wire/stored.h"
#include "wire/told.h"

#include <algorithm>

namespace calbridge::store {

namespace {

// A task, its open link and the newest operation of that link still without an answer.
#define CALBRIDGE_TASK_AND_LINK \
    "SELECT " CALBRIDGE_TASK_COLUMNS ", " CALBRIDGE_LINK_COLUMNS ", " CALBRIDGE_OPERATION_COLUMNS " FROM tasks t "
#define CALBRIDGE_UNANSWERED                                                                                                              \
    "LEFT JOIN LATERAL (SELECT n.operation_id FROM operations n WHERE (n.tenant_id, n.link_id) = (l.tenant_id, l.link_id) AND n.state = " \
    "'pending' AND n.kind NOT LIKE 'zoom%' "                                                                                              \
    "ORDER BY n.sequence DESC LIMIT 1) p ON true LEFT JOIN operations o ON (o.tenant_id, o.operation_id) = (l.tenant_id, p.operation_id) "
#define CALBRIDGE_OPEN_LINK \
    "LEFT JOIN task_links l ON (l.tenant_id, l.task_id) = (t.tenant_id, t.task_id) AND l.state <> 'ended' " CALBRIDGE_UNANSWERED

constexpr pg::statement find_due{"due_tasks", CALBRIDGE_TASK_AND_LINK CALBRIDGE_OPEN_LINK R"(
    WHERE t.tenant_id = $1 AND t.calendar_id = $2 AND t.synced_seq < t.dirty_seq AND (t.retry_at IS NULL OR t.retry_at <= now())
    ORDER BY (t.bulk_at IS NOT NULL AND t.bulk_at >= t.received_at), t.received_at, t.task_id LIMIT $3)"};
constexpr pg::statement find_next{"next_due", R"(
    SELECT min(retry_at) FROM tasks
    WHERE tenant_id = $1 AND calendar_id = $2 AND synced_seq < dirty_seq AND retry_at IS NOT NULL)"};
constexpr pg::statement look_calendar{"look_calendar", "SELECT " CALBRIDGE_CALENDAR_COLUMNS R"(
    , greatest(0, extract(epoch FROM c.retry_at - now()) * 1000)::bigint
    FROM calendars c
    WHERE c.tenant_id = $1 AND c.calendar_id = $2 AND c.lease_epoch = $3 AND c.lease_owner IS NOT NULL)"};
constexpr pg::statement look_next{"look_next", R"(
    SELECT ceil(extract(epoch FROM min(retry_at) - now()) * 1000)::bigint
    FROM tasks
    WHERE tenant_id = $1 AND calendar_id = $2 AND synced_seq < dirty_seq AND retry_at > now())"};
constexpr pg::statement look_request{"look_request", R"(
    SELECT request_id, ceil(extract(epoch FROM next_at - now()) * 1000)::bigint
    FROM requests
    WHERE tenant_id = $1 AND calendar_id = $2 AND state IN ('pending', 'running')
    ORDER BY next_at, request_id LIMIT 1)"};
constexpr pg::statement hold_task{"hold_task", "SELECT 1 FROM tasks WHERE tenant_id = $1 AND task_id = $2 FOR NO KEY UPDATE"};
constexpr pg::statement hold_link{"hold_link", R"(
    SELECT 1 FROM task_links
    WHERE tenant_id = $1 AND task_id = $2 AND state <> 'ended' FOR NO KEY UPDATE)"};
constexpr pg::statement read_task{"read_task", CALBRIDGE_TASK_AND_LINK CALBRIDGE_OPEN_LINK R"(
    WHERE t.tenant_id = $1 AND t.task_id = $2)"};
constexpr pg::statement hold_tasks{"hold_tasks", R"(
    SELECT 1 FROM tasks
    WHERE tenant_id = $1 AND task_id = ANY ($2)
    ORDER BY task_id FOR NO KEY UPDATE)"};
constexpr pg::statement read_tasks{"read_tasks", CALBRIDGE_TASK_AND_LINK CALBRIDGE_OPEN_LINK R"(
    WHERE t.tenant_id = $1 AND t.task_id = ANY ($2)
    ORDER BY t.task_id)"};
constexpr pg::statement hold_page_tasks{"hold_page_tasks", R"(
    SELECT 1 FROM tasks t
    WHERE t.tenant_id = $1 AND t.task_id IN (SELECT l.task_id FROM task_links l WHERE l.tenant_id = $1 AND l.calendar_id = $2
    AND l.google_calendar_event_id = ANY ($3))
    ORDER BY t.task_id FOR NO KEY UPDATE)"};
constexpr pg::statement hold_page_links{"hold_page_links", R"(
    SELECT 1 FROM task_links l
    WHERE l.tenant_id = $1 AND l.calendar_id = $2 AND l.google_calendar_event_id = ANY ($3)
    ORDER BY l.link_id FOR NO KEY UPDATE)"};
constexpr pg::statement read_page{"read_page", CALBRIDGE_TASK_AND_LINK R"(
    JOIN task_links l ON (l.tenant_id, l.task_id) = (t.tenant_id, t.task_id) )" CALBRIDGE_UNANSWERED R"(
    WHERE l.tenant_id = $1 AND l.calendar_id = $2 AND l.google_calendar_event_id = ANY ($3)
    ORDER BY l.link_id)"};
constexpr pg::statement read_operations{"read_operations", "SELECT " CALBRIDGE_OPERATION_COLUMNS R"(
    FROM operations o
    WHERE o.tenant_id = $1 AND o.calendar_id = $2 AND o.operation_id = ANY ($3))"};
constexpr pg::statement read_series{"read_series", "SELECT " CALBRIDGE_LINK_COLUMNS R"(
    FROM task_links l WHERE l.tenant_id = $1 AND l.task_id = ANY ($2) AND l.state <> 'ended')"};
constexpr pg::statement read_zoom{"read_zoom", R"(
    SELECT task_id, coalesce(link_id::text, ''), meeting_id, join_url, said, doing, coalesce(operation_id::text, ''), reason,
    failures::bigint, retry_at
    FROM zoom_meetings WHERE tenant_id = $1 AND task_id = ANY ($2))"};
constexpr pg::statement read_ended{"read_ended_link", "SELECT " CALBRIDGE_LINK_COLUMNS R"(
    FROM task_links l WHERE l.tenant_id = $1 AND l.calendar_id = $2 AND l.google_calendar_event_id = $3 AND l.task_id = $4
    AND l.state = 'ended' FOR NO KEY UPDATE)"};
constexpr pg::statement add_task{"insert_task", R"(
    INSERT INTO tasks (tenant_id, task_id, user_id, version, snapshot, deleted, calendar_id, absorbed_version, pulled_seq, update_seq,
    seen, local, told, state, reason, explanation, series_task_id, occurrence, split_from_task_id, split_from, cut_at, origin,
    dirty_seq, synced_seq)
    VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, $9, $10, $11::jsonb, $12::jsonb, $13::jsonb, $14, $15, $16, $17, $18, $19, $20, $21, $22,
    $23, $24) ON CONFLICT DO NOTHING)"};
// Intake locks tasks in key order; so does this.
constexpr pg::statement wake_children{"wake_occurrences", R"(
    WITH held AS (
    SELECT t.task_id FROM tasks t WHERE t.tenant_id = $1 AND t.series_task_id = $2 AND ($4 OR t.state IN ('waiting', 'failed')
    OR EXISTS (SELECT 1 FROM task_links l WHERE (l.tenant_id, l.task_id) = (t.tenant_id, t.task_id) AND l.state <> 'ended'))
    ORDER BY t.task_id FOR NO KEY UPDATE)
    UPDATE tasks t SET calendar_id = $3, dirty_seq = t.dirty_seq + 1, retry_at = NULL,
    state = CASE WHEN t.state = 'waiting' THEN 'pending' ELSE t.state END
    FROM held WHERE t.tenant_id = $1 AND t.task_id = held.task_id)"};
constexpr pg::statement end_children{"end_occurrences", R"(
    WITH held AS (
    SELECT t.task_id FROM tasks t WHERE t.tenant_id = $1 AND t.series_task_id = $2 AND t.occurrence >= $3 AND t.state <> 'removed'
    ORDER BY t.task_id FOR NO KEY UPDATE
    ), ended AS (
    UPDATE task_links l SET state = 'ended', state_reason = $4, ended_at = now(), has_conflict = false, conflict_data = NULL,
    frozen = false, meet_pending = false
    FROM held WHERE l.tenant_id = $1 AND l.task_id = held.task_id AND l.state <> 'ended')
    UPDATE tasks t SET state = 'removed', reason = $4, explanation = '', synced_seq = t.dirty_seq, retry_at = NULL
    FROM held WHERE t.tenant_id = $1 AND t.task_id = held.task_id)"};
constexpr pg::statement cut{"cut_series", R"(
    UPDATE tasks SET cut_at = $3, dirty_seq = dirty_seq + 1, retry_at = NULL
    WHERE tenant_id = $1 AND task_id = $2 AND (cut_at = '' OR cut_at > $3))"};
constexpr pg::statement save{"save_task", R"(
    UPDATE tasks SET local = $3::jsonb, seen = $4::jsonb, absorbed_version = $5, pulled_seq = $6, update_seq = $7,
    calendar_id = $8, state = $9, reason = $10, explanation = $11, failures = $12::bigint::integer,
    retry_at = now() + $13 * interval '1 millisecond', bulk_at = CASE WHEN $14 IS NULL THEN bulk_at END, told = $16::jsonb, synced_seq = coalesce($14, synced_seq),
    dirty_seq = dirty_seq + CASE WHEN $15 THEN 1 ELSE 0 END
    WHERE tenant_id = $1 AND task_id = $2)"};

task_and_link read(row_reader& r, tenant_id const& tenant) {
    task_and_link both;
    both.task = r.task(tenant);
    if (r.is_null()) return both;  // no link, so no operation either
    both.link = r.link(tenant);
    if (!r.is_null()) both.unanswered = r.operation(tenant);
    return both;
}

result<std::vector<task_and_link>> read_all(pg::rows const& rows, tenant_id const& tenant) {
    std::vector<task_and_link> all;
    all.reserve(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        row_reader r(rows, i);
        all.push_back(read(r, tenant));
        if (r.problem()) return *r.problem();
    }
    return all;
}

pg::params of(tenant_id const& tenant, task_id const& task) {
    pg::params with;
    with.add(tenant).add(task);
    return with;
}

std::optional<std::string> stored(std::optional<domain::fields> const& fields) {
    if (!fields) return {};
    return wire::store_fields(*fields);
}

std::optional<std::string> text_of(std::optional<task_id> const& id) {
    if (!id) return {};
    return id->str();
}

// Occurrences and splits are decided beside their series' link.
std::optional<task_id> series_of(task_row const& row) { return row.series ? row.series : row.split_from_task; }

task<result<void>> attach_series(pg::transaction& tx, tenant_id tenant, std::vector<task_and_link*> to) {
    std::vector<std::string> ids;
    for (task_and_link const* each : to) ids.push_back(series_of(each->task)->str());
    pg::params with;
    with.add(tenant).add_array(ids);
    auto const rows = co_await tx.query(read_series, std::move(with));
    if (!rows) co_return rows.error();
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        link_row const link = r.link(tenant);
        if (r.problem()) co_return *r.problem();
        for (task_and_link* each : to)
            if (*series_of(each->task) == link.task) each->series = link;
    }
    co_return result<void>{};
}

// The instance of an occurrence has one link row for ever.
task<result<void>> attach_ended(pg::transaction& tx, tenant_id tenant, task_and_link& to) {
    pg::params with;
    with.add(tenant).add(to.series->calendar).add(domain::instance_id(to.series->event_id, to.task.occurrence)).add(to.task.id);
    auto const rows = co_await tx.query(read_ended, std::move(with));
    if (!rows) co_return rows.error();
    if (!rows->empty()) {
        row_reader r(*rows, 0);
        to.ended = r.link(tenant);
        if (r.problem()) co_return *r.problem();
    }
    co_return result<void>{};
}

zoom_row read_zoom_row(pg::rows const& rows, std::size_t at) {
    zoom_row row;
    if (auto const link = parse_uuid(rows.text(at, 1))) row.link = link_id{*link};
    row.meeting = std::string(rows.text(at, 2));
    row.url = std::string(rows.text(at, 3));
    row.said = std::string(rows.text(at, 4));
    row.doing = std::string(rows.text(at, 5));
    if (auto const operation = parse_uuid(rows.text(at, 6))) row.operation = operation_id{*operation};
    row.reason = std::string(rows.text(at, 7));
    row.failures = static_cast<int>(rows.integer_or_null(at, 8).value_or(0));
    row.retry_at = rows.time_or_null(at, 9);
    return row;
}

// Only tasks that have to do with Zoom are asked about.
task<result<void>> attach_zoom(pg::transaction& tx, tenant_id tenant, std::vector<task_and_link*> to) {
    std::erase_if(
        to, [](task_and_link const* each) { return !each->task.has_zoom && !(each->task.snapshot.zoom_meeting && each->task.series); });
    if (to.empty()) co_return result<void>{};
    std::vector<std::string> ids;
    for (task_and_link const* each : to) ids.push_back(each->task.told_as().str());
    pg::params with;
    with.add(tenant).add_array(ids);
    auto const rows = co_await tx.query(read_zoom, std::move(with));
    if (!rows) co_return rows.error();
    for (std::size_t i = 0; i < rows->size(); ++i)
        for (task_and_link* each : to)
            if (each->task.told_as().str() == rows->text(i, 0)) each->zoom = read_zoom_row(*rows, i);
    co_return result<void>{};
}

}  // namespace

task<result<std::vector<task_and_link>>> due_tasks(pg::database& db, tenant_id tenant, calendar_id calendar, int most) {
    pg::params with;
    with.add(tenant).add(calendar).add(most);
    auto const rows = co_await pg::run_once(db, tenant, find_due, std::move(with));
    if (!rows) co_return rows.error();
    co_return read_all(*rows, tenant);
}

task<result<std::optional<instant>>> next_due(pg::database& db, tenant_id tenant, calendar_id calendar) {
    pg::params with;
    with.add(tenant).add(calendar);
    auto const rows = co_await pg::run_once(db, tenant, find_next, std::move(with));
    if (!rows) co_return rows.error();
    co_return rows->time_or_null(0, 0);
}

task<result<std::optional<task_and_link>>> lock_task(pg::transaction& tx, tenant_id tenant, task_id task) {
    // Each step sees what was committed before it began, so what is read is what was locked.
    std::vector<pg::transaction::step> steps;
    steps.push_back({&hold_task, of(tenant, task)});
    steps.push_back({&hold_link, of(tenant, task)});
    steps.push_back({&read_task, of(tenant, task)});
    auto const rows = co_await tx.batch(std::move(steps));
    if (!rows) co_return rows.error();
    auto all = read_all(rows->back(), tenant);
    if (!all) co_return all.error();
    if (all->empty()) co_return std::optional<task_and_link>{};
    task_and_link found = std::move(all->front());
    if (series_of(found.task)) {
        std::vector<task_and_link*> one{&found};
        auto attached = co_await attach_series(tx, tenant, std::move(one));
        if (!attached) co_return attached.error();
    }
    std::vector<task_and_link*> locked{&found};
    auto meetings = co_await attach_zoom(tx, tenant, std::move(locked));
    if (!meetings) co_return meetings.error();
    if (found.task.series && found.series && !found.link) {
        auto attached = co_await attach_ended(tx, tenant, found);
        if (!attached) co_return attached.error();
    }
    co_return std::optional<task_and_link>(std::move(found));
}

task<result<linked_page>> lock_page(pg::transaction& tx, tenant_id tenant, calendar_id calendar, std::vector<std::string> event_ids,
                                    std::vector<uuid> operation_ids) {
    pg::params by_event;
    by_event.add(tenant).add(calendar).add_array(event_ids);
    pg::params by_operation;
    by_operation.add(tenant).add(calendar).add_array(operation_ids);
    std::vector<pg::transaction::step> steps;
    steps.push_back({&hold_page_tasks, by_event});
    steps.push_back({&hold_page_links, by_event});
    steps.push_back({&read_page, by_event});
    steps.push_back({&read_operations, by_operation});
    auto const rows = co_await tx.batch(std::move(steps));
    if (!rows) co_return rows.error();
    auto links = read_all((*rows)[2], tenant);
    if (!links) co_return links.error();
    linked_page page;
    page.links = std::move(*links);
    std::vector<task_and_link*> occurrences;
    for (task_and_link& each : page.links)
        if (series_of(each.task)) occurrences.push_back(&each);
    if (!occurrences.empty()) {
        auto attached = co_await attach_series(tx, tenant, std::move(occurrences));
        if (!attached) co_return attached.error();
    }
    std::vector<task_and_link*> all;
    for (task_and_link& each : page.links) all.push_back(&each);
    auto meetings = co_await attach_zoom(tx, tenant, std::move(all));
    if (!meetings) co_return meetings.error();
    for (std::size_t i = 0; i < rows->back().size(); ++i) {
        row_reader r(rows->back(), i);
        page.operations.push_back(r.operation(tenant));
        if (r.problem()) co_return *r.problem();
    }
    co_return page;
}

task<result<std::vector<task_and_link>>> lock_tasks(pg::transaction& tx, tenant_id tenant, std::vector<std::string> ids) {
    if (ids.empty()) co_return std::vector<task_and_link>{};
    pg::params by_id;
    by_id.add(tenant).add_array(ids);
    std::vector<pg::transaction::step> steps;
    steps.push_back({&hold_tasks, by_id});
    steps.push_back({&read_tasks, by_id});
    auto const rows = co_await tx.batch(std::move(steps));
    if (!rows) co_return rows.error();
    co_return read_all(rows->back(), tenant);
}

task<result<void>> save_task(pg::transaction& tx, task_outcome const& outcome) {
    task_row const& row = outcome.row;
    std::optional<std::int64_t> retry_ms;
    if (outcome.retry_in) retry_ms = outcome.retry_in->count();
    pg::params with;
    with.add(row.tenant)
        .add(row.id)
        .add(stored(row.local))
        .add(stored(row.seen))
        .add(row.absorbed_version)
        .add(row.pulled_seq)
        .add(row.update_seq);
    with.add(row.calendar).add(row.state).add(row.reason).add(outcome.explanation).add(row.failures).add(retry_ms).add(outcome.synced);
    with.add(outcome.raise_dirty).add(wire::store_told(row.told));
    auto const rows = co_await tx.query(save, std::move(with));
    if (!rows) co_return rows.error();
    if (rows->affected() != 1) co_return fail(errc::internal, "save task " + row.id.str() + ": there is no such row");
    co_return result<void>{};
}

task<result<void>> insert_task(pg::transaction& tx, task_row const& row, std::string explanation) {
    pg::params with;
    with.add(row.tenant).add(row.id).add(row.user).add(row.version).add(wire::store_task(row.snapshot)).add(row.deleted).add(row.calendar);
    with.add(row.absorbed_version).add(row.pulled_seq).add(row.update_seq).add(stored(row.seen)).add(stored(row.local));
    with.add(wire::store_told(row.told)).add(row.state).add(row.reason).add(explanation).add(text_of(row.series)).add(row.occurrence);
    with.add(text_of(row.split_from_task)).add(row.split_from).add(row.cut_at).add(row.origin).add(row.dirty_seq).add(row.synced_seq);
    auto const rows = co_await tx.query(add_task, std::move(with));
    if (!rows) co_return rows.error();
    if (rows->affected() != 1) co_return fail(errc::exists, "insert task: the id is taken");
    co_return result<void>{};
}

task<result<void>> wake_occurrences(pg::transaction& tx, tenant_id tenant, task_id series, calendar_id calendar, bool all) {
    pg::params with;
    with.add(tenant).add(series).add(calendar).add(all);
    auto const rows = co_await tx.query(wake_children, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<void>> end_occurrences(pg::transaction& tx, tenant_id tenant, task_id series, std::string key, std::string reason) {
    pg::params with;
    with.add(tenant).add(series).add(key).add(reason);
    auto const rows = co_await tx.query(end_children, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<void>> cut_series(pg::transaction& tx, tenant_id tenant, task_id series, std::string key) {
    pg::params with;
    with.add(tenant).add(series).add(key);
    auto const rows = co_await tx.query(cut, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<work_view>> look_at_work(pg::database& db, held_lease held, int most) {
    auto begun = co_await db.begin(held.tenant);
    if (!begun) co_return begun.error();
    pg::params by_lease;
    by_lease.add(held.tenant).add(held.calendar).add(held.epoch);
    pg::params by_calendar;
    by_calendar.add(held.tenant).add(held.calendar);
    pg::params by_calendar_most = by_calendar;
    by_calendar_most.add(most);
    std::vector<pg::transaction::step> steps;
    steps.push_back({&look_calendar, std::move(by_lease)});
    steps.push_back({&find_due, std::move(by_calendar_most)});
    steps.push_back({&look_next, by_calendar});
    steps.push_back({&look_request, std::move(by_calendar)});
    auto const rows = co_await (*begun)->batch(std::move(steps));
    if (!rows) co_return rows.error();
    pg::rows const& calendar = (*rows)[0];
    if (calendar.empty()) co_return fail(errc::conflict, "the lease on calendar " + held.calendar.str() + " was lost");
    work_view view;
    row_reader r(calendar, 0);
    view.calendar = r.calendar(held.tenant);
    if (r.problem()) co_return *r.problem();
    view.calendar_waits = std::chrono::milliseconds(r.integer_or_null().value_or(0));
    auto tasks = read_all((*rows)[1], held.tenant);
    if (!tasks) co_return tasks.error();
    view.tasks = std::move(*tasks);
    if (auto const next = (*rows)[2].integer_or_null(0, 0)) view.next_task_in = std::chrono::milliseconds(std::max<std::int64_t>(*next, 1));
    pg::rows const& asked = (*rows)[3];
    if (!asked.empty()) {
        std::int64_t const wait = asked.integer(0, 1);
        if (wait <= 0) view.request = request_id{asked.id(0, 0)};
        else view.next_request_in = std::chrono::milliseconds(wait);
    }
    co_return view;
}

}  // namespace calbridge::store
