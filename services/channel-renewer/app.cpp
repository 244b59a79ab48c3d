#include "app.h"

#include "beat.h"
#include "channel_keeper.h"
#include "rounds.h"

#include "domain/channel_token.h"
#include "wire/topics.h"

#include "common/kafka/identity.h"
#include "common/observe/log.h"

namespace calbridge::renewer {

using namespace std::chrono_literals;

namespace {

struct app {
    app(asio::any_io_executor on, runtime::health& health_of, settings const& given)
        : executor(on), health(health_of), with(given), ring(crypto::key_ring::parse(given.key_ring).value()),
          token_keys(crypto::key_ring::parse(given.channel_keys).value().for_purpose(domain::channel_token_purpose)),
          db(pg::make_database(on, database(given))), producer(kafka::make_producer(on, producing(given))), http(http::make_client(on, {})),
          api(google::make_calendar_api(*http, given.google.where(), now)), oauth(google::make_oauth_api(*http, given.google.where(), now)),
          clients(account::make_client_directory(*db, ring, given.google.client())),
          tokens(account::make_token_source(*db, *oauth, *clients, ring, now, {})),
          keeper(on, {*db, *api, *tokens, *producer, token_keys, now, random, given.webhook_address}, channels(given)),
          parts{*db, *producer, *api, *tokens, now, random}, leaving{*db, *api, *oauth, *clients, ring, now},
          within{given.poll_active, given.poll_idle, given.overdue_grace, given.call_time_max, given.orphan_age} {}

    static pg::database_options database(settings const& s) {
        pg::database_options o;
        o.conninfo = s.database.url;
        o.password = s.database.password;
        o.application_name = "calbridge-channel-renewer";
        o.connections_max = static_cast<std::size_t>(s.database.connections);
        return o;
    }
    static void connect(kafka::client_options& o, settings const& s) {
        kafka::identify(o, s.kafka.brokers, "channel-renewer", s.kafka.properties);
    }
    static kafka::producer_options producing(settings const& s) {
        kafka::producer_options o;
        connect(o, s);
        // A sweep that cannot publish gives up soon; the rows stay.
        o.delivery_time_max = 20s;
        return o;
    }
    static channel_limits channels(settings const& s) {
        return {.life = s.channel_life,
                .renew_before = s.channel_renew_before,
                .claim = s.channel_claim,
                .every = s.channels_every,
                .call_time_max = s.call_time_max,
                .at_once = static_cast<int>(s.channels_at_once)};
    }

    task<void> watch_database() {
        for (;;) {
            auto const alive = co_await db->ping();
            health.report("postgres", alive.has_value(), alive ? std::string() : alive.error().context);
            co_await sleep_for(1s);
        }
    }
    task<void> watch_kafka() {
        for (;;) {
            kafka::client_options options;
            connect(options, with);
            deadline const at = in(5s);
            auto const topic = co_await kafka::partition_count(executor, std::move(options), std::string(wire::topic_calendar_changed), at);
            health.report("kafka", topic.has_value(), topic ? std::string() : topic.error().context);
            co_await sleep_for(topic ? 10s : 1s);
        }
    }
    task<void> watch_channels() {
        if (with.webhook_address.empty()) {
            log::warn("channels.off", {{"reason", "CALBRIDGE_WEBHOOK_ADDRESS is empty: calendars are polled"}});
            for (;;) co_await sleep_for(1h);
        }
        co_await keeper.run();
    }
    task<void> beat(std::string name, std::chrono::milliseconds every, int full, std::function<task<result<std::size_t>>()> step) {
        rhythm of{.name = std::move(name), .every = every, .full = static_cast<std::size_t>(full)};
        co_await keep_beat(std::move(of), random, std::move(step));
    }

    task<void> drain() {
        co_await keeper.drain();
        deadline const last = in(5s);
        co_await producer->flush(last);
    }

    asio::any_io_executor executor;
    runtime::health& health;
    settings const& with;
    system_clock now;
    system_random random;
    crypto::key_ring ring, token_keys;
    std::unique_ptr<pg::database> db;
    std::unique_ptr<kafka::producer> producer;
    std::unique_ptr<http::client> http;
    std::unique_ptr<google::calendar_api> api;
    std::unique_ptr<google::oauth_api> oauth;
    std::unique_ptr<account::client_directory> clients;
    std::unique_ptr<account::token_source> tokens;
    channel_keeper keeper;
    round_parts parts;
    account::leave_parts leaving;
    round_limits within;
};

}  // namespace

runtime::parts make_app(asio::any_io_executor executor, runtime::health& health, settings const& with) {
    health.expect("postgres");
    health.expect("kafka");
    auto const whole = std::make_shared<app>(executor, health, with);
    runtime::parts parts;
    auto const add = [&](std::string name, std::chrono::milliseconds every, int full, std::function<task<result<std::size_t>>()> step) {
        parts.components.emplace_back(name,
                                      [whole, name, every, full, step = std::move(step)] { return whole->beat(name, every, full, step); });
    };
    parts.components.emplace_back("postgres", [whole] { return whole->watch_database(); });
    parts.components.emplace_back("kafka", [whole] { return whole->watch_kafka(); });
    parts.components.emplace_back("channels", [whole] { return whole->watch_channels(); });
    app* const a = whole.get();
    add("polls", with.polls_every, polls_at_once, [a] { return poll_round(a->parts, a->within); });
    add("outbox", with.outbox_every, messages_at_once, [a] { return outbox_round(a->parts); });
    add("overdue", with.overdue_every, wakeups_at_once, [a] { return overdue_round(a->parts, a->within); });
    add("discovery", with.grants_every, grants_at_once, [a] { return discovery_round(a->parts, a->within); });
    add("orphans", with.orphans_every, orphans_at_once, [a] { return orphan_round(a->parts, a->within); });
    add("departures", with.grants_every, grants_at_once, [a] { return departure_round(a->parts, a->leaving, a->within); });
    add("idle-grants", with.grants_every, grants_at_once, [a] { return idle_grant_round(a->parts); });
    add("retention", with.retention_every, removed_at_once, [a] { return retention_round(a->parts); });
    add("backlog", with.backlog_every, 0, [a] { return backlog_round(a->parts); });
    parts.drain = [whole] { return whole->drain(); };
    parts.keep_alive = whole;
    return parts;
}

}  // namespace calbridge::renewer
