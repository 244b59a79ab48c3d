#include "store/clockwork.h"

#include "store/row_reader.h"

namespace calbridge::store {

namespace {

constexpr pg::statement polls{"claim_polls",
                              "SELECT tenant_id, user_id, calendar_id, degraded, misses_before, misses "
                              "FROM claim_polls($1::bigint::integer, $2, $3, $4)"};
constexpr pg::statement overdue{"overdue_work", R"(
    SELECT tenant_id, user_id, calendar_id FROM overdue_work($1::bigint::integer, $2)
    UNION SELECT tenant_id, user_id, calendar_id FROM overdue_requests($1::bigint::integer, $2))"};
constexpr pg::statement waiting{"place_waiting_tasks",
                                "SELECT tenant_id, user_id, calendar_id FROM place_waiting_tasks($1::bigint::integer)"};
constexpr pg::statement idle{"claim_idle_grants", "SELECT tenant_id, connection_id FROM claim_idle_grants($1::bigint::integer)"};
constexpr pg::statement discoveries{"claim_discoveries",
                                    "SELECT tenant_id, connection_id, whole, failures FROM claim_discoveries($1::bigint::integer)"};
constexpr pg::statement not_discovered{"discovery_failed", R"(
    UPDATE user_calendar_connections SET discovery_failures = discovery_failures + 1,
    discovery_claimed_until = now() + $3 * interval '1 millisecond'
    WHERE tenant_id = $1 AND connection_id = $2)"};
constexpr pg::statement departures{"claim_departures",
                                   "SELECT tenant_id, connection_id, since FROM claim_departures($1::bigint::integer, $2)"};
constexpr pg::statement orphans{"put_right_orphans",
                                "SELECT what, tenant_id, user_id, calendar_id FROM put_right_orphans($1::bigint::integer, $2)"};
constexpr pg::statement stuck{"stuck_outboxes", "SELECT tenant_id, messages FROM stuck_outboxes($1)"};
constexpr pg::statement sweep{"retain", "SELECT retain($1::bigint::integer) + retain_requests($1::bigint::integer)"};
constexpr pg::statement figures{"read_backlog", R"(
    SELECT pending_calendars, pending_tasks, outbox_pending, calendars_without_channel, oldest_pending_seconds
    FROM read_backlog())"};

wake read_wake(row_reader& r) {
    wake w;
    w.tenant = r.tenant();
    w.user = user_id(r.text());
    w.calendar = calendar_id{r.id()};
    return w;
}

std::vector<wake> read_wakes(pg::rows const& rows) {
    std::vector<wake> wakes;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        row_reader r(rows, i);
        wakes.push_back(read_wake(r));
    }
    return wakes;
}

std::vector<idle_grant> read_grants(pg::rows const& rows) {
    std::vector<idle_grant> grants;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        row_reader r(rows, i);
        idle_grant g;
        g.tenant = r.tenant();
        g.connection = connection_id{r.id()};
        grants.push_back(std::move(g));
    }
    return grants;
}

}  // namespace

task<result<std::vector<poll_duty>>> claim_polls(pg::database& db, int most, std::chrono::milliseconds active,
                                                 std::chrono::milliseconds idle_wait, double random) {
    pg::params with;
    with.add(most).add(static_cast<std::int64_t>(active.count())).add(static_cast<std::int64_t>(idle_wait.count())).add(random);
    auto const rows = co_await pg::run_once_untenanted(db, polls, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<poll_duty> duties;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        poll_duty d;
        d.where = read_wake(r);
        d.degraded = r.boolean();
        d.misses_before = r.small();
        d.misses = r.small();
        duties.push_back(std::move(d));
    }
    co_return duties;
}

task<result<std::vector<wake>>> overdue_work(pg::database& db, int most, std::chrono::milliseconds grace) {
    pg::params with;
    with.add(most).add(static_cast<std::int64_t>(grace.count()));
    auto const rows = co_await pg::run_once_untenanted(db, overdue, std::move(with));
    if (!rows) co_return rows.error();
    co_return read_wakes(*rows);
}

