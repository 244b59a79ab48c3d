#include "store/accounts.h"

#include "store/row_reader.h"

#include <algorithm>
#include <set>

namespace calbridge::store {

namespace {

constexpr pg::statement read_state{"read_list_state", R"(
    SELECT tenant_id, list_sync_token, list_dirty_seq FROM user_calendar_connections
    WHERE tenant_id = $1 AND connection_id = $2)"};
constexpr pg::statement hold_calendars{"hold_listed_calendars", R"(
    SELECT tenant_id, calendar_id, google_calendar_id, selected AND missing_since IS NOT NULL, access_role FROM calendars
    WHERE tenant_id = $1 AND connection_id = $2
    ORDER BY calendar_id FOR NO KEY UPDATE)"};
constexpr pg::statement hold_connection{"hold_listing_connection", R"(
    SELECT tenant_id, user_id, default_calendar_id IS NULL, list_sync_token FROM user_calendar_connections
    WHERE tenant_id = $1 AND connection_id = $2 FOR NO KEY UPDATE)"};
constexpr pg::statement upsert{"save_calendars", R"(
    INSERT INTO calendars AS c (tenant_id, calendar_id, connection_id, google_calendar_id, summary, time_zone,
    access_role, is_primary)
    SELECT $1, i.fresh, $2, i.google, i.summary, i.zone, i.role, i.is_primary
    FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[]) AS i (fresh, google, summary, zone,
    role, is_primary)
    ORDER BY i.google
    ON CONFLICT (tenant_id, connection_id, google_calendar_id) DO UPDATE SET summary = excluded.summary,
    time_zone = excluded.time_zone, access_role = excluded.access_role, is_primary = excluded.is_primary, missing_since = NULL,
    missing_reason = ''
    WHERE (c.summary, c.time_zone, c.access_role, c.is_primary, c.missing_since IS NULL)
    IS DISTINCT FROM (excluded.summary, excluded.time_zone, excluded.access_role, excluded.is_primary, true))"};
constexpr pg::statement mark_gone{"mark_gone", R"(
    UPDATE calendars c SET missing_since = now(), missing_reason = i.reason
    FROM unnest($3::text[], $4::text[]) AS i (google, reason)
    WHERE c.tenant_id = $1 AND c.connection_id = $2 AND c.google_calendar_id = i.google AND c.missing_since IS NULL)"};
constexpr pg::statement mark_missing{"mark_missing", R"(
    UPDATE calendars SET missing_since = now(), missing_reason = 'not_listed'
    WHERE tenant_id = $1 AND connection_id = $2 AND google_calendar_id <> ALL ($3) AND missing_since IS NULL)"};
constexpr pg::statement note_read{"note_calendars_read", R"(
    UPDATE user_calendar_connections SET calendars_read_at = CASE WHEN $3 THEN now() ELSE calendars_read_at END,
    list_sync_token = $4, list_synced_seq = greatest(list_synced_seq, $5), discovery_failures = 0,
    discovery_claimed_until = now() + interval '2 seconds', updated_at = now()
    WHERE tenant_id = $1 AND connection_id = $2)"};
constexpr pg::statement try_refused{"try_refused_tasks", R"(
    UPDATE tasks SET dirty_seq = dirty_seq + 1, retry_at = NULL, failures = 0, state = 'pending'
    WHERE tenant_id = $1 AND calendar_id = ANY ($2) AND state = 'failed' AND reason = 'calendar_read_only'
    RETURNING tenant_id, calendar_id)"};
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
    std::vector<std::string> gone, why;
};

// One row an id, as Google lists it last. The primary cannot be lost by being hidden.
seen_calendars sorted_out(std::vector<discovered_calendar> const& found) {
    seen_calendars s;
    std::set<std::string> known;
    for (auto it = found.rbegin(); it != found.rend(); ++it) {
        if (!known.insert(it->google_id).second) continue;
        if (it->deleted || (it->hidden && !it->is_primary)) {
            s.gone.push_back(it->google_id);
            s.why.emplace_back(it->deleted ? "deleted" : "hidden");
            continue;
        }
        s.fresh.push_back(random_uuid());
        s.google.push_back(it->google_id);
        s.summary.push_back(scrub_text(it->summary));
        s.zone.push_back(it->time_zone.empty() ? std::string("UTC") : it->time_zone);
        s.role.push_back(it->access_role);
        s.is_primary.push_back(it->is_primary);
    }
    return s;
}

bool may_write(std::string_view role) { return role == "owner" || role == "writer" || role == "writerWithoutPrivateAccess"; }

