#include "store/requests.h"

#include "store/row_reader.h"

namespace calbridge::store {

namespace {

#define CALBRIDGE_REQUEST_COLUMNS                                                                                               \
    "r.tenant_id, r.request_id, r.user_id, r.connection_id, r.calendar_id, r.kind, r.subject, r.detail::text, r.who, r.state, " \
    "r.progress::text, coalesce(r.result::text, ''), r.attempts, r.created_at, r.finished_at"
constexpr pg::statement add{"add_request", R"(
    INSERT INTO requests (tenant_id, request_id, user_id, connection_id, calendar_id, kind, subject, detail, who, idempotency_key)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10) ON CONFLICT DO NOTHING)"};
constexpr pg::statement read_added{"read_added_request", "SELECT " CALBRIDGE_REQUEST_COLUMNS R"(
    FROM requests r WHERE r.tenant_id = $1 AND (r.request_id = $2 OR r.idempotency_key = $3))"};
constexpr pg::statement read_one{"read_request", "SELECT " CALBRIDGE_REQUEST_COLUMNS R"(
    FROM requests r WHERE r.tenant_id = $1 AND r.request_id = $2)"};
constexpr pg::statement hold_one{"hold_request", "SELECT " CALBRIDGE_REQUEST_COLUMNS R"(
    FROM requests r WHERE r.tenant_id = $1 AND r.request_id = $2 AND r.state IN ('pending', 'running') FOR NO KEY UPDATE)"};
constexpr pg::statement save{"save_request", R"(
    UPDATE requests SET calendar_id = $3, state = $4, progress = $5::jsonb, result = nullif($6, '')::jsonb, attempts = attempts + 1,
    next_at = now() + $7 * interval '1 millisecond', woken_at = NULL,
    finished_at = CASE WHEN $4 IN ('done', 'failed') THEN now() END
    WHERE tenant_id = $1 AND request_id = $2 AND state IN ('pending', 'running'))"};
constexpr pg::statement read_operation{"read_placed_operation",
                                       "SELECT " CALBRIDGE_OPERATION_COLUMNS ", o.created_at, " CALBRIDGE_LINK_COLUMNS R"(
    FROM operations o JOIN task_links l ON (l.tenant_id, l.link_id) = (o.tenant_id, o.link_id)
    WHERE o.tenant_id = $1 AND o.operation_id = $2)"};
constexpr pg::statement reopen{"reopen_task", R"(
    UPDATE tasks SET snapshot = jsonb_set(snapshot, '{status}', '"open"') WHERE tenant_id = $1 AND task_id = $2)"};

#define CALBRIDGE_QUARANTINE_COLUMNS                                                                                                  \
    "q.tenant_id, q.quarantine_id, q.source, q.subject, q.reason, q.detail, q.value, q.state, q.headers::text, q.partition::bigint, " \
    "q.\"offset\", q.seen_count, q.created_at, q.last_seen_at"
constexpr pg::statement read_aside{"read_quarantined", "SELECT " CALBRIDGE_QUARANTINE_COLUMNS R"(
    FROM quarantine q WHERE q.tenant_id = $1 AND q.quarantine_id = $2)"};
constexpr pg::statement settle_aside{"settle_quarantined", R"(
    UPDATE quarantine SET state = $3 WHERE tenant_id = $1 AND quarantine_id = $2 AND state = 'open')"};
constexpr pg::statement list_aside{"list_quarantined", "SELECT " CALBRIDGE_QUARANTINE_COLUMNS R"(
    FROM quarantine q
    WHERE q.tenant_id = $1 AND q.state = 'open' AND ($2::text IS NULL OR q.subject = $1 || '/' || $2 OR EXISTS (
        SELECT 1 FROM calendars c JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (c.tenant_id, c.connection_id)
        WHERE c.tenant_id = $1 AND u.user_id = $2 AND q.source = 'google-event' AND starts_with(q.subject, c.calendar_id || '/')))
    ORDER BY q.last_seen_at DESC, q.quarantine_id LIMIT $3)"};

// Each gives the user, the connection with its status, and the calendar.
constexpr pg::statement task_place{"request_place_task", R"(
    SELECT t.user_id, u.connection_id, t.calendar_id, coalesce(u.status, 'active')
    FROM tasks t LEFT JOIN calendars c ON (c.tenant_id, c.calendar_id) = (t.tenant_id, t.calendar_id)
    LEFT JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (c.tenant_id, c.connection_id)
    WHERE t.tenant_id = $1 AND t.task_id = $2)"};
constexpr pg::statement operation_place{"request_place_operation", R"(
    SELECT t.user_id, u.connection_id, l.calendar_id, u.status
    FROM operations o JOIN task_links l ON (l.tenant_id, l.link_id) = (o.tenant_id, o.link_id)
    JOIN tasks t ON (t.tenant_id, t.task_id) = (l.tenant_id, l.task_id)
    JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (l.tenant_id, l.connection_id)
    WHERE o.tenant_id = $1 AND o.operation_id = $2::uuid)"};
constexpr pg::statement connection_place{"request_place_connection", R"(
    SELECT u.user_id, u.connection_id, coalesce(u.default_calendar_id, (
        SELECT c.calendar_id FROM calendars c WHERE (c.tenant_id, c.connection_id) = (u.tenant_id, u.connection_id) AND c.missing_since IS NULL
        ORDER BY c.is_primary DESC, c.selected DESC, c.calendar_id LIMIT 1)), u.status
    FROM user_calendar_connections u WHERE u.tenant_id = $1 AND u.connection_id = $2::uuid)"};
constexpr pg::statement calendar_place{"request_place_calendar", R"(
    SELECT u.user_id, u.connection_id, c.calendar_id, u.status
    FROM calendars c JOIN user_calendar_connections u ON (u.tenant_id, u.connection_id) = (c.tenant_id, c.connection_id)
    WHERE c.tenant_id = $1 AND c.calendar_id = $2::uuid)"};
constexpr pg::statement quarantined_place{"request_place_quarantined", R"(
    SELECT u.user_id, u.connection_id, CASE WHEN q.source = 'google-event' THEN c.calendar_id ELSE u.default_calendar_id END, u.status
    FROM quarantine q
    LEFT JOIN calendars c ON c.tenant_id = q.tenant_id AND q.source = 'google-event' AND starts_with(q.subject, c.calendar_id || '/')
    JOIN user_calendar_connections u ON u.tenant_id = q.tenant_id AND CASE WHEN q.source = 'google-event'
        THEN u.connection_id = c.connection_id ELSE q.subject = u.tenant_id || '/' || u.user_id END
    WHERE q.tenant_id = $1 AND q.quarantine_id = $2::uuid AND q.state = 'open'
    ORDER BY u.is_default DESC, u.connection_id LIMIT 1)"};

pg::statement const& place_statement(request_subject kind) {
    switch (kind) {
    case request_subject::task: return task_place;
    case request_subject::operation: return operation_place;
    case request_subject::connection: return connection_place;
    case request_subject::calendar: return calendar_place;
    case request_subject::quarantined: break;
    }
    return quarantined_place;
}

request_row read(row_reader& r, tenant_id const& asked) {
    request_row row;
    row.tenant = r.tenant(asked);
    row.id = request_id{r.id()};
    row.user = user_id(r.text());
    row.connection = connection_id{r.id()};
    row.calendar = calendar_id{r.id()};
    if (auto const kind = domain::request_kind_named(r.text())) row.kind = *kind;
    else r.refuse("request " + row.id.str() + ": unknown kind");
    row.subject = r.text();
    row.detail = r.text();
    row.who = r.text();
    row.state = r.text();
    row.progress = r.text();
    row.result = r.text();
    row.attempts = r.small();
    row.created_at = r.time();
    row.finished_at = r.time_or_null();
    return row;
}

result<std::optional<request_row>> first(pg::rows const& rows, tenant_id const& tenant) {
    if (rows.empty()) return std::optional<request_row>{};
    row_reader r(rows, 0);
    request_row row = read(r, tenant);
    if (r.problem()) return *r.problem();
    return std::optional<request_row>(std::move(row));
}

quarantine_row read_quarantine(row_reader& r, tenant_id const& asked) {
    quarantine_row row;
    row.tenant = r.tenant(asked);
    row.id = quarantine_id{r.id()};
    row.source = r.text();
    row.subject = r.text();
    row.reason = r.text();
    row.detail = r.text();
    bytes const value = r.blob();
    row.value.assign(value.begin(), value.end());
    row.state = r.text();
    if (auto headers = load_headers(r.text())) row.headers = std::move(*headers);
    row.partition = r.integer_or_null();
    row.offset = r.integer_or_null();
    row.seen = r.small();
    row.created_at = r.time();
    row.last_seen_at = r.time();
    return row;
}

template <class Id>
pg::params of(tenant_id const& tenant, Id const& id) {
    pg::params with;
    with.add(tenant).add(id);
    return with;
}

}  // namespace

