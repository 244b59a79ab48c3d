// The whole service against a real Kafka and a real PostgreSQL.
#include "app.h"

#include "channel_fixture.h"
#include "ingest.h"

#include "wire/topics.h"

#include "common/http/client.h"
#include "common/kafka/kafka.h"
#include "common/observe/log.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

namespace calbridge::ingest {
namespace {

using namespace std::chrono_literals;

std::string real_brokers() {
    char const* const brokers = std::getenv("CALBRIDGE_TEST_KAFKA");
    if (!brokers) throw std::runtime_error("CALBRIDGE_TEST_KAFKA is not set: run `./dev test`");
    return brokers;
}

std::int64_t free_port(asio::io_context& ioc) {
    using tcp = asio::ip::tcp;
    tcp::acceptor const taken(ioc, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    return taken.local_endpoint().port();
}

struct service {
    channel_fixture rows;
    std::string topic = "ingest-test-" + to_string(random_uuid());
    asio::io_context ioc{1};
    runtime::health health;
    settings with;
    runtime::parts parts;
    std::unique_ptr<http::client> http;
    std::string url;

    explicit service(std::string const& brokers, std::string const& conninfo = {}) {
        auto table = with.declare();
        auto const port = free_port(ioc);
        config::environment const env{{"CALBRIDGE_CHANNEL_KEYS", rows.keys},
                                      {"CALBRIDGE_DATABASE_URL", conninfo.empty() ? rows.database.conninfo_for("ingest") : conninfo},
                                      {"CALBRIDGE_KAFKA_BROKERS", brokers},
                                      {"CALBRIDGE_PORT", std::to_string(port)}};
        auto const loaded = config::load(table, env);
        if (!loaded) throw std::runtime_error(loaded.error().context);
        parts = make_app(ioc.get_executor(), health, with, topic);
        http = http::make_client(ioc.get_executor(), {});
        url = "http://127.0.0.1:" + std::to_string(port) + "/webhooks/google";
    }

    // Runs the service around `act`, then drains it as a main would.
    void play(task<void> act) {
        testing::run_coro(
            ioc,
            [](service& s, task<void> body) -> task<void> {
                task_group group(co_await asio::this_coro::executor);
                for (auto const& [name, start] : s.parts.components) group.spawn(name, start());
                co_await std::move(body);
                co_await s.parts.drain();
                group.cancel();
                co_await group.join();
            }(*this, std::move(act)),
            90s);
    }

    task<result<http::response>> push(std::int64_t number, std::string state = "exists", std::string with_token = {},
                                      std::string resource = "res-1") {
        http::client_request request;
        request.method = "POST";
        request.url = url;
        request.fields = {{"X-Goog-Channel-ID", rows.channel.str()},
                          {"X-Goog-Channel-Token", with_token.empty() ? rows.token : with_token},
                          {"X-Goog-Resource-ID", std::move(resource)},
                          {"X-Goog-Resource-State", std::move(state)},
                          {"X-Goog-Message-Number", std::to_string(number)}};
        return http->send(std::move(request), in(10s));
    }
    task<int> status_of(std::int64_t number, std::string with_token = {}, std::string resource = "res-1") {
        auto const said = co_await push(number, "exists", std::move(with_token), std::move(resource));
        EXPECT_TRUE(said.has_value()) << said.error().context;
        co_return said ? said->status : 0;
    }
    task<bool> is_green(std::string check) {
        co_return co_await testing::eventually(
            [this, check] {
                for (auto const& line : health.lines()) {
                    if (line.check == check) return line.ok;
                }
                return false;
            },
            20s);
    }
};

task<void> make_topic(std::string brokers, std::string name) {
    kafka::client_options options;
    options.brokers = std::move(brokers);
    options.client_id = "ingest-test";
    kafka::topic_spec spec;
    spec.name = std::move(name);
    spec.partitions = 2;
    std::vector<kafka::topic_spec> const topics{spec};
    auto const executor = co_await asio::this_coro::executor;
    auto const made = co_await kafka::ensure_topics(executor, std::move(options), topics);
    EXPECT_TRUE(made.has_value());
}

// What the topic holds of one channel.
task<std::vector<domain::calendar_changed>> read_topic(std::string brokers, std::string topic, channel_id of, std::size_t wanted,
                                                       std::vector<kafka::consumed>* raw = nullptr) {
    kafka::consumer_options options;
    options.brokers = std::move(brokers);
    options.client_id = "ingest-test";
    options.group = "ingest-test-" + to_string(random_uuid());
    options.topics = {std::move(topic)};
    auto const from = kafka::make_consumer(co_await asio::this_coro::executor, std::move(options));
    std::vector<domain::calendar_changed> found;
    while (found.size() < wanted) {
        auto const batch = co_await from->poll();
        for (auto const& one : batch) {
            auto const message = wire::decode_calendar_changed(one.value.value_or(""), wire::encoding::protobuf);
            if (!message || message->channel != of) continue;
            found.push_back(*message);
            if (raw) raw->push_back(one);
        }
    }
    co_await from->close(in(10s));
    co_return found;
}

// Pushes with growing numbers until one is refused, which a notice from PostgreSQL must bring about soon. Those taken until then are noted.
task<bool> refused_soon(service& it, std::int64_t& number, std::vector<std::int64_t>& taken, std::string resource) {
    for (auto const last = in(10s); std::chrono::steady_clock::now() < last;) {
        int const said = co_await it.status_of(++number, {}, resource);
        if (said == 404) co_return true;
        taken.push_back(number);
    }
    co_return false;
}

std::vector<std::pair<std::string, std::string>> without_date(http::headers fields) {
    std::erase_if(fields, [](auto const& field) { return field.first == "Date"; });
    return fields;
}

TEST(WebhookIngest, Every200IsOneRecordAndNothingElseIs) {
    auto const brokers = real_brokers();
    service s(brokers);
    std::vector<std::int64_t> taken;
    s.play([](service& it, std::string kafka_at, std::vector<std::int64_t>& numbers) -> task<void> {
        co_await make_topic(kafka_at, it.topic);
        bool const kafka_green = co_await it.is_green("kafka");
        bool const postgres_green = co_await it.is_green("postgres");
        EXPECT_TRUE(kafka_green && postgres_green);

        // The sync message may beat the watch call's answer: the channel is still pending, its resource unknown.
        auto const sync = co_await it.push(1, "sync");
        EXPECT_EQ(sync.value().status, 200);
        EXPECT_EQ(sync.value().body, "");
        numbers.push_back(1);
        std::int64_t number = 1;
        it.rows.set("state = 'active', resource_id = 'res-1', expires_at = now() + interval '7 days'");
        bool const other_resource = co_await refused_soon(it, number, numbers, "res-2");
        EXPECT_TRUE(other_resource);
        int const exists = co_await it.status_of(number);
        EXPECT_EQ(exists, 200);
        numbers.push_back(number);

        auto forged = it.rows.token;
        forged[forged.size() - 2] = forged[forged.size() - 2] == 'A' ? 'B' : 'A';
        auto const as_forged = co_await it.push(number + 1, "exists", forged);
        auto const as_replay = co_await it.push(number);
        EXPECT_EQ(as_forged.value().status, 404);
        EXPECT_EQ(as_replay.value().status, 404);
        EXPECT_EQ(without_date(as_forged.value().fields), without_date(as_replay.value().fields)) << "one uniform 404";
        EXPECT_EQ(as_forged.value().body, as_replay.value().body);

        it.rows.set("state = 'superseded'");
        int const overlap = co_await it.status_of(++number);
        EXPECT_EQ(overlap, 200);
        numbers.push_back(number);
        it.rows.set("state = 'stopped'");
        bool const stopped = co_await refused_soon(it, number, numbers, "res-1");
        EXPECT_TRUE(stopped);
        it.rows.database.exec("delete from channels where channel_id = '" + it.rows.channel.str() + "'");
        bool const gone = co_await refused_soon(it, number, numbers, "res-1");
        EXPECT_TRUE(gone);
    }(s, brokers, taken));

    asio::io_context ioc;
    testing::run_coro(
        ioc,
        [](service& it, std::string kafka_at, std::vector<std::int64_t> numbers) -> task<void> {
            std::vector<kafka::consumed> raw;
            auto const found = co_await read_topic(kafka_at, it.topic, it.rows.channel, numbers.size(), &raw);
            std::vector<std::int64_t> recorded;
            for (auto const& one : found) recorded.push_back(one.message_number);
            EXPECT_EQ(recorded, numbers);
            EXPECT_EQ(found.at(0).resource_state, "sync");
            EXPECT_EQ(found.at(0).tenant, tenant_id("acme"));
            EXPECT_EQ(found.at(0).connection, it.rows.connection);
            EXPECT_EQ(raw.at(0).key, "acme/ann");
        }(s, brokers, taken),
        60s);
}

TEST(WebhookIngest, TheWaitsOfOnePushAddUpToLessThanTwoSeconds) {
    ingest_options const waits;
    EXPECT_LE(waits.look_up_time_max + waits.answer_time_max + late_answers_every, 1950ms);
}

TEST(WebhookIngest, WithoutKafkaPushesAre503AndReadinessIsRed) {
    service s("127.0.0.1:1");
    s.play([](service& it) -> task<void> {
        bool const postgres_green = co_await it.is_green("postgres");
        EXPECT_TRUE(postgres_green);
        int const said = co_await it.status_of(2);
        EXPECT_EQ(said, 503);
        EXPECT_FALSE(it.health.ready());
        auto forged = it.rows.token;
        forged[forged.size() - 2] = forged[forged.size() - 2] == 'A' ? 'B' : 'A';
        int const as_forged = co_await it.status_of(3, forged);
        EXPECT_EQ(as_forged, 404) << "decided without Kafka";
    }(s));
}

TEST(WebhookIngest, WithoutPostgresTheTokenIsEnough) {
    auto const brokers = real_brokers();
    service s(brokers, "host=127.0.0.1 port=1 user=calbridge_ingest dbname=x");
    s.play([](service& it, std::string kafka_at) -> task<void> {
        co_await make_topic(kafka_at, it.topic);
        bool const kafka_green = co_await it.is_green("kafka");
        EXPECT_TRUE(kafka_green);
        EXPECT_FALSE(it.health.ready()) << "needed at start";
        int const said = co_await it.status_of(2);
        EXPECT_EQ(said, 200);
        std::vector<kafka::consumed> raw;
        auto const found = co_await read_topic(kafka_at, it.topic, it.rows.channel, 1, &raw);
        EXPECT_TRUE(found.at(0).tenant.empty());
        EXPECT_EQ(found.at(0).calendar, it.rows.calendar);
        EXPECT_EQ(raw.at(0).key, it.rows.calendar.str());
    }(s, brokers));
}

TEST(WebhookIngest, PostgresGoingAwayLaterKeepsItReadyAndSaysSo) {
    auto const brokers = real_brokers();
    service s(brokers);
    s.play([](service& it, std::string kafka_at) -> task<void> {
        co_await make_topic(kafka_at, it.topic);
        bool const green = co_await it.is_green("postgres");
        EXPECT_TRUE(green);
        // Superusers are exempt from the limit, the service is not.
        it.rows.database.exec("alter database \"" + it.rows.database.name() + "\" connection limit 0");
        it.rows.database.exec(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()");
        int const said = co_await it.status_of(2);
        bool const degraded = co_await testing::eventually(
            [&it] {
                for (auto const& line : it.health.lines()) {
                    if (line.check == "postgres") return line.ok && line.detail.starts_with("degraded");
                }
                return false;
            },
            20s);
        EXPECT_EQ(said, 200);
        EXPECT_TRUE(degraded);
    }(s, brokers));
}

TEST(WebhookIngest, BurstOfPushesIsAsManyRecordsAs200s) {
    auto const brokers = real_brokers();
    service s(brokers);
    s.play([](service& it, std::string kafka_at) -> task<void> {
        co_await make_topic(kafka_at, it.topic);
        bool const green = co_await it.is_green("kafka");
        EXPECT_TRUE(green);
        std::set<std::int64_t> confirmed;
        task_group group(co_await asio::this_coro::executor);
        for (std::int64_t worker = 0; worker < 20; ++worker) {
            group.spawn("pusher", [](service& to, std::set<std::int64_t>& done, std::int64_t first) -> task<void> {
                for (std::int64_t number = first; number < 1001; number += 20) {
                    int const said = co_await to.status_of(number);
                    if (said == 200) done.insert(number);
                }
            }(it, confirmed, worker + 1));
        }
        co_await group.join();
        EXPECT_GT(confirmed.size(), 20u) << "a number below one that was delivered is a replay, so not all pass";
        auto const found = co_await read_topic(kafka_at, it.topic, it.rows.channel, confirmed.size());
        std::set<std::int64_t> recorded;
        for (auto const& one : found) recorded.insert(one.message_number);
        EXPECT_EQ(recorded, confirmed);
    }(s, brokers));
}

TEST(WebhookIngest, WrongSettingsAreAllNamed) {
    settings with;
    auto table = with.declare();
    config::environment const env{
        {"CALBRIDGE_CHANNEL_KEYS", "nonsense"}, {"CALBRIDGE_PORT", "99999"}, {"CALBRIDGE_WEBHOOK_PATH", "no-slash"}};

    auto const said = config::load(table, env);

    ASSERT_FALSE(said.has_value());
    for (auto const* name :
         {"CALBRIDGE_CHANNEL_KEYS", "CALBRIDGE_PORT", "CALBRIDGE_WEBHOOK_PATH", "CALBRIDGE_DATABASE_URL", "CALBRIDGE_KAFKA_BROKERS"}) {
        EXPECT_NE(said.error().context.find(name), std::string::npos) << name;
    }
    EXPECT_EQ(said.error().context.find("nonsense"), std::string::npos) << "a secret is not repeated";
}

}  // namespace
}  // namespace calbridge::ingest
