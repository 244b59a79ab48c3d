#include "store/inbound.h"

#include "store/row_reader.h"

#include "wire/stored.h"
#include "wire/told.h"

#include <algorithm>
#include <map>

namespace calbridge::store {

mirrored_raw read_mirrored(row_reader& r, tenant_id const& tenant) {
    r.tenant(tenant);
    mirrored_raw out;
    out.event_id = r.text();
    out.etag = r.text();
    out.status = r.text();
    out.raw = r.text();
    out.series = r.text_or_null();
    out.original_start = r.text_or_null();
    if (auto const link = r.id_or_null()) out.link = link_id{*link};
    return out;
}

namespace {

constexpr pg::statement known{"known_events", R"(
    SELECT DISTINCT tenant_id, google_calendar_event_id FROM task_links
    WHERE tenant_id = $1 AND google_calendar_event_id = ANY ($2))"};
constexpr pg::statement claim{"claim_meetings", R"(
    INSERT INTO meetings (tenant_id, ical_uid, original_start, task_id)
    SELECT $1, i.uid, i.start, i.task FROM unnest($2::text[], $3::text[], $4::text[]) AS i (uid, start, task)
    ORDER BY i.uid, i.start
    ON CONFLICT DO NOTHING RETURNING tenant_id, task_id)"};
constexpr pg::statement add_tasks{"import_tasks", R"(
    INSERT INTO tasks (tenant_id, task_id, user_id, version, snapshot, calendar_id, absorbed_version, pulled_seq, update_seq, seen, local, told,
    state, split_from_task_id, split_from, origin, dirty_seq, synced_seq)
    SELECT $1, i.task, i.usr, 0, i.snapshot::jsonb, i.calendar, 0, 1, 1, i.local::jsonb, i.local::jsonb, i.told::jsonb, 'synced', i.split_task,
    i.split_from, 'google', 1, 1
    FROM unnest($2::text[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[]) AS i (task, usr, snapshot,
    calendar, local, told, split_task, split_from)
    ORDER BY i.task)"};
constexpr pg::statement add_links{"import_links", R"(
    INSERT INTO task_links (tenant_id, link_id, task_id, connection_id, calendar_id, google_calendar_id, google_calendar_event_id, state,
    google_calendar_etag, google_calendar_synced_at, base, google_base, remote, html_link, google_meet_link, google_meet_id, attendees_data,
    operation_seq, ical_uid, read_only, event_updated_at)
    SELECT $1, i.link, i.task, i.connection, i.calendar, i.google_calendar, i.event, 'live', i.etag, now(), i.base::jsonb, i.base::jsonb,
    i.base::jsonb, i.html, i.meet, i.meet_id, i.attendees::jsonb, 1, i.uid, i.read_only, i.updated
    FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
    $12::text[], $13::text[], $14::text[], $15::text[], $16::timestamptz[]) AS i (link, task, connection, calendar, google_calendar, event,
    etag, base, html, meet, meet_id, attendees, uid, read_only, updated))"};
constexpr pg::statement add_history{"import_history", R"(
    INSERT INTO operations (tenant_id, operation_id, link_id, calendar_id, sequence, kind, state, pushed, expected, who, why, answer_etag,
    finished_at)
    SELECT $1, i.id, i.link, i.calendar, 1, 'import', 'done', '{}', i.expected::jsonb, 'google', i.why, i.etag, now()
    FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[]) AS i (id, link, calendar, expected, why, etag))"};
#define CALBRIDGE_MIRRORED \
    "SELECT e.tenant_id, e.google_event_id, e.etag, e.status, e.raw, e.recurring_event_id, e.original_start, e.link_id"
constexpr pg::statement by_id{"mirrored_events", CALBRIDGE_MIRRORED R"(
    FROM events e WHERE e.tenant_id = $1 AND e.calendar_id = $2 AND e.google_event_id = ANY ($3))"};
constexpr pg::statement exceptions{"mirrored_exceptions", CALBRIDGE_MIRRORED R"(
    FROM unnest($3::text[]) AS s (id) CROSS JOIN LATERAL (SELECT * FROM events x
    WHERE x.tenant_id = $1 AND x.calendar_id = $2 AND x.recurring_event_id = s.id ORDER BY x.original_start LIMIT $4::bigint) e)"};
constexpr pg::statement tails{"mirrored_series", CALBRIDGE_MIRRORED R"(
    FROM events e WHERE e.tenant_id = $1 AND e.calendar_id = $2 AND e.recurring AND e.status <> 'cancelled'
    AND (e.start_at = ANY ($3) OR split_part(e.google_event_id, '_R', 1) = ANY ($4) AND strpos(e.google_event_id, '_R') > 0)
    ORDER BY e.google_event_id LIMIT 200)"};
constexpr pg::statement pulls{"series_pulled_since", R"(
    SELECT o.tenant_id, l.task_id, l.google_calendar_event_id, o.before, o.expected
    FROM operations o JOIN task_links l ON (l.tenant_id, l.link_id) = (o.tenant_id, o.link_id)
    WHERE o.tenant_id = $1 AND o.calendar_id = $2 AND o.kind = 'pull' AND 'recurrence' = ANY (o.pushed) AND l.state <> 'ended'
    AND o.created_at > now() - $3 * interval '1 second'
    ORDER BY o.created_at DESC, o.operation_id LIMIT 200)"};
constexpr pg::statement others{"other_calendars", "SELECT " CALBRIDGE_CALENDAR_COLUMNS R"(
    FROM calendars c WHERE c.tenant_id = $1 AND c.connection_id = $2 AND c.calendar_id <> $3 AND c.selected AND c.missing_since IS NULL
    ORDER BY c.calendar_id)"};
constexpr pg::statement elsewhere{"mirrored_elsewhere", CALBRIDGE_MIRRORED R"(, e.calendar_id
    FROM events e JOIN calendars c ON (c.tenant_id, c.calendar_id) = (e.tenant_id, e.calendar_id)
    WHERE e.tenant_id = $1 AND c.connection_id = $2 AND c.calendar_id <> $3 AND c.selected AND c.missing_since IS NULL
    AND e.google_event_id = ANY ($4) AND e.status <> 'cancelled'
    ORDER BY e.google_event_id, e.calendar_id)"};
constexpr pg::statement here{"linked_here", R"(
    SELECT tenant_id, google_calendar_event_id FROM task_links
    WHERE tenant_id = $1 AND calendar_id = $2 AND google_calendar_event_id = ANY ($3) AND state <> 'ended')"};
constexpr pg::statement hold_calendar{"hold_calendar", R"(
    SELECT 1 FROM calendars WHERE tenant_id = $1 AND calendar_id = ANY ($2)
    ORDER BY calendar_id FOR NO KEY UPDATE)"};
constexpr pg::statement connection_now{"connection_now", "SELECT " CALBRIDGE_CONNECTION_COLUMNS R"(
    FROM user_calendar_connections u WHERE u.tenant_id = $1 AND u.connection_id = $2)"};
constexpr pg::statement live_links{"count_live_links", R"(
    SELECT count(*) FROM task_links WHERE tenant_id = $1 AND calendar_id = $2 AND state = 'live' AND original_start = '')"};
constexpr pg::statement split{"note_split", R"(
    UPDATE tasks SET split_from_task_id = $3, split_from = $4
    WHERE tenant_id = $1 AND task_id = $2 AND split_from_task_id IS NULL)"};

pg::params at(held_lease const& held) {
    pg::params with;
    with.add(held.tenant).add(held.calendar);
    return with;
}

task<result<std::vector<mirrored_raw>>> read_all(pg::transaction& tx, pg::statement const& what, pg::params with, tenant_id tenant) {
    auto const rows = co_await tx.query(what, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<mirrored_raw> out;
    out.reserve(rows->size());
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        out.push_back(read_mirrored(r, tenant));
    }
    co_return out;
}

pg::transaction::step tasks_step(std::vector<imported_rows> const& all) {
    std::vector<std::string> id, user, snapshot, local, told, split_from;
    std::vector<uuid> calendar;
    std::vector<std::optional<std::string>> split_task;
    for (imported_rows const& each : all) {
        task_row const& row = each.task;
        id.push_back(row.id.str());
        user.push_back(row.user.str());
        snapshot.push_back(wire::store_task(row.snapshot));
        calendar.push_back(each.link.calendar.value);
        local.push_back(wire::store_fields(*row.local));
        told.push_back(wire::store_told(row.told));
        split_task.push_back(row.split_from_task ? std::optional(row.split_from_task->str()) : std::nullopt);
        split_from.push_back(row.split_from);
    }
    pg::params with;
    with.add(all.front().task.tenant)
        .add_array(id)
        .add_array(user)
        .add_array(snapshot)
        .add_array(calendar)
        .add_array(local)
        .add_array(told);
    with.add_array(split_task).add_array(split_from);
    return {&add_tasks, std::move(with)};
}

pg::transaction::step links_step(std::vector<imported_rows> const& all) {
    std::vector<uuid> id, connection, calendar;
    std::vector<std::string> task, google_calendar, event, etag, base, html, meet, meet_id, attendees, uid, read_only;
    std::vector<std::optional<instant>> updated;
    for (imported_rows const& each : all) {
        link_row const& row = each.link;
        id.push_back(row.id.value);
        task.push_back(row.task.str());
        connection.push_back(row.connection.value);
        calendar.push_back(row.calendar.value);
        google_calendar.push_back(row.google_calendar_id);
        event.push_back(row.event_id);
        etag.push_back(row.etag);
        base.push_back(wire::store_fields(*row.base));
        html.push_back(row.html_link);
        meet.push_back(row.meet_link);
        meet_id.push_back(row.meet_id);
        attendees.push_back(row.attendees_data);
        uid.push_back(row.ical_uid);
        read_only.push_back(row.read_only);
        updated.push_back(row.event_updated);
    }
    pg::params with;
    with.add(all.front().task.tenant).add_array(id).add_array(task).add_array(connection).add_array(calendar).add_array(google_calendar);
    with.add_array(event).add_array(etag).add_array(base).add_array(html).add_array(meet).add_array(meet_id).add_array(attendees);
    with.add_array(uid).add_array(read_only).add_array(updated);
    return {&add_links, std::move(with)};
}

pg::transaction::step history_step(std::vector<imported_rows> const& all) {
    std::vector<uuid> id, link, calendar;
    std::vector<std::string> expected, why, etag;
    for (imported_rows const& each : all) {
        id.push_back(each.history.id.value);
        link.push_back(each.history.link.value);
        calendar.push_back(each.history.calendar.value);
        expected.push_back(wire::store_fields(*each.history.expected));
        why.push_back(each.history.why);
        etag.push_back(each.history.answer_etag);
    }
    pg::params with;
    with.add(all.front().task.tenant).add_array(id).add_array(link).add_array(calendar).add_array(expected).add_array(why).add_array(etag);
    return {&add_history, std::move(with)};
}

}  // namespace

