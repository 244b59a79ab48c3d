#include "app.h"

#include "intake_loop.h"
#include "publisher.h"
#include "scheduler.h"

#include "wire/topics.h"

#include "common/kafka/identity.h"
#include "common/observe/log.h"

namespace calbridge::worker {

namespace {

struct app {
    app(asio::any_io_executor executor, runtime::health& health_of, settings const& s)
        : health(health_of), ring(crypto::key_ring::parse(s.key_ring).value()), stamps(ring.for_purpose("stamp")),
          db(pg::make_database(executor, database(s))), producer(kafka::make_producer(executor, producing(s))),
          consumer(kafka::make_consumer(executor, consuming(s))), http(http::make_client(executor, {})),
          api(google::make_calendar_api(*http, s.google.where(), now)), oauth(google::make_oauth_api(*http, s.google.where(), now)),
          clients(account::make_client_directory(*db, ring, s.google.client())),
          zoom(zoom::make_meetings_api(*http, s.zoom, now)), zoom_accounts(account::make_zoom_directory(*db, ring, now)),
          tokens(account::make_token_source(*db, *oauth, *clients, ring, now, {})), out(executor, *producer, *db),
          with{*db, *api, *tokens, out, stamps, now, random, s.common.instance_id, limits_of(s), s.updates_encoding == "json", zoom.get(), zoom_accounts.get()}, intake(*db),
          work(executor, with, intake, s.sweep_every), loop(*consumer, intake, work, health_of, random) {}

    static pg::database_options database(settings const& s) {
        pg::database_options o;
        o.conninfo = s.database.url;
        o.password = s.database.password;
        o.application_name = "calbridge-sync-worker";
        o.connections_max = static_cast<std::size_t>(s.database.connections);
        return o;
    }
    static void connect(kafka::client_options& o, settings const& s) {
        kafka::identify(o, s.kafka.brokers, "sync-worker", s.kafka.properties);
    }
    static kafka::producer_options producing(settings const& s) {
        kafka::producer_options o;
        connect(o, s);
        return o;
    }
    static kafka::consumer_options consuming(settings const& s) {
        kafka::consumer_options o;
        connect(o, s);
        o.group = s.consumer_group;
        o.instance_id = s.common.instance_id;
        o.topics = {std::string(wire::topic_task_changed), std::string(wire::topic_calendar_changed)};
        return o;
    }
    static limits limits_of(settings const& s) {
        limits l;
        l.lease_life = s.lease_life;
        l.lease_renew_before = s.lease_life / 2;
        l.call_time_max = s.call_time_max;
        l.calendars_at_once = static_cast<int>(s.calendars_at_once);
        l.pushes_at_once = static_cast<int>(s.pushes_at_once);
        l.passes_burst = static_cast<int>(s.passes_burst);
        l.blocked_horizon = std::chrono::duration_cast<std::chrono::hours>(s.blocked_horizon);
        l.backoff.base = s.backoff_base;
        l.backoff.cap = s.backoff_cap;
        return l;
    }

    // Readiness follows what the worker cannot do without.
    task<void> watch() {
        for (;;) {
            auto alive = co_await db->ping();
            health.report("postgres", alive.has_value(), alive ? std::string() : alive.error().context);
            health.report("kafka", consumer->is_connected(), consumer->is_connected() ? "" : "no broker answers");
            co_await sleep_for(std::chrono::seconds(1));
        }
    }

    task<void> drain() {
        deadline const last = in(std::chrono::seconds(5));
        co_await work.drain();
        co_await consumer->close(last);
        co_await producer->flush(last);
    }

    runtime::health& health;
    system_clock now;
    system_random random;
    crypto::key_ring ring;
    crypto::key_ring stamps;
    std::unique_ptr<pg::database> db;
    std::unique_ptr<kafka::producer> producer;
    std::unique_ptr<kafka::consumer> consumer;
    std::unique_ptr<http::client> http;
    std::unique_ptr<google::calendar_api> api;
    std::unique_ptr<google::oauth_api> oauth;
    std::unique_ptr<account::client_directory> clients;
    std::unique_ptr<zoom::meetings_api> zoom;
    std::unique_ptr<account::zoom_directory> zoom_accounts;
    std::unique_ptr<account::token_source> tokens;
    publisher out;
    parts with;
    store::intake intake;
    scheduler work;
    intake_loop loop;
};

}  // namespace

runtime::parts make_app(asio::any_io_executor executor, runtime::health& health, settings const& with) {
    health.expect("postgres");
    health.expect("kafka");
    auto whole = std::make_shared<app>(executor, health, with);
    runtime::parts parts;
    parts.components = {{"publisher", [whole] { return whole->out.run(); }},
                        {"scheduler", [whole] { return whole->work.run(); }},
                        {"intake", [whole] { return whole->loop.run(); }},
                        {"health", [whole] { return whole->watch(); }}};
    parts.drain = [whole] { return whole->drain(); };
    parts.keep_alive = whole;
    return parts;
}

}  // namespace calbridge::worker
