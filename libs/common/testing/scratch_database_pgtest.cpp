#include "common/testing/testing.h"

#include <gtest/gtest.h>

namespace calbridge::testing {
namespace {

TEST(ScratchDatabase, IsFreshAndGoesAway) {
    std::string name;
    {
        scratch_database const first(false);
        name = first.name();
        first.exec("create table here (n int)");
        EXPECT_EQ(first.exec("select count(*) from here"), "0");
    }

    scratch_database const second(false);

    EXPECT_NE(second.name(), name);
    EXPECT_EQ(second.exec("select count(*) from pg_database where datname = '" + name + "'"), "0");
    EXPECT_EQ(second.exec("select count(*) from pg_class where relname = 'here'"), "0");
}

TEST(ScratchDatabase, ReportsFailingSql) {
    scratch_database const db(false);

    EXPECT_THROW(db.exec("select no_such_column"), std::runtime_error);
    EXPECT_THROW(db.conninfo_for("nobody"), std::runtime_error);
}

}  // namespace
}  // namespace calbridge::testing
