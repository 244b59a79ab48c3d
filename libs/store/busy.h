#pragma once
// Busy times of a calendar, without details.

#include "store/inbound.h"

namespace calbridge::store {

struct busy_row {
    std::string event_id;  // of the event or the instance
    std::string source;    // the event or series it comes from
    instant starts{}, ends{};
};
// From now on `rows` are all busy times of `sources`; only what differs is written.
task<result<void>> save_busy(pg::transaction& tx, held_lease const& held, connection_id connection, std::vector<std::string> sources,
                             std::vector<busy_row> rows);
// Series of the mirror after `after` in order of id, and with `all_day_too` single all-day events; at most `most`.
task<result<std::vector<mirrored_raw>>> busy_sources(pg::transaction& tx, held_lease const& held, std::string after, bool all_day_too,
                                                     int most);
// Busy times of series are known up to `edge`; what ended before `past` is forgotten.
task<result<void>> move_busy_edge(pg::transaction& tx, held_lease const& held, instant edge, instant past);
// The calendar's zone has changed: its busy times are worked out again.
task<result<void>> forget_busy_edge(pg::transaction& tx, held_lease const& held);

}  // namespace calbridge::store