task<result<std::vector<std::string>>> known_events(pg::transaction& tx, tenant_id tenant, std::vector<std::string> event_ids) {
    std::vector<std::string> out;
    if (event_ids.empty()) co_return out;
    pg::params with;
    with.add(tenant).add_array(event_ids);
    auto const rows = co_await tx.query(known, std::move(with));
    if (!rows) co_return rows.error();
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        r.tenant(tenant);
        out.push_back(r.text());
    }
    co_return out;
}

task<result<std::vector<std::string>>> linked_here(pg::transaction& tx, held_lease const& held, std::vector<std::string> event_ids) {
    pg::params with = at(held);
    with.add_array(event_ids);
    auto const rows = co_await tx.query(here, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<std::string> out;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        r.tenant(held.tenant);
        out.push_back(r.text());
    }
    co_return out;
}

task<result<void>> hold_calendars_of(pg::transaction& tx, tenant_id tenant, std::vector<uuid> calendars) {
    pg::params with;
    with.add(tenant).add_array(calendars);
    auto const rows = co_await tx.query(hold_calendar, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<std::vector<bool>>> claim_meetings(pg::transaction& tx, tenant_id tenant, std::vector<meeting_claim> claims) {
    std::vector<bool> won(claims.size(), false);
    if (claims.empty()) co_return won;
    std::vector<std::string> uids, starts, tasks;
    for (meeting_claim const& each : claims) {
        uids.push_back(each.ical_uid);
        starts.push_back(each.original_start);
        tasks.push_back(each.task.str());
    }
    pg::params with;
    with.add(tenant).add_array(uids).add_array(starts).add_array(tasks);
    auto const rows = co_await tx.query(claim, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<std::string> winners;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        r.tenant(tenant);
        winners.push_back(r.text());
    }
    std::ranges::sort(winners);
    for (std::size_t i = 0; i < claims.size(); ++i) won[i] = std::ranges::binary_search(winners, claims[i].task.str());
    co_return won;
}

task<result<void>> insert_imports(pg::transaction& tx, std::vector<imported_rows> const& all) {
    if (all.empty()) co_return result<void>{};
    std::vector<pg::transaction::step> steps;
    steps.push_back(tasks_step(all));
    steps.push_back(links_step(all));
    steps.push_back(history_step(all));
    auto const rows = co_await tx.batch(std::move(steps));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<std::vector<mirrored_raw>>> mirrored_events(pg::transaction& tx, held_lease const& held, std::vector<std::string> event_ids) {
    if (event_ids.empty()) co_return std::vector<mirrored_raw>{};
    pg::params with = at(held);
    with.add_array(event_ids);
    co_return co_await read_all(tx, by_id, std::move(with), held.tenant);
}

task<result<std::vector<mirrored_raw>>> mirrored_exceptions(pg::transaction& tx, held_lease const& held, std::vector<std::string> series,
                                                            int most) {
    if (series.empty()) co_return std::vector<mirrored_raw>{};
    pg::params with = at(held);
    with.add_array(series).add(most);
    co_return co_await read_all(tx, exceptions, std::move(with), held.tenant);
}

task<result<std::vector<mirrored_raw>>> mirrored_series(pg::transaction& tx, held_lease const& held, std::vector<instant> starts,
                                                        std::vector<std::string> continued) {
    if (starts.empty() && continued.empty()) co_return std::vector<mirrored_raw>{};
    std::vector<std::optional<instant>> moments(starts.begin(), starts.end());
    pg::params with = at(held);
    with.add_array(moments).add_array(continued);
    co_return co_await read_all(tx, tails, std::move(with), held.tenant);
}

task<result<std::vector<pulled_series>>> series_pulled_since(pg::transaction& tx, held_lease const& held, std::chrono::seconds back) {
    pg::params with = at(held);
    with.add(static_cast<std::int64_t>(back.count()));
    auto const rows = co_await tx.query(pulls, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<pulled_series> out;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        r.tenant(held.tenant);
        pulled_series one;
        one.task = task_id(r.text());
        one.event_id = r.text();
        auto before = r.fields_or_null();
        auto after = r.fields_or_null();
        if (r.problem()) co_return *r.problem();
        if (!before || !after) continue;
        one.before = std::move(*before);
        one.after = std::move(*after);
        out.push_back(std::move(one));
    }
    co_return out;
}

task<result<std::vector<calendar_row>>> other_calendars(pg::transaction& tx, held_lease const& held, connection_id connection) {
    pg::params with;
    with.add(held.tenant).add(connection).add(held.calendar);
    auto const rows = co_await tx.query(others, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<calendar_row> out;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        out.push_back(r.calendar(held.tenant));
        if (r.problem()) co_return *r.problem();
    }
    co_return out;
}

task<result<std::vector<event_elsewhere>>> mirrored_elsewhere(pg::transaction& tx, held_lease const& held, connection_id connection,
                                                              std::vector<std::string> event_ids) {
    std::vector<event_elsewhere> out;
    if (event_ids.empty()) co_return out;
    pg::params with;
    with.add(held.tenant).add(connection).add(held.calendar).add_array(event_ids);
    auto const rows = co_await tx.query(elsewhere, std::move(with));
    if (!rows) co_return rows.error();
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        event_elsewhere one;
        one.event = read_mirrored(r, held.tenant);
        one.calendar = calendar_id{r.id()};
        out.push_back(std::move(one));
    }
    co_return out;
}

task<result<connection_row>> connection_of(pg::transaction& tx, tenant_id tenant, connection_id id) {
    pg::params with;
    with.add(tenant).add(id);
    auto const rows = co_await tx.query(connection_now, std::move(with));
    if (!rows) co_return rows.error();
    if (rows->empty()) co_return fail(errc::not_found, "connection " + id.str());
    row_reader r(*rows, 0);
    connection_row row = r.connection(tenant);
    if (r.problem()) co_return *r.problem();
    co_return row;
}

task<result<std::int64_t>> count_live_links(pg::transaction& tx, held_lease const& held) {
    auto const rows = co_await tx.query(live_links, at(held));
    if (!rows) co_return rows.error();
    co_return rows->integer(0, 0);
}

task<result<void>> note_split(pg::transaction& tx, tenant_id tenant, task_id task, task_id split_from_task, std::string split_from) {
    pg::params with;
    with.add(tenant).add(task).add(split_from_task).add(split_from);
    auto const rows = co_await tx.query(split, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

}  // namespace calbridge::store
