// How lines are read, cut and shifted; nothing here follows a rule.
#include "tests/emulator/recurrence_parts.h"
#include "tests/emulator/times.h"

#include <algorithm>
#include <array>

namespace calbridge::emulator {

std::optional<recurrence_line> read_line(std::string_view text) {
    auto const end = text.find_first_of(":;");
    auto const colon = text.find(':');
    if (end == std::string_view::npos || colon == std::string_view::npos) return std::nullopt;
    recurrence_line out{.name = text.substr(0, end), .value = text.substr(colon + 1)};
    if (end < colon) out.parameters = text.substr(end + 1, colon - end - 1);
    static constexpr std::array known{"RRULE", "EXRULE", "RDATE", "EXDATE"};
    if (std::ranges::find(known, out.name) == known.end() || out.value.empty()) return std::nullopt;
    return out;
}

std::optional<basic_time> read_basic(std::string_view text, std::string_view zone) {
    if (text.size() != 8 && text.size() != 15 && text.size() != 16) return std::nullopt;
    if (!std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == 'T' || c == 'Z'; })) return std::nullopt;
    std::string const date = std::string(text.substr(0, 4)) + "-" + std::string(text.substr(4, 2)) + "-" + std::string(text.substr(6, 2));
    if (text.size() == 8) {
        auto const at = parse_date(date);
        return at ? std::optional(basic_time{*at, true}) : std::nullopt;
    }
    if (text[8] != 'T' || (text.size() == 16 && text[15] != 'Z')) return std::nullopt;
    auto const clock = std::string(text.substr(9, 2)) + ":" + std::string(text.substr(11, 2)) + ":" + std::string(text.substr(13, 2));
    auto const at = parse_in_zone(date + "T" + clock + (text.size() == 16 ? "Z" : ""), zone.empty() ? std::string_view("UTC") : zone);
    return at ? std::optional(basic_time{*at, false}) : std::nullopt;
}

std::optional<std::vector<instant>> read_dates(recurrence_line const& l, series const& s) {
    std::string_view zone = s.zone;
    for (auto const part : split(l.parameters, ';'))
        if (part.starts_with("TZID=")) zone = part.substr(5);
    if (!s.all_day && !is_zone(zone)) return std::nullopt;
    std::vector<instant> out;
    for (auto const part : split(l.value, ',')) {
        auto const at = read_basic(part, zone);
        if (!at || at->is_date != s.all_day) return std::nullopt;
        out.push_back(at->at);
    }
    return out;
}

namespace {

std::string_view part_of(std::string_view rule, std::string_view name) {
    for (auto const part : split(rule, ';'))
        if (part.substr(0, part.find('=')) == name) return part.substr(std::min(part.size(), name.size() + 1));
    return {};
}

std::int64_t count_of(std::string_view rule) { return to_integer(part_of(rule, "COUNT")).value_or(0); }

// "FREQ=DAILY;COUNT=5" with one part replaced or, when `value` is empty, left out.
std::string with_part(std::string_view rule, std::string_view name, std::string const& value) {
    std::string out;
    for (auto const part : split(rule, ';')) {
        if (part.empty() || part.substr(0, part.find('=')) == name) continue;
        out += (out.empty() ? "" : ";") + std::string(part);
    }
    if (!value.empty()) out += ";" + std::string(name) + "=" + value;
    return out;
}

std::size_t starts_before(series const& s, instant from) {
    std::size_t n = 0;
    walk(s, [&](instant at) { return at < from && ++n > 0; });
    return n;
}

// Dates of the line that pass; an empty line when none does.
std::string with_dates(recurrence_line const& l, series const& s, std::function<bool(instant)> const& wanted) {
    std::string kept;
    auto const dates = read_dates(l, s);
    for (auto const at : dates ? *dates : std::vector<instant>{})
        if (wanted(at)) kept += (kept.empty() ? "" : ",") + (s.all_day ? format_basic_date(at) : format_basic_utc(at));
    if (kept.empty()) return {};
    return std::string(l.name) + (s.all_day ? ";VALUE=DATE:" : ":") + kept;
}

// Days of the week moved on: "MO,WE" by one is "TU,TH". Days with a number ("2TU") stay.
std::string turned_days(std::string_view days, std::int64_t by) {
    static constexpr std::array names{"MO", "TU", "WE", "TH", "FR", "SA", "SU"};
    std::string out;
    for (auto const day : split(days, ',')) {
        auto const at = std::ranges::find(names, day);
        if (at == names.end()) return std::string(days);
        auto const n = ((at - names.begin() + by) % 7 + 7) % 7;
        out += (out.empty() ? "" : ",") + std::string(names[static_cast<std::size_t>(n)]);
    }
    return out;
}

class shifter {
public:
    shifter(series const& from, series const& to) : from_(from), to_(to), by_(wall(to, to.first) - wall(from, from.first)) {
        days_ = (std::chrono::floor<std::chrono::days>(wall(to, to.first)) - std::chrono::floor<std::chrono::days>(wall(from, from.first)))
                    .count();
    }

