#include "domain/recurrence_series.h"

#include "domain/recurrence.h"
#include "domain/spelled.h"
#include "domain/text.h"

#include <algorithm>
#include <iterator>

namespace calbridge::domain::recurrence {
namespace {

using std::chrono::days;

constexpr std::size_t rules_max = 4;  // of each kind; people have one
// Far from anything people plan, and within what the arithmetic of dates can hold.
constexpr int year_min = 1900;
constexpr int year_max = 9990;

using outcome = std::optional<refusal>;

struct content_line {
    std::string name;
    std::string zone_name;
    std::string value_type;
    std::string_view value;
};

std::size_t outside_quotes(std::string_view text, std::string_view any_of) {
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '"') quoted = !quoted;
        else if (!quoted && any_of.find(text[i]) != std::string_view::npos) return i;
    }
    return std::string_view::npos;
}

std::optional<content_line> take_apart(std::string_view line) {
    line = trim(line);
    auto const colon = outside_quotes(line, ":");
    if (colon == std::string_view::npos) return {};
    auto head = line.substr(0, colon);
    content_line out{.value = line.substr(colon + 1)};
    auto const name = head.substr(0, outside_quotes(head, ";"));
    out.name = lower_ascii(name);
    head.remove_prefix(name.size());
    while (!head.empty()) {
        head.remove_prefix(1);
        auto const parameter = head.substr(0, outside_quotes(head, ";"));
        head.remove_prefix(parameter.size());
        auto const equals = parameter.find('=');
        if (equals == std::string_view::npos) return {};
        auto const key = lower_ascii(parameter.substr(0, equals));
        auto value = parameter.substr(equals + 1);
        if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) value = value.substr(1, value.size() - 2);
        if (key == "tzid") out.zone_name = value;
        else if (key == "value") out.value_type = lower_ascii(value);
        else if (!key.starts_with("x-")) return {};
    }
    return out;
}

// A date in a timed series means the series' own time of day on it; of a time in an all-day series the date counts.
std::optional<point> read_date(std::string_view text, frame const& where, zone_clock const& zone) {
    auto const said = read_compact(trim(text));
    if (!said) return {};
    if (where.all_day) return point{said->day};
    if (said->all_day) return where.zone.moment_of(said->day + (where.first_wall - std::chrono::floor<days>(where.first_wall)));
    if (said->offset) return said->day + said->time_of_day;
    return zone.moment_of(said->day + said->time_of_day);
}

void sort_unique(std::vector<point>& dates) {
    std::ranges::sort(dates);
    auto const repeats = std::ranges::unique(dates);
    dates.erase(repeats.begin(), repeats.end());
}

struct series_reader {
    series out;
    std::size_t counted{0};

    static refusal too_long() {
        return {"recurrence_too_long", "The recurrence has too many lines. Use a rule (RRULE) in the place of single dates."};
    }

    outcome read_line(std::string_view text) {
        if (text.size() > recurrence_line_length_max) return too_long();
        auto const line = take_apart(text);
        if (!line) return bad_recurrence("a line is not RRULE, EXRULE, RDATE or EXDATE");
        if (line->name == "rrule") return read_into(out.rules, *line);
        if (line->name == "exrule") return read_into(out.except_rules, *line);
        if (line->name == "rdate") return read_into(out.dates, *line);
        if (line->name == "exdate") return read_into(out.except_dates, *line);
        return bad_recurrence("a line is not RRULE, EXRULE, RDATE or EXDATE");
    }

    outcome read_into(std::vector<rule>& rules, content_line const& line) {
        auto read = read_rule(trim(line.value), out.where);
        if (auto* const why = std::get_if<refusal>(&read)) return std::move(*why);
        auto& one = std::get<rule>(read);
        if (std::ranges::find(rules, one) == rules.end()) rules.push_back(std::move(one));
        if (++counted > recurrence_lines_max || rules.size() > rules_max) return too_long();
        return {};
    }

    outcome read_into(std::vector<point>& dates, content_line const& line) {
        if (!line.value_type.empty() && line.value_type != "date" && line.value_type != "date-time")
            return bad_recurrence("RDATE and EXDATE are dates or times, not periods");
        auto zone = out.where.zone;
        if (!line.zone_name.empty() && line.zone_name != out.where.zone_name && !out.where.all_day) {
            auto const named = zone_clock::named(line.zone_name);
            if (!named) return bad_recurrence("TZID names no time zone of the IANA database");
            zone = *named;
        }
        for (auto rest = line.value;;) {
            auto const comma = rest.find(',');
            auto const date = read_date(rest.substr(0, comma), out.where, zone);
            if (!date) return bad_recurrence("RDATE or EXDATE holds something that is not a date or time");
            if (++counted > recurrence_lines_max) return too_long();
            dates.push_back(*date);
            if (comma == std::string_view::npos) return {};
            rest.remove_prefix(comma + 1);
        }
    }

