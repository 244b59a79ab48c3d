#include "common/observe/log.h"
#include "common/runtime/service.h"

#include <algorithm>

namespace calbridge::runtime {

namespace {
constexpr std::string_view unreported = "not reported yet";
}

void health::expect(std::string const& check) {
    auto const same = [&](line const& l) { return l.check == check; };
    if (std::ranges::none_of(lines_, same)) lines_.push_back({.check = check, .ok = false, .detail = std::string(unreported)});
}

void health::report(std::string const& check, bool ok, std::string detail) {
    expect(check);
    line& known = *std::ranges::find(lines_, check, &line::check);
    bool const changed = known.ok != ok || known.detail == unreported;
    known.ok = ok;
    known.detail = std::move(detail);
    if (changed)
        log::write(ok ? log::level::info : log::level::warn, "health.changed", {{"check", check}, {"ok", ok}, {"detail", known.detail}});
}

void health::drain() { draining_ = true; }

bool health::ready() const { return !draining_ && std::ranges::all_of(lines_, &line::ok); }

std::vector<health::line> health::lines() const {
    std::vector<line> all = lines_;
    if (draining_) all.push_back({.check = "draining", .ok = false, .detail = "asked to stop"});
    return all;
}

}  // namespace calbridge::runtime
