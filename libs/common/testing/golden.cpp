#include "common/testing/testing.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace calbridge::testing {

namespace {

std::string first_difference(std::string const& expected, std::string const& actual) {
    std::istringstream left(expected);
    std::istringstream right(actual);
    for (int line = 1;; ++line) {
        std::string a;
        std::string b;
        bool const has_a = static_cast<bool>(std::getline(left, a));
        bool const has_b = static_cast<bool>(std::getline(right, b));
        if (!has_a && !has_b) return "the line ends differ";
        if (has_a != has_b || a != b) {
            return "line " + std::to_string(line) + "\n  golden: " + (has_a ? a : "<end of file>") +
                   "\n  actual: " + (has_b ? b : "<end of file>");
        }
    }
}

}  // namespace

std::string golden_difference(std::string const& name, std::string const& actual) {
    std::filesystem::path const path = std::filesystem::path(CALBRIDGE_SOURCE_DIR) / "tests" / "golden" / name;
    char const* update = std::getenv("UPDATE_GOLDEN");
    if (update != nullptr && std::string(update) == "1") {
        std::filesystem::create_directories(path.parent_path());
        std::ofstream out(path, std::ios::binary | std::ios::trunc);
        out << actual;
        if (!out.flush()) throw std::runtime_error("cannot write " + path.string());
        return {};
    }
    std::ifstream file(path, std::ios::binary);
    if (!file) return "tests/golden/" + name + " does not exist; UPDATE_GOLDEN=1 writes it";
    std::ostringstream expected;
    expected << file.rdbuf();
    if (expected.str() == actual) return {};
    return "tests/golden/" + name + " differs (UPDATE_GOLDEN=1 rewrites it): " + first_difference(expected.str(), actual);
}

}  // namespace calbridge::testing
