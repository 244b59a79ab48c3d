#pragma once
// What the CRM was told and may not have taken over yet. A snapshot that holds such a value is our own message coming back, not an edit.

#include "domain/fields.h"

#include <cstdint>
#include <vector>

namespace calbridge::domain {

struct told {
    std::int64_t sequence{};  // of the task-updates message
    field_set changed;        // the fields it told
    fields values;
};

inline constexpr std::size_t told_max = 16;
// Appends, forgetting the oldest beyond told_max.
void remember(std::vector<told>& all, told what);

// True when `said` holds for `f` what one of our messages told. A CRM that says which sequence it has applied (`applied` > 0) holds the
// value of the newest message up to that one; of a CRM that does not say, any remembered message may be the one.
bool is_echo(field f, std::vector<told> const& all, fields const& said, std::int64_t applied);

}  // namespace calbridge::domain
