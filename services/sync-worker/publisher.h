#pragma once
// Publishes outbox rows right after their commit, in commit order, and marks them sent in batches. Whatever is not published in
// time (crash, Kafka away) is swept by channel-renewer.

#include "store/work.h"

#include "common/async/task.h"
#include "common/kafka/kafka.h"
#include "common/observe/trace.h"
#include "common/pg/database.h"

#include <deque>
#include <vector>

namespace calbridge::worker {

class publisher {
public:
    publisher(asio::any_io_executor executor, kafka::producer& producer, pg::database& db);
    // Hands the messages over; never waits. Their rows are committed already.
    void publish(std::vector<store::outbox_message> messages);
    // Marks acknowledged messages sent until cancelled, then once more.
    task<void> run();
    std::size_t unacknowledged() const { return in_flight_; }

private:
    task<void> mark();

    kafka::producer& producer_;
    pg::database& db_;
    wakeup acknowledged_;
    std::vector<store::outbox_message> done_;
    std::size_t in_flight_{0};
};

// The task-updates record of one update, in the trace of what caused it.
store::outbox_message message_of(domain::task_update const& update, uuid message_id, instant at, bool as_json,
                                 observe::trace_context const& cause);

}  // namespace calbridge::worker
