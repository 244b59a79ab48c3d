#pragma once
// Time as a dependency: library code never asks the system for it.

#include <chrono>

namespace calbridge {

// A moment in UTC, to the microsecond (PostgreSQL's resolution).
using instant = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

class clock {
public:
    virtual ~clock() = default;
    virtual instant now() const = 0;
};

class system_clock final : public clock {
public:
    instant now() const override { return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()); }
};

}  // namespace calbridge