task<result<request_row>> add_request(pg::transaction& tx, request_row const& row, std::optional<std::string> key) {
    pg::params with;
    with.add(row.tenant).add(row.id).add(row.user).add(row.connection).add(row.calendar).add(domain::name(row.kind)).add(row.subject);
    with.add(row.detail).add(row.who).add(key);
    pg::params again;
    again.add(row.tenant).add(row.id).add(key);
    std::vector<pg::transaction::step> steps;
    steps.push_back({&add, std::move(with)});
    steps.push_back({&read_added, std::move(again)});
    auto const rows = co_await tx.batch(std::move(steps));
    if (!rows) co_return rows.error();
    auto stored = first(rows->back(), row.tenant);
    if (!stored) co_return stored.error();
    if (!*stored) co_return fail(errc::internal, "add request: it was not stored");
    co_return **stored;
}

task<result<std::optional<request_row>>> find_request(pg::database& db, tenant_id tenant, request_id id) {
    pg::params with = of(tenant, id);
    auto const rows = co_await pg::run_once(db, tenant, read_one, std::move(with));
    if (!rows) co_return rows.error();
    co_return first(*rows, tenant);
}

task<result<std::optional<request_place>>> find_place(pg::database& db, tenant_id tenant, request_subject kind, std::string subject) {
    pg::params with;
    with.add(tenant).add(subject);
    pg::statement const& asked = place_statement(kind);
    auto const rows = co_await pg::run_once(db, tenant, asked, std::move(with));
    if (!rows) co_return rows.error();
    if (rows->empty()) co_return std::optional<request_place>{};
    row_reader r(*rows, 0);
    request_place place;
    place.user = user_id(r.text());
    if (auto const connection = r.id_or_null()) place.connection = connection_id{*connection};
    if (auto const calendar = r.id_or_null()) place.calendar = calendar_id{*calendar};
    if (auto const status = status_named(r.text())) place.status = *status;
    else co_return fail(errc::internal, "request place: unknown status");
    co_return std::optional<request_place>(std::move(place));
}

