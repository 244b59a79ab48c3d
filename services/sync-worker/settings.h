#pragma once
// Every setting of sync-worker.

#include "clients/google/settings.h"
#include "clients/zoom/settings.h"
#include "common/config/config.h"
#include "common/crypto/crypto.h"
#include "common/runtime/peers.h"
#include "common/runtime/service.h"

namespace calbridge::worker {

struct settings {
    runtime::common_settings common;
    google::google_settings google;
    zoom::endpoints zoom;
    runtime::database_settings database;
    runtime::kafka_settings kafka;
    std::string consumer_group;
    secret key_ring;
    std::string updates_encoding;
    std::int64_t calendars_at_once{};
    std::int64_t pushes_at_once{};
    std::int64_t passes_burst{};
    std::chrono::milliseconds blocked_horizon{};
    std::chrono::milliseconds lease_life{}, call_time_max{}, sweep_every{}, backoff_base{}, backoff_cap{};

    config::table declare();
};

}  // namespace calbridge::worker
