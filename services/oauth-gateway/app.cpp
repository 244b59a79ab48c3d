#include "app.h"

#include "deps.h"
#include "routes.h"

#include "wire/topics.h"

#include "common/kafka/identity.h"
#include "common/observe/log.h"

#include <boost/asio/this_coro.hpp>

namespace calbridge::gateway {

namespace {

using namespace std::chrono_literals;

void connect(kafka::client_options& o, settings const& s) { kafka::identify(o, s.kafka.brokers, "oauth-gateway", s.kafka.properties); }

kafka::client_options asking(settings const& s) {
    kafka::client_options o;
    connect(o, s);
    return o;
}

kafka::producer_options producing(settings const& s) {
    kafka::producer_options o;
    connect(o, s);
    o.delivery_time_max = 10s;  // Then the outbox row is swept by channel-renewer.
    return o;
}

pg::database_options database(settings const& s) {
    pg::database_options o;
    o.conninfo = s.database.url;
    o.password = s.database.password;
    o.application_name = "calbridge-oauth-gateway";
    return o;
}

// The name of the host alone, for the request gate.
std::string host_of(std::string_view url) {
    std::string_view rest = url.substr(url.find("://") + 3);
    rest = rest.substr(0, rest.find('/'));
    if (!rest.starts_with('[')) return std::string(rest.substr(0, rest.find(':')));
    return std::string(rest.substr(0, rest.find(']') + 1));
}

struct app {
    app(asio::any_io_executor executor, runtime::health& health_of, settings const& s)
        : health(health_of), kafka_options(asking(s)), ring(crypto::key_ring::parse(s.key_ring).value()),
          db(pg::make_database(executor, database(s))), producer(kafka::make_producer(executor, producing(s))),
          http_client(http::make_client(executor, {})), oauth(google::make_oauth_api(*http_client, s.google.where(), now)),
          calendars(google::make_calendar_api(*http_client, s.google.where(), now)),
          clients(account::make_client_directory(*db, ring, s.google.client())), wake(executor, *db, *producer, now),
          shared{.db = *db,
                 .oauth = *oauth,
                 .calendars = *calendars,
                 .clients = *clients,
                 .wake = wake,
                 .now = now,
                 .ring = ring,
                 .launch_key = s.launch_key,
                 .sessions = session_keeper(ring, s.public_url),
                 .google_at = s.google.where(),
                 .default_client = s.google.client().has_value()},
          server(http::make_server(executor, listening(s), routes_of(shared))) {
        log::info("port.listening", {{"address", s.address}, {"port", static_cast<int>(server->port())}});
    }

    http::server_options listening(settings const& s) const {
        http::server_options o;
        o.address = s.address;
        o.port = static_cast<std::uint16_t>(s.port);
        o.hosts = {host_of(s.public_url)};
        o.always = security_headers(shared, s.public_url.starts_with("https://"));
        o.total_time_max = 45s;  // A callback waits for Google twice and for PostgreSQL.
        return o;
    }

    task<void> watch_postgres() {
        for (;;) {
            auto const alive = co_await db->ping();
            health.report("postgres", alive.has_value(), alive ? "" : alive.error().context);
            co_await sleep_for(alive ? 5s : 1s);
        }
    }

    task<void> watch_kafka() {
        for (;;) {
            auto const executor = co_await asio::this_coro::executor;
            auto options = kafka_options;
            auto const partitions =
                co_await kafka::partition_count(executor, std::move(options), std::string(wire::topic_calendar_changed), in(2s));
            health.report("kafka", partitions.has_value(), partitions ? "" : partitions.error().context);
            co_await sleep_for(partitions ? 15s : 1s);
        }
    }

    runtime::health& health;
    kafka::client_options kafka_options;
    system_clock now;
    crypto::key_ring ring;
    std::unique_ptr<pg::database> db;
    std::unique_ptr<kafka::producer> producer;
    std::unique_ptr<http::client> http_client;
    std::unique_ptr<google::oauth_api> oauth;
    std::unique_ptr<google::calendar_api> calendars;
    std::unique_ptr<account::client_directory> clients;
    waker wake;
    deps shared;
    std::unique_ptr<http::server> server;
};

}  // namespace

runtime::parts make_app(asio::any_io_executor executor, runtime::health& health, settings const& with) {
    health.expect("postgres");
    health.expect("kafka");
    auto const whole = std::make_shared<app>(std::move(executor), health, with);
    runtime::parts parts;
    parts.components = {{"server", [whole] { return whole->server->run(); }},
                        {"waker", [whole] { return whole->wake.run(); }},
                        {"postgres watch", [whole] { return whole->watch_postgres(); }},
                        {"kafka watch", [whole] { return whole->watch_kafka(); }}};
    parts.drain = [whole] { return whole->producer->flush(in(5s)); };
    parts.keep_alive = whole;
    return parts;
}

}  // namespace calbridge::gateway
