#include "common/kafka/rd_client.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <librdkafka/rdkafka.h>

#include <array>
#include <map>

namespace calbridge::kafka {

namespace {

using callback = std::function<void(result<void>)>;

// Why the producer is not idempotent, and has one request in flight per broker.
//
// Context: retries must not reorder the records of a key, and a lost acknowledgement leads to a record that may be there twice.
// Idempotence prevents both. Measured with librdkafka 2.0.2 and Kafka 4.1.2 on loopback, linger 0, records of 60 bytes, four interleaved
// rounds on a busy machine, medians of CPU a record with 1, 16, 64 and 256 sends under way: idempotent 120, 31, 10 and 4 us; plain with
// one request in flight 87, 33, 8 and 3.5 us; plain with five 83, 29, 9.5 and 3.2 us. So no busy loop against a real broker (there is one
// against the library's mock), but up to 1.35 times the CPU where load is low; and this version can declare an idempotent producer
// broken for good after a timeout whose batch was possibly written (fixed in 2.3.0).
//
// Decision: no idempotence; order is kept by max.in.flight=1, which costs nothing here because what arrives meanwhile fills the next
// request.
//
// Consequence: after a lost acknowledgement a record may be in the topic twice, next to each other. Every consumer drops repeated
// message ids. To be measured again when the oldest supported librdkafka is 2.3 or newer.
constexpr char const* idempotence = "false";
constexpr char const* requests_in_flight = "1";

// What a delivery report means. Whether the broker may have it decides between "not done" and "outcome unknown".
result<void> outcome(rd_kafka_resp_err_t code, rd_kafka_msg_status_t status, std::string const& topic) {
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    std::string const context = "send to " + topic + ": " + rd_kafka_err2name(code);
    switch (code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE: return fail(errc::too_large, context);
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR__INVALID_ARG: return fail(errc::malformed, context);
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT: return fail(errc::timed_out, context);
    default: break;
    }
    return fail(status == RD_KAFKA_MSG_STATUS_NOT_PERSISTED ? errc::unavailable : errc::timed_out, context);
}

// One rd_kafka_t with what is in flight on it.
class generation : public std::enable_shared_from_this<generation> {
public:
    generation(asio::any_io_executor const& executor, producer_options const& options, std::function<void()> on_fatal,
               std::function<void()> on_done)
        : client_(make_client(client_kind::producer, options, settings(options), RD_KAFKA_EVENT_DR)),
          queue_(executor, rd_kafka_queue_get_main(client_)), on_fatal_(std::move(on_fatal)), on_done_(std::move(on_done)) {}

    ~generation() {
        // Nobody waits any more: a producer outlives its senders, and a replaced client goes when its last report is in.
        for (pending* each : in_flight_) delete each;
        for (auto const& [name, topic] : topics_) rd_kafka_topic_destroy(topic);
        queue_.release();
        destroy_client(client_);
    }
    generation(generation const&) = delete;
    generation& operator=(generation const&) = delete;

    void arm() {
        queue_.wait([weak = weak_from_this()] {
            auto const self = weak.lock();
            if (!self) return;
            self->drain();
            self->arm();
        });
    }

    // NO_ERROR: `done` will be called. Otherwise it was not taken.
    rd_kafka_resp_err_t produce(record const& what, callback& done);

    std::size_t in_flight() const { return in_flight_.size(); }

    // Gives up everything that is queued or under way; delivery reports say so.
    void purge() { rd_kafka_purge(client_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT); }
    // The last resort, when even those reports do not come.
    void abandon() {
        while (!in_flight_.empty()) finish(*in_flight_.begin(), fail(errc::timed_out, "send: the Kafka client stopped answering"));
    }

private:
    struct pending {
        callback done;
        std::size_t place{0};  // in in_flight_
    };

    static properties settings(producer_options const& options);
    rd_kafka_topic_t* topic(std::string const& name);
    void drain();
    void handle(rd_kafka_event_t* event);
    void finish(pending* entry, result<void> answer);
    void forget(pending* entry);

