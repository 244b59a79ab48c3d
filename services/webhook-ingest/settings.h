#pragma once
// Every setting of webhook-ingest.

#include "common/config/config.h"
#include "common/runtime/peers.h"
#include "common/runtime/service.h"

namespace calbridge::ingest {

struct settings {
    runtime::common_settings common;
    std::string address;
    std::int64_t port{};
    std::string path;
    std::vector<std::string> hosts;
    secret channel_keys;
    runtime::database_settings database;
    runtime::kafka_settings kafka;
    std::int64_t connections_max{}, channels_max{}, in_flight_max{};

    config::table declare();
};

}  // namespace calbridge::ingest
