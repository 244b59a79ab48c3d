#include "common/kafka/rd_client.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"

#include <boost/asio/error.hpp>

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace calbridge::kafka {

namespace {

using partition = std::pair<std::string, std::int32_t>;
using list_ptr = std::unique_ptr<rd_kafka_topic_partition_list_t, decltype(&rd_kafka_topic_partition_list_destroy)>;

list_ptr make_list(std::size_t size) {
    return {rd_kafka_topic_partition_list_new(static_cast<int>(size)), &rd_kafka_topic_partition_list_destroy};
}

void add(list_ptr const& to, partition const& which, std::int64_t offset) {
    rd_kafka_topic_partition_list_add(to.get(), which.first.c_str(), which.second)->offset = offset;
}

std::optional<std::string> copy(void const* data, std::size_t size) {
    if (data == nullptr) return {};
    return std::string(static_cast<char const*>(data), size);
}

headers copy_headers(rd_kafka_message_t const* message) {
    headers found;
    rd_kafka_headers_t* fields = nullptr;
    if (rd_kafka_message_headers(message, &fields) != RD_KAFKA_RESP_ERR_NO_ERROR) return found;
    char const* name = nullptr;
    void const* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0; rd_kafka_header_get_all(fields, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
        found.emplace_back(name, copy(value, size).value_or(""));
    }
    return found;
}

consumed copy_record(rd_kafka_message_t const* message) {
    consumed made;
    made.topic = rd_kafka_topic_name(message->rkt);
    made.key = copy(message->key, message->key_len);
    made.value = copy(message->payload, message->len);
    made.fields = copy_headers(message);
    made.partition = message->partition;
    made.offset = message->offset;
    made.timestamp_ms = rd_kafka_message_timestamp(message, nullptr);
    return made;
}

// First and last offset of each partition in a batch.
std::map<partition, std::pair<std::int64_t, std::int64_t>> ranges(std::vector<consumed> const& batch) {
    std::map<partition, std::pair<std::int64_t, std::int64_t>> found;
    for (consumed const& each : batch) {
        auto const [at, fresh] = found.try_emplace({each.topic, each.partition}, each.offset, each.offset);
        if (fresh) continue;
        at->second.first = std::min(at->second.first, each.offset);
        at->second.second = std::max(at->second.second, each.offset);
    }
    return found;
}

// Statistics are the only way to hear that a connection came back; this is all we read of them.
bool any_broker_up(std::string_view statistics) { return statistics.find("\"state\":\"UP\"") != std::string_view::npos; }

class rd_consumer final : public consumer {
public:
    rd_consumer(asio::any_io_executor executor, consumer_options options);
    ~rd_consumer() override;

    task<std::vector<consumed>> poll() override;
    void store(std::vector<consumed> const& batch) override;
    void rewind(std::vector<consumed> const& batch) override;
    task<void> close(deadline at) override;
    bool is_connected() const override { return connected_; }
    std::size_t assigned_partitions() const override { return assigned_.size(); }

private:
    static properties settings(consumer_options const& options);
    void open();
    void give_up();
    task<void> start_over();
    void handle(rd_kafka_event_t* event, std::vector<consumed>& out);
    void rebalance(rd_kafka_event_t* event, std::vector<consumed>& out);
    void trouble(rd_kafka_resp_err_t code, std::string_view text);

    asio::any_io_executor executor_;
    consumer_options options_;
    rd_kafka_t* client_{nullptr};
    std::unique_ptr<event_queue> queue_;
    std::set<partition> assigned_;
    bool connected_{false};
    bool closed_{false};
    rd_kafka_resp_err_t last_trouble_{RD_KAFKA_RESP_ERR_NO_ERROR};
    metrics::counter& rebalances_;
};

properties rd_consumer::settings(consumer_options const& options) {
    properties p{
        {"group.id", options.group},
        {"enable.auto.offset.store", "false"},
        {"enable.auto.commit", "true"},
        {"auto.commit.interval.ms", "1000"},
        {"auto.offset.reset", "earliest"},
        // 2.0.2 can crash or hang on close with cooperative-sticky.
        {"partition.assignment.strategy", "range,roundrobin"},
        {"session.timeout.ms", std::to_string(options.session_time_max.count())},
        {"heartbeat.interval.ms", std::to_string(std::max<std::int64_t>(options.session_time_max.count() / 4, 100))},
        // The broker answers as soon as it has one byte, and holds an idle request this long.
        {"fetch.min.bytes", "1"},
        {"fetch.wait.max.ms", "500"},
        {"fetch.error.backoff.ms", "100"},
        {"queued.min.messages", "10000"},
        {"queued.max.messages.kbytes", "16384"},
        {"topic.metadata.refresh.interval.ms", "5000"},  // a topic created after us is found in this time
        {"allow.auto.create.topics", "false"},
        {"statistics.interval.ms", "1000"},
    };
    if (!options.instance_id.empty()) p.emplace_back("group.instance.id", options.instance_id);
    return p;
}

rd_consumer::rd_consumer(asio::any_io_executor executor, consumer_options options)
    : executor_(std::move(executor)), options_(std::move(options)),
      rebalances_(metrics::get_counter("calbridge_kafka_rebalances_total", "Times the consumer's partitions changed.")) {
    open();
}

rd_consumer::~rd_consumer() { give_up(); }

void rd_consumer::open() {
    client_ = make_client(client_kind::consumer, options_, settings(options_),
                          RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_OFFSET_COMMIT | RD_KAFKA_EVENT_STATS);
    rd_kafka_poll_set_consumer(client_);
    queue_ = std::make_unique<event_queue>(executor_, rd_kafka_queue_get_consumer(client_));
    auto const topics = make_list(options_.topics.size());
    for (auto const& topic : options_.topics) rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t const code = rd_kafka_subscribe(client_, topics.get());
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        give_up();
        throw std::invalid_argument(std::string("Kafka subscription: ") + rd_kafka_err2name(code));
    }
}

void rd_consumer::give_up() {
    queue_->release();
    destroy_client(client_);
}

// A client with a fatal error never works again. The usual one is fencing: a broker that was away forgets the static member, which
// commits under its old member id when the broker is back. Two processes with one instance id fence each other in turn, hence the wait.
task<void> rd_consumer::start_over() {
    std::array<char, 256> text{};
    rd_kafka_resp_err_t const code = rd_kafka_fatal_error(client_, text.data(), text.size());
    log::warn("kafka.consumer_starts_over",
              {{"group", options_.group}, {"err", rd_kafka_err2name(code)}, {"text", std::string_view(text.data())}});
    connected_ = false;
    assigned_.clear();
    co_await sleep_for(std::chrono::seconds(1));
    give_up();
    open();
}

task<std::vector<consumed>> rd_consumer::poll() {
    std::vector<consumed> batch;
    while (true) {
        while (batch.size() < options_.batch_records_max) {
            rd_kafka_event_t* const event = queue_->next();
            if (event == nullptr) break;
            handle(event, batch);
            rd_kafka_event_destroy(event);
        }
        if (rd_kafka_fatal_error(client_, nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR) {
            batch.clear();
            co_await start_over();
            continue;
        }
        if (!batch.empty()) co_return batch;
        co_await queue_->wait(deadline::max());
    }
}

void rd_consumer::handle(rd_kafka_event_t* event, std::vector<consumed>& out) {
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_FETCH:
        while (rd_kafka_message_t const* const message = rd_kafka_event_message_next(event)) {
            if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) out.push_back(copy_record(message));
            else trouble(message->err, rd_kafka_message_errstr(message));
        }
        break;
    case RD_KAFKA_EVENT_REBALANCE: rebalance(event, out); break;
    case RD_KAFKA_EVENT_ERROR: trouble(rd_kafka_event_error(event), rd_kafka_event_error_string(event)); break;
    case RD_KAFKA_EVENT_STATS:
        connected_ = any_broker_up(rd_kafka_event_stats(event)) && rd_kafka_fatal_error(client_, nullptr, 0) == RD_KAFKA_RESP_ERR_NO_ERROR;
        if (connected_) last_trouble_ = RD_KAFKA_RESP_ERR_NO_ERROR;
        break;
    case RD_KAFKA_EVENT_OFFSET_COMMIT: {
        // A commit that met a rebalance is normal: the offsets go with the next one, or the records come again.
        rd_kafka_resp_err_t const code = rd_kafka_event_error(event);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR__NO_OFFSET) {
            log::info("kafka.commit_failed", {{"group", options_.group}, {"err", rd_kafka_err2name(code)}});
        }
        break;
    }
    case RD_KAFKA_EVENT_LOG: {
        char const* facility = "";
        char const* text = "";
        int level = 6;
        if (rd_kafka_event_log(event, &facility, &text, &level) == 0) forward_log(level, facility, text);
        break;
    }
    default: break;
    }
}