task<result<std::vector<wake>>> place_waiting(pg::database& db, int most) {
    pg::params with;
    with.add(most);
    auto const rows = co_await pg::run_once_untenanted(db, waiting, std::move(with));
    if (!rows) co_return rows.error();
    co_return read_wakes(*rows);
}

task<result<std::vector<idle_grant>>> idle_grants(pg::database& db, int most) {
    pg::params with;
    with.add(most);
    auto const rows = co_await pg::run_once_untenanted(db, idle, std::move(with));
    if (!rows) co_return rows.error();
    co_return read_grants(*rows);
}

task<result<std::vector<discovery_duty>>> claim_discoveries(pg::database& db, int most) {
    pg::params with;
    with.add(most);
    auto const rows = co_await pg::run_once_untenanted(db, discoveries, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<discovery_duty> duties;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        discovery_duty d;
        d.tenant = r.tenant();
        d.connection = connection_id{r.id()};
        d.whole = r.boolean();
        d.failures = r.small();
        duties.push_back(std::move(d));
    }
    co_return duties;
}

task<result<void>> discovery_failed(pg::database& db, tenant_id tenant, connection_id connection, std::chrono::milliseconds retry_in) {
    pg::params with;
    with.add(tenant).add(connection).add(static_cast<std::int64_t>(retry_in.count()));
    auto const rows = co_await pg::run_once(db, tenant, not_discovered, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<std::vector<departure>>> claim_departures(pg::database& db, int most, std::chrono::milliseconds life) {
    pg::params with;
    with.add(most).add(static_cast<std::int64_t>(life.count()));
    auto const rows = co_await pg::run_once_untenanted(db, departures, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<departure> duties;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        departure d;
        d.tenant = r.tenant();
        d.connection = connection_id{r.id()};
        d.since = r.time();
        duties.push_back(std::move(d));
    }
    co_return duties;
}

task<result<std::vector<orphan>>> put_right_orphans(pg::database& db, int most, std::chrono::milliseconds age) {
    pg::params with;
    with.add(most).add(static_cast<std::int64_t>(age.count()));
    auto const rows = co_await pg::run_once_untenanted(db, orphans, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<orphan> found;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        orphan o;
        o.what = r.text();
        o.tenant = r.tenant();
        user_id user(r.text());
        if (auto const calendar = r.id_or_null()) o.where = wake{o.tenant, std::move(user), calendar_id{*calendar}};
        found.push_back(std::move(o));
    }
    co_return found;
}

task<result<std::vector<stuck_outbox>>> stuck_outboxes(pg::database& db, std::chrono::milliseconds age) {
    pg::params with;
    with.add(static_cast<std::int64_t>(age.count()));
    auto const rows = co_await pg::run_once_untenanted(db, stuck, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<stuck_outbox> found;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        stuck_outbox o;
        o.tenant = r.tenant();
        o.messages = r.integer();
        found.push_back(std::move(o));
    }
    co_return found;
}

task<result<std::int64_t>> retain(pg::database& db, int most) {
    pg::params with;
    with.add(most);
    auto const rows = co_await pg::run_once_untenanted(db, sweep, std::move(with));
    if (!rows) co_return rows.error();
    co_return rows->integer(0, 0);
}

task<result<backlog>> read_backlog(pg::database& db) {
    auto const rows = co_await pg::run_once_untenanted(db, figures, pg::params{});
    if (!rows) co_return rows.error();
    row_reader r(*rows, 0);
    backlog b;
    b.pending_calendars = r.integer();
    b.pending_tasks = r.integer();
    b.outbox_pending = r.integer();
    b.calendars_without_channel = r.integer();
    b.oldest_pending_seconds = r.real();
    co_return b;
}

}  // namespace calbridge::store
