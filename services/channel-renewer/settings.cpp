#include "settings.h"

#include "common/crypto/crypto.h"

namespace calbridge::renewer {

namespace {

std::string fault_of_keys(secret const& keys) {
    if (keys.empty()) return "";
    auto const ring = crypto::key_ring::parse(keys);
    return ring ? "" : ring.error().context;
}

}  // namespace

config::table settings::declare() {
    using namespace std::chrono_literals;
    config::table t("channel-renewer");
    common.declare(t, 9104);
    google::declare_google(t, google);
    runtime::declare_database(t, database, 6);
    runtime::declare_kafka(t, kafka);
    t.required_secret(
         {"CALBRIDGE_KEY_RING", "Keys that seal tokens: id:base64 of 32 bytes, the first is the primary, separated by commas."}, key_ring)
        .required_secret(
            {"CALBRIDGE_CHANNEL_KEYS",
             "Keys of channel tokens: id:base64 of 32 bytes, the first is the primary, separated by commas. Keep an old key 8 days."},
            channel_keys)
        .text({"CALBRIDGE_WEBHOOK_ADDRESS",
               "Public https address of webhook-ingest that Google pushes to. Empty: no channels, calendars are polled."},
              webhook_address, "", 1024)
        .duration({"CALBRIDGE_CHANNEL_LIFE", "Life asked for each push channel; Google may grant less."}, channel_life, 168h, 10s, 720h)
        .duration(
            {"CALBRIDGE_CHANNEL_RENEW_BEFORE", "How long before its end a channel is replaced; up to a sixth of it later, at random."},
            channel_renew_before, 24h, 1s, 360h)
        .duration({"CALBRIDGE_CHANNELS_EVERY", "How often channels to open, replace or stop are looked for."}, channels_every, 500ms, 20ms,
                  1min)
        .duration({"CALBRIDGE_CHANNEL_CLAIM", "How long a channel's work belongs to the process that took it; after that another may."},
                  channel_claim, 1min, 1s, 10min)
        .integer({"CALBRIDGE_CHANNELS_AT_ONCE", "Channels worked on at the same time."}, channels_at_once, 16, 1, 1000)
        .duration({"CALBRIDGE_POLL_ACTIVE", "Wait between polls of a calendar that changed lately or has no proven channel."}, poll_active,
                  2min, 1s, 1h)
        .duration({"CALBRIDGE_POLL_IDLE", "Wait between polls of a quiet calendar with a proven channel."}, poll_idle, 1h, 1s, 24h)
        .duration({"CALBRIDGE_POLLS_EVERY", "How often calendars to poll are looked for."}, polls_every, 1s, 20ms, 1min)
        .duration({"CALBRIDGE_OUTBOX_EVERY", "How often unpublished messages are looked for."}, outbox_every, 500ms, 20ms, 1min)
        .duration({"CALBRIDGE_OVERDUE_EVERY", "How often overdue work is looked for."}, overdue_every, 2s, 20ms, 5min)
        .duration({"CALBRIDGE_OVERDUE_GRACE", "How long work may be overdue before its wake-up is sent again."}, overdue_grace, 15s, 100ms,
                  10min)
        .duration({"CALBRIDGE_ORPHANS_EVERY", "How often work that something dead left behind is looked for."}, orphans_every, 5min, 100ms,
                  1h)
        .duration({"CALBRIDGE_ORPHAN_AGE", "How long work must have lain untouched to count as left behind."}, orphan_age, 30min, 1s, 24h)
        .duration({"CALBRIDGE_GRANTS_EVERY", "How often calendar lists to read and unused grants are looked for."}, grants_every, 1s, 20ms,
                  10min)
        .duration({"CALBRIDGE_RETENTION_EVERY", "How often old rows are removed."}, retention_every, 1min, 100ms, 24h)
        .duration({"CALBRIDGE_BACKLOG_EVERY", "How often the backlog is measured."}, backlog_every, 15s, 100ms, 10min)
        .duration({"CALBRIDGE_GOOGLE_CALL_TIME_MAX", "Most time one call to Google may take."}, call_time_max, 15s, 100ms, 2min);
    t.require("CALBRIDGE_KEY_RING", [this] { return fault_of_keys(key_ring); });
    t.require("CALBRIDGE_CHANNEL_KEYS", [this] { return fault_of_keys(channel_keys); });
    t.require("CALBRIDGE_WEBHOOK_ADDRESS", [this]() -> std::string {
        return webhook_address.empty() || webhook_address.starts_with("https://")
                   ? ""
                   : "must begin with https://, Google pushes to nothing else";
    });
    t.require("CALBRIDGE_CHANNEL_RENEW_BEFORE", [this]() -> std::string {
        return channel_renew_before * 2 <= channel_life ? "" : "must be at most half of CALBRIDGE_CHANNEL_LIFE";
    });
    t.require("CALBRIDGE_CHANNEL_CLAIM", [this]() -> std::string {
        return channel_claim > call_time_max * 2
                   ? ""
                   : "must be more than twice CALBRIDGE_GOOGLE_CALL_TIME_MAX, or two processes work on one channel";
    });
    return t;
}

}  // namespace calbridge::renewer
