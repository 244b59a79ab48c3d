#pragma once
// Which times an event blocks (free/busy), without details.

#include "domain/event.h"
#include "domain/recurrence.h"

#include <string>
#include <vector>

namespace calbridge::domain {

struct busy_span {
    std::string event_id;  // of the single event or the instance ("{master}_{key}")
    instant starts{}, ends{};
    bool tentative{false};
    friend bool operator==(busy_span const&, busy_span const&) = default;
};

// Confirmed or tentative, not transparent, not declined by the calendar's own user, and of a kind that blocks (workingLocation and birthday
// never do; outOfOffice and focusTime do).
bool blocks_time(calendar_event const& event);

// The spans within the window: of a single event its own; of a series its occurrences, with `exceptions` (any order; moved, renamed,
// cancelled, freed or declined ones) in the place of theirs. All-day ones run from midnight to midnight in the calendar's zone. Spans
// without length are left out. errc::malformed when the series cannot be read.
struct busy_spans_found {
    std::vector<busy_span> spans;
    bool cut{false};
};
result<busy_spans_found> busy_spans(calendar_event const& event, std::vector<calendar_event> const& exceptions,
                                    occurrence_window const& within, std::string_view calendar_zone);

}  // namespace calbridge::domain
