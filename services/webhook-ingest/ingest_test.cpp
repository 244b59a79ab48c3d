#include "ingest.h"

#include "wire/topics.h"

#include "common/base/encoding.h"
#include "common/observe/trace.h"
#include "common/testing/testing.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include <gtest/gtest.h>

#include <map>

namespace calbridge::ingest {
namespace {

using namespace std::chrono_literals;

class fake_port final : public port {
public:
    task<void> run() override { co_return; }
    task<void> drain(deadline) override { co_return; }
    void send_answer(ticket whose, answer what) override { answers.emplace(whose.slot, what); }
    std::uint16_t number() const override { return 0; }
    std::size_t connections() const override { return 0; }
    std::map<std::uint32_t, answer> answers;  // the first one of each ticket, as in the real one
};

class fake_producer final : public kafka::producer {
public:
    task<result<void>> send(kafka::record) override { co_return result<void>{}; }
    task<std::vector<result<void>>> send_all(std::vector<kafka::record>) override { co_return std::vector<result<void>>{}; }
    void send(kafka::record what, std::function<void(result<void>)> done) override {
        records.push_back(std::move(what));
        reports.push_back(std::move(done));
    }
    std::size_t in_flight() const override { return reports.size(); }
    task<void> flush(deadline) override { co_return; }
    void report(std::size_t index, result<void> how) { std::exchange(reports.at(index), nullptr)(std::move(how)); }
    std::vector<kafka::record> records;
    std::vector<std::function<void(result<void>)>> reports;
};

class fake_channels final : public channel_source {
public:
    task<result<std::optional<known_channel>>> look_up(channel_id id, deadline) override {
        ++asked;
        co_await gate->wait();
        gate->notify();
        if (away) co_return fail(errc::unavailable, "test: away");
        auto const at = rows.find(id);
        co_return at == rows.end() ? std::optional<known_channel>() : std::optional<known_channel>(at->second);
    }
    task<void> follow(std::function<void(channel_id)> on_change, std::function<void()> on_missed) override {
        changed = std::move(on_change);
        missed = std::move(on_missed);
        co_await sleep_until(deadline::max());
    }
    std::map<channel_id, known_channel> rows;
    std::function<void(channel_id)> changed;
    std::function<void()> missed;
    std::unique_ptr<wakeup> gate;
    bool away{false};
    int asked{0};
};

struct stage {
    explicit stage(asio::any_io_executor executor, ingest_options options = {})
        : ring(crypto::key_ring::parse(secret("k1:" + base64(as_bytes(std::string(32, 'a')))))
                   .value()
                   .for_purpose(domain::channel_token_purpose)) {
        channels.gate = std::make_unique<wakeup>(executor);
        channels.gate->notify();
        row.tenant = tenant_id("acme");
        row.user = user_id("ann");
        row.connection = connection_id{random_uuid()};
        row.calendar = calendar_id{random_uuid()};
        row.resource_id = "res-1";
        row.state = channel_state::active;
        token = domain::make_channel_token(ring, channel, row.connection, row.calendar, now.now()).reveal();
        row.token_hash = crypto::sha256(token);
        channels.rows[channel] = row;
        use_case = std::make_unique<ingest>(ingest::deps{.executor = executor,
                                                         .ring = ring,
                                                         .channels = channels,
                                                         .producer = producer,
                                                         .now = now,
                                                         .on_delivery = [this](bool fine) { deliveries.push_back(fine); }},
                                            options);
        use_case->attach(out);
    }

    // Puts one request to it; its ticket is the number of the request.
    std::uint32_t request(std::string const& bytes) {
        auto const mine = next++;
        http::request_head head;
        http::refusal why;
        EXPECT_EQ(http::read_head(bytes, {}, head, why), http::verdict::accepted);
        auto const at_once = use_case->on_request(head, ticket{mine, 1});
        if (at_once) out.answers.emplace(mine, *at_once);
        use_case->on_batch_end();
        return mine;
    }
    std::uint32_t push(std::int64_t number, std::string const& with_token = {}, std::string const& resource = "res-1",
                       std::string const& extra = {}) {
        return request("POST /webhooks/google HTTP/1.1\r\nHost: h\r\nX-Goog-Channel-ID: " + channel.str() +
                       "\r\nX-Goog-Channel-Token: " + (with_token.empty() ? token : with_token) + "\r\nX-Goog-Resource-ID: " + resource +
                       "\r\nX-Goog-Resource-State: exists\r\nX-Goog-Message-Number: " + std::to_string(number) + "\r\n" + extra + "\r\n");
    }
    std::optional<answer> said(std::uint32_t mine) const {
        auto const at = out.answers.find(mine);
        return at == out.answers.end() ? std::nullopt : std::optional(at->second);
    }