task<result<std::optional<request_row>>> lock_request(pg::transaction& tx, tenant_id tenant, request_id id) {
    pg::params with = of(tenant, id);
    auto const rows = co_await tx.query(hold_one, std::move(with));
    if (!rows) co_return rows.error();
    co_return first(*rows, tenant);
}

task<result<void>> save_request(pg::transaction& tx, request_row const& row, std::chrono::milliseconds wait) {
    pg::params with;
    with.add(row.tenant).add(row.id).add(row.calendar).add(row.state).add(row.progress).add(row.result);
    with.add(static_cast<std::int64_t>(wait.count()));
    auto const rows = co_await tx.query(save, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<std::optional<placed_operation>>> find_operation(pg::transaction& tx, tenant_id tenant, operation_id id) {
    pg::params with = of(tenant, id);
    auto const rows = co_await tx.query(read_operation, std::move(with));
    if (!rows) co_return rows.error();
    if (rows->empty()) co_return std::optional<placed_operation>{};
    row_reader r(*rows, 0);
    placed_operation found;
    found.operation = r.operation(tenant);
    found.created_at = r.time();
    found.link = r.link(tenant);
    if (r.problem()) co_return *r.problem();
    co_return std::optional<placed_operation>(std::move(found));
}

task<result<void>> reopen_task(pg::transaction& tx, tenant_id tenant, task_id task) {
    pg::params with = of(tenant, task);
    auto const rows = co_await tx.query(reopen, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<std::optional<quarantine_row>>> find_quarantined(pg::transaction& tx, tenant_id tenant, quarantine_id id) {
    pg::params with = of(tenant, id);
    auto const rows = co_await tx.query(read_aside, std::move(with));
    if (!rows) co_return rows.error();
    if (rows->empty()) co_return std::optional<quarantine_row>{};
    row_reader r(*rows, 0);
    co_return std::optional<quarantine_row>(read_quarantine(r, tenant));
}

task<result<void>> settle_quarantined(pg::transaction& tx, tenant_id tenant, quarantine_id id, std::string state) {
    pg::params with = of(tenant, id);
    with.add(state);
    auto const rows = co_await tx.query(settle_aside, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<std::vector<quarantine_row>>> quarantined(pg::database& db, tenant_id tenant, std::optional<user_id> user, int most) {
    std::optional<std::string> whose;
    if (user) whose = user->str();
    pg::params with;
    with.add(tenant).add(whose).add(most);
    auto const rows = co_await pg::run_once(db, tenant, list_aside, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<quarantine_row> all;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        all.push_back(read_quarantine(r, tenant));
    }
    co_return all;
}

}  // namespace calbridge::store
