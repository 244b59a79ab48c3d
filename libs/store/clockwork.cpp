#include "store/clockwork.h"

#include "store/row_reader.h"

namespace calbridge::store {

namespace {

constexpr pg::statement polls{"claim_polls",
                              "SELECT tenant_id, user_id, calendar_id, degraded FROM claim_polls($1::bigint::integer, $2, $3, $4)"};
constexpr pg::statement overdue{"overdue_work", "SELECT tenant_id, user_id, calendar_id FROM overdue_work($1::bigint::integer, $2)"};
constexpr pg::statement waiting{"place_waiting_tasks",
                                "SELECT tenant_id, user_id, calendar_id FROM place_waiting_tasks($1::bigint::integer)"};
constexpr pg::statement idle{"claim_idle_grants", "SELECT tenant_id, connection_id FROM claim_idle_grants($1::bigint::integer)"};
constexpr pg::statement stale{"claim_stale_discoveries",
                              "SELECT tenant_id, connection_id FROM claim_stale_discoveries($1::bigint::integer)"};
constexpr pg::statement sweep{"retain", "SELECT retain($1::bigint::integer)"};
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

task<result<std::vector<idle_grant>>> stale_discoveries(pg::database& db, int most) {
    pg::params with;
    with.add(most);
    auto const rows = co_await pg::run_once_untenanted(db, stale, std::move(with));
    if (!rows) co_return rows.error();
    co_return read_grants(*rows);
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