    outcome finish() {
        auto const written = [&](rule const& r) { return write_rule(r, out.where.all_day); };
        std::ranges::sort(out.rules, {}, written);
        std::ranges::sort(out.except_rules, {}, written);
        sort_unique(out.dates);
        sort_unique(out.except_dates);
        if (!out.dates.empty() && out.dates.front() < out.where.first)
            return bad_recurrence("an RDATE lies before the start, and a series begins with its start");
        std::erase(out.dates, out.where.first);
        std::erase_if(out.except_dates, [&](point at) { return at < out.where.first; });
        return {};
    }
};

std::variant<frame, refusal> read_frame(time_range const& first) {
    frame out{.all_day = first.all_day, .zone_name = first.zone};
    if (!first.all_day) {
        auto const zone = zone_clock::named(first.zone);
        if (!zone)
            return refusal{"recurrence_without_zone",
                           "A repeating task with a time of day needs a time zone. Give an IANA name like \"Europe/Zurich\"."};
        out.zone = *zone;
    }
    auto const lowest = instant{std::chrono::sys_days{std::chrono::year(year_min) / 1 / 1}};
    auto const highest = instant{std::chrono::sys_days{std::chrono::year(year_max) / 1 / 1}};
    auto const begins = first.all_day ? instant{first.first_day} : first.start;
    auto const ends = first.all_day ? instant{first.end_day} : first.end;
    if (begins < lowest || begins > highest || ends > highest) return bad_recurrence("the first occurrence is too far away");
    out.first = point_of(first);
    out.first_wall = out.zone.wall_at(out.first);
    std::chrono::seconds const least = first.all_day ? days(1) : days(0);
    out.duration = std::max(std::chrono::floor<std::chrono::seconds>(ends) - out.first, least);
    return out;
}

}  // namespace

point point_of(time_range const& range) {
    return range.all_day ? point{range.first_day} : std::chrono::floor<std::chrono::seconds>(range.start);
}

time_range occurrence_at(frame const& where, point start) {
    if (where.all_day) {
        auto const day = std::chrono::floor<days>(start);
        return {.all_day = true, .first_day = day, .end_day = day + std::chrono::floor<days>(where.duration)};
    }
    return {.start = start, .end = start + where.duration, .zone = where.zone_name};
}

std::variant<series, refusal> read_series(std::vector<std::string> const& lines, time_range const& first) {
    if (lines.size() > recurrence_lines_max) return series_reader::too_long();
    auto where = read_frame(first);
    if (auto* const why = std::get_if<refusal>(&where)) return std::move(*why);
    series_reader reader{.out = {.where = std::move(std::get<frame>(where))}};
    for (auto const& line : lines) {
        if (auto problem = reader.read_line(line)) return std::move(*problem);
    }
    if (auto problem = reader.finish()) return std::move(*problem);
    return std::move(reader.out);
}

std::vector<std::string> write_series(series const& what) {
    std::vector<std::string> out;
    if (!what.repeats()) return out;
    bool const all_day = what.where.all_day;
    auto const add_rules = [&](std::string_view name, std::vector<rule> const& rules) {
        std::vector<std::string> lines;
        for (auto const& one : rules) lines.push_back(std::string(name) + write_rule(one, all_day));
        std::ranges::sort(lines);
        auto const repeats = std::ranges::unique(lines);
        lines.erase(repeats.begin(), repeats.end());
        std::ranges::move(lines, std::back_inserter(out));
    };
    auto const add_dates = [&](std::string_view name, std::vector<point> const& dates) {
        for (auto const at : dates) {
            out.push_back(std::string(name) +
                          (all_day ? ";VALUE=DATE:" + compact_date(std::chrono::floor<days>(at)) : ":" + compact_utc(at)));
        }
    };
    add_rules("RRULE:", what.rules);
    add_rules("EXRULE:", what.except_rules);
    add_dates("RDATE", what.dates);
    add_dates("EXDATE", what.except_dates);
    return out;
}

}  // namespace calbridge::domain::recurrence
