#pragma once
// Kafka through librdkafka, woken by queue I/O events on an eventfd; nothing here blocks the executor's thread.

#include "common/async/task.h"
#include "common/base/encoding.h"
#include "common/base/secret.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace calbridge::kafka {

using headers = std::vector<std::pair<std::string, std::string>>;

struct record {
    std::string topic;
    std::optional<std::string> key;
    std::optional<std::string> value;  // empty optional: tombstone
    headers fields;
};

struct consumed : record {
    std::int32_t partition{};
    std::int64_t offset{};
    std::int64_t timestamp_ms{};
};

class producer {
public:
    virtual ~producer() = default;
    // Completes when the broker has acknowledged on all in-sync replicas. Errors: unavailable (not persisted within the
    // delivery time), too_large, timed_out (possibly persisted: the record may appear although this failed).
    virtual task<result<void>> send(record what) = 0;
    // Hands all over first and then waits for all; one result per record, in order.
    virtual task<std::vector<result<void>>> send_all(std::vector<record> what) = 0;
    // Callback form of send() for hot paths; `done` runs on the executor. No coroutine frame per record.
    virtual void send(record what, std::function<void(result<void>)> done) = 0;
    virtual std::size_t in_flight() const = 0;
    // Waits until nothing is in flight or the deadline.
    virtual task<void> flush(deadline at) = 0;
};

struct client_options {
    std::string brokers;                                     // host:port,host:port
    std::string client_id;                                   // short (librdkafka 2.0.2 crashes on very long ones)
    std::vector<std::pair<std::string, std::string>> extra;  // any librdkafka property (TLS, SASL)
};

struct producer_options : client_options {
    std::chrono::milliseconds delivery_time_max{120000};
    std::size_t queue_records_max{100000};
};

// acks=all, Nagle off, zstd, partitioner murmur2_random (as Java's default). Not idempotent, as measured best for librdkafka 2.0.2: retries
// keep the order of a key (one request in flight per broker), and a record whose acknowledgement was lost may be there twice.
// librdkafka looks for expired records once a second, so `unavailable` and `timed_out` may come a second after the delivery time.
// A fatal producer error is handled inside: a new client is made, affected sends fail (timed_out unless surely not written).
std::unique_ptr<producer> make_producer(asio::any_io_executor executor, producer_options options);

struct consumer_options : client_options {
    std::string group;
    std::string instance_id;  // group.instance.id: static membership; empty for dynamic
    std::vector<std::string> topics;
    std::size_t batch_records_max{500};
    std::chrono::milliseconds session_time_max{10000};
};

class consumer {
public:
    virtual ~consumer() = default;
    // Waits for at least one record, then returns all that are ready, up to batch_records_max. Throws on cancellation only;
    // broker trouble is logged, shown by is_connected(), and waited out.
    virtual task<std::vector<consumed>> poll() = 0;
    // Marks everything in `batch` as done; committed in the background once a second and at close. Records of partitions
    // lost meanwhile are ignored (they will come again to their new owner).
    virtual void store(std::vector<consumed> const& batch) = 0;
    // After a failed batch: the same records will be returned again by poll() (seek back).
    virtual void rewind(std::vector<consumed> const& batch) = 0;
    // Commits and leaves the group, bounded by the deadline.
    virtual task<void> close(deadline at) = 0;
    virtual bool is_connected() const = 0;
    virtual std::size_t assigned_partitions() const = 0;
};

// enable.auto.offset.store=false, auto.offset.reset=earliest, range,roundrobin assignor, fetch.wait tuned for latency.
std::unique_ptr<consumer> make_consumer(asio::any_io_executor executor, consumer_options options);

struct topic_spec {
    std::string name;
    int partitions{6};
    int replication{1};
    std::vector<std::pair<std::string, std::string>> config;
};
// Creates what is missing and leaves the rest; names what differs in the returned lines.
task<result<std::vector<std::string>>> ensure_topics(asio::any_io_executor executor, client_options options,
                                                     std::vector<topic_spec> topics);

// Metadata of `topic` could be read within the deadline.
task<result<int>> partition_count(asio::any_io_executor executor, client_options options, std::string topic, deadline at);

}  // namespace calbridge::kafka
