#include "domain/render.h"
#include "domain/spelled.h"
#include "domain/zone.h"

#include <date/tz.h>
#include <fmt/format.h>

#include <algorithm>

namespace calbridge::domain {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::sys_days;

constexpr int year_min = 1970;
constexpr int year_max = 2199;

std::string printable_zone(std::string_view zone) {
    bool const plain = zone.size() <= 64 && std::ranges::all_of(zone, [](char c) { return c > ' ' && c <= '~' && c != '"'; });
    return plain ? "\"" + std::string(zone) + "\"" : "that name";
}

std::string clock_text(date::local_seconds at) {
    auto const day = date::floor<date::days>(at);
    auto const of_day = at - day;
    return fmt::format("{:02}:{:02}", std::chrono::duration_cast<hours>(of_day).count(),
                       std::chrono::duration_cast<minutes>(of_day).count() % 60);
}

refusal no_such_time(std::string_view spelled_text, std::string_view zone, date::local_info const& info) {
    auto const before = date::local_seconds{info.first.end.time_since_epoch() + info.first.offset};
    auto const after = date::local_seconds{info.second.begin.time_since_epoch() + info.second.offset};
    return {"no_such_local_time",
            fmt::format("{} does not exist in {}: the clocks go from {} straight to {} that day. Choose another time.", spelled_text, zone,
                        clock_text(before), clock_text(after))};
}

// The instant of a wall time; of a doubled hour the first that is after `later_than`.
std::variant<instant, refusal> at_wall_time(spelled const& what, std::string_view spelled_text, std::string_view zone_name,
                                            date::time_zone const& zone, std::optional<instant> later_than) {
    auto const local_count = what.day.time_since_epoch() + what.time_of_day;
    if (is_utc(zone_name)) return instant{local_count};
    date::local_seconds const local{local_count};
    auto const info = zone.get_info(local);
    if (info.result == date::local_info::nonexistent) return no_such_time(spelled_text, zone_name, info);
    instant const first{local_count - info.first.offset};
    if (info.result != date::local_info::ambiguous || !later_than || first > *later_than) return first;
    return instant{local_count - info.second.offset};
}

std::string wall_text(std::chrono::sys_seconds wall) {
    auto const day = std::chrono::floor<days>(wall);
    std::chrono::hh_mm_ss const of_day{wall - day};
    return fmt::format("{}T{:02}:{:02}:{:02}", date_text(day), of_day.hours().count(), of_day.minutes().count(), of_day.seconds().count());
}

std::string offset_text(seconds offset) {
    char const sign = offset < seconds(0) ? '-' : '+';
    auto const size = offset < seconds(0) ? -offset : offset;
    return fmt::format("{}{:02}:{:02}", sign, std::chrono::duration_cast<hours>(size).count(),
                       std::chrono::duration_cast<minutes>(size).count() % 60);
}

std::string speak_at(instant at, date::time_zone const* zone) {
    auto const utc = std::chrono::floor<seconds>(at);
    if (!zone) return wall_text(utc);
    auto const info = zone->get_info(date::sys_seconds{utc.time_since_epoch()});
    auto const wall = utc + info.offset;
    auto const back = zone->get_info(date::local_seconds{wall.time_since_epoch()});
    bool const second_of_two = back.result == date::local_info::ambiguous && back.first.offset != info.offset;
    return wall_text(wall) + (second_of_two ? offset_text(info.offset) : "");
}

refusal bad(std::string_view which, std::string_view example) {
    return {fmt::format("bad_{}", which), fmt::format("The {} is not a time we can read. Write it like {}.", which, example)};
}

constexpr std::string_view example = "2026-11-25T10:00:00, or 2026-11-25 for a whole day";

refusal out_of_years(std::string_view which) {
    return {fmt::format("bad_{}", which),
            fmt::format("The {} is outside the years {} to {}. Correct the year.", which, year_min, year_max)};
}

bool in_years(spelled const& s) { return year_of(s.day) >= year_min && year_of(s.day) <= year_max; }

std::variant<time_range, refusal> understand_days(spelled const& first, std::optional<spelled> const& end) {
    sys_days const end_day = end ? end->day : first.day + days(1);
    if (end_day <= first.day)
        return refusal{"end_before_start", "The end is not after the start. A whole-day task ends on the day after its last day."};
    return time_range{.all_day = true, .first_day = first.day, .end_day = end_day};
}

}  // namespace

std::variant<time_range, refusal> understand_time(std::string_view start, std::string_view end, std::string_view time_zone,
                                                  std::string_view zone, std::chrono::minutes default_duration) {
    if (start.empty()) return refusal{"missing_start", "The task has no start. Give it a date or a time to put it in the calendar."};
    auto const first = read_spelled(start);
    if (!first) return bad("start", example);
    if (!in_years(*first)) return out_of_years("start");
    std::optional<spelled> last;
    if (!end.empty()) {
        last = read_spelled(end);
        if (!last) return bad("end", example);
        if (!in_years(*last)) return out_of_years("end");
        if (last->all_day != first->all_day) return refusal{"bad_end", "Start and end must both be dates or both be times."};
    }
    if (first->all_day) return understand_days(*first, last);

    std::string const zone_name(time_zone.empty() ? zone : time_zone);
    auto const* const found = find_zone(zone_name);
    bool const zone_needed = !first->offset || (last && !last->offset);
    if (!found && (zone_needed || !time_zone.empty()))
        return refusal{"unknown_zone",
                       fmt::format("There is no time zone {}. Use an IANA name like \"Europe/Zurich\".", printable_zone(zone_name))};
    auto const too_far = [&](spelled const& s) { return !s.offset && !is_utc(zone_name) && year_of(s.day) > zone_year_max; };
    if (too_far(*first) || (last && too_far(*last)))
        return refusal{
            too_far(*first) ? "bad_start" : "bad_end",
            fmt::format(
                "Nobody knows the clock changes after {} yet. Write the time with its offset from UTC, like 2040-06-01T10:00:00+02:00.",
                zone_year_max)};

    auto const place = [&](spelled const& s, std::string_view text, std::optional<instant> later_than) -> std::variant<instant, refusal> {
        if (s.offset) return instant{s.day.time_since_epoch() + s.time_of_day - *s.offset};
        return at_wall_time(s, text, zone_name, *found, later_than);
    };
    auto const begins = place(*first, start, {});
    if (auto const* const why = std::get_if<refusal>(&begins)) return *why;
    instant const from = std::get<instant>(begins);
    instant to = from + default_duration;
    if (last) {
        auto const ends = place(*last, end, from);
        if (auto const* const why = std::get_if<refusal>(&ends)) return *why;
        to = std::get<instant>(ends);
    }
    if (to <= from) return refusal{"end_before_start", "The end is not after the start. Correct one of them."};
    return time_range{.start = from, .end = to, .zone = found ? zone_name : std::string()};
}

spoken_time speak(time_range const& range) {
    if (range.all_day) return {.start = date_text(range.first_day), .end = date_text(range.end_day), .time_zone = {}, .all_day = true};
    bool const within = year_of(std::chrono::floor<days>(range.end + days(1))) <= zone_year_max;
    auto const* const zone = within && !range.zone.empty() && !is_utc(range.zone) ? find_zone(range.zone) : nullptr;
    bool const keeps_name = zone || is_utc(range.zone);
    return {.start = speak_at(range.start, zone),
            .end = speak_at(range.end, zone),
            .time_zone = keeps_name ? range.zone : "UTC",
            .all_day = false};
}

}  // namespace calbridge::domain
