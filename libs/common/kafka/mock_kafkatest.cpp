// Faults that a sound broker does not have, from librdkafka's mock cluster.

#include "common/kafka/kafka_fixture.h"

#include "common/observe/metrics.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

namespace calbridge::kafka {
namespace {

constexpr std::int16_t produce_request = 0;

class MockCluster : public ::testing::Test {
protected:
    MockCluster() {
        rd_kafka_conf_t* const conf = rd_kafka_conf_new();
        rd_kafka_conf_set(conf, "log_level", "3", nullptr, 0);  // it has no brokers of its own and says so
        host_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0);
        cluster_ = rd_kafka_mock_cluster_new(host_, 1);
        rd_kafka_mock_topic_create(cluster_, "faults", 1, 1);
    }
    ~MockCluster() override {
        rd_kafka_mock_cluster_destroy(cluster_);
        rd_kafka_destroy(host_);
    }

    producer_options options(std::chrono::milliseconds delivery_time_max = std::chrono::seconds(30)) {
        producer_options o;
        o.brokers = rd_kafka_mock_cluster_bootstraps(cluster_);
        o.client_id = "mocktest";
        o.delivery_time_max = delivery_time_max;
        return o;
    }
    std::unique_ptr<producer> open(producer_options o) { return make_producer(ioc_.get_executor(), std::move(o)); }
    void run(task<void> body) { testing::run_coro(ioc_, std::move(body), std::chrono::seconds(60)); }

