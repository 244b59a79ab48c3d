#pragma once
// Video meetings of Google's, and what may not be written of other people's events.

#include "engine_rows.h"

namespace calbridge::worker {

// What the event says of its conference: a failed one is told once and the event stays; of a removed one nothing is kept.
void note_meet(effects& e, domain::calendar_event const& event, surroundings const& around);
// After a conference under way was looked for: when to look again, or that it is given up. True: it is still waited for.
bool wait_for_meet(effects& e, std::int64_t worked, surroundings const& around);

// Of an event whose shared fields cannot be written: what the CRM changed in them is refused in words, and it is told the event's values.
void keep_google_values(effects& e, surroundings const& around);

}  // namespace calbridge::worker
