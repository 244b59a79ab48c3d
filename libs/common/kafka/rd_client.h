#pragma once
// What producer, consumer and admin calls share: configuration, the event queue, and threads for what librdkafka can only do
// blockingly. Inside this folder only.

#include "common/async/task.h"
#include "common/kafka/kafka.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct rd_kafka_s;        // rd_kafka_t
struct rd_kafka_queue_s;  // rd_kafka_queue_t
struct rd_kafka_op_s;     // rd_kafka_event_t

namespace calbridge::kafka {

using properties = std::vector<std::pair<std::string, std::string>>;

enum class client_kind { producer, consumer };

// A client with `settings`, then options.extra on top; `events` is a mask of RD_KAFKA_EVENT_*. Throws std::invalid_argument naming the
// property (never its value) that librdkafka does not accept.
rd_kafka_s* make_client(client_kind kind, client_options const& options, properties const& settings, int events);

// Runs `job` on a thread of its own. All such threads are joined when the process ends.
void run_on_helper(std::function<void()> job);

// Runs `job` on a helper thread and completes when it is done; a cancelled caller leaves it running. `job` owns all it uses; what it
// throws is thrown here.
task<void> run_blocking(std::function<void()> job);

// A log line of librdkafka, as one of ours.
void forward_log(int syslog_level, std::string_view facility, std::string_view text);

// librdkafka's queue with an eventfd that becomes readable when the empty queue gets something.
class event_queue {
public:
    // Takes over `queue`.
    event_queue(asio::any_io_executor executor, rd_kafka_queue_s* queue);
    ~event_queue();
    event_queue(event_queue const&) = delete;
    event_queue& operator=(event_queue const&) = delete;

    // The next event or nullptr; never waits. The caller destroys it.
    rd_kafka_op_s* next();
    // Completes when there may be something, or at `at` (false). Throws operation_aborted when cancelled. Spurious wake-ups happen.
    task<bool> wait(deadline at);
    // The callback form, once: `ready` runs on the executor. It is dropped when the queue is destroyed.
    void wait(std::function<void()> ready);
    rd_kafka_queue_s* get() const;
    // Stops the wake-ups and lets go of librdkafka's queue: to be done before the client is destroyed.
    void release();

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

// Destroys a client on a helper thread: librdkafka waits for its own threads there.
void destroy_client(rd_kafka_s* client);

}  // namespace calbridge::kafka
