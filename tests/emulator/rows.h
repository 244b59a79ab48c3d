#pragma once
// The rows of a listing in their order, from where the last page ended. Inside this folder only.

#include "tests/emulator/event_filter.h"
#include "tests/emulator/tokens.h"

namespace calbridge::emulator {

struct rows_wanted {
    event_filter const& filter;
    std::string_view order;  // startTime, updated or empty
    bool exceptions_first{false};
    std::size_t expansion_max{730};
};

// Every row from `at` on until `add` answers false; `at` moves along.
void each_row(calendar& cal, rows_wanted const& wanted, cursor& at, std::function<bool(event const&)> const& add);

}  // namespace calbridge::emulator