void rd_consumer::rebalance(rd_kafka_event_t* event, std::vector<consumed>& out) {
    rebalances_.add();
    rd_kafka_topic_partition_list_t* const partitions = rd_kafka_event_topic_partition_list(event);
    if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        rd_kafka_assign(client_, partitions);
        connected_ = true;
        assigned_.clear();
        for (int i = 0; i < partitions->cnt; ++i) assigned_.emplace(partitions->elems[i].topic, partitions->elems[i].partition);
        log::info("kafka.assigned", {{"group", options_.group}, {"partitions", partitions->cnt}});
        return;
    }
    // Taken away. librdkafka commits what is stored before it lets a partition go, unless it was lost (the session expired and
    // somebody else may have it already). What this poll has gathered belongs to the next owner.
    bool const lost = rd_kafka_assignment_lost(client_) != 0;
    log::info("kafka.revoked", {{"group", options_.group}, {"partitions", partitions->cnt}, {"lost", lost}});
    out.clear();
    assigned_.clear();
    rd_kafka_assign(client_, nullptr);
}

void rd_consumer::trouble(rd_kafka_resp_err_t code, std::string_view text) {
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) connected_ = false;
    if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF || code == last_trouble_) return;
    last_trouble_ = code;
    log::warn("kafka.consumer_error", {{"group", options_.group}, {"err", rd_kafka_err2name(code)}, {"text", text}});
}

