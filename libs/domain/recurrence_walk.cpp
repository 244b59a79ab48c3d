#include "domain/recurrence_walk.h"

#include <libical/ical.h>

#include <algorithm>
#include <deque>

namespace calbridge::domain::recurrence {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::sys_days;
using std::chrono::year_month_day;

// libical searches for a rule's next instance up to the year 2582. The calendar repeats every 400 years to the weekday, so asking it that
// much later shortens a search in vain to a third.
constexpr int years_later = 400;

point last_of_rules() { return sys_days{std::chrono::year(rule_year_max) / 12 / 31}; }

icaltimetype to_ical(point wall, bool all_day) {
    auto const day = floor<days>(wall);
    year_month_day const ymd{day};
    std::chrono::hh_mm_ss const of_day{wall - day};
    auto out = icaltime_null_time();
    out.year = static_cast<int>(ymd.year()) + years_later;
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
    year_month_day const ymd{std::chrono::year(at.year - years_later), std::chrono::month(static_cast<unsigned>(at.month)),
                             std::chrono::day(static_cast<unsigned>(at.day))};
    if (!ymd.ok()) return {};
    return sys_days{ymd} + std::chrono::hours(at.hour) + std::chrono::minutes(at.minute) + std::chrono::seconds(at.second);
}

struct iterator_free {
    void operator()(icalrecur_iterator* it) const { icalrecur_iterator_free(it); }
};
using iterator = std::unique_ptr<icalrecur_iterator, iterator_free>;

// Null when the rule makes no instance at all: libical looks for the first one here.
iterator open(rule const& pattern, point start, point last, bool all_day) {
    static bool const errors_are_values = (icalerror_set_errors_are_fatal(0), true);
    static_cast<void>(errors_are_values);
    icalerror_clear_errno();
    auto parsed = icalrecurrencetype_from_string(write_pattern(pattern).c_str());
    iterator out;
    if (parsed.freq != ICAL_NO_RECURRENCE) {
        parsed.until = to_ical(last, all_day);
        out.reset(icalrecur_iterator_new(parsed, to_ical(start, all_day)));
    }
    icalerror_clear_errno();
    return out;
}

days step_of(rule const& r) { return days(r.interval * (r.freq == rule::every::week ? 7 : 1)); }

// Where to begin so that nothing from `not_before` on is missed: whole steps of the rule after the start. Months and years are few enough.
point beginning(rule const& r, frame const& where, point not_before) {
    bool const in_days = r.freq == rule::every::day || r.freq == rule::every::week;
    if (!in_days || r.count || not_before <= where.first) return where.first_wall;
    auto const step = step_of(r);
    // Two steps and two days of margin: week starts, and what zones may do.
    auto const steps = (not_before - where.first) / step - 2 - days(2) / step;
    return steps > 0 ? where.first_wall + step * steps : where.first_wall;
}

int weekday_number(sys_days day) { return static_cast<int>(std::chrono::weekday(day).iso_encoding()) - 1; }

}  // namespace

// One rule's instances as points, in ascending order.
class rule_stream {
public:
    rule_stream(rule const& what, rule_kind kind, frame const& where, point not_before, point horizon, int& steps)
        : rule_(what), kind_(kind), where_(where), horizon_(std::min(horizon, last_of_rules())), steps_(steps) {
        begin_ = beginning(what, where, not_before);
        // The first occurrence counts as an instance whether or not the rule makes it.
        if (what.count) left_ = *what.count - (kind == rule_kind::including ? 1 : 0);
    }

    std::optional<point> const& head() {
        if (!looked_) {
            head_ = make();
            looked_ = true;
        }
        return head_;
    }
    void pop() { looked_ = false; }
    int counted() const { return counted_; }

private:
    std::optional<point> make() {
        while (!ended_) {
            auto const wall = left_ == 0 ? std::nullopt : next_wall();
            if (!wall) break;
            bool const is_first = *wall == where_.first_wall;
            if (*wall < where_.first_wall || (is_first && kind_ == rule_kind::including)) continue;
            auto const at = is_first ? where_.first : where_.zone.moment_of(*wall);
            if ((rule_.until && at > *rule_.until) || at > horizon_) break;
            if (left_) --*left_;
            ++counted_;
            // Where a zone skipped a whole day, two instances meet.
            if (at <= made_) continue;
            made_ = at;
            return at;
        }
        ended_ = true;
        return {};
    }

    std::optional<point> next_wall() {
        bool const picks = rule_.freq == rule::every::week && !rule_.positions.empty();
        return picks ? picked_of_week() : next_from_library();
    }

