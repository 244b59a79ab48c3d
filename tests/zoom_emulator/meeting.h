#pragma once
// One meeting: what makes it acceptable and how it is shown. Pure. Inside this folder only.

#include "tests/emulator/recurrence.h"
#include "tests/zoom_emulator/zoom_world.h"

namespace calbridge::zoom_emulator {

using emulator::flag_at;
using emulator::object_at;
using emulator::text_at;
using emulator::value_of;

struct meeting {
    std::int64_t id{0};
    int type{2};  // 1 instant, 2 scheduled, 3 recurring without time, 8 recurring at a fixed time
    std::string uuid, host_id, host_email, topic, agenda, time_zone, password;
    std::optional<instant> starts;
    std::int64_t minutes{60};
    instant created;
    bj::object settings, recurrence;
    bj::array tracking_fields;
    std::vector<instant> removed;  // occurrences deleted one by one
};

// Zoom's "Validation Failed." body in parts: field and message. Empty: accepted and taken over.
using faults = std::vector<std::pair<std::string, std::string>>;
faults take(meeting& m, bj::object const& body, instant now, std::string_view host_zone);
// Members of a body that Zoom does not know.
std::vector<std::string> unknown_members(bj::object const& body);

// Original starts of a recurring meeting, at most 50, as Zoom keeps them.
std::vector<instant> occurrences(meeting const& m);
// The last moment the meeting is of interest for "upcoming".
std::optional<instant> ends(meeting const& m);

bj::object render(meeting const& m, std::string const& join_base);
// As a row of a list: fewer fields, the agenda cut to 250 characters.
bj::object render_row(meeting const& m, std::string const& join_base);

}  // namespace calbridge::zoom_emulator
