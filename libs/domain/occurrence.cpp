#include "domain/recurrence.h"

#include <fmt/format.h>

#include <charconv>

namespace calbridge::domain {
namespace {

using std::chrono::days;
using std::chrono::seconds;
using std::chrono::sys_days;

std::optional<int> digits(std::string_view text) {
    int out = 0;
    auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (problem != std::errc{} || end != text.data() + text.size() || text.empty() || text.front() == '-') return {};
    return out;
}

std::optional<sys_days> day_of(std::string_view text) {
    if (text.size() != 8) return {};
    auto const year = digits(text.substr(0, 4)), month = digits(text.substr(4, 2)), day = digits(text.substr(6, 2));
    if (!year || !month || !day) return {};
    std::chrono::year_month_day const date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) return {};
    return sys_days(date);
}

std::string day_text(sys_days day) {
    std::chrono::year_month_day const date(day);
    return fmt::format("{:04}{:02}{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                       static_cast<unsigned>(date.day()));
}

}  // namespace

std::string occurrence_key(time_range const& original_start) {
    if (original_start.all_day) return day_text(original_start.first_day);
    auto const at = std::chrono::floor<seconds>(original_start.start);
    auto const day = std::chrono::floor<days>(at);
    std::chrono::hh_mm_ss const time(at - day);
    return fmt::format("{}T{:02}{:02}{:02}Z", day_text(day), time.hours().count(), time.minutes().count(), time.seconds().count());
}

std::optional<time_range> start_of_occurrence(std::string_view key, std::string_view zone) {
    if (key.size() == 8) {
        auto const day = day_of(key);
        if (!day) return {};
        return time_range{.all_day = true, .first_day = *day, .end_day = *day + days(1), .start = {}, .end = {}, .zone = {}};
    }
    if (key.size() != 16 || key[8] != 'T' || key[15] != 'Z') return {};
    auto const day = day_of(key.substr(0, 8));
    auto const hour = digits(key.substr(9, 2)), minute = digits(key.substr(11, 2)), second = digits(key.substr(13, 2));
    if (!day || !hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 59) return {};
    instant const at = instant(*day) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) + seconds(*second);
    return time_range{.all_day = false, .first_day = {}, .end_day = {}, .start = at, .end = at, .zone = std::string(zone)};
}

std::optional<std::string> understand_occurrence(std::string_view said, time_range const& first) {
    if (auto const named = start_of_occurrence(said, first.zone)) {
        if (named->all_day == first.all_day) return std::string(said);
        return {};
    }
    auto const understood = understand_time(said, "", first.zone, "", std::chrono::minutes(60));
    auto const* const range = std::get_if<time_range>(&understood);
    if (!range || range->all_day != first.all_day) return {};
    return occurrence_key(*range);
}

std::string instance_id(std::string_view master_event_id, std::string_view key) {
    return std::string(master_event_id) + "_" + std::string(key);
}

}  // namespace calbridge::domain
