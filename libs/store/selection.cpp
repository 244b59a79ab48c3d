#include "store/selection.h"

#include "store/row_reader.h"

#include <algorithm>

namespace calbridge::store {

namespace {

// Every calendar of the connection, because a changed default takes the leases of all of them away.
constexpr pg::statement hold_calendars{"hold_chosen_calendars", R"(
    SELECT 1 FROM calendars
    WHERE tenant_id = $1 AND connection_id = $2
    ORDER BY calendar_id FOR NO KEY UPDATE)"};
constexpr pg::statement hold_connection{"hold_choosing_connection", R"(
    SELECT tenant_id, user_id FROM user_calendar_connections
    WHERE tenant_id = $1 AND connection_id = $2 AND status <> 'disconnected' FOR NO KEY UPDATE)"};
constexpr pg::statement find{"find_chosen_calendar", "SELECT " CALBRIDGE_CALENDAR_COLUMNS R"(
    , c.missing_since IS NOT NULL
    FROM calendars c
    WHERE c.tenant_id = $1 AND c.connection_id = $2 AND c.calendar_id = $3)"};
constexpr pg::statement select{"select_calendar", R"(
    UPDATE calendars SET selected = $3
    WHERE tenant_id = $1 AND calendar_id = $2 AND selected <> $3)"};
constexpr pg::statement make_default{"choose_default_calendar", R"(
    UPDATE user_calendar_connections SET default_calendar_id = $3, revision = revision + 1, updated_at = now()
    WHERE tenant_id = $1 AND connection_id = $2 AND default_calendar_id IS DISTINCT FROM $3)"};
constexpr pg::statement place{"place_tasks_of_chooser", R"(
    WITH waiting AS (SELECT t.task_id, place_of_task($1, t.task_id, t.user_id, coalesce(t.snapshot ->> 'calendar',
    '')) AS place FROM tasks t WHERE t.tenant_id = $1 AND t.user_id = $2
    AND t.calendar_id IS NULL ORDER BY t.task_id FOR NO KEY UPDATE)
    UPDATE tasks t SET calendar_id = w.place, dirty_seq = t.dirty_seq + 1, state = 'pending', retry_at = NULL, failures = 0
    FROM waiting w
    WHERE t.tenant_id = $1 AND t.task_id = w.task_id AND w.place IS NOT NULL
    RETURNING t.tenant_id, t.calendar_id)"};
constexpr pg::statement audit{"audit_choice", R"(
    INSERT INTO audit_log (tenant_id, audit_id, who, what, subject, detail)
    VALUES ($1, $2, $3, 'calendar.chosen', $4, jsonb_build_object('selected', $5::boolean, 'default', $6::boolean)))"};

bool may_write(std::string_view role) { return role == "owner" || role == "writer" || role == "writerWithoutPrivateAccess"; }

pg::params of(tenant_id const& tenant, connection_id connection) {
    pg::params with;
    with.add(tenant).add(connection);
    return with;
}

result<calendar_row> read(pg::rows const& rows, tenant_id const& tenant, calendar_id calendar, calendar_choice const& choice) {
    if (rows.empty()) return fail(errc::not_found, "this connection has no calendar " + calendar.str());
    row_reader r(rows, 0);
    calendar_row row = r.calendar(tenant);
    if (r.problem()) return *r.problem();
    bool const missing = r.boolean();
    bool const wanted = choice.make_default || choice.selected.value_or(false);
    if (missing && wanted) return fail(errc::conflict, "calendar " + calendar.str() + " is not in the calendar list any more");
    if (choice.make_default && !may_write(row.access_role))
        return fail(errc::forbidden, "calendar " + calendar.str() + " can only be read");
    return row;
}

std::vector<pg::transaction::step> changes(tenant_id const& tenant, connection_id connection, calendar_id calendar, user_id const& user,
                                           calendar_choice const& choice, std::string const& who) {
    std::vector<pg::transaction::step> steps;
    if (choice.selected) {
        pg::params with;
        with.add(tenant).add(calendar).add(*choice.selected);
        steps.push_back({&select, std::move(with)});
    }
    if (choice.make_default) {
        pg::params with = of(tenant, connection);
        with.add(calendar);
        steps.push_back({&make_default, std::move(with)});
    }
    pg::params noted;
    noted.add(tenant).add(time_ordered_uuid()).add(who).add(calendar.str()).add(choice.selected).add(choice.make_default);
    steps.push_back({&audit, std::move(noted)});
    pg::params again = of(tenant, connection);
    again.add(calendar);
    steps.push_back({&find, std::move(again)});
    pg::params waiting;
    waiting.add(tenant).add(user);
    steps.push_back({&place, std::move(waiting)});
    return steps;
}

}  // namespace

task<result<chosen>> choose_calendar(pg::database& db, tenant_id tenant, connection_id connection, calendar_id calendar,
                                     calendar_choice choice, std::string who) {
    auto tx = co_await db.begin(tenant);
    if (!tx) co_return tx.error();
    pg::params looked = of(tenant, connection);
    looked.add(calendar);
    std::vector<pg::transaction::step> holding;
    holding.push_back({&hold_calendars, of(tenant, connection)});
    holding.push_back({&hold_connection, of(tenant, connection)});
    holding.push_back({&find, std::move(looked)});
    auto const held = co_await (*tx)->batch(std::move(holding));
    if (!held) co_return held.error();
    if ((*held)[1].empty()) co_return fail(errc::not_found, "there is no connection " + connection.str());
    row_reader r((*held)[1], 0);
    r.tenant(tenant);
    user_id const user(r.text());
    auto const before = read((*held)[2], tenant, calendar, choice);
    if (!before) co_return before.error();

    std::vector<pg::transaction::step> steps = changes(tenant, connection, calendar, user, choice, who);
    auto const done = co_await (*tx)->batch_and_commit(std::move(steps));
    if (!done) co_return done.error();
    chosen out;
    auto after = read((*done)[done->size() - 2], tenant, calendar, {});
    if (!after) co_return after.error();
    out.calendar = std::move(*after);
    if (out.calendar.selected && !before->selected) out.wakes.push_back({tenant, user, calendar});
    pg::rows const& placed = done->back();
    for (std::size_t i = 0; i < placed.size(); ++i) {
        row_reader p(placed, i);
        p.tenant(tenant);
        calendar_id const id{p.id()};
        if (std::ranges::none_of(out.wakes, [&](wake const& w) { return w.calendar == id; })) out.wakes.push_back({tenant, user, id});
    }
    co_return out;
}

}  // namespace calbridge::store
