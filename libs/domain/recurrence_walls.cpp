#include "domain/recurrence_walls.h"

#include <libical/ical.h>

#include <algorithm>
#include <numeric>

namespace calbridge::domain::recurrence {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::sys_days;
using std::chrono::year_month_day;

icaltimetype to_ical(point wall, bool all_day) {
    auto const day = floor<days>(wall);
    year_month_day const ymd{day};
    std::chrono::hh_mm_ss const of_day{wall - day};
    auto out = icaltime_null_time();
    out.year = static_cast<int>(ymd.year());
    out.month = static_cast<int>(static_cast<unsigned>(ymd.month()));
    out.day = static_cast<int>(static_cast<unsigned>(ymd.day()));
    out.is_date = all_day ? 1 : 0;
    if (all_day) return out;
    out.hour = static_cast<int>(of_day.hours().count());
    out.minute = static_cast<int>(of_day.minutes().count());
    out.second = static_cast<int>(of_day.seconds().count());
    return out;
}

std::optional<point> from_ical(icaltimetype const& at) {
    if (icaltime_is_null_time(at) != 0) return {};
    year_month_day const ymd{std::chrono::year(at.year), std::chrono::month(static_cast<unsigned>(at.month)),
                             std::chrono::day(static_cast<unsigned>(at.day))};
    if (!ymd.ok()) return {};
    return sys_days{ymd} + std::chrono::hours(at.hour) + std::chrono::minutes(at.minute) + std::chrono::seconds(at.second);
}

int weekday_number(sys_days day) { return static_cast<int>(std::chrono::weekday(day).iso_encoding()) - 1; }
int weekday_number(point wall) { return weekday_number(floor<days>(wall)); }

// libical 3.0 reads some rules in another way than RFC 5545. The first step are the rules that can be said in words both read alike.
rule as_library_reads(rule said, point start) {
    using enum rule::every;
    // What the start implies is said, for the rule may be asked from an earlier day on.
    bool const days_said = !said.weekdays.empty() || !said.month_days.empty() || !said.year_days.empty();
    if (!days_said && (!said.week_numbers.empty() || (said.freq == week && !said.positions.empty())))
        said.weekdays.push_back({.weekday = weekday_number(start)});
    else if (!days_said && (!said.positions.empty() || (said.freq == year && !said.months.empty())))
        said.month_days.push_back(static_cast<int>(static_cast<unsigned>(year_month_day(floor<days>(start)).day())));
    // Weeks of the year are every week here; is_wanted() knows their numbers.
    if (!said.week_numbers.empty()) said.freq = week;
    if (said.month_days.empty()) return said;
    // Days of every month; it would take the start's month alone.
    if (said.freq == year && said.months.empty()) said.months = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    // Counted from the end it knows days in months and years only; with a beat of days they are told apart here.
    if (said.freq == day && said.interval == 1) said.freq = month;
    return said;
}

bool is_month_day(std::vector<int> const& wanted_days, year_month_day date) {
    int const number = static_cast<int>(static_cast<unsigned>(date.day()));
    int const length = static_cast<int>(static_cast<unsigned>((date.year() / date.month() / std::chrono::last).day()));
    return std::ranges::any_of(wanted_days, [&](int wanted) { return wanted == number || wanted == number - length - 1; });
}

// The number of the week a day lies in, from the front and, negative, from the end of the week's own year.
bool is_in_week(std::vector<int> const& numbers, int week_start, sys_days day) {
    auto const first_week = [&](std::chrono::year year) {
        sys_days const always_in = year / 1 / 4;
        return always_in - days((weekday_number(always_in) - week_start + 7) % 7);
    };
    auto year = year_month_day(day).year();
    if (day >= first_week(year + std::chrono::years(1))) ++year;
    if (day < first_week(year)) --year;
    auto const number = static_cast<int>((day - first_week(year)).count() / 7) + 1;
    auto const weeks = static_cast<int>((first_week(year + std::chrono::years(1)) - first_week(year)).count() / 7);
    return std::ranges::any_of(numbers, [&](int wanted) { return wanted == number || wanted == number - weeks - 1; });
}

icalrecur_iterator* open(rule const& pattern, point start, point last, bool all_day) {
    static bool const errors_are_values = (icalerror_set_errors_are_fatal(0), true);
    static_cast<void>(errors_are_values);
    icalerror_clear_errno();
    auto parsed = icalrecurrencetype_from_string(write_pattern(pattern).c_str());
    icalrecur_iterator* out = nullptr;
    if (parsed.freq != ICAL_NO_RECURRENCE) {
        parsed.until = to_ical(last, all_day);
        // Null when the rule makes no instance at all: libical looks for the first one here.
        out = icalrecur_iterator_new(parsed, to_ical(start, all_day));
    }
    icalerror_clear_errno();
    return out;
}

}  // namespace

