#include "common/kafka/kafka_fixture.h"

#include <librdkafka/rdkafka.h>

namespace calbridge::kafka {

namespace {

task<void> ensure(client_options with, std::vector<topic_spec> topics, result<std::vector<std::string>>& out) {
    auto const executor = co_await asio::this_coro::executor;
    out = co_await ensure_topics(executor, std::move(with), std::move(topics));
}

task<void> count(client_options with, std::string topic, std::chrono::milliseconds limit, result<int>& out) {
    auto const executor = co_await asio::this_coro::executor;
    deadline const at = in(limit);
    out = co_await partition_count(executor, std::move(with), std::move(topic), at);
}

}  // namespace

void kafka_fixture::make_topic(int partitions, std::string const& name) {
    topic_spec spec{.name = name.empty() ? topic_ : name, .partitions = partitions, .replication = 1, .config = {}};
    result<std::vector<std::string>> said;
    run(ensure(client_, {spec}, said));
    worked(said);
    made_.push_back(spec.name);
}

void kafka_fixture::TearDown() {
    if (made_.empty()) return;
    rd_kafka_conf_t* const conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", client_.brokers.c_str(), nullptr, 0);
    std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)> const admin(rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0),
                                                                         &rd_kafka_destroy);
    std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)> const queue(rd_kafka_queue_new(admin.get()),
                                                                                     &rd_kafka_queue_destroy);
    std::vector<rd_kafka_DeleteTopic_t*> unwanted;
    for (auto const& name : made_) unwanted.push_back(rd_kafka_DeleteTopic_new(name.c_str()));
    rd_kafka_DeleteTopics(admin.get(), unwanted.data(), unwanted.size(), nullptr, queue.get());
    rd_kafka_DeleteTopic_destroy_array(unwanted.data(), unwanted.size());
    rd_kafka_event_destroy(rd_kafka_queue_poll(queue.get(), 10000));
}

namespace {

using Topics = kafka_fixture;

TEST_F(Topics, WhatIsMissingIsCreatedAndWhatDiffersIsNamed) {
    std::string const other = topic_ + "-other";
    topic_spec first{.name = topic_, .partitions = 4, .replication = 1, .config = {{"retention.ms", "3600000"}}};
    topic_spec second{.name = other, .partitions = 1, .replication = 1, .config = {}};
    made_ = {topic_, other};
    result<std::vector<std::string>> said;

    run(ensure(client_, {first}, said));
    ASSERT_TRUE(worked(said));
    EXPECT_EQ(*said, (std::vector<std::string>{"topic " + topic_ + ": created"}));

    run(ensure(client_, {first, second}, said));
    ASSERT_TRUE(worked(said));
    EXPECT_EQ(*said, (std::vector<std::string>{"topic " + other + ": created"}));

    run(ensure(client_, {first, second}, said));
    ASSERT_TRUE(worked(said));
    EXPECT_TRUE(said->empty());

    first.partitions = 6;
    first.config = {{"retention.ms", "7200000"}};
    run(ensure(client_, {first, second}, said));
    ASSERT_TRUE(worked(said));
    EXPECT_EQ(*said, (std::vector<std::string>{"topic " + topic_ + ": has 4 partitions, declared are 6",
                                               "topic " + topic_ + ": retention.ms is 3600000, declared is 7200000"}));
}

TEST_F(Topics, PartitionsAreCounted) {
    make_topic(5);
    result<int> found;

    run(count(client_, topic_, std::chrono::seconds(10), found));

    ASSERT_TRUE(worked(found));
    EXPECT_EQ(*found, 5);
}

TEST_F(Topics, AnUnknownTopicIsNotFound) {
    result<int> found;

    run(count(client_, topic_, std::chrono::seconds(10), found));

    failed_with(found, errc::not_found);
}

TEST_F(Topics, AnUnreachableBrokerIsUnavailable) {
    client_.brokers = "127.0.0.1:1";
    result<int> found;

    run(count(client_, topic_, std::chrono::milliseconds(300), found));

    failed_with(found, errc::unavailable);
}

TEST_F(Topics, APropertyThatIsNotAcceptedIsNamedWithoutItsValue) {
    client_.extra = {{"sasl.mechanism", "hunter2"}, {"no.such.property", "hunter2"}};
    result<int> found;

    try {
        run(count(client_, topic_, std::chrono::milliseconds(300), found));
        ADD_FAILURE() << "accepted";
    } catch (std::invalid_argument const& e) {
        EXPECT_NE(std::string(e.what()).find("no.such.property"), std::string::npos);
        EXPECT_EQ(std::string(e.what()).find("hunter2"), std::string::npos);
    }
}

}  // namespace
}  // namespace calbridge::kafka