// What was there before and is different now.
struct changes {
    std::vector<calendar_id> back;  // selected, and no longer missing
    std::vector<uuid> writable;     // and was not
};
changes compare(pg::rows const& before, seen_calendars const& seen, tenant_id const& tenant) {
    changes c;
    for (std::size_t i = 0; i < before.size(); ++i) {
        row_reader r(before, i);
        r.tenant(tenant);
        calendar_id const id{r.id()};
        auto const at = std::ranges::find(seen.google, r.text());
        if (at == seen.google.end()) continue;
        if (r.boolean()) c.back.push_back(id);
        if (!may_write(r.text()) && may_write(seen.role[static_cast<std::size_t>(at - seen.google.begin())]))
            c.writable.push_back(id.value);
    }
    return c;
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

task<result<list_state>> read_list_state(pg::database& db, tenant_id tenant, connection_id connection) {
    pg::params with;
    with.add(tenant).add(connection);
    auto const rows = co_await pg::run_once(db, tenant, read_state, std::move(with));
    if (!rows) co_return rows.error();
    if (rows->empty()) co_return fail(errc::not_found, "there is no connection " + connection.str());
    row_reader r(*rows, 0);
    r.tenant(tenant);
    list_state state;
    state.sync_token = r.text_or_null();
    state.dirty_seq = r.integer();
    co_return state;
}

namespace {

std::vector<pg::transaction::step> saving(tenant_id const& tenant, connection_id connection, seen_calendars const& seen,
                                          calendar_findings const& findings) {
    pg::params of;
    of.add(tenant).add(connection);
    pg::params listed = of;
    listed.add_array(seen.fresh)
        .add_array(seen.google)
        .add_array(seen.summary)
        .add_array(seen.zone)
        .add_array(seen.role)
        .add_array(seen.is_primary);
    pg::params gone = of;
    gone.add_array(seen.gone).add_array(seen.why);
    pg::params read = of;
    read.add(findings.whole).add(findings.sync_token).add(findings.began.dirty_seq);
    std::vector<pg::transaction::step> steps;
    steps.push_back({&upsert, std::move(listed)});
    steps.push_back({&mark_gone, std::move(gone)});
    if (findings.whole) {
        std::vector<std::string> every = seen.google;
        every.insert(every.end(), seen.gone.begin(), seen.gone.end());
        pg::params others = of;
        others.add_array(every);
        steps.push_back({&mark_missing, std::move(others)});
    }
    steps.push_back({&note_read, std::move(read)});
    return steps;
}

}  // namespace

task<result<std::vector<wake>>> save_calendars(pg::transaction& tx, tenant_id tenant, connection_id connection,
                                               calendar_findings const& findings) {
    seen_calendars const seen = sorted_out(findings.found);
    pg::params of;
    of.add(tenant).add(connection);
    std::vector<pg::transaction::step> holding;
    holding.push_back({&hold_calendars, of});
    holding.push_back({&hold_connection, of});
    auto const held = co_await tx.batch(std::move(holding));
    if (!held) co_return held.error();
    if (held->back().empty()) co_return fail(errc::not_found, "there is no connection " + connection.str());
    row_reader r(held->back(), 0);
    r.tenant(tenant);
    user_id const user(r.text());
    bool const undecided = r.boolean();
    // An older reading must not undo a newer one; the next one starts from what that left.
    if (r.text_or_null() != findings.began.sync_token) co_return fail(errc::conflict, "the calendar list was read by another meanwhile");
    changes const changed = compare(held->front(), seen, tenant);

    std::vector<pg::transaction::step> steps = saving(tenant, connection, seen, findings);
    if (undecided) steps.push_back({&choose_primary, of});
    auto const saved = co_await tx.batch(std::move(steps));
    if (!saved) co_return saved.error();

    std::vector<wake> wakes;
    for (calendar_id const& each : changed.back) wakes.push_back({tenant, user, each});
    if (undecided && !saved->back().empty()) {
        add_wakes(wakes, saved->back(), tenant, user);
        pg::params chosen = of;
        chosen.add(saved->back().id(0, 1));
        auto const made = co_await tx.query(make_default, std::move(chosen));
        if (!made) co_return made.error();
    }
    std::vector<pg::transaction::step> tasks;
    pg::params of_user, again;
    of_user.add(tenant).add(user);
    again.add(tenant).add_array(changed.writable);
    tasks.push_back({&place, std::move(of_user)});
    if (!changed.writable.empty()) tasks.push_back({&try_refused, std::move(again)});
    auto const moved = co_await tx.batch(std::move(tasks));
    if (!moved) co_return moved.error();
    for (pg::rows const& rows : *moved) add_wakes(wakes, rows, tenant, user);
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
