#include "common/kafka/kafka_fixture.h"

#include <map>

namespace calbridge::kafka {
namespace {

using Producer = kafka_fixture;

task<void> every_shape(producer& to, consumer& from, std::string topic) {
    headers const fields{{"ce_id", "1"}, {"ce_id", "twice"}, {"empty", ""}, {"binary", std::string("\0\xff", 2)}};
    std::vector<record> sent{
        {.topic = topic, .key = "k", .value = "v", .fields = fields},
        {.topic = topic, .key = "k", .value = std::nullopt, .fields = {}},
        {.topic = topic, .key = "k", .value = "", .fields = {}},
        {.topic = topic, .key = std::nullopt, .value = std::string("nul\0inside", 10), .fields = {}},
        {.topic = topic, .key = "", .value = "empty key", .fields = {}},
    };
    auto const answers = co_await to.send_all(sent);
    EXPECT_EQ(answers.size(), sent.size());
    for (auto const& each : answers) worked(each);
    auto const got = co_await take(from, sent.size());
    EXPECT_EQ(got.size(), sent.size());
    for (std::size_t i = 0; i < std::min(got.size(), sent.size()); ++i) {
        EXPECT_EQ(got[i].topic, topic);
        EXPECT_EQ(got[i].key, sent[i].key) << i;
        EXPECT_EQ(got[i].value, sent[i].value) << i;
        EXPECT_EQ(got[i].fields, sent[i].fields) << i;
        EXPECT_EQ(got[i].offset, static_cast<std::int64_t>(i));
        EXPECT_GT(got[i].timestamp_ms, 1'600'000'000'000);
    }
    EXPECT_EQ(to.in_flight(), 0U);
}

TEST_F(Producer, RecordsArriveAsTheyWereSent) {
    make_topic(1);
    auto const to = make_producer(ioc_.get_executor(), producing());
    auto const from = make_consumer(ioc_.get_executor(), consuming());

    run(every_shape(*to, *from, topic_));
}

task<void> many_in_order(producer& to, consumer& from, std::vector<record> sent) {
    std::size_t const n = sent.size();
    auto const answers = co_await to.send_all(std::move(sent));
    for (auto const& each : answers) worked(each);
    auto const got = co_await take(from, n);
    EXPECT_EQ(got.size(), n);
    std::map<std::string, int> last;
    for (auto const& each : got) {
        int const number = std::stoi(*each.value);
        auto const [at, fresh] = last.try_emplace(*each.key, -1);
        EXPECT_EQ(number, at->second + 1) << *each.key;
        at->second = number;
    }
    EXPECT_EQ(last.size(), 20U);
}

TEST_F(Producer, RecordsOfAKeyStayInOrder) {
    make_topic(6);
    auto const to = make_producer(ioc_.get_executor(), producing());
    auto const from = make_consumer(ioc_.get_executor(), consuming());
    std::vector<record> sent;
    for (int i = 0; i < 100; ++i) {
        for (int key = 0; key < 20; ++key) sent.push_back(make_record("key " + std::to_string(key), std::to_string(i)));
    }

    run(many_in_order(*to, *from, std::move(sent)));
}

// The Java client's hash (org.apache.kafka.common.utils.Utils.murmur2), written down again to compare with.
std::int32_t murmur2(std::string_view data) {
    auto const byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(data[i])); };
    constexpr std::uint32_t m = 0x5bd1e995;
    auto const length = static_cast<std::uint32_t>(data.size());
    std::uint32_t h = 0x9747b28c ^ length;
    std::size_t i = 0;
    for (; i + 4 <= data.size(); i += 4) {
        std::uint32_t k = byte(i) | byte(i + 1) << 8 | byte(i + 2) << 16 | byte(i + 3) << 24;
        k *= m;
        k ^= k >> 24;
        k *= m;
        h *= m;
        h ^= k;
    }
    std::size_t const rest = data.size() - i;
    if (rest == 3) h ^= byte(i + 2) << 16;
    if (rest >= 2) h ^= byte(i + 1) << 8;
    if (rest >= 1) {
        h ^= byte(i);
        h *= m;
    }
    h ^= h >> 13;
    h *= m;
    h ^= h >> 15;
    return static_cast<std::int32_t>(h);
}

