#include "domain/recurrence.h"

#include "domain/recurrence_walk.h"

#include <algorithm>

namespace calbridge::domain {

using recurrence::point;
using recurrence::read_series;
using recurrence::series;
using recurrence::walker;

namespace {

// Windows reach no further than what dates can be computed with.
point bounded(instant at) {
    constexpr instant lowest{std::chrono::sys_days{std::chrono::year(1800) / 1 / 1}};
    constexpr instant highest{std::chrono::sys_days{std::chrono::year(9998) / 1 / 1}};
    return std::chrono::floor<std::chrono::seconds>(std::clamp(at, lowest, highest));
}

std::optional<series> understood(std::vector<std::string> const& lines, time_range const& first) {
    auto read = read_series(lines, first);
    auto* const found = std::get_if<series>(&read);
    return found ? std::optional(std::move(*found)) : std::nullopt;
}

}  // namespace

std::variant<std::vector<std::string>, refusal> canonical_recurrence(std::vector<std::string> const& lines, time_range const& first) {
    if (lines.empty()) return lines;
    auto read = read_series(lines, first);
    if (auto* const why = std::get_if<refusal>(&read)) return std::move(*why);
    auto const& what = std::get<series>(read);
    if (!walker(what).next())
        return refusal{"recurrence_never", "The recurrence leaves nothing: every occurrence is excluded. Remove an EXDATE or EXRULE."};
    return write_series(what);
}

result<expansion> expand(std::vector<std::string> const& lines, time_range const& first, occurrence_window const& within) {
    auto read = read_series(lines, first);
    if (auto const* const why = std::get_if<refusal>(&read)) return fail(errc::malformed, why->code + ": " + why->explanation);
    auto const& what = std::get<series>(read);
    auto const from = bounded(within.from);
    auto const to = bounded(within.to);
    walker walk(what, from - what.where.duration, to);
    expansion out;
    while (auto const at = walk.next()) {
        if (*at >= to) break;
        // One without length counts where it begins.
        if (*at + std::max(what.where.duration, std::chrono::seconds(1)) <= from) continue;
        if (out.items.size() == within.most) {
            out.cut = true;
            return out;
        }
        auto const time = occurrence_at(what.where, *at);
        out.items.push_back({.key = occurrence_key(time), .time = time});
    }
    out.cut = walk.cut();
    return out;
}

bool has_occurrence(std::vector<std::string> const& lines, time_range const& first, std::string_view key) {
    auto const start = start_of_occurrence(key, first.zone);
    if (!start || start->all_day != first.all_day) return false;
    auto const what = understood(lines, first);
    if (!what) return false;
    auto const wanted = recurrence::point_of(*start);
    walker walk(*what, wanted, wanted);
    for (auto at = walk.next(); at; at = walk.next()) {
        if (*at == wanted) return true;
    }
    return false;
}

std::optional<instant> end_of_series(std::vector<std::string> const& lines, time_range const& first) {
    auto const what = understood(lines, first);
    if (!what || std::ranges::any_of(what->rules, [](auto const& r) { return !r.count && !r.until; })) return {};
    walker walk(*what);
    std::optional<point> last;
    while (auto const at = walk.next()) last = at;
    if (walk.cut() || !last) return {};
    return instant{*last + what->where.duration};
}

}  // namespace calbridge::domain
