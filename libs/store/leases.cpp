#include "store/work.h"

#include "store/row_reader.h"

namespace calbridge::store {

namespace {

constexpr pg::statement acquire{"acquire_lease", R"(
    UPDATE calendars c SET lease_owner = $3, lease_epoch = c.lease_epoch + 1, lease_until = now() + $4 * interval '1 millisecond'
    FROM user_calendar_connections u
    WHERE c.tenant_id = $1 AND c.calendar_id = $2 AND (u.tenant_id, u.connection_id) = (c.tenant_id, c.connection_id)
    AND u.status = 'active' AND c.missing_since IS NULL AND (c.lease_until <= now() OR c.lease_owner = $3)
    RETURNING )" CALBRIDGE_CALENDAR_COLUMNS ", " CALBRIDGE_CONNECTION_COLUMNS};
constexpr pg::statement renew{"renew_lease", R"(
    UPDATE calendars SET lease_until = now() + $4 * interval '1 millisecond'
    WHERE tenant_id = $1 AND calendar_id = $2 AND lease_epoch = $3 AND lease_owner IS NOT NULL)"};
constexpr pg::statement release{"release_lease", R"(
    UPDATE calendars SET lease_until = '-infinity', lease_owner = NULL
    WHERE tenant_id = $1 AND calendar_id = $2 AND lease_epoch = $3)"};
constexpr pg::statement check{"check_lease", "SELECT " CALBRIDGE_CALENDAR_COLUMNS R"(
    FROM calendars c
    WHERE c.tenant_id = $1 AND c.calendar_id = $2 AND c.lease_epoch = $3 AND c.lease_owner IS NOT NULL FOR NO KEY UPDATE)"};

error lost(held_lease const& held) { return fail(errc::conflict, "the lease on calendar " + held.calendar.str() + " was lost"); }

pg::params of(held_lease const& held) {
    pg::params with;
    with.add(held.tenant).add(held.calendar).add(held.epoch);
    return with;
}

}  // namespace

task<result<std::optional<leased_calendar>>> acquire_lease(pg::database& db, tenant_id tenant, calendar_id calendar, std::string owner,
                                                           std::chrono::milliseconds life) {
    pg::params with;
    with.add(tenant).add(calendar).add(owner).add(static_cast<std::int64_t>(life.count()));
    auto const rows = co_await pg::run_once(db, tenant, acquire, std::move(with));
    if (!rows) co_return rows.error();
    if (rows->empty()) co_return std::optional<leased_calendar>{};
    row_reader r(*rows, 0);
    leased_calendar got;
    got.calendar = r.calendar(tenant);
    got.connection = r.connection(tenant);
    if (r.problem()) co_return *r.problem();
    got.lease = held_lease{tenant, calendar, got.calendar.lease_epoch};
    co_return std::optional<leased_calendar>(std::move(got));
}

task<result<void>> renew_lease(pg::database& db, held_lease held, std::chrono::milliseconds life) {
    pg::params with = of(held);
    with.add(static_cast<std::int64_t>(life.count()));
    auto const rows = co_await pg::run_once(db, held.tenant, renew, std::move(with));
    if (!rows) co_return rows.error();
    if (rows->affected() == 0) co_return lost(held);
    co_return result<void>{};
}

task<result<void>> release_lease(pg::database& db, held_lease held) {
    pg::params with = of(held);
    auto const rows = co_await pg::run_once(db, held.tenant, release, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<calendar_row>> check_lease(pg::transaction& tx, held_lease const& held) {
    pg::params with = of(held);
    auto const rows = co_await tx.query(check, std::move(with));
    if (!rows) co_return rows.error();
    if (rows->empty()) co_return lost(held);
    row_reader r(*rows, 0);
    co_return r.calendar(held.tenant);
}

}  // namespace calbridge::store
