// docs/metrics.md is a promise to whoever builds dashboards and alerts: it names every metric there is, and no other.

#include "tests/docs/tree.h"

#include <gtest/gtest.h>
#include <set>

namespace calbridge::docs {
namespace {

bool is_production(std::string const& file) {
    bool const is_test = file.ends_with("_test.cpp") || file.ends_with("_pgtest.cpp") || file.ends_with("_kafkatest.cpp");
    return file.ends_with(".cpp") && !is_test && (file.starts_with("libs/") || file.starts_with("services/"));
}

TEST(MetricsPage, NamesEveryMetricAndNoOther) {
    std::regex const made(R"(get_(?:counter|gauge|histogram)\(\s*"(calbridge_[a-z_]+)\")");
    std::set<std::string> in_code;
    for (auto const& file : files()) {
        if (!is_production(file)) continue;
        for (auto const& name : found(made, text_of(file))) in_code.insert(name);
    }

    auto const listed = found(std::regex(R"(\| `(calbridge_[a-z_]+)` \|)"), text_of("docs/metrics.md"));
    std::set<std::string> const on_page(listed.begin(), listed.end());

    EXPECT_GE(in_code.size(), 25u);
    EXPECT_EQ(on_page.size(), listed.size()) << "a metric is listed twice";
    EXPECT_EQ(on_page, in_code);
}

}  // namespace
}  // namespace calbridge::docs
