#include "store/work.h"

#include "store/row_reader.h"

#include "wire/stored.h"

namespace calbridge::store {

namespace {

constexpr pg::statement add_link{"insert_link", R"(
    INSERT INTO task_links (tenant_id, link_id, task_id, connection_id, calendar_id, google_calendar_id,
    google_calendar_event_id, generation, state, state_reason, google_calendar_etag, base, remote, html_link,
    google_meet_link, google_meet_id, meet_pending, attendees_data, has_conflict, conflict_data, frozen,
    operation_seq, recorded_seq, google_base, ical_uid, original_start, read_only, event_updated_at,
    meet_request, meet_failed)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8::bigint::integer, $9, $10, $11, $12::jsonb, $13::jsonb, $14, $15, $16, $17,
    $18::jsonb, $19, $20::jsonb, $21, $22, $23, $24::jsonb, $25, $26, $27, $28, $29, $30))"};
constexpr pg::statement change_link{"update_link", R"(
    UPDATE task_links SET calendar_id = $5, google_calendar_id = $6, google_calendar_event_id = $7,
    generation = $8::bigint::integer, ended_at = CASE WHEN $9 = 'ended' THEN coalesce(ended_at, now()) END, state = $9,
    state_reason = $10, google_calendar_etag = $11, base = $12::jsonb, remote = $13::jsonb, html_link = $14,
    google_meet_link = $15, google_meet_id = $16, meet_pending = $17, attendees_data = $18::jsonb, has_conflict = $19,
    conflict_data = $20::jsonb, frozen = $21, operation_seq = $22, recorded_seq = $23,
    google_base = $24::jsonb, google_calendar_synced_at = now(), ical_uid = $25, original_start = $26, read_only = $27,
    event_updated_at = $28, meet_request = $29, meet_failed = $30
    WHERE tenant_id = $1 AND link_id = $2 AND task_id = $3 AND connection_id = $4)"};
constexpr pg::statement add_operation{"insert_operation", R"(
    INSERT INTO operations (tenant_id, operation_id, link_id, calendar_id, sequence, kind, state, pushed, expected,
    before, if_match, send_updates, who, why, answer_status, answer_reason, answer_etag, conflicts, finished_at)
    VALUES ($1, $2, $3, $4, CASE WHEN $5 = 0 THEN (SELECT coalesce(max(n.sequence), 0) + 1 FROM operations n WHERE (n.tenant_id,
    n.link_id) = ($1, $3)) ELSE $5 END, $6, $7, $8, $9::jsonb, $10::jsonb, $11, $12, $13, $14, $15::bigint::integer, $16, $17, $18::jsonb,
    CASE WHEN $7 = 'pending' THEN NULL ELSE now() END))"};
constexpr pg::statement end_operation{"finish_operation", R"(
    UPDATE operations SET state = $3, answer_status = $4::bigint::integer, answer_reason = $5, answer_etag = $6,
    finished_at = CASE WHEN $3 = 'pending' THEN NULL ELSE now() END
    WHERE tenant_id = $1 AND operation_id = $2 AND state IN ('pending', 'abandoned'))"};

std::optional<std::string> stored(std::optional<domain::fields> const& fields) {
    if (!fields) return {};
    return wire::store_fields(*fields);
}

pg::params of(link_row const& row) {
    std::optional<std::string> conflicts;
    if (!row.conflicts.empty()) conflicts = wire::store_conflicts(row.conflicts);
    pg::params with;
    with.add(row.tenant)
        .add(row.id)
        .add(row.task)
        .add(row.connection)
        .add(row.calendar)
        .add(row.google_calendar_id)
        .add(row.event_id)
        .add(row.generation);
    with.add(domain::name(row.state))
        .add(row.state_reason)
        .add(row.etag)
        .add(stored(row.base))
        .add(stored(row.remote))
        .add(row.html_link)
        .add(row.meet_link);
    with.add(row.meet_id)
        .add(row.meet_pending)
        .add(row.attendees_data)
        .add(row.has_conflict)
        .add(conflicts)
        .add(row.frozen)
        .add(row.operation_seq);
    with.add(row.recorded_seq)
        .add(stored(row.google_base))
        .add(row.ical_uid)
        .add(row.original_start)
        .add(row.read_only)
        .add(row.event_updated)
        .add(row.meet_request)
        .add(row.meet_failed);
    return with;
}

}  // namespace

task<result<void>> insert_link(pg::transaction& tx, link_row const& row) {
    pg::params with = of(row);
    auto const rows = co_await tx.query(add_link, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<void>> update_link(pg::transaction& tx, link_row const& row) {
    pg::params with = of(row);
    auto const rows = co_await tx.query(change_link, std::move(with));
    if (!rows) co_return rows.error();
    if (rows->affected() != 1) co_return fail(errc::internal, "update link " + row.id.str() + ": there is no such row");
    co_return result<void>{};
}

task<result<void>> insert_operation(pg::transaction& tx, operation_row const& row) {
    std::optional<std::int64_t> const answer_status = row.answer_status;
    pg::params with;
    with.add(row.tenant).add(row.id).add(row.link).add(row.calendar).add(row.sequence).add(row.kind).add(row.state).add_array(row.pushed);
    with.add(stored(row.expected))
        .add(stored(row.before))
        .add(row.if_match)
        .add(row.send_updates)
        .add(row.who)
        .add(row.why)
        .add(answer_status);
    std::optional<std::string> conflicts;
    if (!row.conflicts.empty()) conflicts = wire::store_conflicts(row.conflicts);
    with.add(row.answer_reason).add(row.answer_etag).add(conflicts);
    auto const rows = co_await tx.query(add_operation, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<void>> finish_operation(pg::transaction& tx, operation_row const& row) {
    std::optional<std::int64_t> const answer_status = row.answer_status;
    pg::params with;
    with.add(row.tenant).add(row.id).add(row.state).add(answer_status).add(row.answer_reason).add(row.answer_etag);
    auto const rows = co_await tx.query(end_operation, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

}  // namespace calbridge::store