    crypto::key_ring ring;
    testing::manual_clock now;
    channel_id channel{random_uuid()};
    known_channel row;
    std::string token;
    fake_channels channels;
    fake_producer producer;
    fake_port out;
    std::vector<bool> deliveries;
    std::unique_ptr<ingest> use_case;
    std::uint32_t next{0};
};

using scene = task<void> (*)(stage&);

void play(scene act, ingest_options options = {}) {
    asio::io_context ioc;
    testing::run_coro(ioc, [](scene a, ingest_options o) -> task<void> {
        auto const executor = co_await asio::this_coro::executor;
        stage s(executor, o);
        task_group group(executor);
        group.spawn("ingest", s.use_case->run());
        for (int turn = 0; turn < 5; ++turn) co_await yield_now();
        co_await a(s);
        group.cancel();
        co_await group.join();
    }(act, options));
}

task<void> settle() {
    for (int turn = 0; turn < 20; ++turn) co_await yield_now();
}

TEST(Ingest, AnswersOnlyWhenKafkaHasIt) {
    play([](stage& s) -> task<void> {
        auto const mine = s.push(2);
        co_await settle();
        EXPECT_EQ(s.producer.records.size(), 1u);
        EXPECT_FALSE(s.said(mine).has_value());
        s.producer.report(0, {});
        EXPECT_EQ(s.said(mine), answer::ok);
        EXPECT_EQ(s.deliveries, std::vector<bool>{true});
    });
}

TEST(Ingest, RecordIsACloudEventThatNamesTheCalendar) {
    play([](stage& s) -> task<void> {
        (void)s.push(2, {}, "res-1", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n");
        co_await settle();
        auto const& record = s.producer.records.at(0);
        EXPECT_EQ(record.topic, "calendar-changed");
        EXPECT_EQ(record.key, "acme/ann");
        std::map<std::string, std::string> const fields(record.fields.begin(), record.fields.end());
        EXPECT_TRUE(parse_uuid(fields.at("ce_id")).has_value());
        EXPECT_EQ(fields.at("ce_source"), "/calbridge/webhook-ingest");
        EXPECT_EQ(fields.at("ce_type"), "calbridge.calendar.changed.v1");
        EXPECT_EQ(fields.at("ce_specversion"), "1.0");
        EXPECT_EQ(fields.at("ce_time"), "2026-11-20T09:00:00.000Z");
        EXPECT_EQ(fields.at("content-type"), "application/protobuf");
        EXPECT_EQ(observe::parse_traceparent(fields.at("traceparent")).value().trace_id, "0af7651916cd43dd8448eb211c80319c");
        auto const message = wire::decode_calendar_changed(*record.value, wire::encoding::protobuf).value();
        EXPECT_EQ(message.tenant, tenant_id("acme"));
        EXPECT_EQ(message.user, user_id("ann"));
        EXPECT_EQ(message.connection, s.row.connection);
        EXPECT_EQ(message.calendar, s.row.calendar);
        EXPECT_EQ(message.why, domain::cause::push);
        EXPECT_EQ(message.channel, s.channel);
        EXPECT_EQ(message.message_number, 2);
        EXPECT_EQ(message.received_at, s.now.now());
        EXPECT_EQ(message.resource_state, "exists");
    });
}

TEST(Ingest, APushOnTheCalendarListNamesNoCalendarAndBelievesNoCalendarsToken) {
    play([](stage& s) -> task<void> {
        std::string const of_calendar = s.token;
        s.row.calendar = {};
        s.token = domain::make_channel_token(s.ring, s.channel, s.row.connection, {}, s.now.now()).reveal();
        s.row.token_hash = crypto::sha256(s.token);
        s.channels.rows[s.channel] = s.row;
        (void)s.push(2);
        co_await settle();
        EXPECT_EQ(s.producer.records.size(), 1u);
        auto const message = wire::decode_calendar_changed(*s.producer.records.at(0).value, wire::encoding::protobuf).value();
        EXPECT_TRUE(message.calendar.is_nil());
        EXPECT_EQ(message.connection, s.row.connection);
        EXPECT_EQ(s.producer.records.at(0).key, "acme/ann");
        EXPECT_EQ(s.said(s.push(3, of_calendar)), answer::not_found);

        s.channels.away = true;
        s.channels.missed();
        (void)s.push(4);
        co_await settle();
        EXPECT_EQ(s.producer.records.at(1).key, s.row.connection.str()) << "without PostgreSQL its hints still share a partition";
    });
}

TEST(Ingest, ForgedNeverReachesPostgresOrKafka) {
    play([](stage& s) -> task<void> {
        auto forged = s.token;
        forged.back() = forged.back() == 'A' ? 'Q' : 'A';
        auto const mine = s.push(2, forged);
        co_await settle();
        EXPECT_EQ(s.said(mine), answer::not_found);
        EXPECT_EQ(s.channels.asked, 0);
        EXPECT_TRUE(s.producer.records.empty());
    });
}

TEST(Ingest, ForgedTokenForACachedChannelIsRefusedToo) {
    play([](stage& s) -> task<void> {
        (void)s.push(2);
        co_await settle();
        s.producer.report(0, {});
        auto const mine = s.push(3, s.token + "x");
        EXPECT_EQ(s.said(mine), answer::not_found);
        EXPECT_EQ(s.producer.records.size(), 1u);
    });
}

TEST(Ingest, EverythingElseOnThePortIsTheSame404) {
    play([](stage& s) -> task<void> {
        for (std::string const line : {"GET /webhooks/google", "POST /", "POST /webhooks/google/", "POST /webhooks", "PUT /webhooks/google",
                                       "POST /webhooks/google"}) {
            auto const mine = s.request(line + " HTTP/1.1\r\nHost: h\r\n\r\n");
            EXPECT_EQ(s.said(mine), answer::not_found) << line;
        }
        co_return;
    });
}

TEST(Ingest, ManyPushesOfOneChannelAskPostgresOnce) {
    play([](stage& s) -> task<void> {
        for (int number = 2; number < 12; ++number) (void)s.push(number);
        co_await settle();
        (void)s.push(12);
        co_await settle();
        EXPECT_EQ(s.channels.asked, 1);
        EXPECT_EQ(s.producer.records.size(), 11u);
    });
}

TEST(Ingest, UnknownChannelIs404AndAskedAgainOnlyAfterAWhileOrWhenToldOfIt) {
    play([](stage& s) -> task<void> {
        s.channels.rows.clear();
        auto const first = s.push(2);
        co_await settle();
        auto const second = s.push(3);
        co_await settle();
        EXPECT_EQ(s.said(first), answer::not_found);
        EXPECT_EQ(s.said(second), answer::not_found);
        EXPECT_EQ(s.channels.asked, 1);

        s.channels.rows[s.channel] = s.row;
        s.channels.changed(s.channel);
        (void)s.push(4);
        co_await settle();
        EXPECT_EQ(s.channels.asked, 2);
        EXPECT_EQ(s.producer.records.size(), 1u);
    });
    play([](stage& s) -> task<void> {
        s.channels.rows.clear();
        (void)s.push(2);
        co_await settle();
        s.now.advance(11s);
        (void)s.push(3);
        co_await settle();
        EXPECT_EQ(s.channels.asked, 2);
    });
}

TEST(Ingest, StoppedChannelIsRefusedFromTheNoticeOn) {
    play([](stage& s) -> task<void> {
        (void)s.push(2);
        co_await settle();
        s.channels.rows[s.channel].state = channel_state::stopped;
        s.channels.changed(s.channel);
        auto const after = s.push(3);
        co_await settle();
        EXPECT_EQ(s.said(after), answer::not_found);
        EXPECT_EQ(s.producer.records.size(), 1u);
    });
}

TEST(Ingest, MissedNoticesMeanEverythingIsAskedAgain) {
    play([](stage& s) -> task<void> {
        (void)s.push(2);
        co_await settle();
        s.channels.missed();
        (void)s.push(3);
        co_await settle();
        EXPECT_EQ(s.channels.asked, 2);
    });
}

TEST(Ingest, ChangeWhilePostgresIsBeingAskedIsNotOverwrittenByTheOldAnswer) {
    play([](stage& s) -> task<void> {
        (void)s.push(2);
        s.channels.changed(s.channel);  // after the question, before its answer
        co_await settle();
        (void)s.push(3);
        co_await settle();
        EXPECT_EQ(s.channels.asked, 2);
    });
}

TEST(Ingest, WithoutPostgresTheTokenIsEnoughAndTheCalendarIsTheKey) {
    play([](stage& s) -> task<void> {
        s.channels.away = true;
        auto const mine = s.push(2);
        co_await settle();
        auto const& record = s.producer.records.at(0);
        EXPECT_EQ(record.key, s.row.calendar.str());
        auto const message = wire::decode_calendar_changed(*record.value, wire::encoding::protobuf).value();
        EXPECT_TRUE(message.tenant.empty());
        EXPECT_TRUE(message.user.empty());
        EXPECT_EQ(message.calendar, s.row.calendar);
        s.producer.report(0, {});
        EXPECT_EQ(s.said(mine), answer::ok);

        s.channels.away = false;
        (void)s.push(3);
        co_await settle();
        EXPECT_EQ(s.producer.records.at(1).key, "acme/ann") << "its absence is not remembered";
    });
}

TEST(Ingest, TooManyQuestionsAtOnceLeaveTheTokenToDecide) {
    ingest_options options;
    options.look_ups_max = 0;
    play(
        [](stage& s) -> task<void> {
            (void)s.push(2);
            EXPECT_EQ(s.channels.asked, 0);
            EXPECT_EQ(s.producer.records.at(0).key, s.row.calendar.str());
            co_return;
        },
        options);
}

TEST(Ingest, DeliveredNumberIsAReplayAnUndeliveredOneMayComeAgain) {
    play([](stage& s) -> task<void> {
        auto const failed = s.push(5);
        co_await settle();
        s.producer.report(0, fail(errc::unavailable, "test: no broker"));
        EXPECT_EQ(s.said(failed), answer::unavailable);
        EXPECT_EQ(s.deliveries.back(), false);

        auto const again = s.push(5);
        co_await settle();
        s.producer.report(1, {});
        EXPECT_EQ(s.said(again), answer::ok);

        auto const replay = s.push(5);
        auto const older = s.push(4);
        EXPECT_EQ(s.said(replay), answer::not_found);
        EXPECT_EQ(s.said(older), answer::not_found);
        EXPECT_EQ(s.producer.records.size(), 2u);
    });
}

TEST(Ingest, ReplayIsSeenAlsoAfterTheFactsWereForgotten) {
    play([](stage& s) -> task<void> {
        (void)s.push(5);
        co_await settle();
        s.producer.report(0, {});
        s.channels.missed();
        auto const replay = s.push(5);
        co_await settle();
        EXPECT_EQ(s.said(replay), answer::not_found);
        EXPECT_EQ(s.producer.records.size(), 1u);
    });
}

TEST(Ingest, FullPipeIs503AtOnceAndOpensAgain) {
    ingest_options options;
    options.in_flight_max = 1;
    play(
        [](stage& s) -> task<void> {
            (void)s.push(2);
            co_await settle();
            auto const busy = s.push(3);
            EXPECT_EQ(s.said(busy), answer::unavailable);
            s.producer.report(0, {});
            auto const next = s.push(3);
            s.producer.report(1, {});
            EXPECT_EQ(s.said(next), answer::ok);
        },
        options);
}

TEST(Ingest, SilentKafkaIs503InBoundedTime) {
    ingest_options options;
    options.answer_time_max = 20ms;
    play(
        [](stage& s) -> task<void> {
            auto const mine = s.push(2);
            bool const answered = co_await testing::eventually([&s, mine] { return s.said(mine).has_value(); });
            EXPECT_TRUE(answered);
            EXPECT_EQ(s.said(mine), answer::unavailable);
        },
        options);
}

TEST(Ingest, WrongResourceIsRefused) {
    play([](stage& s) -> task<void> {
        auto const mine = s.push(2, {}, "res-2");
        co_await settle();
        EXPECT_EQ(s.said(mine), answer::not_found);
        EXPECT_TRUE(s.producer.records.empty());
    });
}

}  // namespace
}  // namespace calbridge::ingest