// Vectors of Kafka's own UtilsTest.
TEST(Murmur2, AgreesWithJava) {
    EXPECT_EQ(murmur2("21"), -973932308);
    EXPECT_EQ(murmur2("foobar"), -790332482);
    EXPECT_EQ(murmur2("a-little-bit-long-string"), -985981536);
    EXPECT_EQ(murmur2("a-little-bit-longer-string"), -1486304829);
    EXPECT_EQ(murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), -58897971);
    EXPECT_EQ(murmur2("abc"), 479470107);
}

task<void> partitions_of(producer& to, consumer& from, std::vector<record> sent, int partitions) {
    std::size_t const n = sent.size();
    auto const answers = co_await to.send_all(std::move(sent));
    for (auto const& each : answers) worked(each);
    auto const got = co_await take(from, n);
    for (auto const& each : got) {
        EXPECT_EQ(each.partition, (murmur2(*each.key) & 0x7fffffff) % partitions) << *each.key;
    }
}

TEST_F(Producer, KeysGoToThePartitionsOfJavaClients) {
    make_topic(7);
    auto const to = make_producer(ioc_.get_executor(), producing());
    auto const from = make_consumer(ioc_.get_executor(), consuming());
    std::vector<record> sent;
    for (auto const* key :
         {"21", "foobar", "a-little-bit-long-string", "a-little-bit-longer-string", "abc", "tenant|user", "é", "\xff\xfe\xfd"}) {
        sent.push_back(make_record(key, "x"));
    }
    for (int i = 0; i < 100; ++i) sent.push_back(make_record("tenant-" + std::to_string(i) + "|user-" + std::to_string(i * i), "x"));

    run(partitions_of(*to, *from, std::move(sent), 7));
}

task<void> too_big(producer& to, record big, record small) {
    auto const refused = co_await to.send(std::move(big));
    failed_with(refused, errc::too_large);
    auto const taken = co_await to.send(std::move(small));
    worked(taken);
}

TEST_F(Producer, ARecordOverTheLimitIsTooLarge) {
    make_topic(1);
    auto const to = make_producer(ioc_.get_executor(), producing());

    run(too_big(*to, make_record("k", std::string(2'000'000, 'x')), make_record("k", "small")));
}

task<void> no_such_topic(producer& to, record lost) {
    auto const answer = co_await to.send(std::move(lost));
    failed_with(answer, errc::unavailable);
}

TEST_F(Producer, ATopicThatIsNotThereIsUnavailable) {
    producer_options o = producing();
    o.delivery_time_max = std::chrono::milliseconds(500);
    auto const to = make_producer(ioc_.get_executor(), o);

    run(no_such_topic(*to, make_record("k", "v")));
}

task<void> send_one(producer& to, record what) {
    auto const answer = co_await to.send(std::move(what));
    ADD_FAILURE() << "a cancelled send returned";
    (void)answer;
}

task<void> cancel_and_flush(producer& to, record what, record second) {
    int reported = 0;
    std::function<void(result<void>)> done = [&reported](result<void> answer) {
        worked(answer);
        ++reported;
    };
    {
        task_group group(co_await asio::this_coro::executor);
        group.spawn("sender", send_one(to, std::move(what)));
        co_await yield_now();
        co_await yield_now();
        group.cancel();
        co_await group.join();
    }
    to.send(std::move(second), done);
    EXPECT_GE(to.in_flight(), 1U);
    deadline const at = in(std::chrono::seconds(20));
    co_await to.flush(at);
    EXPECT_EQ(to.in_flight(), 0U);
    EXPECT_EQ(reported, 1);
}

task<void> expect_values(consumer& from, std::vector<std::string> expected) {
    auto const got = co_await take(from, expected.size());
    EXPECT_EQ(values(got), expected);
}

TEST_F(Producer, ACancelledSenderLeavesItsRecordAndFlushWaitsForIt) {
    make_topic(1);
    auto const to = make_producer(ioc_.get_executor(), producing());
    auto const from = make_consumer(ioc_.get_executor(), consuming());

    run(cancel_and_flush(*to, make_record("k", "first"), make_record("k", "second")));

    run(expect_values(*from, {"first", "second"}));
}

}  // namespace
}  // namespace calbridge::kafka