    std::string rule(recurrence_line const& l) const {
        std::string out(l.value);
        if (auto const text = part_of(out, "UNTIL"); !text.empty())
            if (auto const until = read_basic(text, from_.zone)) {
                // A date in a timed series means the whole of that day.
                bool const whole_day = until->is_date && !from_.all_day;
                auto const last = whole_day ? at_wall(until->at + std::chrono::days(1), from_.zone) - std::chrono::seconds(1) : until->at;
                out = with_part(out, "UNTIL", spelled(last));
            }
        if (days_ == 0) return std::string(l.name) + ":" + out;
        if (auto const days = part_of(out, "BYDAY"); !days.empty()) out = with_part(out, "BYDAY", turned_days(days, days_));
        if (auto const day = part_of(out, "BYMONTHDAY"); !day.empty() && day.find(',') == std::string_view::npos && !day.starts_with('-'))
            out = with_part(out, "BYMONTHDAY", format_basic_date(wall(to_, to_.first)).substr(6));
        return std::string(l.name) + ":" + out;
    }
    std::string dates(recurrence_line const& l) const {
        std::string out;
        for (auto const at : read_dates(l, from_).value_or(std::vector<instant>{})) out += (out.empty() ? "" : ",") + spelled(at);
        return std::string(l.name) + (to_.all_day ? ";VALUE=DATE:" : ":") + out;
    }

private:
    static instant wall(series const& s, instant at) { return s.all_day ? at : wall_of(at, s.zone); }
    std::string spelled(instant at) const {
        auto const moved = wall(from_, at) + by_;
        return to_.all_day ? format_basic_date(moved) : format_basic_utc(at_wall(moved, to_.zone));
    }

    series const& from_;
    series const& to_;
    std::chrono::microseconds by_;
    std::int64_t days_{0};
};

}  // namespace

std::vector<std::string> lines_before(series const& s, instant from) {
    std::vector<std::string> out;
    for (auto const& text : s.lines) {
        auto const l = read_line(text);
        if (!l) continue;
        if (!l->is_rule()) {
            if (auto kept = with_dates(*l, s, [&](instant at) { return at < from; }); !kept.empty()) out.push_back(std::move(kept));
            continue;
        }
        auto const count = count_of(l->value);
        if (count > 0 && l->name == "RRULE") {
            series only = s;
            only.lines = {text};
            out.push_back("RRULE:" + with_part(l->value, "COUNT", std::to_string(starts_before(only, from))));
            continue;
        }
        if (count > 0) {
            out.push_back(text);
            continue;
        }
        auto const until = s.all_day ? format_basic_date(from - std::chrono::days(1)) : format_basic_utc(from - std::chrono::seconds(1));
        out.push_back(std::string(l->name) + ":" + with_part(l->value, "UNTIL", until));
    }
    return out;
}

std::vector<std::string> lines_from(series const& s, instant from) {
    std::vector<std::string> out;
    for (auto const& text : s.lines) {
        auto const l = read_line(text);
        if (!l) continue;
        if (!l->is_rule()) {
            if (auto kept = with_dates(*l, s, [&](instant at) { return at >= from; }); !kept.empty()) out.push_back(std::move(kept));
            continue;
        }
        auto const count = count_of(l->value);
        if (count > 0) {
            series only = s;
            only.lines = {text};
            auto const before = static_cast<std::int64_t>(starts_before(only, from));
            if (count <= before) continue;
            out.push_back(std::string(l->name) + ":" + with_part(l->value, "COUNT", std::to_string(count - before)));
            continue;
        }
        out.push_back(text);
    }
    return out;
}

std::vector<std::string> lines_shifted(series const& from, series const& to) {
    shifter const shift(from, to);
    std::vector<std::string> out;
    for (auto const& text : from.lines)
        if (auto const l = read_line(text)) out.push_back(l->is_rule() ? shift.rule(*l) : shift.dates(*l));
    return out;
}

}  // namespace calbridge::emulator