    rd_kafka_t* client_;
    event_queue queue_;
    std::function<void()> on_fatal_;
    std::function<void()> on_done_;
    std::map<std::string, rd_kafka_topic_t*, std::less<>> topics_;
    std::vector<pending*> in_flight_;
};

properties generation::settings(producer_options const& options) {
    return {
        {"acks", "all"},
        {"enable.idempotence", idempotence},
        {"max.in.flight.requests.per.connection", requests_in_flight},
        {"linger.ms", "0"},
        {"partitioner", "murmur2_random"},
        {"compression.type", "zstd"},
        {"message.timeout.ms", std::to_string(options.delivery_time_max.count())},
        {"queue.buffering.max.messages", std::to_string(options.queue_records_max)},
        {"retry.backoff.ms", "50"},
        {"topic.metadata.refresh.interval.ms", "30000"},
        // How long a topic that is not there is waited for before its records fail as unknown.
        {"topic.metadata.propagation.max.ms", "5000"},
    };
}

rd_kafka_topic_t* generation::topic(std::string const& name) {
    auto const found = topics_.find(name);
    if (found != topics_.end()) return found->second;
    rd_kafka_topic_t* const made = rd_kafka_topic_new(client_, name.c_str(), nullptr);
    if (made != nullptr) topics_.emplace(name, made);
    return made;
}

rd_kafka_resp_err_t generation::produce(record const& what, callback& done) {
    rd_kafka_topic_t* const to = topic(what.topic);
    if (to == nullptr) return RD_KAFKA_RESP_ERR__INVALID_ARG;
    rd_kafka_headers_t* fields = nullptr;
    if (!what.fields.empty()) {
        fields = rd_kafka_headers_new(what.fields.size());
        for (auto const& [name, value] : what.fields) {
            rd_kafka_header_add(fields, name.data(), static_cast<ssize_t>(name.size()), value.data(), static_cast<ssize_t>(value.size()));
        }
    }
    auto entry = std::make_unique<pending>();
    // librdkafka tells an empty key or value from none by the pointer.
    static char nothing = 0;
    auto const pointer = [](std::optional<std::string> const& from) -> void* {
        if (!from) return nullptr;
        return from->empty() ? &nothing : const_cast<char*>(from->data());
    };
    std::array<rd_kafka_vu_t, 6> parts{};
    std::size_t n = 0;
    parts[n].vtype = RD_KAFKA_VTYPE_RKT;
    parts[n++].u.rkt = to;
    parts[n].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    parts[n++].u.i = RD_KAFKA_MSG_F_COPY;
    parts[n].vtype = RD_KAFKA_VTYPE_KEY;
    parts[n++].u.mem = {pointer(what.key), what.key ? what.key->size() : 0};
    parts[n].vtype = RD_KAFKA_VTYPE_VALUE;
    parts[n++].u.mem = {pointer(what.value), what.value ? what.value->size() : 0};
    parts[n].vtype = RD_KAFKA_VTYPE_OPAQUE;
    parts[n++].u.ptr = entry.get();
    if (fields != nullptr) {
        parts[n].vtype = RD_KAFKA_VTYPE_HEADERS;
        parts[n++].u.headers = fields;
    }
    rd_kafka_error_t* const problem = rd_kafka_produceva(client_, parts.data(), n);
    if (problem != nullptr) {
        rd_kafka_resp_err_t const code = rd_kafka_error_code(problem);
        rd_kafka_error_destroy(problem);
        if (fields != nullptr) rd_kafka_headers_destroy(fields);
        return code;
    }
    entry->done = std::move(done);
    entry->place = in_flight_.size();
    in_flight_.push_back(entry.release());
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

void generation::forget(pending* entry) {
    in_flight_.back()->place = entry->place;
    in_flight_[entry->place] = in_flight_.back();
    in_flight_.pop_back();
}

void generation::finish(pending* entry, result<void> answer) {
    std::unique_ptr<pending> const owned(entry);
    forget(entry);
    owned->done(std::move(answer));
}

void generation::drain() {
    auto const self = shared_from_this();  // callbacks may let go of the producer
    while (rd_kafka_event_t* const event = queue_.next()) {
        handle(event);
        rd_kafka_event_destroy(event);
    }
    if (on_done_) on_done_();
}

void generation::handle(rd_kafka_event_t* event) {
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_DR:
        while (rd_kafka_message_t const* const message = rd_kafka_event_message_next(event)) {
            auto* const entry = static_cast<pending*>(message->_private);
            finish(entry, outcome(message->err, rd_kafka_message_status(message), rd_kafka_topic_name(message->rkt)));
        }
        break;
    case RD_KAFKA_EVENT_ERROR:
        if (rd_kafka_event_error_is_fatal(event) != 0 || rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__FATAL) {
            log::error("kafka.producer_fatal", {{"text", rd_kafka_event_error_string(event)}});
            on_fatal_();
        } else {
            log::warn("kafka.producer_error", {{"err", rd_kafka_err2name(rd_kafka_event_error(event))}});
        }
        break;
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

class rd_producer final : public producer {
public:
    rd_producer(asio::any_io_executor executor, producer_options options)
        : state_(std::make_shared<state>(std::move(executor), std::move(options))) {
        state_->renew();
    }
    ~rd_producer() override {
        // Its waiting sends are over: their callbacks are dropped, as the executor's owner is going too.
        state_->current.reset();
        state_->retiring.clear();
    }

    task<result<void>> send(record what) override;
    task<std::vector<result<void>>> send_all(std::vector<record> what) override;
    void send(record what, callback done) override { state_->send(what, std::move(done)); }
    std::size_t in_flight() const override { return state_->in_flight(); }
    task<void> flush(deadline at) override;

private:
    struct state : std::enable_shared_from_this<state> {
        state(asio::any_io_executor e, producer_options o)
            : executor(std::move(e)), options(std::move(o)), bell(executor),
              rebuilt(metrics::get_counter("calbridge_kafka_producer_rebuilt_total", "Producers replaced after a fatal error.")) {}

        void renew();
        void on_fatal();
        void on_progress();
        void send(record const& what, callback done);
        std::size_t in_flight() const {
            std::size_t total = current ? current->in_flight() : 0;
            for (auto const& each : retiring) total += each->in_flight();
            return total;
        }

        asio::any_io_executor executor;
        producer_options options;
        std::shared_ptr<generation> current;
        std::vector<std::shared_ptr<generation>> retiring;
        asio::steady_timer bell;  // flush() waits on it
        bool flushing{false};
        metrics::counter& rebuilt;
    };

    std::shared_ptr<state> state_;
};

void rd_producer::state::renew() {
    std::weak_ptr<state> const weak = weak_from_this();
    auto fatal = [weak] {
        if (auto const self = weak.lock()) self->on_fatal();
    };
    auto progress = [weak] {
        if (auto const self = weak.lock()) self->on_progress();
    };
    current = std::make_shared<generation>(executor, options, std::move(fatal), std::move(progress));
    current->arm();
}

void rd_producer::state::on_fatal() {
    // Only the current one is replaced: a retired client repeats its complaint.
    auto const broken = current;
    if (!broken) return;
    rebuilt.add();
    broken->purge();
    retiring.push_back(broken);
    renew();
    // Reports of the purge come at once; should they not, nobody waits for ever.
    auto const patience = std::make_shared<asio::steady_timer>(executor, std::chrono::seconds(10));
    patience->async_wait([weak = weak_from_this(), broken, patience](boost::system::error_code const&) {
        broken->abandon();
        if (auto const self = weak.lock()) self->on_progress();
    });
}

void rd_producer::state::on_progress() {
    std::erase_if(retiring, [](auto const& each) { return each->in_flight() == 0; });
    if (flushing && in_flight() == 0) bell.cancel();
}

void rd_producer::state::send(record const& what, callback done) {
    rd_kafka_resp_err_t code = current->produce(what, done);
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        on_fatal();
        code = current->produce(what, done);
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return;
    auto refused = outcome(code, RD_KAFKA_MSG_STATUS_NOT_PERSISTED, what.topic);
    asio::post(executor, [done = std::move(done), refused = std::move(refused)] { done(refused); });
}

task<result<void>> rd_producer::send(record what) {
    // The answer has its own home: a cancelled caller leaves, and the report finds nobody waiting.
    struct waiting {
        explicit waiting(asio::any_io_executor const& executor) : bell(executor, deadline::max()) {}
        asio::steady_timer bell;
        std::optional<result<void>> answer;
    };
    auto const wait = std::make_shared<waiting>(state_->executor);
    auto on_report = [wait](result<void> answer) {
        wait->answer = std::move(answer);
        wait->bell.cancel();
    };
    state_->send(what, std::move(on_report));
    boost::system::error_code rang;
    co_await wait->bell.async_wait(asio::redirect_error(asio::use_awaitable, rang));
    if (!wait->answer) throw boost::system::system_error(asio::error::operation_aborted);
    co_return std::move(*wait->answer);
}

task<std::vector<result<void>>> rd_producer::send_all(std::vector<record> what) {
    struct waiting {
        waiting(asio::any_io_executor const& executor, std::size_t n) : bell(executor, deadline::max()), answers(n), left(n) {}
        asio::steady_timer bell;
        std::vector<result<void>> answers;
        std::size_t left;
    };
    auto const wait = std::make_shared<waiting>(state_->executor, what.size());
    for (std::size_t i = 0; i < what.size(); ++i) {
        auto on_report = [wait, i](result<void> answer) {
            wait->answers[i] = std::move(answer);
            if (--wait->left == 0) wait->bell.cancel();
        };
        state_->send(what[i], std::move(on_report));
    }
    if (wait->left > 0) {
        boost::system::error_code rang;
        co_await wait->bell.async_wait(asio::redirect_error(asio::use_awaitable, rang));
        if (wait->left > 0) throw boost::system::system_error(asio::error::operation_aborted);
    }
    co_return std::move(wait->answers);
}

task<void> rd_producer::flush(deadline at) {
    auto const keep = state_;
    if (keep->in_flight() == 0) co_return;
    keep->flushing = true;
    keep->bell.expires_at(at);
    boost::system::error_code rang;
    co_await keep->bell.async_wait(asio::redirect_error(asio::use_awaitable, rang));
    keep->flushing = false;
    auto const cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none) throw boost::system::system_error(asio::error::operation_aborted);
}

}  // namespace

std::unique_ptr<producer> make_producer(asio::any_io_executor executor, producer_options options) {
    return std::make_unique<rd_producer>(std::move(executor), std::move(options));
}

}  // namespace calbridge::kafka
