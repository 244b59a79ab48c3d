#pragma once
// Occurrences and splits: what the row of one occurrence starts from and waits for, and what a series means for its occurrences.

#include "engine_rows.h"

namespace calbridge::worker {

// What both sides hold of one occurrence while nobody changes it by itself: the series' agreement at that occurrence's time. Empty when
// the series has no agreement yet, or the key is none of its kind.
struct occurrence_agreement {
    domain::fields base, google_base;
};
std::optional<occurrence_agreement> agreement_on(store::link_row const& series, std::string const& key);

// A new link of the occurrence `task` to its instance, agreed as its series is. The event exists as part of the series, so the link is
// live; nothing is known of it yet (`remote` is empty). Needs agreement_on().
store::link_row occurrence_link(store::task_row const& task, store::link_row const& series, surroundings const& around);

// The link of an occurrence whose series has another event by now: starts again on that one's instance.
void rebind(store::link_row& link, store::task_row const& task, store::link_row const& series);

// The series does not generate the occurrence any more: the row ends and the CRM hears it.
void leave_series(effects& e, surroundings const& around);

// The time this snapshot says does not take place any more, because another series took over before it.
bool is_cut_away(store::task_row const& task);
// The lines of the series as far as it goes before the cut; nothing changes without one.
void apply_cut(store::task_row const& task, domain::fields& to);

// After the event of a task was made (`created`) or changed from `before`: its occurrences are woken as far as that matters to them, and a
// series split off another one cuts that.
void note_series(effects& e, std::optional<domain::fields> const& before, bool created);

// What stands in the way of an occurrence or a split, before anything else is decided. Empty: nothing.
std::optional<outbound> series_gate(effects& e, store::task_row const& before, std::optional<store::link_row> const& series,
                                    surroundings const& around);
// The occurrence was cancelled by either side when its link ended.
bool was_called_off(store::link_row const& ended);
// Gives a wanted or cancelled occurrence without a link its link.
void link_occurrence(effects& e, std::optional<store::link_row> ended, store::link_row const& series, surroundings const& around);

// GET says there is no such occurrence.
effects occurrence_missing(store::task_and_link rows, std::optional<store::operation_row> operation, std::int64_t worked,
                           surroundings const& around);

}  // namespace calbridge::worker
