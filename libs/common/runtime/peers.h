#pragma once
// The settings every service has for its two peers, PostgreSQL and Kafka, so that all of them use the same names and the same rules.

#include "common/config/config.h"

#include <string>
#include <vector>

namespace calbridge::runtime {

struct database_settings {
    std::string url;             // CALBRIDGE_DATABASE_URL
    secret password;             // CALBRIDGE_DATABASE_PASSWORD
    std::int64_t connections{};  // CALBRIDGE_DATABASE_CONNECTIONS, where a service lets it be set
};
struct kafka_settings {
    std::string brokers;                  // CALBRIDGE_KAFKA_BROKERS
    std::vector<std::string> properties;  // CALBRIDGE_KAFKA_PROPERTIES, each with a name, an equals sign and a value
};

// Both declare into `settings` with `target` as the place, which must outlive the table. `connections`: the default of the third setting;
// 0: the service has no such setting.
config::table& declare_database(config::table& settings, database_settings& target, std::int64_t connections = 0);
config::table& declare_kafka(config::table& settings, kafka_settings& target);

}  // namespace calbridge::runtime
