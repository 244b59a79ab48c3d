#include "common/http/routes.h"

#include "common/base/encoding.h"

#include <algorithm>
#include <stdexcept>

namespace calbridge::http {
namespace {

std::vector<std::string_view> split(std::string_view path) {
    std::vector<std::string_view> segments;
    if (path.starts_with('/')) path.remove_prefix(1);
    for (;;) {
        auto const slash = path.find('/');
        segments.push_back(path.substr(0, slash));
        if (slash == path.npos) return segments;
        path.remove_prefix(slash + 1);
    }
}

}  // namespace

route_table::route_table(std::vector<route> routes) {
    for (auto& one : routes) {
        if (!one.pattern.starts_with('/')) throw std::logic_error("route pattern does not start with '/': " + one.pattern);
        entry made{std::move(one), {}};
        for (auto const part : split(made.what.pattern)) {
            if (!part.starts_with('{')) made.segments.push_back({kind::literal, std::string(part)});
            else if (part.ends_with("*}")) made.segments.push_back({kind::remainder, std::string(part.substr(1, part.size() - 3))});
            else made.segments.push_back({kind::parameter, std::string(part.substr(1, part.size() - 2))});
        }
        auto const less = [](entry const& a, entry const& b) {
            return std::ranges::lexicographical_compare(a.segments, b.segments, {}, &segment::is, &segment::is);
        };
        auto const place = std::ranges::upper_bound(entries_, made, less);
        entries_.insert(place, std::move(made));
    }
}

bool route_table::takes(entry const& one, std::string_view path, std::vector<std::pair<std::string, std::string>>* params) {
    path.remove_prefix(1);
    for (std::size_t i = 0; i < one.segments.size(); ++i) {
        auto const& want = one.segments[i];
        bool const is_last = i + 1 == one.segments.size();
        auto const slash = path.find('/');
        auto const part = want.is == kind::remainder ? path : path.substr(0, slash);
        if (want.is == kind::literal && part != want.text) return false;
        if (want.is != kind::literal) {
            if (want.is == kind::parameter && part.empty()) return false;
            auto value = percent_decode(part);
            if (!value || !is_valid_utf8(*value)) return false;
            if (params) params->emplace_back(want.text, std::move(*value));
            if (want.is == kind::remainder) return true;
        }
        if (is_last) return slash == path.npos;
        if (slash == path.npos) return false;
        path.remove_prefix(slash + 1);
    }
    return false;
}

route_table::match route_table::find(std::string_view method, std::string_view path) const {
    match out;
    entry const* best = nullptr;
    entry const* get = nullptr;
    for (auto const& one : entries_) {
        if (!takes(one, path, nullptr)) continue;
        if (one.what.method == method && !best) best = &one;
        if (one.what.method == "GET" && !get) get = &one;
        if (out.allowed.find(one.what.method) == std::string::npos) out.allowed += (out.allowed.empty() ? "" : ", ") + one.what.method;
    }
    if (!best && method == "HEAD") best = get;
    if (best) {
        out.found = &best->what;
        takes(*best, path, &out.params);
    }
    return out;
}

}  // namespace calbridge::http
