#include "store/clockwork.h"

#include "store/row_reader.h"
#include "store/work.h"

namespace calbridge::store {

namespace {

constexpr pg::statement claim{"claim_channel_duties", R"(
    SELECT what, tenant_id, user_id, connection_id, calendar_id, google_calendar_id, mode, connection_status, failures,
    channel_id, resource_id, state, expires_at, renew_at, verified_at, created_at
    FROM claim_channel_duties($1::bigint::integer, $2))"};
constexpr pg::statement insert{"insert_channel", R"(
    INSERT INTO channels (tenant_id, channel_id, connection_id, calendar_id, token_hash, state, kind)
    VALUES ($1, $2, $3, $4, $5, 'pending', CASE WHEN $4 IS NULL THEN 'calendar_list' ELSE 'events' END))"};
constexpr pg::statement raise_calendar{"raise_watched_calendar", R"(
    UPDATE calendars SET dirty_seq = dirty_seq + 1, dirty_at = CASE WHEN synced_seq < dirty_seq THEN coalesce(dirty_at, now())
    ELSE now() END, channel_failures = 0, pushable = true, channel_due_at = $3
    WHERE tenant_id = $1 AND calendar_id = $2 AND selected AND missing_since IS NULL)"};
constexpr pg::statement supersede{"supersede_channels", R"(
    UPDATE channels SET state = 'superseded', superseded_at = now(), resource_id = coalesce(resource_id, $4)
    WHERE tenant_id = $1 AND calendar_id = $2 AND channel_id <> $3 AND state IN ('pending', 'active'))"};
// The same two for the calendar list.
constexpr pg::statement raise_list{"raise_watched_list", R"(
    UPDATE user_calendar_connections SET list_dirty_seq = list_dirty_seq + 1, list_channel_failures = 0, list_pushable = true,
    list_channel_due_at = $3
    WHERE tenant_id = $1 AND connection_id = $2 AND status IN ('active', 'paused'))"};
constexpr pg::statement supersede_list{"supersede_list_channels", R"(
    UPDATE channels SET state = 'superseded', superseded_at = now(), resource_id = coalesce(resource_id, $4)
    WHERE tenant_id = $1 AND connection_id = $2 AND kind = 'calendar_list' AND channel_id <> $3 AND state IN ('pending', 'active'))"};
constexpr pg::statement activate{"activate_channel", R"(
    UPDATE channels SET state = 'active', resource_id = $3, expires_at = $4, renew_at = $5
    WHERE tenant_id = $1 AND channel_id = $2 AND state = 'pending')"};
// Whoever superseded or stopped it while Google was answering did not know how to stop it at Google.
constexpr pg::statement leave{"leave_channel", R"(
    UPDATE channels SET state = 'superseded', resource_id = $3, expires_at = $4,
    superseded_at = now() - interval '1 hour', claimed_until = '-infinity'
    WHERE tenant_id = $1 AND channel_id = $2 AND state <> 'active')"};
constexpr pg::statement hold_watched{"hold_watched_calendar", R"(
    SELECT 1 FROM calendars
    WHERE tenant_id = $1 AND calendar_id = (SELECT calendar_id FROM channels WHERE tenant_id = $1
    AND channel_id = $2) FOR NO KEY UPDATE)"};
constexpr pg::statement hold_listed{"hold_listed_connection", R"(
    SELECT 1 FROM user_calendar_connections
    WHERE tenant_id = $1 AND connection_id = (SELECT connection_id FROM channels WHERE tenant_id = $1
    AND channel_id = $2 AND kind = 'calendar_list') FOR NO KEY UPDATE)"};
constexpr pg::statement stop{"stop_channel", R"(
    WITH before AS (SELECT tenant_id, channel_id, connection_id, calendar_id, state FROM channels WHERE tenant_id = $1
    AND channel_id = $2 FOR NO KEY UPDATE), due AS (UPDATE calendars c SET channel_due_at = now() FROM before b
    WHERE (c.tenant_id, c.calendar_id) = (b.tenant_id, b.calendar_id) AND b.state = 'active'),
    list_due AS (UPDATE user_calendar_connections u SET list_channel_due_at = now() FROM before b
    WHERE (u.tenant_id, u.connection_id) = (b.tenant_id, b.connection_id) AND b.calendar_id IS NULL AND b.state = 'active')
    UPDATE channels h SET state = 'stopped', state_reason = $3, stopped_at = now()
    FROM before b
    WHERE (h.tenant_id, h.channel_id) = (b.tenant_id, b.channel_id) AND h.state <> 'stopped')"};
constexpr pg::statement count_failure{"channel_failed", R"(
    UPDATE calendars SET channel_failures = channel_failures + 1, pushable = pushable AND NOT $3,
    channel_due_at = now() + $4 * interval '1 millisecond'
    WHERE tenant_id = $1 AND calendar_id = $2
    RETURNING channel_failures)"};
constexpr pg::statement count_list_failure{"list_channel_failed", R"(
    UPDATE user_calendar_connections SET list_channel_failures = list_channel_failures + 1, list_pushable = list_pushable AND NOT $3,
    list_channel_due_at = now() + $4 * interval '1 millisecond'
    WHERE tenant_id = $1 AND connection_id = $2
    RETURNING list_channel_failures)"};
constexpr pg::statement drop_pending{"drop_pending_channel", R"(
    UPDATE channels SET failures = failures + 1, state_reason = $3, state = CASE WHEN $4 THEN state ELSE 'stopped' END,
    stopped_at = CASE WHEN $4 THEN stopped_at ELSE now() END
    WHERE tenant_id = $1 AND channel_id = $2 AND state = 'pending')"};

result<channel_duty> read_duty(row_reader& r) {
    channel_duty d;
    std::string const what = r.text();
    d.what = what == "open" ? channel_duty::kind::open : what == "renew" ? channel_duty::kind::renew : channel_duty::kind::stop;
    d.tenant = r.tenant();
    d.user = user_id(r.text());
    d.connection = connection_id{r.id()};
    d.calendar = calendar_id{r.id()};
    d.google_calendar_id = r.text();
    d.mode = r.text();
    auto const status = status_named(r.text());
    if (!status) return fail(errc::internal, "connection " + d.connection.str() + ": unknown status");
    d.status = *status;
    d.failures = r.small();
    if (r.is_null()) return d;
    channel_row row;
    row.tenant = d.tenant;
    row.id = channel_id{r.id()};
    row.connection = d.connection;
    row.calendar = d.calendar;
    row.resource_id = r.text_or_null();
    row.state = r.text();
    row.expires_at = r.time_or_null();
    row.renew_at = r.time_or_null();
    row.verified_at = r.time_or_null();
    row.created_at = r.time();
    row.failures = d.failures;
    d.channel = std::move(row);
    return d;
}

}  // namespace

task<result<std::vector<channel_duty>>> claim_channel_duties(pg::database& db, int most, std::chrono::milliseconds life) {
    pg::params with;
    with.add(most).add(static_cast<std::int64_t>(life.count()));
    auto const rows = co_await pg::run_once_untenanted(db, claim, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<channel_duty> duties;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        auto duty = read_duty(r);
        if (!duty) co_return duty.error();
        duties.push_back(std::move(*duty));
    }
    co_return duties;
}

task<result<void>> insert_channel(pg::database& db, channel_row const& row, bytes token_hash) {
    pg::params with;
    with.add(row.tenant).add(row.id).add(row.connection);
    with.add(row.calendar.is_nil() ? std::optional<calendar_id>() : std::optional(row.calendar)).add(token_hash);
    auto const rows = co_await pg::run_once(db, row.tenant, insert, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<void>> activate_channel(pg::database& db, channel_row const& row, std::string resource_id, instant expires_at, instant renew_at,
                                    std::vector<outbox_message>& wakeups) {
    auto tx = co_await db.begin(row.tenant);
    if (!tx) co_return tx.error();
    bool const of_list = row.calendar.is_nil();
    uuid const watched_row = of_list ? row.connection.value : row.calendar.value;
    pg::params raised, others, active;
    raised.add(row.tenant).add(watched_row).add(renew_at);
    others.add(row.tenant).add(watched_row).add(row.id).add(resource_id);
    active.add(row.tenant).add(row.id).add(resource_id).add(expires_at).add(renew_at);
    // The watched row first: two activations for one follow each other.
    std::vector<pg::transaction::step> steps;
    steps.push_back({of_list ? &raise_list : &raise_calendar, std::move(raised)});
    auto const watched = co_await (*tx)->batch(std::move(steps));
    if (!watched) co_return watched.error();
    if (watched->front().affected() == 1) {
        std::vector<pg::transaction::step> changing;
        changing.push_back({of_list ? &supersede_list : &supersede, std::move(others)});
        changing.push_back({&activate, std::move(active)});
        auto const changed = co_await (*tx)->batch(std::move(changing));
        if (!changed) co_return changed.error();
        if (changed->back().affected() == 1) {
            auto const written = co_await write_outbox(**tx, wakeups);
            if (!written) co_return written.error();
            co_return co_await (*tx)->commit();
        }
    }

    tx->reset();
    pg::params left;
    left.add(row.tenant).add(row.id).add(resource_id).add(expires_at);
    auto const rows = co_await pg::run_once(db, row.tenant, leave, std::move(left));
    if (!rows) co_return rows.error();
    co_return fail(errc::gone, "channel " + row.id.str() + ": nobody waits for it any more");
}

task<result<void>> stop_channel_row(pg::database& db, tenant_id tenant, channel_id id, std::string why) {
    auto tx = co_await db.begin(tenant);
    if (!tx) co_return tx.error();
    pg::params of, with;
    of.add(tenant).add(id);
    with.add(tenant).add(id).add(scrub_text(why));
    std::vector<pg::transaction::step> steps;
    steps.push_back({&hold_watched, of});
    steps.push_back({&hold_listed, std::move(of)});
    steps.push_back({&stop, std::move(with)});
    auto const rows = co_await (*tx)->batch_and_commit(std::move(steps));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<int>> channel_failed(pg::database& db, channel_row const& row, std::string why, bool permanent, bool outcome_unknown,
                                 std::chrono::milliseconds retry_in) {
    auto tx = co_await db.begin(row.tenant);
    if (!tx) co_return tx.error();
    bool const of_list = row.calendar.is_nil();
    pg::params counted, dropped;
    counted.add(row.tenant).add(of_list ? row.connection.value : row.calendar.value);
    counted.add(permanent).add(static_cast<std::int64_t>(retry_in.count()));
    dropped.add(row.tenant).add(row.id).add(scrub_text(why)).add(outcome_unknown);
    std::vector<pg::transaction::step> steps;
    steps.push_back({of_list ? &count_list_failure : &count_failure, std::move(counted)});
    steps.push_back({&drop_pending, std::move(dropped)});
    auto const rows = co_await (*tx)->batch_and_commit(std::move(steps));
    if (!rows) co_return rows.error();
    if (rows->front().empty()) co_return fail(errc::not_found, "nothing is left to watch for channel " + row.id.str());
    co_return static_cast<int>(rows->front().integer(0, 0));
}

}  // namespace calbridge::store
