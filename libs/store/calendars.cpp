#include "store/accounts.h"

#include "store/row_reader.h"

#include <algorithm>
#include <set>

namespace calbridge::store {

namespace {

constexpr pg::statement hold_calendars{"hold_calendars", R"(
    SELECT 1 FROM calendars
    WHERE tenant_id = $1 AND connection_id = $2
    ORDER BY calendar_id FOR NO KEY UPDATE)"};
constexpr pg::statement hold_connection{"hold_connection", R"(
    SELECT tenant_id, user_id, default_calendar_id IS NULL FROM user_calendar_connections
    WHERE tenant_id = $1 AND connection_id = $2 FOR NO KEY UPDATE)"};
constexpr pg::statement upsert{"save_calendars", R"(
    INSERT INTO calendars AS c (tenant_id, calendar_id, connection_id, google_calendar_id, summary, time_zone,
    access_role, is_primary)
    SELECT $1, i.fresh, $2, i.google, i.summary, i.zone, i.role, i.is_primary
    FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[]) AS i (fresh, google, summary, zone,
    role, is_primary)
    ORDER BY i.google
    ON CONFLICT (tenant_id, connection_id, google_calendar_id) DO UPDATE SET summary = excluded.summary,
    time_zone = excluded.time_zone, access_role = excluded.access_role, is_primary = excluded.is_primary, missing_since = NULL)"};
constexpr pg::statement mark_missing{"mark_missing", R"(
    UPDATE calendars SET missing_since = now()
    WHERE tenant_id = $1 AND connection_id = $2 AND google_calendar_id <> ALL ($3) AND missing_since IS NULL)"};
constexpr pg::statement note_read{"note_calendars_read", R"(
    UPDATE user_calendar_connections SET calendars_read_at = now(), updated_at = now()
    WHERE tenant_id = $1 AND connection_id = $2)"};
// The first time: the primary calendar is the one that is synchronised, from now on.
constexpr pg::statement choose_primary{"choose_primary", R"(
    UPDATE calendars SET selected = true, dirty_seq = dirty_seq + 1, dirty_at = now(), channel_due_at = now()
    WHERE tenant_id = $1 AND connection_id = $2 AND is_primary AND missing_since IS NULL
    RETURNING tenant_id, calendar_id)"};
constexpr pg::statement make_default{"make_default", R"(
    UPDATE user_calendar_connections SET default_calendar_id = $3
    WHERE tenant_id = $1 AND connection_id = $2)"};
constexpr pg::statement place{"place_user_tasks", R"(
    WITH waiting AS (SELECT t.task_id, place_of_task($1, t.task_id, t.user_id, coalesce(t.snapshot ->> 'calendar',
    '')) AS place FROM tasks t WHERE t.tenant_id = $1 AND t.user_id = $2
    AND t.calendar_id IS NULL ORDER BY t.task_id FOR NO KEY UPDATE)
    UPDATE tasks t SET calendar_id = w.place, dirty_seq = t.dirty_seq + 1, state = 'pending', retry_at = NULL, failures = 0
    FROM waiting w
    WHERE t.tenant_id = $1 AND t.task_id = w.task_id AND w.place IS NOT NULL
    RETURNING t.tenant_id, t.calendar_id)"};
constexpr pg::statement list{"calendars_of", "SELECT " CALBRIDGE_CALENDAR_COLUMNS R"(
    FROM calendars c
    WHERE c.tenant_id = $1 AND c.connection_id = $2 AND c.missing_since IS NULL
    ORDER BY c.is_primary DESC, c.summary, c.calendar_id)"};

struct seen_calendars {
    std::vector<uuid> fresh;
    std::vector<std::string> google, summary, zone, role;
    std::vector<bool> is_primary;
};

// One row an id, as Google lists it last; hidden-for-good entries count as not listed.
seen_calendars usable(std::vector<discovered_calendar> const& found) {
    seen_calendars s;
    std::set<std::string> known;
    for (auto it = found.rbegin(); it != found.rend(); ++it) {
        if (!known.insert(it->google_id).second || it->deleted) continue;
        s.fresh.push_back(random_uuid());
        s.google.push_back(it->google_id);
        s.summary.push_back(scrub_text(it->summary));
        s.zone.push_back(it->time_zone.empty() ? std::string("UTC") : it->time_zone);
        s.role.push_back(it->access_role);
        s.is_primary.push_back(it->is_primary);
    }
    return s;
}

void add_wakes(std::vector<wake>& into, pg::rows const& rows, tenant_id const& tenant, user_id const& user) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
        row_reader r(rows, i);
        r.tenant(tenant);
        calendar_id const calendar{r.id()};
        bool const known = std::ranges::any_of(into, [&](wake const& w) { return w.calendar == calendar; });
        if (!known) into.push_back({tenant, user, calendar});
    }
}

}  // namespace

task<result<std::vector<wake>>> save_calendars(pg::transaction& tx, tenant_id tenant, connection_id connection,
                                               std::vector<discovered_calendar> found) {
    seen_calendars const seen = usable(found);
    pg::params of;
    of.add(tenant).add(connection);
    pg::params listed = of;
    listed.add_array(seen.fresh)
        .add_array(seen.google)
        .add_array(seen.summary)
        .add_array(seen.zone)
        .add_array(seen.role)
        .add_array(seen.is_primary);
    pg::params others = of;
    others.add_array(seen.google);
    std::vector<pg::transaction::step> steps;
    steps.push_back({&hold_calendars, of});
    steps.push_back({&hold_connection, of});
    auto const held = co_await tx.batch(std::move(steps));
    if (!held) co_return held.error();
    if (held->back().empty()) co_return fail(errc::not_found, "there is no connection " + connection.str());
    row_reader r(held->back(), 0);
    r.tenant(tenant);
    user_id const user(r.text());
    bool const undecided = r.boolean();

    std::vector<pg::transaction::step> saving;
    saving.push_back({&upsert, std::move(listed)});
    saving.push_back({&mark_missing, std::move(others)});
    saving.push_back({&note_read, of});
    if (undecided) saving.push_back({&choose_primary, of});
    auto const saved = co_await tx.batch(std::move(saving));
    if (!saved) co_return saved.error();

    std::vector<wake> wakes;
    if (undecided && !saved->back().empty()) {
        add_wakes(wakes, saved->back(), tenant, user);
        pg::params chosen = of;
        chosen.add(saved->back().id(0, 1));
        auto const made = co_await tx.query(make_default, std::move(chosen));
        if (!made) co_return made.error();
    }
    pg::params of_user;
    of_user.add(tenant).add(user);
    auto const placed = co_await tx.query(place, std::move(of_user));
    if (!placed) co_return placed.error();
    add_wakes(wakes, *placed, tenant, user);
    co_return wakes;
}

task<result<std::vector<calendar_row>>> calendars_of(pg::database& db, tenant_id tenant, connection_id connection) {
    pg::params with;
    with.add(tenant).add(connection);
    auto const rows = co_await pg::run_once(db, tenant, list, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<calendar_row> all;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        all.push_back(r.calendar(tenant));
        if (r.problem()) co_return *r.problem();
    }
    co_return all;
}

}  // namespace calbridge::store