    std::optional<point> next_from_library() {
        if (!opened_) {
            opened_ = true;
            // What zones do moves an instance by a day at most.
            auto const last = where_.zone.wall_at(horizon_) + days(2);
            if (begin_ <= last) iterator_ = open(rule_, begin_, last, where_.all_day);
        }
        if (!iterator_ || --steps_ <= 0) return {};
        auto const at = from_ical(icalrecur_iterator_next(iterator_.get()));
        if (!at) iterator_.reset();
        return at;
    }

    // libical knows BYSETPOS for months and years only.
    std::optional<point> picked_of_week() {
        while (picked_.empty()) {
            if (!opened_) begin_whole_weeks();
            if (!ahead_) return {};
            auto const week = week_of(*ahead_);
            std::vector<point> members;
            for (; ahead_ && week_of(*ahead_) == week; ahead_ = next_from_library()) members.push_back(*ahead_);
            int const size = static_cast<int>(members.size());
            for (int i = 0; i < size; ++i) {
                bool const wanted = std::ranges::any_of(rule_.positions, [&](int p) { return p == i + 1 || p == i - size; });
                if (wanted) picked_.push_back(members[static_cast<std::size_t>(i)]);
            }
        }
        auto const at = picked_.front();
        picked_.pop_front();
        return at;
    }

    void begin_whole_weeks() {
        rule_.weekdays =
            rule_.weekdays.empty() ? std::vector<weekday_of>{{.weekday = weekday_number(floor<days>(begin_))}} : rule_.weekdays;
        begin_ = begin_ - days((weekday_number(floor<days>(begin_)) - rule_.week_start + 7) % 7);
        ahead_ = next_from_library();
    }

    // Days since the epoch of the week's start; 1970-01-01 was a Thursday.
    std::int64_t week_of(point wall) const {
        auto const day = floor<days>(wall);
        return (day - days((weekday_number(day) - rule_.week_start + 7) % 7)).time_since_epoch().count();
    }

    rule rule_;
    rule_kind kind_;
    frame const& where_;
    point horizon_;
    int& steps_;
    point begin_;
    point made_{point::min()};
    std::optional<int> left_;
    int counted_{0};
    bool opened_{false}, ended_{false}, looked_{false};
    iterator iterator_;
    std::optional<point> head_, ahead_;
    std::deque<point> picked_;
};

walker::walker(series const& of, point not_before, point horizon) : of_(of), horizon_(horizon) {
    auto const add = [&](auto& to, std::vector<rule> const& rules, rule_kind kind) {
        for (auto const& one : rules) to.push_back(std::make_unique<rule_stream>(one, kind, of.where, not_before, horizon, steps_));
    };
    add(rules_, of.rules, rule_kind::including);
    add(except_rules_, of.except_rules, rule_kind::excluding);
}

walker::~walker() = default;

std::optional<point> walker::earliest() {
    if (first_due_) return of_.where.first;
    std::optional<point> out;
    if (next_date_ < of_.dates.size()) out = of_.dates[next_date_];
    for (auto const& stream : rules_) {
        auto const& head = stream->head();
        if (head && (!out || *head < *out)) out = head;
    }
    return out;
}

void walker::move_past(point at) {
    first_due_ = false;
    while (next_date_ < of_.dates.size() && of_.dates[next_date_] <= at) ++next_date_;
    if (at == of_.where.first) return;
    for (auto const& stream : rules_) {
        if (stream->head() == at) stream->pop();
    }
}

bool walker::is_excluded(point at) {
    if (std::ranges::binary_search(of_.except_dates, at)) return true;
    return std::ranges::any_of(except_rules_, [&](auto const& stream) {
        while (stream->head() && *stream->head() < at) stream->pop();
        return stream->head() == at;
    });
}

std::optional<point> walker::next() {
    for (;;) {
        auto const at = earliest();
        if (!at || cut() || *at > horizon_) return {};
        move_past(*at);
        bool const excluded = is_excluded(*at);
        if (cut()) return {};
        if (!excluded) return at;
    }
}

std::optional<rule_count> count_before(series const& of, rule const& which, rule_kind kind, point limit) {
    int steps = steps_max;
    rule_stream stream(which, kind, of.where, of.where.first, limit, steps);
    bool const counts_first = kind == rule_kind::including && of.where.first < limit;
    rule_count out;
    for (; stream.head(); stream.pop()) out.makes_limit = *stream.head() == limit;
    out.before = stream.counted() + (counts_first ? 1 : 0) - (out.makes_limit ? 1 : 0);
    if (steps <= 0) return {};
    return out;
}

}  // namespace calbridge::domain::recurrence
