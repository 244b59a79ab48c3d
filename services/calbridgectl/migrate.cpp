#include "migrate.h"

#include <fmt/format.h>

#include <charconv>

namespace calbridge::ctl {

namespace {

// Shared by all versions of this program, so that two of them cannot migrate at once.
constexpr char const* take_lock = "SELECT pg_advisory_lock(4702111236513)";
constexpr char const* end_lock = "SELECT pg_advisory_unlock(4702111236513)";
constexpr char const* look_for_table = "SELECT to_regclass('public.schema_migrations')::text";
constexpr char const* make_table =
    "CREATE TABLE schema_migrations (version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT "
    "NULL DEFAULT now())";
constexpr char const* read_applied = "SELECT version, name, checksum FROM schema_migrations ORDER BY version";
constexpr char const* note_applied = "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1::integer, $2, $3)";

result<std::vector<applied_migration>> applied_so_far(pg::script_session& on, bool make) {
    auto const table = on.query(look_for_table);
    if (!table) return table.error();
    if (!table->at(0).at(0)) {
        if (make) {
            auto const made = on.run(make_table);
            if (!made) return made.error();
        }
        return std::vector<applied_migration>{};
    }
    auto const rows = on.query(read_applied);
    if (!rows) return rows.error();
    std::vector<applied_migration> applied;
    for (auto const& row : *rows) {
        applied_migration one{.version = 0, .name = row.at(1).value(), .checksum = row.at(2).value()};
        std::string const version = row.at(0).value();
        std::from_chars(version.data(), version.data() + version.size(), one.version);
        applied.push_back(std::move(one));
    }
    return applied;
}

result<void> apply(pg::script_session& on, migration const& what, std::chrono::milliseconds lock_time_max) {
    auto step = on.run(fmt::format("BEGIN; SET LOCAL lock_timeout = '{}ms'", lock_time_max.count()));
    if (step) step = on.run(what.sql);
    if (step) {
        auto const noted = on.query(note_applied, {std::to_string(what.version), what.name, what.checksum()});
        if (!noted) step = noted.error();
    }
    if (step) step = on.run("COMMIT");
    if (step) return step;
    error const problem = step.error();
    // A failure here means the connection is gone, and the server rolls back by itself.
    static_cast<void>(on.run("ROLLBACK"));
    return fail(problem.code, what.label() + " was not applied: " + problem.context);
}

result<void> migrate_under_lock(pg::script_session& on, std::vector<migration> const& known, migrate_options options, say const& tell) {
    auto const applied = applied_so_far(on, !options.plan_only);
    if (!applied) return applied.error();
    migration_plan const plan = plan_migrations(known, *applied);
    if (!plan.faults.empty()) {
        for (std::string const& fault : plan.faults) tell(fault);
        return fail(errc::malformed, "nothing was applied");
    }
    if (plan.to_apply.empty()) {
        tell(fmt::format("the database is up to date ({} migrations applied)", applied->size()));
        return {};
    }
    for (migration const& each : plan.to_apply) {
        if (options.plan_only) {
            tell("would apply " + each.label());
            continue;
        }
        auto const started = std::chrono::steady_clock::now();
        auto const done = apply(on, each, options.lock_time_max);
        if (!done) return done;
        auto const took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
        tell(fmt::format("applied {} ({} ms)", each.label(), took.count()));
    }
    return {};
}

}  // namespace

result<void> migrate(pg::script_session& on, std::vector<migration> const& known, migrate_options options, say const& tell) {
    auto const timeout = on.run(fmt::format("SET lock_timeout = '{}ms'", options.lock_time_max.count()));
    if (!timeout) return timeout;
    auto const locked = on.query(take_lock);
    if (!locked) {
        if (locked.error().code == errc::conflict)
            return fail(errc::conflict, "another calbridgectl is migrating this database; wait for it and run this again");
        return locked.error();
    }
    auto const done = migrate_under_lock(on, known, options, tell);
    auto const unlocked = on.query(end_lock);
    if (done && !unlocked) return unlocked.error();
    return done;
}

}  // namespace calbridge::ctl
