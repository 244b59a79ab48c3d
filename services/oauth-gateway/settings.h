#pragma once
// Every setting of oauth-gateway.

#include "clients/google/settings.h"

#include "common/config/config.h"
#include "common/runtime/service.h"

namespace calbridge::gateway {

struct settings {
    runtime::common_settings common;
    google::google_settings google;
    std::string public_url;
    std::string address;
    std::int64_t port{};
    std::string database_url;
    secret database_password;
    std::string kafka_brokers;
    std::vector<std::string> kafka_properties;
    secret key_ring;
    secret launch_key;

    config::table declare();
};

}  // namespace calbridge::gateway
