#pragma once
// Channels in PostgreSQL: the look-up on a cache miss, and the news that one changed.

#include "push.h"

#include "common/pg/database.h"

#include <functional>
#include <memory>

namespace calbridge::ingest {

class channel_source {
public:
    virtual ~channel_source() = default;
    // The channel, nothing when there is none; an error when PostgreSQL is away or slower than the deadline.
    virtual task<result<std::optional<known_channel>>> look_up(channel_id id, deadline at) = 0;
    // Calls `changed(id)` for each change and `missed()` whenever changes may have gone unheard. Ends on cancellation.
    virtual task<void> follow(std::function<void(channel_id)> changed, std::function<void()> missed) = 0;
};

// `db` must outlive the source.
std::unique_ptr<channel_source> make_channel_source(pg::database& db);

}  // namespace calbridge::ingest
