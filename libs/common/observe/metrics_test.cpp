#include "common/observe/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

namespace calbridge::metrics {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Metrics, CounterGaugeAndHistogramAreRendered) {
    get_counter("calbridge_test_pushes_total", "Pushes.", {{"reason", "a\"b\\\n"}}).add();
    get_counter("calbridge_test_pushes_total", "Pushes.", {{"reason", "a\"b\\\n"}}).add(2);
    get_gauge("calbridge_test_depth", "Depth.").set(7);
    get_gauge("calbridge_test_depth", "Depth.").add(-2);
    get_histogram("calbridge_test_wait_seconds", "Wait.", {}, {0.1, 1}).observe(0.5);

    std::string const text = render();

    EXPECT_THAT(text, HasSubstr("# HELP calbridge_test_pushes_total Pushes.\n# TYPE calbridge_test_pushes_total counter\n"
                                "calbridge_test_pushes_total{reason=\"a\\\"b\\\\\\n\"} 3\n"));
    EXPECT_THAT(text, HasSubstr("# TYPE calbridge_test_depth gauge\ncalbridge_test_depth 5\n"));
    EXPECT_THAT(text, HasSubstr("calbridge_test_wait_seconds_bucket{le=\"0.1\"} 0\ncalbridge_test_wait_seconds_bucket{le=\"1\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("calbridge_test_wait_seconds_count 1\n"));
}

TEST(Metrics, TheSameNameAndLabelsAreTheSameSeries) {
    counter& first = get_counter("calbridge_test_same_total", "Same.", {{"k", "v"}});
    counter& again = get_counter("calbridge_test_same_total", "Same.", {{"k", "v"}});
    counter& other = get_counter("calbridge_test_same_total", "Same.", {{"k", "w"}});

    EXPECT_EQ(&first, &again);
    EXPECT_NE(&first, &other);
    first.add(4);
    EXPECT_EQ(again.value(), 4);
    EXPECT_EQ(other.value(), 0);
}

TEST(Metrics, DefaultBucketsReachFromOneMillisecondToThirtySeconds) {
    get_histogram("calbridge_test_default_seconds", "Default.").observe(0.002);

    EXPECT_THAT(render(), HasSubstr("calbridge_test_default_seconds_bucket{le=\"0.001\"} 0\n"));
    EXPECT_THAT(render(), HasSubstr("calbridge_test_default_seconds_bucket{le=\"30\"} 1\n"));
}

TEST(Metrics, NamesFollowTheConvention) {
    EXPECT_THROW(get_counter("calbridge_test_pushes", "No _total."), std::logic_error);
    EXPECT_THROW(get_gauge("calbridge_test_depth_total", "A gauge is no total."), std::logic_error);
    EXPECT_THROW(get_gauge("depth", "No prefix."), std::logic_error);
    EXPECT_THROW(get_histogram("calbridge_Test", "Upper case."), std::logic_error);
    EXPECT_THROW(get_histogram("calbridge_test-seconds", "Dash."), std::logic_error);
}

TEST(Metrics, UnboundedLabelValuesFoldIntoOther) {
    for (int i = 0; i < 700; ++i) get_counter("calbridge_test_unbounded_total", "Many.", {{"id", std::to_string(i)}}).add();

    EXPECT_EQ(get_counter("calbridge_test_unbounded_total", "Many.", {{"id", "other"}}).value(), 200);
    EXPECT_EQ(get_counter("calbridge_test_unbounded_total", "Many.", {{"id", "3"}}).value(), 1) << "series made before the bound stay";
    EXPECT_THAT(render(), Not(HasSubstr("calbridge_test_unbounded_total{id=\"699\"}")));
}

TEST(Metrics, NamesAreSortedAndComplete) {
    get_gauge("calbridge_test_zz", "Z.");
    get_counter("calbridge_test_aa_total", "A.");

    auto const all = names();

    EXPECT_TRUE(std::ranges::is_sorted(all));
    EXPECT_THAT(all, ::testing::IsSupersetOf({"calbridge_test_aa_total", "calbridge_test_zz"}));
    EXPECT_EQ(std::ranges::count(all, "calbridge_test_aa_total"), 1);
}

}  // namespace
}  // namespace calbridge::metrics
