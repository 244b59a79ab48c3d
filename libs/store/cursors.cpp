#include "store/work.h"

#include "store/row_reader.h"

namespace calbridge::store {

namespace {

constexpr pg::statement save{"save_cursor", R"(
    UPDATE calendars SET sync_token = coalesce($4, sync_token),
    sync_fingerprint = coalesce(nullif($5, ''), sync_fingerprint),
    synced_seq = greatest(synced_seq, coalesce($6, synced_seq)),
    dirty_at = CASE WHEN $6 IS NULL THEN dirty_at WHEN $6 < dirty_seq THEN now() END, pass_page_token = $7,
    pass_dirty_seq = $8, pass_id = greatest(pass_id, $9), time_zone = coalesce(nullif($10, ''), time_zone),
    last_changed_at = CASE WHEN $11 THEN now() ELSE last_changed_at END, retry_at = NULL, failures = 0,
    last_error = '', last_synced_at = now()
    WHERE tenant_id = $1 AND calendar_id = $2 AND lease_epoch = $3)"};
constexpr pg::statement note_sync{"note_sync", R"(
    UPDATE user_calendar_connections u SET last_synced_at = now()
    FROM calendars c
    WHERE c.tenant_id = $1 AND c.calendar_id = $2 AND (u.tenant_id, u.connection_id) = (c.tenant_id, c.connection_id)
    AND (u.last_synced_at IS NULL OR u.last_synced_at < now() - interval '10 seconds'))"};
constexpr pg::statement drop{"drop_cursor", R"(
    UPDATE calendars SET sync_token = NULL, sync_fingerprint = '', pass_page_token = NULL, pass_dirty_seq = NULL,
    dirty_seq = dirty_seq + 1, dirty_at = coalesce(dirty_at, now())
    WHERE tenant_id = $1 AND calendar_id = $2 AND lease_epoch = $3)"};
constexpr pg::statement defer{"defer_calendar", R"(
    UPDATE calendars SET retry_at = now() + $4 * interval '1 millisecond', failures = failures + 1, last_error = $5
    WHERE tenant_id = $1 AND calendar_id = $2 AND lease_epoch = $3 AND lease_owner IS NOT NULL)"};

error lost(held_lease const& held) { return fail(errc::conflict, "the lease on calendar " + held.calendar.str() + " was lost"); }

pg::params of(held_lease const& held) {
    pg::params with;
    with.add(held.tenant).add(held.calendar).add(held.epoch);
    return with;
}

}  // namespace

task<result<void>> save_cursor(pg::transaction& tx, held_lease const& held, cursor const& at) {
    pg::params with = of(held);
    with.add(at.sync_token)
        .add(at.fingerprint)
        .add(at.synced_seq)
        .add(at.page_token)
        .add(at.pass_dirty_seq)
        .add(at.pass_id)
        .add(at.time_zone)
        .add(at.changed);
    std::vector<pg::transaction::step> steps;
    steps.push_back({&save, std::move(with)});
    if (at.synced_seq) {
        pg::params noted;
        noted.add(held.tenant).add(held.calendar);
        steps.push_back({&note_sync, std::move(noted)});
    }
    auto const rows = co_await tx.batch(std::move(steps));
    if (!rows) co_return rows.error();
    if (rows->front().affected() == 0) co_return lost(held);
    co_return result<void>{};
}

task<result<void>> drop_cursor(pg::transaction& tx, held_lease const& held) {
    pg::params with = of(held);
    auto const rows = co_await tx.query(drop, std::move(with));
    if (!rows) co_return rows.error();
    if (rows->affected() == 0) co_return lost(held);
    co_return result<void>{};
}

task<result<void>> defer_calendar(pg::database& db, held_lease held, std::chrono::milliseconds wait, std::string why) {
    pg::params with = of(held);
    with.add(static_cast<std::int64_t>(wait.count())).add(scrub_text(why));
    auto const rows = co_await pg::run_once(db, held.tenant, defer, std::move(with));
    if (!rows) co_return rows.error();
    if (rows->affected() == 0) co_return lost(held);
    co_return result<void>{};
}

}  // namespace calbridge::store
