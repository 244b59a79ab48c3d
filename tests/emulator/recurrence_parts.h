#pragma once
// Recurrence lines taken apart. Inside this folder only.

#include "tests/emulator/recurrence.h"

namespace calbridge::emulator {

struct recurrence_line {
    std::string_view name, parameters, value;
    bool is_rule() const { return name.ends_with("RULE"); }
};
// Empty when it is none of the four kinds.
std::optional<recurrence_line> read_line(std::string_view text);

// "20261125", "20261125T100000" or the same with Z. Wall time of `zone` when it has no Z.
struct basic_time {
    instant at;
    bool is_date{false};
};
std::optional<basic_time> read_basic(std::string_view text, std::string_view zone);

// The dates of an RDATE or EXDATE line; empty when they cannot be read or are of the other kind.
std::optional<std::vector<instant>> read_dates(recurrence_line const& l, series const& s);

}  // namespace calbridge::emulator
