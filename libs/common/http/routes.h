#pragma once
// Which handler serves a request: pure. Internal to this folder.

#include "common/http/server.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace calbridge::http {

class route_table {
public:
    explicit route_table(std::vector<route> routes);

    struct match {
        route const* found{nullptr};  // null: no such path, or `allowed` names what the path takes
        std::vector<std::pair<std::string, std::string>> params;
        std::string allowed;  // "GET, POST"; empty: unknown path
    };
    // A literal segment beats a parameter, a parameter beats a remainder. HEAD falls back to GET.
    match find(std::string_view method, std::string_view path) const;

private:
    enum class kind { literal, parameter, remainder };
    struct segment {
        kind is;
        std::string text;
    };
    struct entry {
        route what;
        std::vector<segment> segments;
    };
    static bool takes(entry const& one, std::string_view path, std::vector<std::pair<std::string, std::string>>* params);
    std::vector<entry> entries_;
};

}  // namespace calbridge::http