    asio::io_context ioc_{1};
    rd_kafka_t* host_;
    rd_kafka_mock_cluster_t* cluster_;
};

record numbered(int i) {
    record made;
    made.topic = "faults";
    made.key = "k";
    made.value = std::to_string(i);
    return made;
}

task<void> send_many(producer& to, int n, int& delivered) {
    std::vector<record> sent;
    for (int i = 0; i < n; ++i) sent.push_back(numbered(i));
    auto const answers = co_await to.send_all(std::move(sent));
    for (auto const& each : answers) delivered += worked(each) ? 1 : 0;
}

task<void> send_expecting(producer& to, errc code) {
    record what = numbered(0);
    auto const answer = co_await to.send(std::move(what));
    failed_with(answer, code);
}

// Which of the two it is depends on whether the refusal or the purge is reported first.
task<void> send_in_vain(producer& to) {
    record what = numbered(0);
    auto const answer = co_await to.send(std::move(what));
    EXPECT_TRUE(!answer && (answer.error().code == errc::unavailable || answer.error().code == errc::timed_out));
}

task<void> send_well(producer& to) {
    record what = numbered(0);
    auto const answer = co_await to.send(std::move(what));
    worked(answer);
}

task<void> read_all(consumer& from, int n) {
    auto const got = co_await take(from, static_cast<std::size_t>(n));
    // A retry after a lost answer may repeat a record; it may not lose or overtake one.
    int next = 0;
    for (auto const& each : got) {
        int const number = std::stoi(*each.value);
        EXPECT_LE(number, next);
        next = std::max(next, number + 1);
    }
    EXPECT_EQ(next, n);
}

TEST_F(MockCluster, PassingErrorsAreRetriedInOrder) {
    rd_kafka_mock_push_request_errors(cluster_, produce_request, 6, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                      RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR__TRANSPORT,
                                      RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
    auto const to = open(options());
    int delivered = 0;

    run(send_many(*to, 500, delivered));

    EXPECT_EQ(delivered, 500);
    consumer_options o;
    o.brokers = rd_kafka_mock_cluster_bootstraps(cluster_);
    o.client_id = "mocktest";
    o.group = "g";
    o.topics = {"faults"};
    auto const from = make_consumer(ioc_.get_executor(), o);
    run(read_all(*from, 500));
}

TEST_F(MockCluster, ABrokerThatIsAwayIsUnavailableAfterTheDeliveryTime) {
    auto const to = open(options(std::chrono::milliseconds(500)));
    run(send_well(*to));
    rd_kafka_mock_broker_set_down(cluster_, 1);

    run(send_expecting(*to, errc::unavailable));

    rd_kafka_mock_broker_set_up(cluster_, 1);
}

// The broker was never there: errors fill the queue while the client is being made.
TEST_F(MockCluster, ABrokerThatNeverWasIsUnavailableAfterTheDeliveryTime) {
    for (int i = 0; i < 5; ++i) {
        producer_options o = options(std::chrono::milliseconds(100));
        o.brokers = "127.0.0.1:1";
        o.extra = {{"debug", "all"}, {"log_level", "7"}};
        auto const to = open(o);
        run(send_expecting(*to, errc::unavailable));
    }
}

task<void> bounce(producer& to, std::function<void()> up) {
    int reported = 0;
    std::function<void(result<void>)> done = [&reported](result<void> answer) {
        worked(answer);
        ++reported;
    };
    for (int i = 0; i < 10; ++i) to.send(numbered(i), done);
    EXPECT_EQ(reported, 0);
    EXPECT_EQ(to.in_flight(), 10U);
    up();
    deadline const at = in(std::chrono::seconds(20));
    co_await to.flush(at);
    EXPECT_EQ(reported, 10);
}

TEST_F(MockCluster, ABrokerThatComesBackInTimeGetsEverything) {
    auto const to = open(options());
    run(send_well(*to));
    rd_kafka_mock_broker_set_down(cluster_, 1);

    run(bounce(*to, [this] { rd_kafka_mock_broker_set_up(cluster_, 1); }));
}

TEST_F(MockCluster, ABrokerThatTookItAndDoesNotAnswerMeansOutcomeUnknown) {
    auto const to = open(options(std::chrono::milliseconds(700)));
    run(send_well(*to));
    rd_kafka_mock_broker_set_rtt(cluster_, 1, 20000);

    run(send_expecting(*to, errc::timed_out));
}

task<void> keep_reading(consumer& from, std::size_t& seen) {
    while (true) {
        auto const batch = co_await from.poll();
        seen += batch.size();
        from.store(batch);
    }
}

task<void> wait_for(std::function<bool()> condition) {
    bool const held = co_await testing::eventually(std::move(condition), std::chrono::seconds(40));
    EXPECT_TRUE(held);
}

task<void> outage(producer& to, consumer& from, std::function<void(bool)> let_up) {
    std::size_t seen = 0;
    int delivered = 0;
    task_group group(co_await asio::this_coro::executor);
    group.spawn("reader", keep_reading(from, seen));
    co_await send_many(to, 3, delivered);
    std::function<bool()> three = [&] { return seen == 3 && from.is_connected(); };
    co_await wait_for(three);

    let_up(false);
    std::function<bool()> noticed = [&] { return !from.is_connected(); };
    co_await wait_for(noticed);

    let_up(true);
    co_await send_many(to, 4, delivered);
    std::function<bool()> seven = [&] { return seen == 7 && from.is_connected(); };
    co_await wait_for(seven);
    group.cancel();
    co_await group.join();
}

TEST_F(MockCluster, AConsumerShowsAnOutageAndGoesOnAfterIt) {
    consumer_options o;
    o.brokers = rd_kafka_mock_cluster_bootstraps(cluster_);
    o.client_id = "mocktest";
    o.group = "g";
    o.topics = {"faults"};
    auto const from = make_consumer(ioc_.get_executor(), o);
    auto const to = open(options());

    run(outage(*to, *from, [this](bool up) {
        if (up) rd_kafka_mock_broker_set_up(cluster_, 1);
        else rd_kafka_mock_broker_set_down(cluster_, 1);
    }));
}

task<void> overfill(producer& to, int& refused, int& pending) {
    std::function<void(result<void>)> done = [&](result<void> answer) {
        if (!answer && answer.error().code == errc::unavailable) ++refused;
    };
    for (int i = 0; i < 12; ++i) to.send(numbered(i), done);
    co_await yield_now();
    co_await yield_now();
    pending = static_cast<int>(to.in_flight());
}

TEST_F(MockCluster, AFullQueueRefusesAtOnce) {
    producer_options o = options();
    o.queue_records_max = 10;
    auto const to = open(o);
    run(send_well(*to));
    rd_kafka_mock_broker_set_down(cluster_, 1);
    int refused = 0;
    int pending = 0;

    run(overfill(*to, refused, pending));

    EXPECT_EQ(refused, 2);
    EXPECT_EQ(pending, 10);
    rd_kafka_mock_broker_set_up(cluster_, 1);
    run([](producer& p) -> task<void> {
        deadline const at = in(std::chrono::seconds(20));
        co_await p.flush(at);
        EXPECT_EQ(p.in_flight(), 0U);
    }(*to));
}

TEST_F(MockCluster, AFatalErrorCostsWhatWasUnderWayAndNothingElse) {
    auto& rebuilt = metrics::get_counter("calbridge_kafka_producer_rebuilt_total", "Producers replaced after a fatal error.");
    double const before = rebuilt.value();
    producer_options o = options();
    o.extra = {{"enable.idempotence", "true"}, {"max.in.flight", "5"}};
    auto const to = open(o);
    run(send_well(*to));
    rd_kafka_mock_push_request_errors(cluster_, produce_request, 1, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);

    run(send_in_vain(*to));
    run(send_well(*to));

    EXPECT_EQ(rebuilt.value(), before + 1);
}

}  // namespace
}  // namespace calbridge::kafka
