#include "commands.h"

#include "migrate.h"

#include "common/async/task.h"
#include "common/base/random.h"
#include "common/kafka/identity.h"
#include "common/kafka/kafka.h"
#include "common/runtime/peers.h"
#include "wire/topics.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <array>
#include <ostream>

namespace calbridge::ctl {

namespace {

constexpr std::string_view help =
    "usage: calbridgectl COMMAND\n"
    "\n"
    "  migrate [--plan]    brings the database up to this version's schema; --plan only says what would be done\n"
    "  topics apply        creates the Kafka topics that are missing and names what differs in the others\n"
    "  keys new [ID]       prints a fresh key for CALBRIDGE_KEY_RING or CALBRIDGE_CHANNEL_KEYS (ID: up to 8 of a-z 0-9, default k1)\n"
    "\n"
    "settings (environment):\n"
    "  CALBRIDGE_DATABASE_URL        libpq connection string of the schema's owner, without the password (migrate)\n"
    "  CALBRIDGE_DATABASE_PASSWORD   its password, or CALBRIDGE_DATABASE_PASSWORD_FILE (migrate)\n"
    "  CALBRIDGE_KAFKA_BROKERS       host:port, separated by commas (topics)\n"
    "  CALBRIDGE_KAFKA_PROPERTIES    further librdkafka properties, name=value, separated by commas (topics)\n"
    "  CALBRIDGE_KAFKA_REPLICATION   replicas of each new topic, default 1 (topics)\n"
    "\n"
    "exit codes: 0 done, 1 wrong usage or settings, 2 it failed\n";

int refuse(surroundings const& with, std::string const& what) {
    with.err << "calbridgectl: " << what << "\ntry: calbridgectl --help\n";
    return wrong_usage;
}

// The worker waits for at most two weeks of task-changed; a hint older than a week has long been overtaken by a poll.
constexpr std::string_view two_weeks = "1209600000", one_week = "604800000", thirty_days = "2592000000";

kafka::topic_spec topic(std::string_view name, int partitions, std::int64_t replication, std::string_view retention_ms) {
    return {.name = std::string(name),
            .partitions = partitions,
            .replication = static_cast<int>(replication),
            .config = {{"cleanup.policy", "delete"},
                       {"retention.ms", std::string(retention_ms)},
                       {"min.insync.replicas", replication > 2 ? "2" : "1"}}};
}

task<void> apply_topics(asio::any_io_executor executor, kafka::client_options options, std::vector<kafka::topic_spec> topics,
                        result<std::vector<std::string>>& answer) {
    answer = co_await kafka::ensure_topics(executor, std::move(options), std::move(topics));
}

}  // namespace

bool load_settings(config::table const& settings, surroundings const& with) {
    std::vector<std::string> theirs;
    for (auto const& [name, value] : with.env) {
        if (name.starts_with("CALBRIDGE_")) theirs.push_back(name);
    }
    auto const loaded = config::load(settings, with.env, theirs);
    if (!loaded) with.err << "calbridgectl: " << loaded.error().context << '\n';
    return loaded.has_value();
}

int migrate_command(std::vector<std::string> const& arguments, surroundings const& with) {
    migrate_options options;
    for (std::string const& each : arguments) {
        if (each != "--plan") return refuse(with, "migrate does not know '" + each + "'");
        options.plan_only = true;
    }
    std::string url;
    secret password;
    config::table settings("calbridgectl");
    settings.required_text({"CALBRIDGE_DATABASE_URL", "libpq connection string of the schema's owner, without the password."}, url)
        .optional_secret({"CALBRIDGE_DATABASE_PASSWORD", "Its password."}, password);
    if (!load_settings(settings, with)) return wrong_usage;
    auto session = pg::open_script_session(url, password, "calbridgectl");
    if (!session) {
        with.err << "calbridgectl: CALBRIDGE_DATABASE_URL: " << session.error().context << '\n';
        return session.error().code == errc::malformed ? wrong_usage : failed;
    }
    auto const migrated = migrate(**session, embedded_migrations(), options, [&](std::string const& line) { with.out << line << '\n'; });
    if (migrated) return done;
    with.err << "calbridgectl: " << migrated.error().context << '\n';
    return failed;
}

int topics_command(std::vector<std::string> const& arguments, surroundings const& with) {
    if (arguments != std::vector<std::string>{"apply"}) return refuse(with, "topics has one command: apply");
    kafka::client_options options;
    runtime::kafka_settings kafka;
    std::int64_t replication{};
    config::table settings("calbridgectl");
    runtime::declare_kafka(settings, kafka).integer({"CALBRIDGE_KAFKA_REPLICATION", "Replicas of each new topic."}, replication, 1, 1, 9);
    if (!load_settings(settings, with)) return wrong_usage;
    kafka::identify(options, kafka.brokers, "calbridgectl", kafka.properties);
    std::vector<kafka::topic_spec> topics{
        topic(wire::topic_task_changed, 6, replication, two_weeks), topic(wire::topic_calendar_changed, 6, replication, one_week),
        topic(wire::topic_task_updates, 6, replication, two_weeks), topic(wire::topic_sync_alerts, 1, replication, thirty_days)};
    asio::io_context ioc(1);
    result<std::vector<std::string>> answer = fail(errc::internal, "the topics were not looked at");
    std::exception_ptr bug;
    asio::co_spawn(ioc, apply_topics(ioc.get_executor(), std::move(options), std::move(topics), answer),
                   [&](std::exception_ptr e) { bug = e; });
    ioc.run();
    if (bug) std::rethrow_exception(bug);
    if (!answer) {
        with.err << "calbridgectl: Kafka at CALBRIDGE_KAFKA_BROKERS: " << answer.error().context << '\n';
        return failed;
    }
    for (std::string const& line : *answer) with.out << line << '\n';
    if (answer->empty()) with.out << "the topics are as they should be\n";
    return done;
}

int keys_command(std::vector<std::string> const& arguments, surroundings const& with) {
    if (arguments.empty() || arguments.front() != "new" || arguments.size() > 2) return refuse(with, "keys has one command: new [ID]");
    std::string const id = arguments.size() == 2 ? arguments[1] : "k1";
    bool const spelled =
        !id.empty() && id.size() <= 8 && std::ranges::all_of(id, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
    if (!spelled) return refuse(with, "a key's id has 1 to 8 of a-z 0-9");
    std::array<std::uint8_t, 32> key{};
    random_bytes(key);
    // The one secret this program prints, because that is what it was asked for.
    with.out << id << ':' << base64(key) << '\n';
    wipe(key.data(), key.size());
    return done;
}

int run_command(std::vector<std::string> const& arguments, surroundings const& with) {
    if (arguments.empty()) return refuse(with, "no command given");
    for (std::string const& each : arguments) {
        if (each == "--help" || each == "-h") {
            with.out << help;
            return done;
        }
    }
    if (arguments.front() == "--version") {
        with.out << "calbridgectl " << CALBRIDGE_VERSION << '\n';
        return done;
    }
    std::vector<std::string> const rest(arguments.begin() + 1, arguments.end());
    if (arguments.front() == "migrate") return migrate_command(rest, with);
    if (arguments.front() == "topics") return topics_command(rest, with);
    if (arguments.front() == "keys") return keys_command(rest, with);
    return refuse(with, "unknown command '" + arguments.front() + "'");
}

}  // namespace calbridge::ctl
