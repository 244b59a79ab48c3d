#include "domain/recurrence_walk.h"

#include "domain/recurrence_walls.h"

#include <algorithm>

namespace calbridge::domain::recurrence {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

point last_of_rules() { return sys_days{std::chrono::year(rule_year_max) / 12 / 31}; }

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
        // What zones do moves an instance by a day at most.
        if (!walls_) walls_.emplace(rule_, begin_, where_.zone.wall_at(horizon_) + days(2), where_.all_day, steps_);
        return walls_->next();
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
    bool ended_{false}, looked_{false};
    std::optional<wall_times> walls_;
    std::optional<point> head_;
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
