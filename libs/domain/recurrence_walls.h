#pragma once
// The wall times one rule makes, by libical, as RFC 5545 wants them. Inside this folder only; recurrence.h is what others use.

#include "domain/recurrence_rule.h"

#include <deque>
#include <memory>
#include <optional>

struct icalrecur_iterator_impl;

namespace calbridge::domain::recurrence {

// In ascending order, COUNT and UNTIL not looked at. Some may lie before `start`, which is only where the rule's beat begins; none is made
// that lies after `last`. `steps` is what may still be done; at zero it ends.
class wall_times {
public:
    wall_times(rule const& of, point start, point last, bool all_day, int& steps);
    std::optional<point> next();

private:
    void never_search_in_vain();
    std::optional<point> next_of_library();
    std::optional<point> next_wanted();
    void pick_from_period();
    bool is_wanted(point wall) const;
    point period_of(point wall) const;  // its first day

    struct iterator_free {
        void operator()(icalrecur_iterator_impl* it) const;
    };

    rule asked_;   // what libical is asked for
    rule wanted_;  // what of that is let through
    rule::every period_{};
    int& steps_;
    std::unique_ptr<icalrecur_iterator_impl, iterator_free> iterator_;
    std::optional<point> ahead_;
    std::deque<point> picked_;
};

}  // namespace calbridge::domain::recurrence
