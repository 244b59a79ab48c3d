#include "common/runtime/peers.h"

#include <algorithm>

namespace calbridge::runtime {

namespace {

// Values are not repeated: one may be a password.
std::string fault_of_properties(std::vector<std::string> const& properties) {
    auto const odd = std::ranges::find_if(properties, [](std::string const& each) {
        auto const equals = each.find('=');
        return equals == std::string::npos || equals == 0;
    });
    if (odd == properties.end()) return "";
    return "entry " + std::to_string(odd - properties.begin() + 1) + " is not name=value";
}

}  // namespace

config::table& declare_database(config::table& settings, database_settings& target, std::int64_t connections) {
    settings
        .required_text(
            {"CALBRIDGE_DATABASE_URL", "PostgreSQL connection (libpq keywords or URI) of this service's role, without the password."},
            target.url)
        .optional_secret({"CALBRIDGE_DATABASE_PASSWORD", "Password of the database role."}, target.password);
    if (connections > 0) {
        settings.integer({"CALBRIDGE_DATABASE_CONNECTIONS", "Most PostgreSQL connections of this process."}, target.connections,
                         connections, 2, 64);
    }
    return settings;
}

config::table& declare_kafka(config::table& settings, kafka_settings& target) {
    settings.required_text({"CALBRIDGE_KAFKA_BROKERS", "Kafka bootstrap servers, host:port separated by commas."}, target.brokers)
        .list({"CALBRIDGE_KAFKA_PROPERTIES", "Further librdkafka properties, name=value separated by commas (TLS, SASL)."},
              target.properties, "")
        .require("CALBRIDGE_KAFKA_PROPERTIES", [&target] { return fault_of_properties(target.properties); });
    return settings;
}

}  // namespace calbridge::runtime
