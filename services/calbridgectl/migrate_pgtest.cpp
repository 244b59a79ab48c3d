#include "migrate.h"

#include "common/testing/testing.h"

#include <gtest/gtest.h>

namespace calbridge::ctl {
namespace {

using namespace std::chrono_literals;

class Migrate : public ::testing::Test {
public:
    std::unique_ptr<pg::script_session> open() {
        auto opened = pg::open_script_session(scratch_.conninfo_for(""), secret{}, "ctltest");
        if (!opened) throw std::runtime_error(opened.error().context);
        return std::move(*opened);
    }
    result<void> apply(std::vector<migration> const& known, bool plan_only = false) {
        said_.clear();
        auto const on = open();
        return migrate(*on, known, {.plan_only = plan_only, .lock_time_max = 300ms},
                       [&](std::string const& line) { said_.push_back(line); });
    }
    std::string sql(std::string const& text) const { return scratch_.exec(text); }

    testing::scratch_database scratch_{false};
    std::vector<std::string> said_;
};

TEST_F(Migrate, BringsAnEmptyDatabaseToTheEmbeddedSchemaOnce) {
    auto const all = embedded_migrations();

    auto const planned = apply(all, true);
    ASSERT_TRUE(planned) << planned.error().context;
    EXPECT_EQ(said_.front(), "would apply 0001_foundation");
    EXPECT_EQ(sql("select to_regclass('calendars') is null"), "t");
    EXPECT_EQ(sql("select to_regclass('schema_migrations') is null"), "t") << "a plan writes nothing";

    auto const applied = apply(all);
    ASSERT_TRUE(applied) << applied.error().context;
    EXPECT_EQ(said_.size(), all.size());
    EXPECT_EQ(sql("select count(*) || ' ' || max(version) from schema_migrations"),
              std::to_string(all.size()) + " " + std::to_string(all.back().version));
    EXPECT_EQ(sql("select to_regclass('calendars') is not null"), "t");

    ASSERT_TRUE(apply(all));
    EXPECT_EQ(said_.size(), 1U);
    EXPECT_NE(said_[0].find("up to date"), std::string::npos);
}

TEST_F(Migrate, RefusesAChangedFileAndAppliesNothing) {
    ASSERT_TRUE(apply({{1, "one", "create table one (n int)"}}));

    auto const refused = apply({{1, "one", "create table one (n bigint)"}, {2, "two", "create table two (n int)"}});

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::malformed);
    EXPECT_NE(said_.at(0).find("0001_one was applied and has changed"), std::string::npos);
    EXPECT_EQ(sql("select to_regclass('two') is null"), "t");
}

TEST_F(Migrate, AFailingFileLeavesNoTraceAndKeepsThoseBeforeIt) {
    auto const failing = apply({{1, "one", "create table one (n int)"},
                                {2, "two", "create table two (n int); select no_such_column"},
                                {3, "three", "create table three (n int)"}});

    ASSERT_FALSE(failing);
    EXPECT_NE(failing.error().context.find("0002_two was not applied"), std::string::npos);
    EXPECT_NE(failing.error().context.find("no_such_column"), std::string::npos);
    EXPECT_EQ(sql("select string_agg(version::text, ',') from schema_migrations"), "1");
    EXPECT_EQ(sql("select to_regclass('two') is null and to_regclass('three') is null"), "t");

    ASSERT_TRUE(apply({{1, "one", "create table one (n int)"}, {2, "two", "create table two (n int)"}}));
    EXPECT_EQ(sql("select to_regclass('two') is not null"), "t");
}

TEST_F(Migrate, OneMigratorAtATime) {
    auto const other = open();
    ASSERT_TRUE(other->query("SELECT pg_advisory_lock(4702111236513)"));

    auto const refused = apply({{1, "one", "create table one (n int)"}});

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::conflict);
    EXPECT_NE(refused.error().context.find("another calbridgectl"), std::string::npos);
}

TEST_F(Migrate, WaitsForALockedTableOnlySoLong) {
    ASSERT_TRUE(apply({{1, "one", "create table one (n int)"}}));
    auto const busy = open();
    ASSERT_TRUE(busy->run("begin; lock table one in access exclusive mode"));

    auto const refused = apply({{1, "one", "create table one (n int)"}, {2, "two", "alter table one add column m int"}});

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::conflict);
    EXPECT_EQ(sql("select count(*) from schema_migrations"), "1");
}

TEST_F(Migrate, AnOwnerWithoutSuperuserRightsIsEnough) {
    std::string const owner = "owner_" + scratch_.name();
    sql("create role " + owner + " login createrole");
    sql("alter database " + scratch_.name() + " owner to " + owner);
    sql("alter schema public owner to " + owner);
    // Roles belong to the whole server. From PostgreSQL 16 on, who did not make one needs its admin option to pass it on.
    sql("do $$ begin if exists (select from pg_roles where rolname = 'calbridge_definer') then grant calbridge_definer to " + owner +
        " with admin option; end if; end $$");
    auto const on = open();
    ASSERT_TRUE(on->run("set session authorization " + owner));
    std::vector<std::string> lines;

    auto const applied = migrate(*on, embedded_migrations(), {}, [&](std::string const& line) { lines.push_back(line); });

    EXPECT_TRUE(applied) << applied.error().context;
    sql("reassign owned by " + owner + " to current_user");
    sql("drop owned by " + owner);
    sql("drop role " + owner);
}

}  // namespace
}  // namespace calbridge::ctl