void rd_consumer::store(std::vector<consumed> const& batch) {
    auto const marks = ranges(batch);
    auto const list = make_list(marks.size());
    for (auto const& [which, range] : marks) {
        if (assigned_.contains(which)) add(list, which, range.second + 1);
    }
    if (list->cnt == 0 || closed_) return;
    // Each partition is marked or refused by itself; a refusal means it was taken away this instant.
    rd_kafka_offsets_store(client_, list.get());
}

void rd_consumer::rewind(std::vector<consumed> const& batch) {
    auto const marks = ranges(batch);
    auto const list = make_list(marks.size());
    for (auto const& [which, range] : marks) {
        if (assigned_.contains(which)) add(list, which, range.first);
    }
    if (list->cnt == 0 || closed_) return;
    // Without a timeout this does not wait, and what is already fetched counts as outdated at once.
    rd_kafka_error_t* const problem = rd_kafka_seek_partitions(client_, list.get(), 0);
    if (problem == nullptr) return;
    log::warn("kafka.rewind_failed", {{"group", options_.group}, {"err", rd_kafka_error_name(problem)}});
    rd_kafka_error_destroy(problem);
}

task<void> rd_consumer::close(deadline at) {
    if (closed_) co_return;
    closed_ = true;
    event_queue last(executor_, rd_kafka_queue_new(client_));
    rd_kafka_error_t* const problem = rd_kafka_consumer_close_queue(client_, last.get());
    if (problem != nullptr) {
        log::warn("kafka.close_failed", {{"group", options_.group}, {"err", rd_kafka_error_name(problem)}});
        rd_kafka_error_destroy(problem);
        co_return;
    }
    std::vector<consumed> unwanted;
    while (rd_kafka_consumer_closed(client_) == 0) {
        while (rd_kafka_event_t* const event = last.next()) {
            handle(event, unwanted);
            rd_kafka_event_destroy(event);
        }
        unwanted.clear();
        if (rd_kafka_consumer_closed(client_) != 0) break;
        if (std::chrono::steady_clock::now() >= at) {
            log::warn("kafka.close_late", {{"group", options_.group}});
            co_return;
        }
        // Not every step of closing rings, so it looks again by itself.
        deadline const look = std::min(at, in(std::chrono::milliseconds(20)));
        co_await last.wait(look);
    }
}

}  // namespace

std::unique_ptr<consumer> make_consumer(asio::any_io_executor executor, consumer_options options) {
    return std::make_unique<rd_consumer>(std::move(executor), std::move(options));
}

}  // namespace calbridge::kafka
