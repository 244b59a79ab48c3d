#pragma once
// Which events a listing wants. Inside this folder only.

#include "tests/emulator/series.h"

namespace calbridge::emulator {

struct event_filter {
    std::optional<instant> from, to, updated_from;
    std::string_view text;
    std::vector<std::string_view> types, private_properties, shared_properties;
    std::string_view uid;
    bool deleted{false};
    bool delta{false};
    bool single{false};  // occurrences instead of series

    bool holds(calendar const& cal, event const& e) const;

private:
    bool overlaps(calendar const& cal, event const& e) const;
    bool speaks_of(event const& e) const;
};

event_filter filter_from(params const& query, bool delta, bool single);

}  // namespace calbridge::emulator
