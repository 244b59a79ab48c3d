#pragma once
// Every setting of oauth-gateway.

#include "clients/google/settings.h"

#include "common/config/config.h"
#include "common/runtime/peers.h"
#include "common/runtime/service.h"

namespace calbridge::gateway {

struct settings {
    runtime::common_settings common;
    google::google_settings google;
    std::string public_url;
    std::string address;
    std::int64_t port{};
    runtime::database_settings database;
    runtime::kafka_settings kafka;
    secret key_ring;
    secret launch_key;

    config::table declare();
};

}  // namespace calbridge::gateway
