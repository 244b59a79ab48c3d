#pragma once
// The use case: believe a push or not, hand it to Kafka, answer when Kafka has it.

#include "channel_cache.h"
#include "channel_source.h"
#include "port.h"

#include "common/async/task.h"
#include "common/kafka/kafka.h"
#include "common/observe/metrics.h"

#include <array>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace calbridge::ingest {

// How often late answers are looked for.
inline constexpr std::chrono::milliseconds late_answers_every{50};

struct ingest_options {
    std::string path{"/webhooks/google"};
    std::string topic{"calendar-changed"};
    std::size_t channels_max{100000};  // remembered
    std::size_t in_flight_max{20000};  // records on their way to Kafka; one more is answered 503 at once
    std::size_t look_ups_max{256};     // at PostgreSQL at the same time; beyond, the token alone decides
    std::chrono::milliseconds look_up_time_max{300};
    std::chrono::milliseconds answer_time_max{1600};  // 503 when Kafka has not confirmed by then
};

class ingest final : public request_handler {
public:
    // What it uses must outlive it. `ring` is the channel keys' ring after for_purpose(channel_token_purpose).
    struct deps {
        asio::any_io_executor executor;
        crypto::key_ring const& ring;
        channel_source& channels;
        kafka::producer& producer;
        clock const& now;
        // Told after every record whether Kafka confirmed it.
        std::function<void(bool)> on_delivery;
    };
    ingest(deps with, ingest_options options);

    // Answers go out through it. To be called once, before the first request.
    void attach(port& to) { port_ = &to; }

    // Follows changes of channels and lets late requests go; until cancelled.
    task<void> run();

    std::optional<answer> on_request(http::request_head const& head, ticket whose) override;
    void on_batch_end() override;

    std::size_t in_flight() const { return in_flight_; }

private:
    // A push with its own memory, waiting for PostgreSQL.
    struct held_push {
        held_push(push const& what, domain::channel_token_content const& verified, std::string_view trace, ticket turn)
            : token(what.token), resource_id(what.resource_id), resource_state(what.resource_state), traceparent(trace),
              channel(what.channel), message_number(what.message_number), content(verified), whose(turn) {}
        push view() const { return {channel, token, resource_id, resource_state, message_number}; }

        std::string token, resource_id, resource_state, traceparent;
        channel_id channel;
        std::int64_t message_number;
        domain::channel_token_content content;
        ticket whose;
    };
    struct sending {
        kafka::record record;
        ticket whose;
        channel_id channel;
        std::int64_t message_number;
        outcome if_delivered;
    };
    struct waiting_answer {
        ticket whose;
        deadline until;
    };

    std::optional<answer> judge(push const& what, evidence const& with, std::string_view traceparent, ticket whose);
    std::optional<answer> ask(push const& what, domain::channel_token_content const& token, std::string_view traceparent, ticket whose);
    std::optional<answer> publish(push const& what, evidence const& with, outcome as, std::string_view traceparent, ticket whose);
    task<void> look_up(channel_id id);
    void learnt(channel_id id, result<std::optional<known_channel>> const& said);
    void delivered(ticket whose, channel_id channel, std::int64_t message_number, outcome as, result<void> const& report);
    task<void> follow();
    task<void> release_late();
    answer refuse(outcome why);
    void count(outcome what) { counters_[static_cast<std::size_t>(what)]->add(); }
    void changed(channel_id id);
    void missed();

    deps with_;
    ingest_options options_;
    port* port_{nullptr};
    channel_cache cache_;
    task_group work_;
    struct question {
        std::vector<held_push> waiting;
        bool outdated{false};  // the channel changed while PostgreSQL was being asked
    };
    std::unordered_map<channel_id, question> questions_;
    std::vector<sending> burst_, leaving_;
    std::deque<waiting_answer> answers_due_;
    std::size_t in_flight_{0};
    std::array<metrics::counter*, outcome_count> counters_{};
    std::array<deadline, outcome_count> said_at_{};
    metrics::histogram& seconds_;
};

}  // namespace calbridge::ingest
