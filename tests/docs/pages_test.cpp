// Our pages send readers to files. A file that was renamed or removed must be noticed where it is named.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

namespace calbridge {
namespace {

namespace fs = std::filesystem;

bool is_ours(fs::path const& folder) {
    auto const name = folder.filename().string();
    return name != "build" && name != "node_modules" && (!name.starts_with('.') || name == ".ci");
}

// Tests run in the project's root folder.
std::vector<std::string> const& files() {
    static std::vector<std::string> const all = [] {
        std::vector<std::string> out;
        for (fs::recursive_directory_iterator at("."), end; at != end; ++at) {
            if (at->is_directory() && !is_ours(at->path())) at.disable_recursion_pending();
            else if (at->is_regular_file()) out.push_back(at->path().lexically_normal().generic_string());
        }
        return out;
    }();
    return all;
}

std::string text_of(fs::path const& file) {
    std::ifstream in(file);
    return std::string(std::istreambuf_iterator<char>(in), {});
}

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

std::vector<std::string> found(std::regex const& what, std::string const& text) {
    std::vector<std::string> out;
    for (std::sregex_iterator at(text.begin(), text.end(), what), end; at != end; ++at) out.push_back((*at)[1].str());
    return out;
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
            EXPECT_TRUE(fs::exists(fs::path(page).parent_path() / target)) << page << " links to " << target;
        }

    EXPECT_GE(links, 10u);
}

}  // namespace
}  // namespace calbridge
