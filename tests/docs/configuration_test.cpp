// docs/configuration.md is printed from the tables the services load their settings from. UPDATE_GOLDEN=1 rewrites it.

#include "services/channel-renewer/settings.h"
#include "services/oauth-gateway/settings.h"
#include "services/sync-worker/settings.h"
#include "services/webhook-ingest/settings.h"

#include "common/testing/testing.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <set>

namespace calbridge {
namespace {

constexpr std::string_view preface = R"(# Configuration

Printed from the tables the services read (`services/*/settings.cpp`); a test fails when this page is older than they are, and
`UPDATE_GOLDEN=1 ./dev test -R docs_test` rewrites it.

- Settings are environment variables. An empty one counts as not set. `SERVICE --help` prints the service's table, `SERVICE
  --print-config` prints what the environment gives it and judges that.
- A service that finds a setting missing, out of bounds or unknown does not start: it names every fault at once, on standard
  error and in its last log line, and ends with exit code 1. Values are never repeated in a fault.
- An unknown variable that begins with `CALBRIDGE_` is a fault, so that a typing error cannot pass for a default.
- Secrets may come from a file instead: `NAME_FILE` is its path. Only secrets may, and both spellings at once are a fault.
- Durations carry their unit: `250ms`, `5s`, `2m`, `6h`, `7d`. Lists are separated by commas.
- TLS and SASL towards Kafka are librdkafka properties in `CALBRIDGE_KAFKA_PROPERTIES`, TLS towards PostgreSQL is part of
  `CALBRIDGE_DATABASE_URL` (`sslmode=verify-full sslrootcert=...`).

`calbridgectl` reads `CALBRIDGE_DATABASE_URL` and `CALBRIDGE_DATABASE_PASSWORD` (of the schema's owner), `CALBRIDGE_KAFKA_BROKERS`,
`CALBRIDGE_KAFKA_PROPERTIES` and `CALBRIDGE_KAFKA_REPLICATION`; `calbridgectl --help` tells which command needs which.

)";

// The settings structs outlive their tables, which refer to them.
struct everything {
    gateway::settings gateway_settings;
    ingest::settings ingest_settings;
    renewer::settings renewer_settings;
    worker::settings worker_settings;
    std::vector<config::table> tables{gateway_settings.declare(), ingest_settings.declare(), worker_settings.declare(),
                                      renewer_settings.declare()};
};

TEST(ConfigurationPage, IsWhatTheServicesDeclare) {
    everything const all;
    std::string page(preface);

    for (config::table const& each : all.tables) page += config::markdown(each) + "\n";
    page.pop_back();

    EXPECT_EQ(testing::golden_difference("../../docs/configuration.md", page), "");
}

TEST(ConfigurationPage, ServicesOfOneMachineDoNotTakeEachOthersPorts) {
    everything const all;
    std::set<std::string> taken;

    for (config::table const& table : all.tables)
        for (config::setting const& each : table.settings())
            if (each.name.ends_with("_PORT"))
                EXPECT_TRUE(taken.insert(each.fallback).second) << table.service() << ": " << each.name << "=" << each.fallback;

    EXPECT_GE(taken.size(), all.tables.size());
}

TEST(ConfigurationPage, ASettingIsOfOneTypeWhereverItIsRead) {
    everything const all;
    std::map<std::string, std::string> type_of;

    for (config::table const& table : all.tables)
        for (config::setting const& each : table.settings())
            EXPECT_EQ(type_of.try_emplace(each.name, each.type).first->second, each.type) << table.service() << ": " << each.name;

    EXPECT_TRUE(type_of.contains("CALBRIDGE_KEY_RING"));
}

TEST(ConfigurationPage, EverySettingSaysWhatItMeans) {
    everything const all;

    for (config::table const& table : all.tables)
        for (config::setting const& each : table.settings())
            EXPECT_TRUE(each.meaning.ends_with('.')) << table.service() << ": " << each.name;
}

}  // namespace
}  // namespace calbridge
