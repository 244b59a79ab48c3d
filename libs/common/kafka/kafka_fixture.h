#pragma once
// Shared by this folder's tests.

#include "common/base/encoding.h"
#include "common/base/random.h"
#include "common/kafka/kafka.h"
#include "common/testing/testing.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <memory>

namespace calbridge::kafka {

inline std::string fresh_name(std::string const& prefix) {
    std::array<std::uint8_t, 6> random{};
    random_bytes(random);
    return prefix + "-" + hex(random);
}

// Against the real broker named by CALBRIDGE_TEST_KAFKA. Topics and groups are the test's own.
class kafka_fixture : public ::testing::Test {
protected:
    void SetUp() override {
        char const* brokers = std::getenv("CALBRIDGE_TEST_KAFKA");
        if (brokers == nullptr)
            FAIL() << "CALBRIDGE_TEST_KAFKA is not set: run `./dev test`, or `./dev test-env up` and export what it prints";
        client_.brokers = brokers;
        client_.client_id = "kafkatest";
        topic_ = fresh_name("test");
        group_ = fresh_name("group");
    }
    void TearDown() override;  // deletes the topics made by make_topic()

    void run(task<void> body) { testing::run_coro(ioc_, std::move(body), std::chrono::seconds(60)); }
    // Creates the test's topic, or another one.
    void make_topic(int partitions = 6, std::string const& name = {});
    producer_options producing() const {
        producer_options o;
        static_cast<client_options&>(o) = client_;
        return o;
    }
    consumer_options consuming(std::string const& instance = {}) const {
        consumer_options o;
        static_cast<client_options&>(o) = client_;
        o.group = group_;
        o.instance_id = instance;
        o.topics = {topic_};
        return o;
    }
    record make_record(std::string key, std::string value) const {
        record made;
        made.topic = topic_;
        made.key = std::move(key);
        made.value = std::move(value);
        return made;
    }

    asio::io_context ioc_{1};
    client_options client_;
    std::string topic_;
    std::string group_;
    std::vector<std::string> made_;
};

template <class T>
bool worked(result<T> const& answer) {
    if (!answer) ADD_FAILURE() << name(answer.error().code) << ": " << answer.error().context;
    return answer.has_value();
}
template <class T>
bool failed_with(result<T> const& answer, errc code) {
    if (answer) {
        ADD_FAILURE() << "expected " << name(code) << ", and it worked";
        return false;
    }
    EXPECT_EQ(name(answer.error().code), name(code)) << answer.error().context;
    return answer.error().code == code;
}

// Polls until `n` records came, in the order they came.
inline task<std::vector<consumed>> take(consumer& from, std::size_t n) {
    std::vector<consumed> all;
    while (all.size() < n) {
        auto batch = co_await from.poll();
        all.insert(all.end(), batch.begin(), batch.end());
    }
    co_return all;
}

inline std::vector<std::string> values(std::vector<consumed> const& records) {
    std::vector<std::string> found;
    for (auto const& each : records) found.push_back(each.value.value_or("<none>"));
    return found;
}

}  // namespace calbridge::kafka
