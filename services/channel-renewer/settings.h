#pragma once

#include "clients/google/settings.h"

#include "common/runtime/peers.h"
#include "common/runtime/service.h"

#include <chrono>
#include <string>
#include <vector>

namespace calbridge::renewer {

struct settings {
    runtime::common_settings common;
    google::google_settings google;
    runtime::database_settings database;
    runtime::kafka_settings kafka;
    secret key_ring, channel_keys;
    std::string webhook_address;
    std::chrono::milliseconds channel_life{}, channel_renew_before{}, channels_every{}, channel_claim{};
    std::int64_t channels_at_once{};
    std::chrono::milliseconds poll_active{}, poll_idle{}, polls_every{};
    std::chrono::milliseconds outbox_every{}, overdue_every{}, overdue_grace{}, grants_every{}, retention_every{}, backlog_every{};
    std::chrono::milliseconds orphans_every{}, orphan_age{}, call_time_max{};

    // The table assigns to this object, which must outlive it.
    config::table declare();
};

}  // namespace calbridge::renewer
