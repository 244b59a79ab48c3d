#include "settings.h"

namespace calbridge::worker {

config::table settings::declare() {
    using namespace std::chrono_literals;
    config::table t("sync-worker");
    common.declare(t, 9103);
    google::declare_google(t, google);
    zoom::declare_zoom(t, zoom);
    runtime::declare_database(t, database, 8);
    runtime::declare_kafka(t, kafka);
    t.text({"CALBRIDGE_CONSUMER_GROUP", "Kafka consumer group of all sync-workers."}, consumer_group, "calbridge-sync-worker", 120)
        .required_secret({"CALBRIDGE_KEY_RING",
                          "Keys that seal tokens and sign stamps: id:base64 of 32 bytes, the first is the primary, separated by commas."},
                         key_ring)
        .text({"CALBRIDGE_TASK_UPDATES_ENCODING", "How task-updates are written: json or protobuf."}, updates_encoding, "json", 8)
        .integer({"CALBRIDGE_CALENDARS_AT_ONCE", "Calendars worked on at the same time."}, calendars_at_once, 64, 1, 10000)
        .integer({"CALBRIDGE_PUSHES_AT_ONCE", "Tasks of one calendar sent to Google at the same time."}, pushes_at_once, 8, 1, 100)
        .integer({"CALBRIDGE_PASSES_BURST", "Listings of one calendar that may follow each other at once; after that one a second."},
                 passes_burst, 2, 1, 100)
        .duration({"CALBRIDGE_BLOCKED_HORIZON", "How far ahead the busy times of recurring events are worked out."}, blocked_horizon, 2160h, 48h,
                  17520h)
        .duration({"CALBRIDGE_LEASE_LIFE", "Life of a calendar's lease; it is renewed while there is work."}, lease_life, 30s, 5s, 10min)
        .duration({"CALBRIDGE_GOOGLE_CALL_TIME_MAX", "Most time one call to Google may take."}, call_time_max, 20s, 100ms, 2min)
        .duration({"CALBRIDGE_SWEEP_EVERY", "How often PostgreSQL is asked for due work whose wake-up was lost."}, sweep_every, 5s, 50ms,
                  10min)
        .duration({"CALBRIDGE_BACKOFF_BASE", "First wait after a failed call; doubles, with full jitter."}, backoff_base, 2s, 10ms, 1min)
        .duration({"CALBRIDGE_BACKOFF_CAP", "Longest wait between tries."}, backoff_cap, 5min, 100ms, 1h);
    t.require("CALBRIDGE_TASK_UPDATES_ENCODING",
              [this] { return updates_encoding == "json" || updates_encoding == "protobuf" ? "" : "must be json or protobuf"; });
    t.require("CALBRIDGE_KEY_RING", [this]() -> std::string {
        if (key_ring.empty()) return "";
        auto ring = crypto::key_ring::parse(key_ring);
        return ring ? "" : ring.error().context;
    });
    return t;
}

}  // namespace calbridge::worker