void wall_times::iterator_free::operator()(icalrecur_iterator_impl* it) const { icalrecur_iterator_free(it); }

wall_times::wall_times(rule const& of, point start, point last, bool all_day, int& steps)
    : asked_(as_library_reads(of, start)), steps_(steps) {
    using enum rule::every;
    period_ = asked_.freq;
    wanted_.week_start = asked_.week_start;
    if (!asked_.positions.empty()) {
        // It counts from the end what is there twice twice, and weeks not at all. So it is asked for whole periods, and they are counted
        // here.
        wanted_.positions.swap(asked_.positions);
        start = period_of(start) + (start - floor<days>(start));
        last += days(period_ == year ? 366 : period_ == month ? 31 : 7);
    }
    if (asked_.freq == week && !asked_.weekdays.empty() && asked_.interval > 1) {
        // It loses the beat where the first week holds no instance. So it is asked for the first day of every week, too, from a week's
        // first day on.
        wanted_.weekdays = asked_.weekdays;
        wanted_.months.swap(asked_.months);
        weekday_of const first_of_week{.weekday = asked_.week_start};
        if (std::ranges::find(asked_.weekdays, first_of_week) == asked_.weekdays.end()) asked_.weekdays.push_back(first_of_week);
        start = period_of(start) + (start - floor<days>(start));
    }
    if (asked_.freq == month || asked_.freq == year) never_search_in_vain();
    wanted_.week_numbers.swap(asked_.week_numbers);
    if (!asked_.year_days.empty() || !wanted_.week_numbers.empty()) wanted_.months.swap(asked_.months);
    if (asked_.freq == day) wanted_.month_days.swap(asked_.month_days);
    if (start <= last) iterator_.reset(open(asked_, start, last, all_day));
}

// UNTIL ends libical's search for the next instance of days and weeks, but not of months and years. So it is asked for more, where there is
// always something, and what was not asked for is left out here.
void wall_times::never_search_in_vain() {
    if (asked_.freq == rule::every::month) wanted_.months.swap(asked_.months);
    if (asked_.month_days.empty()) return;
    wanted_.month_days = asked_.month_days;
    if (!asked_.weekdays.empty()) {
        asked_.month_days.clear();
    } else if (asked_.month_days.size() < 31) {
        asked_.month_days.push_back(1);
    } else {
        std::iota(asked_.month_days.begin(), asked_.month_days.end(), 1);
    }
}

std::optional<point> wall_times::next_of_library() {
    if (!iterator_ || --steps_ <= 0) return {};
    auto const at = from_ical(icalrecur_iterator_next(iterator_.get()));
    if (!at) iterator_.reset();
    return at;
}

bool wall_times::is_wanted(point wall) const {
    year_month_day const date{floor<days>(wall)};
    auto const is_month = [&](int number) { return static_cast<unsigned>(number) == static_cast<unsigned>(date.month()); };
    if (!wanted_.months.empty() && std::ranges::none_of(wanted_.months, is_month)) return false;
    if (!wanted_.month_days.empty() && !is_month_day(wanted_.month_days, date)) return false;
    if (!wanted_.week_numbers.empty() && !is_in_week(wanted_.week_numbers, wanted_.week_start, floor<days>(wall))) return false;
    auto const weekday = weekday_number(wall);
    return wanted_.weekdays.empty() || std::ranges::find(wanted_.weekdays, weekday, &weekday_of::weekday) != wanted_.weekdays.end();
}

std::optional<point> wall_times::next_wanted() {
    auto at = next_of_library();
    while (at && !is_wanted(*at)) at = next_of_library();
    return at;
}

point wall_times::period_of(point wall) const {
    auto const day = floor<days>(wall);
    year_month_day const date{day};
    if (period_ == rule::every::year) return point{sys_days{date.year() / 1 / 1}};
    if (period_ == rule::every::month) return point{sys_days{date.year() / date.month() / 1}};
    return point{day - days((weekday_number(day) - wanted_.week_start + 7) % 7)};
}

void wall_times::pick_from_period() {
    std::vector<point> members{*ahead_};
    for (ahead_ = next_wanted(); ahead_ && period_of(*ahead_) == period_of(members.front()); ahead_ = next_wanted())
        members.push_back(*ahead_);
    int const size = static_cast<int>(members.size());
    for (int i = 0; i < size; ++i) {
        bool const is_picked = std::ranges::any_of(wanted_.positions, [&](int p) { return p == i + 1 || p == i - size; });
        if (is_picked) picked_.push_back(members[static_cast<std::size_t>(i)]);
    }
}

std::optional<point> wall_times::next() {
    if (wanted_.positions.empty()) return next_wanted();
    if (!ahead_) ahead_ = next_wanted();
    while (picked_.empty() && ahead_) pick_from_period();
    if (picked_.empty()) return {};
    auto const at = picked_.front();
    picked_.pop_front();
    return at;
}

}  // namespace calbridge::domain::recurrence
