#include "common/kafka/kafka_fixture.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>

namespace calbridge::kafka {
namespace {

class Consumer : public kafka_fixture {
protected:
    task<void> fill(int first, int n) {
        std::vector<record> sent;
        for (int i = first; i < first + n; ++i) sent.push_back(make_record("key " + std::to_string(i), std::to_string(i)));
        auto const answers = co_await producer_->send_all(std::move(sent));
        for (auto const& each : answers) worked(each);
    }
    void SetUp() override {
        kafka_fixture::SetUp();
        producer_ = make_producer(ioc_.get_executor(), producing());
    }
    std::unique_ptr<consumer> open(std::string const& instance = {}) { return make_consumer(ioc_.get_executor(), consuming(instance)); }
    std::unique_ptr<consumer> open(consumer_options o) { return make_consumer(ioc_.get_executor(), std::move(o)); }

    // What the broker holds for the group and partition 0, or -1.
    std::int64_t committed() const {
        rd_kafka_conf_t* const conf = rd_kafka_conf_new();
        rd_kafka_conf_set(conf, "bootstrap.servers", client_.brokers.c_str(), nullptr, 0);
        rd_kafka_conf_set(conf, "group.id", group_.c_str(), nullptr, 0);
        rd_kafka_t* const reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, nullptr, 0);
        rd_kafka_topic_partition_list_t* const list = rd_kafka_topic_partition_list_new(1);
        rd_kafka_topic_partition_list_add(list, topic_.c_str(), 0);
        rd_kafka_resp_err_t const code = rd_kafka_committed(reader, list, 5000);
        std::int64_t const found = code == RD_KAFKA_RESP_ERR_NO_ERROR ? list->elems[0].offset : -1;
        rd_kafka_topic_partition_list_destroy(list);
        rd_kafka_destroy(reader);
        return found < 0 ? -1 : found;
    }

