#pragma once
// Google announces our own writes like everybody's. What only they can have announced need not be read at once.

#include <chrono>
#include <cstdint>
#include <deque>

namespace calbridge::worker {

// The writes to one calendar whose announcement may still come (pure). A push does not say whose change it is about, so every one is
// followed by a listing; but as long as there were no more pushes than writes of ours, nobody waits for it, and one listing can serve them
// all.
class own_echoes {
public:
    using instant = std::chrono::steady_clock::time_point;
    explicit own_echoes(std::chrono::milliseconds patience) : patience_(patience) {}
    // So many writes were answered just now.
    void wrote(std::int64_t writes, instant now);
    // How long the listing for so many announcements may wait: until `patience` after the first write among those they can be about. Zero:
    // list now.
    std::chrono::milliseconds wait(std::int64_t announced, instant now);
    // A listing for so many announcements begins.
    void listed(std::int64_t announced);

private:
    void forget_late(instant now);

    std::chrono::milliseconds patience_;
    std::deque<instant> awaited_;
};

}  // namespace calbridge::worker
