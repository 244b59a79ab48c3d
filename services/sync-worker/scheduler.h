#pragma once
// Which calendar gets a turn when. At most one turn per calendar at a time, first come first served, bounded in number; timers for
// what must wait; leases kept while messages keep coming and let go when a calendar falls idle.

#include "calendar_work.h"
#include "parts.h"

#include "store/intake.h"

#include <deque>
#include <map>
#include <memory>
#include <unordered_map>

namespace calbridge::worker {

class scheduler {
public:
    scheduler(asio::any_io_executor executor, parts const& with, store::intake& intake, std::chrono::milliseconds sweep_every);
    ~scheduler();
    // There may be work on this calendar now. During a turn it is remembered and leads to one more.
    // `cause`: the trace of the message that says so; its work is logged and told under it.
    void wake(store::wake const& where, std::optional<observe::trace_context> cause = {});
    // Gives turns until cancelled, then lets running turns unwind and releases every lease (bounded by five seconds).
    task<void> run();
    // Gives no new turns and completes when the running ones have ended.
    task<void> drain();
    std::size_t waiting() const { return ready_.size(); }
    std::size_t running() const { return running_; }

private:
    struct entry {
        tenant_id tenant;
        calendar_id calendar;
        calendar_memory memory;
        bool running{false};
        bool queued{false};
        bool again{false};                                         // woken during its turn
        std::optional<std::chrono::steady_clock::time_point> due;  // timer
        std::chrono::steady_clock::time_point idle_since{};
    };
    using key = uuid;

    task<void> turn(key id);
    task<void> dispatch(task_group& group);
    task<void> sweep();
    task<void> release_idle();
    void queue(entry& e);

    asio::any_io_executor executor_;
    parts const& with_;
    store::intake& intake_;
    std::chrono::milliseconds sweep_every_;
    std::unordered_map<key, std::unique_ptr<entry>> entries_;
    std::deque<key> ready_;
    std::multimap<std::chrono::steady_clock::time_point, key> timers_;
    std::size_t running_{0};
    bool draining_{false};
    wakeup changed_;
};

}  // namespace calbridge::worker