    std::unique_ptr<producer> producer_;
};

std::vector<std::string> numbers(int first, int n) {
    std::vector<std::string> made;
    for (int i = first; i < first + n; ++i) made.push_back(std::to_string(i));
    return made;
}

task<void> read_some(consumer& from, std::size_t n, std::size_t stored, std::vector<std::string>& seen) {
    auto records = co_await take(from, n);
    seen = values(records);
    records.resize(std::min(stored, records.size()));
    from.store(records);
}

task<void> close_in_time(consumer& from) {
    deadline const at = in(std::chrono::seconds(20));
    co_await from.close(at);
}

TEST_F(Consumer, ARestartGoesOnWhereTheLastOneStored) {
    make_topic(1);
    run(fill(0, 10));
    std::vector<std::string> seen;
    {
        auto const first = open();
        run(read_some(*first, 10, 6, seen));
        EXPECT_EQ(seen, numbers(0, 10));
        run(close_in_time(*first));
        EXPECT_EQ(first->assigned_partitions(), 0U);
    }

    auto const second = open();
    run(read_some(*second, 4, 4, seen));

    EXPECT_EQ(seen, numbers(6, 4));
}

TEST_F(Consumer, NothingStoredComesAgain) {
    make_topic(1);
    run(fill(0, 5));
    std::vector<std::string> seen;
    {
        auto const first = open();
        run(read_some(*first, 5, 0, seen));
        run(close_in_time(*first));
    }

    auto const second = open();
    run(read_some(*second, 5, 0, seen));

    EXPECT_EQ(seen, numbers(0, 5));
}

task<void> fail_twice(consumer& from, std::vector<std::vector<std::string>>& seen) {
    for (int attempt = 0; attempt < 3; ++attempt) {
        auto const batch = co_await take(from, 20);
        seen.push_back(values(batch));
        if (attempt < 2) from.rewind(batch);
        else from.store(batch);
    }
}

TEST_F(Consumer, ARewoundBatchComesAgainAndNothingOvertakesIt) {
    make_topic(1);
    run(fill(0, 40));
    consumer_options o = consuming();
    o.batch_records_max = 20;  // the next twenty are fetched already when the first are rewound
    auto const from = open(o);
    std::vector<std::vector<std::string>> seen;

    run(fail_twice(*from, seen));

    ASSERT_EQ(seen.size(), 3U);
    for (auto const& each : seen) EXPECT_EQ(each, numbers(0, 20));
    std::vector<std::string> rest;
    run(read_some(*from, 20, 20, rest));
    EXPECT_EQ(rest, numbers(20, 20));
}

task<void> rewind_partly(consumer& from, std::vector<consumed>& first, std::vector<consumed>& again) {
    first = co_await take(from, 60);
    std::vector<consumed> failed;
    for (auto const& each : first) {
        if (each.partition == 2) failed.push_back(each);
    }
    from.rewind(failed);
    again = co_await take(from, failed.size());
}

TEST_F(Consumer, OnlyThePartitionsOfTheBatchAreRewound) {
    make_topic(4);
    run(fill(0, 60));
    auto const from = open();
    std::vector<consumed> first;
    std::vector<consumed> again;

    run(rewind_partly(*from, first, again));

    std::erase_if(first, [](consumed const& each) { return each.partition != 2; });
    ASSERT_FALSE(first.empty());
    EXPECT_EQ(values(again), values(first));
}

task<void> batch_sizes(consumer& from, std::size_t n, std::size_t& largest) {
    std::size_t seen = 0;
    while (seen < n) {
        auto const batch = co_await from.poll();
        EXPECT_FALSE(batch.empty());
        largest = std::max(largest, batch.size());
        seen += batch.size();
    }
}

TEST_F(Consumer, ABatchIsBounded) {
    make_topic(2);
    run(fill(0, 200));
    consumer_options o = consuming();
    o.batch_records_max = 7;
    auto const from = open(o);
    std::size_t largest = 0;

    run(batch_sizes(*from, 200, largest));

    EXPECT_EQ(largest, 7U);
}

task<void> wait_for(std::function<bool()> condition) {
    bool const held = co_await testing::eventually(std::move(condition), std::chrono::seconds(40));
    EXPECT_TRUE(held);
}

task<void> keep_polling(consumer& from, std::vector<consumed>& seen) {
    while (true) {
        auto const batch = co_await from.poll();
        seen.insert(seen.end(), batch.begin(), batch.end());
        from.store(batch);
    }
}

// A member that is gone without a word would be waited for as long as its session lasts, longer than this test may take; under the
// same instance id its successor has the partitions at once.
TEST_F(Consumer, AStaticMemberIsReplacedWithoutWaitingForItsSession) {
    make_topic(3);
    run(fill(0, 9));
    consumer_options o = consuming("worker-0");
    o.session_time_max = std::chrono::minutes(5);
    std::vector<std::string> seen;
    auto first = open(o);
    run(read_some(*first, 9, 0, seen));
    EXPECT_EQ(first->assigned_partitions(), 3U);
    first.reset();

    auto const second = open(o);
    run(read_some(*second, 9, 9, seen));

    EXPECT_EQ(second->assigned_partitions(), 3U);
}

// What a broker's restart does to a static member, made by hand: somebody else with the same instance id takes its place, which is a fatal
// error for it. It must come back without its process being restarted.
task<void> be_fenced(consumer& first, std::unique_ptr<consumer>& second, std::vector<std::string>& seen) {
    auto const by_second = co_await take(*second, 3);
    EXPECT_EQ(values(by_second).size(), 3U);
    second.reset();
    auto const again = co_await take(first, 3);
    seen = values(again);
    first.store(again);
}

TEST_F(Consumer, AFencedMemberStartsOver) {
    make_topic(1);
    run(fill(0, 3));
    consumer_options const o = consuming("worker-0");
    auto const first = open(o);
    std::vector<std::string> seen;
    run(read_some(*first, 3, 0, seen));
    auto second = open(o);

    run(be_fenced(*first, second, seen));

    EXPECT_EQ(seen, numbers(0, 3));
}

task<void> share(consumer& first, consumer& second, std::vector<consumed>& by_first, std::vector<consumed>& by_second,
                 std::function<task<void>(int, int)> fill) {
    task_group group(co_await asio::this_coro::executor);
    task_group leaving(co_await asio::this_coro::executor);
    group.spawn("first", keep_polling(first, by_first));
    leaving.spawn("second", keep_polling(second, by_second));
    std::function<bool()> shared = [&] { return first.assigned_partitions() == 3 && second.assigned_partitions() == 3; };
    co_await wait_for(shared);
    co_await fill(0, 60);
    std::function<bool()> all = [&] { return by_first.size() + by_second.size() == 60; };
    co_await wait_for(all);

    leaving.cancel();
    co_await leaving.join();
    co_await close_in_time(second);
    // Its leftovers are no longer its own: storing them must not move the new owner's position.
    second.store(by_second);
    std::function<bool()> alone = [&] { return first.assigned_partitions() == 6; };
    co_await wait_for(alone);
    co_await fill(60, 60);
    std::function<bool()> rest = [&] { return by_first.size() + by_second.size() == 120; };
    co_await wait_for(rest);
    group.cancel();
    co_await group.join();
}

TEST_F(Consumer, PartitionsAreSharedAndTakenOver) {
    make_topic(6);
    auto const first = open();
    auto const second = open();
    std::vector<consumed> by_first;
    std::vector<consumed> by_second;

    run(share(*first, *second, by_first, by_second, [this](int from, int n) { return fill(from, n); }));

    EXPECT_FALSE(by_second.empty());
    std::vector<std::string> all = values(by_first);
    auto const others = values(by_second);
    all.insert(all.end(), others.begin(), others.end());
    std::ranges::sort(all);
    auto expected = numbers(0, 120);
    std::ranges::sort(expected);
    EXPECT_EQ(all, expected) << "every record once, because every batch was stored before the next poll";
    run(close_in_time(*first));
}

TEST_F(Consumer, WhatIsStoredIsCommittedInTheBackground) {
    make_topic(1);
    run(fill(0, 5));
    consumer_options o = consuming("worker-0");
    std::vector<std::string> seen;
    auto first = open(o);
    run(read_some(*first, 5, 3, seen));
    // It dies without closing: only the periodic commit can have saved its place.
    run(wait_for([this] { return committed() == 3; }));
    first.reset();

    auto const second = open(o);
    run(read_some(*second, 2, 2, seen));

    EXPECT_EQ(seen, numbers(3, 2));
}

task<void> wait_cancelled(consumer& from) {
    task_group group(co_await asio::this_coro::executor);
    std::vector<consumed> seen;
    group.spawn("poller", keep_polling(from, seen));
    std::function<bool()> connected = [&] { return from.is_connected() && from.assigned_partitions() == 1; };
    co_await wait_for(connected);
    group.cancel();
    co_await group.join();
    EXPECT_TRUE(seen.empty());
}

TEST_F(Consumer, PollEndsOnCancellationAndGoesOnAfterwards) {
    make_topic(1);
    auto const from = open();
    run(wait_cancelled(*from));
    run(fill(0, 3));
    std::vector<std::string> seen;

    run(read_some(*from, 3, 3, seen));

    EXPECT_EQ(seen, numbers(0, 3));
}

TEST_F(Consumer, ATopicMadeAfterwardsIsFound) {
    auto const from = open();
    make_topic(2);
    run(fill(0, 4));
    std::vector<std::string> seen;

    run(read_some(*from, 4, 4, seen));

    std::ranges::sort(seen);
    EXPECT_EQ(seen, numbers(0, 4));
}

TEST_F(Consumer, WithoutABrokerItIsNotConnectedAndClosesInTime) {
    client_.brokers = "127.0.0.1:1";
    consumer_options o = consuming();
    auto const from = open(o);
    std::vector<consumed> seen;
    bool ended = false;

    run([](consumer& c, std::vector<consumed>& out, bool& done) -> task<void> {
        task_group group(co_await asio::this_coro::executor);
        group.spawn("poller", keep_polling(c, out));
        co_await yield_now();
        co_await yield_now();
        group.cancel();
        co_await group.join();
        deadline const at = in(std::chrono::seconds(5));
        co_await c.close(at);
        done = true;
    }(*from, seen, ended));

    EXPECT_TRUE(ended);
    EXPECT_FALSE(from->is_connected());
}

}  // namespace
}  // namespace calbridge::kafka
