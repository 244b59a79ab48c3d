// Our pages send readers to files. A file that was renamed or removed must be noticed where it is named.

#include "tests/docs/tree.h"

#include <algorithm>
#include <filesystem>
#include <gtest/gtest.h>
#include <iterator>

namespace calbridge::docs {
namespace {

std::vector<std::string> pages() {
    std::vector<std::string> out;
    std::ranges::copy_if(files(), std::back_inserter(out), [](std::string const& file) { return file.ends_with(".md"); });
    return out;
}

// `x.cpp` and `x_test.cpp` stand for any file and its test, NNNN for a migration's number; tz.h belongs to the date library.
bool is_example(std::string const& named) {
    return named.starts_with("x_") || named == "x.cpp" || named.contains("NNNN") || named == "tz.h";
}

bool exists_somewhere(std::string const& named) {
    return is_example(named) ||
           std::ranges::any_of(files(), [&](std::string const& file) { return file == named || file.ends_with("/" + named); });
}

TEST(Pages, FilesTheyNameExist) {
    std::regex const file(R"(`([A-Za-z0-9_./-]+\.(?:cpp|h|sql|py|sh|proto|cmake|md|xml|properties))`)");

    ASSERT_GE(pages().size(), 20u);
    for (auto const& page : pages())
        for (auto const& named : found(file, text_of(page))) EXPECT_TRUE(exists_somewhere(named)) << page << " names " << named;
}

TEST(Pages, LinksLeadSomewhere) {
    std::regex const link(R"(\]\((?!https?:|mailto:|#)([^)#\s]+)[^)]*\))");
    std::size_t links = 0;

    for (auto const& page : pages())
        for (auto const& target : found(link, text_of(page))) {
            ++links;
            EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(page).parent_path() / target)) << page << " links to " << target;
        }

    EXPECT_GE(links, 10u);
}

}  // namespace
}  // namespace calbridge::docs
