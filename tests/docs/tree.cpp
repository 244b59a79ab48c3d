#include "tests/docs/tree.h"

#include <filesystem>
#include <fstream>
#include <iterator>

namespace calbridge::docs {
namespace {

namespace fs = std::filesystem;

bool is_ours(fs::path const& folder) {
    auto const name = folder.filename().string();
    return name != "build" && name != "node_modules" && name != "target" && (!name.starts_with('.') || name == ".ci");
}

}  // namespace

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

std::string text_of(std::string const& file) {
    std::ifstream in(file);
    return std::string(std::istreambuf_iterator<char>(in), {});
}

std::vector<std::string> found(std::regex const& what, std::string const& text) {
    std::vector<std::string> out;
    for (std::sregex_iterator at(text.begin(), text.end(), what), end; at != end; ++at) out.push_back((*at)[1].str());
    return out;
}

}  // namespace calbridge::docs
