#include "common/pg/sqlstate.h"

#include <gtest/gtest.h>

namespace calbridge::pg {
namespace {

verdict of(std::string_view sqlstate, std::string_view routine = {}) {
    server_report const report{.sqlstate = sqlstate, .routine = routine};
    return judge(report);
}

TEST(Sqlstate, ContentionIsAConflict) {
    for (auto const* state : {"40001", "40P01", "55P03"}) {
        EXPECT_EQ(of(state).code, errc::conflict) << state;
        EXPECT_FALSE(of(state).discard) << state;
    }
}

TEST(Sqlstate, OnlyAUniqueViolationMeansExists) {
    EXPECT_EQ(of("23505").code, errc::exists);
    EXPECT_EQ(of("23503").code, errc::internal);
    EXPECT_EQ(of("23514").code, errc::internal);
}

TEST(Sqlstate, AStatementThatTookTooLongTimedOut) { EXPECT_EQ(of("57014").code, errc::timed_out); }

TEST(Sqlstate, BadValuesAreMalformed) {
    EXPECT_EQ(of("22021").code, errc::malformed);
    EXPECT_EQ(of("22P02").code, errc::malformed);
}

TEST(Sqlstate, AServerThatCannotServeIsUnavailable) {
    for (auto const* state : {"53100", "53300", "57P01", "57P02", "57P03", "08006", "58030", "25006", "25P03"}) {
        EXPECT_EQ(of(state).code, errc::unavailable) << state;
    }
}

TEST(Sqlstate, ASessionThatNoLongerFitsIsDiscarded) {
    EXPECT_TRUE(of("25006").discard);  // read-only after a failover
    EXPECT_TRUE(of("57P01").discard);
    EXPECT_TRUE(of("26000").discard);   // prepared statement unknown
    EXPECT_FALSE(of("53100").discard);  // a full disk is not the session's fault
}

TEST(Sqlstate, APlanThatOutlivedAMigrationIsRetriedOnANewSession) {
    EXPECT_EQ(of("0A000", "RevalidateCachedQuery").code, errc::unavailable);
    EXPECT_TRUE(of("0A000", "RevalidateCachedQuery").discard);
    EXPECT_EQ(of("0A000", "transformWhatever").code, errc::internal);
}

TEST(Sqlstate, AnythingElseIsABug) {
    EXPECT_EQ(of("42P01").code, errc::internal);
    EXPECT_EQ(of("P0001").code, errc::internal);
    EXPECT_EQ(of("").code, errc::internal);
}

TEST(Sqlstate, AMessageThatMayQuoteDataIsLeftOut) {
    server_report const value{.sqlstate = "22P02", .message = "invalid input syntax for type uuid: \"somebody@example.com\""};
    server_report const twice{.sqlstate = "23505", .message = "duplicate key value", .constraint = "tasks_pkey"};
    server_report const ours{.sqlstate = "42P01", .message = "relation \"nowhere\" does not exist"};

    EXPECT_EQ(describe(value), "22P02");
    EXPECT_EQ(describe(twice), "23505 constraint tasks_pkey");
    EXPECT_EQ(describe(ours), "42P01 relation \"nowhere\" does not exist");
}

}  // namespace
}  // namespace calbridge::pg
