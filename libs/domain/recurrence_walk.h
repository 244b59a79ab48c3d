#pragma once
// The occurrences of a series one after the other. Inside this folder only; recurrence.h is what others
// use.

#include "domain/recurrence_series.h"

#include <memory>
#include <optional>
#include <vector>

namespace calbridge::domain::recurrence {

// Beyond this year rules make no more occurrences.
inline constexpr int rule_year_max = 2180;
// What one walk may cost: instances of rules looked at, excluded ones included.
inline constexpr int steps_max = 100'000;

enum class rule_kind { including, excluding };
class rule_stream;

// Starts in ascending order without repeats. Those before `not_before` may be left out, none after `horizon` comes.
// The series must outlive the walker.
class walker {
public:
    walker(series const& of, point not_before, point horizon);
    explicit walker(series const& of) : walker(of, of.where.first, point::max()) {}
    ~walker();
    walker(walker const&) = delete;
    walker& operator=(walker const&) = delete;

    std::optional<point> next();
    bool cut() const { return steps_ <= 0; }  // the work a walk may do ended it

private:
    std::optional<point> earliest();
    void move_past(point at);
    bool is_excluded(point at);

    series const& of_;
    point horizon_;
    int steps_{steps_max};
    bool first_due_{true};
    std::size_t next_date_{0};
    std::vector<std::unique_ptr<rule_stream>> rules_, except_rules_;
};

// What one rule made before `limit`, counted as COUNT counts (the first occurrence counts for an RRULE even when the rule does not make
// it). Absent when finding out is more than a walk may do.
struct rule_count {
    int before{};
    bool makes_limit{};  // one of its instances is exactly there
};
std::optional<rule_count> count_before(series const& of, rule const& which, rule_kind kind, point limit);

}  // namespace calbridge::domain::recurrence
