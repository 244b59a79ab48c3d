#include "app.h"

#include "ingest.h"

#include "common/kafka/identity.h"
#include "common/observe/log.h"

#include <boost/asio/this_coro.hpp>

namespace calbridge::ingest {
namespace {

using namespace std::chrono_literals;

void connect(kafka::client_options& o, settings const& s) { kafka::identify(o, s.kafka.brokers, "webhook-ingest", s.kafka.properties); }

struct app {
    app(asio::any_io_executor executor, runtime::health& health_of, settings const& s, std::string to)
        : health(health_of), topic(std::move(to)), kafka_options(asking(s)),
          ring(crypto::key_ring::parse(s.channel_keys).value().for_purpose(domain::channel_token_purpose)),
          db(pg::make_database(executor, database(s))), channels(make_channel_source(*db)),
          producer(kafka::make_producer(executor, producing(s))),
          use_case({.executor = executor,
                    .ring = ring,
                    .channels = *channels,
                    .producer = *producer,
                    .now = now,
                    .on_delivery = [this](bool confirmed) { note_delivery(confirmed); }},
                   how(s, topic)),
          public_port(make_port(executor, listening(s), use_case)) {
        use_case.attach(*public_port);
        log::info("port.listening", {{"address", s.address}, {"port", static_cast<int>(public_port->number())}, {"path", s.path}});
    }

    static kafka::client_options asking(settings const& s) {
        kafka::client_options o;
        connect(o, s);
        return o;
    }
    static kafka::producer_options producing(settings const& s) {
        kafka::producer_options o;
        // A hint is 150 bytes of ids that do not compress, and packing them would cost more than all the rest of a push together.
        o.extra.emplace_back("compression.type", "none");
        connect(o, s);
        // Google comes again after a 503. Keeping a record longer than its answer would only double it.
        o.delivery_time_max = 1500ms;
        o.queue_records_max = static_cast<std::size_t>(s.in_flight_max) + 1000;
        return o;
    }
    static pg::database_options database(settings const& s) {
        pg::database_options o;
        o.conninfo = s.database.url;
        o.password = s.database.password;
        o.application_name = "calbridge-webhook-ingest";
        o.connections_max = 4;
        o.acquire_time_max = 300ms;
        o.statement_time_max = 1000ms;
        return o;
    }
    static ingest_options how(settings const& s, std::string const& topic) {
        ingest_options o;
        o.topic = topic;
        o.path = s.path;
        o.channels_max = static_cast<std::size_t>(s.channels_max);
        o.in_flight_max = static_cast<std::size_t>(s.in_flight_max);
        return o;
    }
    static port_options listening(settings const& s) {
        port_options o;
        o.address = s.address;
        o.port = static_cast<std::uint16_t>(s.port);
        o.hosts = s.hosts;
        o.connections_max = static_cast<std::size_t>(s.connections_max);
        return o;
    }

    void note_delivery(bool confirmed) {
        last_report = std::chrono::steady_clock::now();
        if (confirmed == kafka_is_fine) return;
        kafka_is_fine = confirmed;
        health.report("kafka", confirmed, confirmed ? "" : "records are not confirmed");
    }

    // Without traffic nobody reports on Kafka, and without readiness there is no traffic: so it is asked.
    task<void> watch_kafka() {
        for (;;) {
            if (!kafka_is_fine || std::chrono::steady_clock::now() - last_report > 15s) {
                auto const executor = co_await asio::this_coro::executor;
                auto options = kafka_options;
                auto const partitions = co_await kafka::partition_count(executor, std::move(options), topic, in(2s));
                last_report = std::chrono::steady_clock::now();
                kafka_is_fine = partitions.has_value();
                health.report("kafka", kafka_is_fine, partitions ? "" : partitions.error().context);
            }
            co_await sleep_for(1s);
        }
    }

    // Needed to start. Later the tokens alone decide while it is away, so the service stays ready and says so.
    task<void> watch_postgres() {
        bool was_there = false;
        for (;;) {
            auto const alive = co_await db->ping();
            was_there = was_there || alive;
            health.report("postgres", was_there,
                          alive       ? ""
                          : was_there ? "degraded: away, channel tokens alone decide"
                                      : alive.error().context);
            co_await sleep_for(was_there ? 5s : 1s);
        }
    }

    task<void> drain() {
        deadline const last = in(5s);
        co_await public_port->drain(last);
        co_await producer->flush(last);
    }

    runtime::health& health;
    std::string topic;
    kafka::client_options kafka_options;
    system_clock now;
    crypto::key_ring ring;
    std::unique_ptr<pg::database> db;
    std::unique_ptr<channel_source> channels;
    std::unique_ptr<kafka::producer> producer;
    ingest use_case;
    std::unique_ptr<port> public_port;
    bool kafka_is_fine{false};
    std::chrono::steady_clock::time_point last_report{};
};

}  // namespace

runtime::parts make_app(asio::any_io_executor executor, runtime::health& health, settings const& with, std::string topic) {
    health.expect("kafka");
    health.expect("postgres");
    auto const whole = std::make_shared<app>(std::move(executor), health, with, std::move(topic));
    runtime::parts parts;
    parts.components = {{"port", [whole] { return whole->public_port->run(); }},
                        {"ingest", [whole] { return whole->use_case.run(); }},
                        {"kafka watch", [whole] { return whole->watch_kafka(); }},
                        {"postgres watch", [whole] { return whole->watch_postgres(); }}};
    parts.drain = [whole] { return whole->drain(); };
    parts.keep_alive = whole;
    return parts;
}

}  // namespace calbridge::ingest
