#include "common/kafka/rd_client.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>
#include <thread>

namespace calbridge::kafka {

namespace {

constexpr std::chrono::milliseconds admin_time_max{15000};

using client_ptr = std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)>;
using queue_ptr = std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)>;
using event_ptr = std::unique_ptr<rd_kafka_event_t, decltype(&rd_kafka_event_destroy)>;
using lines = std::vector<std::string>;

error failed(std::string const& what, rd_kafka_resp_err_t code) {
    return fail(code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED || code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED
                    ? errc::forbidden
                    : errc::unavailable,
                what + ": " + rd_kafka_err2name(code));
}

// Everything below runs on a helper thread, so it may wait.

// Waits for the answer of one admin request; log and error events that come first are of no interest.
result<event_ptr> answer(rd_kafka_queue_t* queue, rd_kafka_event_type_t type, std::string const& what) {
    deadline const at = in(admin_time_max + std::chrono::seconds(2));
    while (std::chrono::steady_clock::now() < at) {
        event_ptr event(rd_kafka_queue_poll(queue, 100), &rd_kafka_event_destroy);
        if (!event || rd_kafka_event_type(event.get()) != type) continue;
        rd_kafka_resp_err_t const code = rd_kafka_event_error(event.get());
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return failed(what, code);
        return event;
    }
    return fail(errc::unavailable, what + ": no answer");
}

class admin {
public:
    explicit admin(client_options const& options)
        : client_(make_client(client_kind::producer, options, {}, 0), &rd_kafka_destroy),
          queue_(rd_kafka_queue_new(client_.get()), &rd_kafka_queue_destroy) {}

    // Names those that were there already.
    result<std::vector<topic_spec>> create(std::vector<topic_spec> const& topics, lines& said) const;
    // A topic that was just created takes a moment to reach every answer of the broker.
    result<void> await_visible(std::string const& topic) const;
    result<void> compare_shape(topic_spec const& wanted, lines& said) const;
    result<void> compare_config(std::vector<topic_spec> const& wanted, lines& said) const;

private:
    using options_ptr = std::unique_ptr<rd_kafka_AdminOptions_t, decltype(&rd_kafka_AdminOptions_destroy)>;
    options_ptr options(rd_kafka_admin_op_t op) const {
        options_ptr made(rd_kafka_AdminOptions_new(client_.get(), op), &rd_kafka_AdminOptions_destroy);
        std::array<char, 128> why{};
        rd_kafka_AdminOptions_set_request_timeout(made.get(), static_cast<int>(admin_time_max.count()), why.data(), why.size());
        if (op == RD_KAFKA_ADMIN_OP_CREATETOPICS) {
            rd_kafka_AdminOptions_set_operation_timeout(made.get(), static_cast<int>(admin_time_max.count()), why.data(), why.size());
        }
        return made;
    }

    client_ptr client_;
    queue_ptr queue_;
};

result<std::vector<topic_spec>> admin::create(std::vector<topic_spec> const& topics, lines& said) const {
    std::vector<rd_kafka_NewTopic_t*> wanted;
    for (auto const& spec : topics) {
        std::array<char, 256> why{};
        rd_kafka_NewTopic_t* const made =
            rd_kafka_NewTopic_new(spec.name.c_str(), spec.partitions, spec.replication, why.data(), why.size());
        if (made == nullptr) {
            rd_kafka_NewTopic_destroy_array(wanted.data(), wanted.size());
            return fail(errc::malformed, "topic " + spec.name + ": " + why.data());
        }
        for (auto const& [name, value] : spec.config) rd_kafka_NewTopic_set_config(made, name.c_str(), value.c_str());
        wanted.push_back(made);
    }
    auto const with = options(RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_CreateTopics(client_.get(), wanted.data(), wanted.size(), with.get(), queue_.get());
    rd_kafka_NewTopic_destroy_array(wanted.data(), wanted.size());
    auto const answered = answer(queue_.get(), RD_KAFKA_EVENT_CREATETOPICS_RESULT, "create topics");
    if (!answered) return answered.error();

    std::size_t count = 0;
    auto const* const results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answered->get()), &count);
    std::vector<topic_spec> there;
    for (std::size_t i = 0; i < count; ++i) {
        std::string const name = rd_kafka_topic_result_name(results[i]);
        rd_kafka_resp_err_t const code = rd_kafka_topic_result_error(results[i]);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            said.push_back("topic " + name + ": created");
        } else if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            there.push_back(*std::ranges::find(topics, name, &topic_spec::name));
        } else {
            return failed("create topic " + name, code);
        }
    }
    return there;
}

