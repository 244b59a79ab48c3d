#include "common/observe/log.h"
#include "common/runtime/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace calbridge::runtime {
namespace {

TEST(Health, ReadyWhenEveryExpectedCheckIsGreen) {
    health h;
    EXPECT_TRUE(h.ready()) << "nothing is expected";

    h.expect("database");
    h.expect("kafka");
    EXPECT_FALSE(h.ready());

    h.report("database", true);
    EXPECT_FALSE(h.ready());
    h.report("kafka", true);
    EXPECT_TRUE(h.ready());
    h.report("database", false, "connection refused");
    EXPECT_FALSE(h.ready());
    h.report("database", true);
    EXPECT_TRUE(h.ready());
}

TEST(Health, ExpectingTwiceDoesNotForgetAReport) {
    health h;
    h.report("database", true);

    h.expect("database");

    EXPECT_TRUE(h.ready());
    EXPECT_EQ(h.lines().size(), 1U);
}

TEST(Health, DrainingIsRedForGood) {
    health h;
    h.report("database", true);

    h.drain();
    h.report("database", true);

    EXPECT_FALSE(h.ready());
    ASSERT_EQ(h.lines().size(), 2U);
    EXPECT_EQ(h.lines()[1].check, "draining");
}

TEST(Health, LinesKeepOrderAndDetail) {
    health h;
    h.expect("a");
    h.report("b", false, "why");

    auto const lines = h.lines();

    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0].check, "a");
    EXPECT_EQ(lines[0].detail, "not reported yet");
    EXPECT_EQ(lines[1].detail, "why");
}

TEST(Health, EachChangeOfColourIsLoggedOnce) {
    std::vector<std::string> log_lines;
    log::start("health-test", log::level::info);
    log::capture(&log_lines);
    health h;
    h.expect("kafka");
    for (bool ok : {true, true, false, false, true}) h.report("kafka", ok, ok ? "" : "no broker");
    log::capture(nullptr);

    ASSERT_EQ(log_lines.size(), 3U);
    EXPECT_THAT(log_lines[0], ::testing::HasSubstr(R"("event":"health.changed","check":"kafka","ok":true)"));
    EXPECT_THAT(log_lines[1], ::testing::HasSubstr(R"("ok":false,"detail":"no broker")"));
}

TEST(Health, AFirstReportThatIsRedIsLoggedToo) {
    std::vector<std::string> log_lines;
    log::capture(&log_lines);
    health h;
    h.expect("kafka");
    h.report("kafka", false, "no broker");
    h.report("database", false, "no route");
    log::capture(nullptr);

    EXPECT_EQ(log_lines.size(), 2U);
}

}  // namespace
}  // namespace calbridge::runtime