result<int> count_partitions(rd_kafka_t* client, std::string const& topic, std::chrono::milliseconds limit, int* replicas = nullptr) {
    rd_kafka_topic_t* const handle = rd_kafka_topic_new(client, topic.c_str(), nullptr);
    rd_kafka_metadata_t const* found = nullptr;
    rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, handle, &found, static_cast<int>(std::max<std::int64_t>(limit.count(), 1)));
    rd_kafka_topic_destroy(handle);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return failed("metadata of topic " + topic, code);
    int partitions = 0;
    code = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (found->topic_cnt == 1) {
        code = found->topics[0].err;
        partitions = found->topics[0].partition_cnt;
        if (replicas != nullptr && partitions > 0) *replicas = found->topics[0].partitions[0].replica_cnt;
    }
    rd_kafka_metadata_destroy(found);
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return fail(errc::not_found, "topic " + topic + " does not exist");
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return failed("metadata of topic " + topic, code);
    return partitions;
}

result<void> admin::await_visible(std::string const& topic) const {
    deadline const at = in(admin_time_max);
    while (true) {
        auto const found = count_partitions(client_.get(), topic, admin_time_max);
        if (found) return {};
        if (found.error().code != errc::not_found || std::chrono::steady_clock::now() >= at) return found.error();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

result<void> admin::compare_shape(topic_spec const& wanted, lines& said) const {
    int replicas = wanted.replication;
    auto const partitions = count_partitions(client_.get(), wanted.name, admin_time_max, &replicas);
    if (!partitions) return partitions.error();
    if (*partitions != wanted.partitions) {
        said.push_back("topic " + wanted.name + ": has " + std::to_string(*partitions) + " partitions, declared are " +
                       std::to_string(wanted.partitions));
    }
    if (replicas != wanted.replication) {
        said.push_back("topic " + wanted.name + ": has " + std::to_string(replicas) + " replicas, declared are " +
                       std::to_string(wanted.replication));
    }
    return {};
}

result<void> admin::compare_config(std::vector<topic_spec> const& wanted, lines& said) const {
    std::vector<rd_kafka_ConfigResource_t*> asked;
    for (auto const& spec : wanted) asked.push_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, spec.name.c_str()));
    auto const with = options(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_DescribeConfigs(client_.get(), asked.data(), asked.size(), with.get(), queue_.get());
    rd_kafka_ConfigResource_destroy_array(asked.data(), asked.size());
    auto const answered = answer(queue_.get(), RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT, "describe topics");
    if (!answered) return answered.error();

    std::size_t count = 0;
    auto const* const resources = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(answered->get()), &count);
    for (std::size_t i = 0; i < count; ++i) {
        std::string const name = rd_kafka_ConfigResource_name(resources[i]);
        rd_kafka_resp_err_t const code = rd_kafka_ConfigResource_error(resources[i]);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return failed("describe topic " + name, code);
        std::size_t entries = 0;
        auto const* const configs = rd_kafka_ConfigResource_configs(resources[i], &entries);
        std::map<std::string, std::string> has;
        for (std::size_t e = 0; e < entries; ++e) {
            char const* const value = rd_kafka_ConfigEntry_value(configs[e]);
            has[rd_kafka_ConfigEntry_name(configs[e])] = value != nullptr ? value : "";
        }
        for (auto const& [key, value] : std::ranges::find(wanted, name, &topic_spec::name)->config) {
            if (has[key] != value) said.push_back("topic " + name + ": " + key + " is " + has[key] + ", declared is " + value);
        }
    }
    return {};
}

result<lines> ensure(client_options const& options, std::vector<topic_spec> const& topics) {
    lines said;
    if (topics.empty()) return said;
    admin const with(options);
    auto const there = with.create(topics, said);
    if (!there) return there.error();
    for (auto const& spec : topics) {
        bool const was_there = std::ranges::find(*there, spec.name, &topic_spec::name) != there->end();
        if (was_there) continue;
        auto const visible = with.await_visible(spec.name);
        if (!visible) return visible.error();
    }
    for (auto const& spec : *there) {
        auto const compared = with.compare_shape(spec, said);
        if (!compared) return compared.error();
    }
    if (there->empty()) return said;
    auto const compared = with.compare_config(*there, said);
    if (!compared) return compared.error();
    return said;
}

}  // namespace

task<result<std::vector<std::string>>> ensure_topics(asio::any_io_executor, client_options options, std::vector<topic_spec> topics) {
    auto const out = std::make_shared<std::optional<result<lines>>>();
    std::function<void()> job = [out, with = std::move(options), wanted = std::move(topics)] { *out = ensure(with, wanted); };
    co_await run_blocking(std::move(job));
    co_return std::move(**out);
}

task<result<int>> partition_count(asio::any_io_executor, client_options options, std::string topic, deadline at) {
    auto const out = std::make_shared<std::optional<result<int>>>();
    std::function<void()> job = [out, at, with = std::move(options), which = std::move(topic)] {
        client_ptr const client(make_client(client_kind::producer, with, {}, 0), &rd_kafka_destroy);
        auto const left = std::chrono::duration_cast<std::chrono::milliseconds>(at - std::chrono::steady_clock::now());
        *out = count_partitions(client.get(), which, left);
    };
    co_await run_blocking(std::move(job));
    co_return std::move(**out);
}

}  // namespace calbridge::kafka
