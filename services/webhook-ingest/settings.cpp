#include "settings.h"

#include "common/crypto/crypto.h"

namespace calbridge::ingest {

config::table settings::declare() {
    config::table t("webhook-ingest");
    common.declare(t, 9102);
    t.text({"CALBRIDGE_ADDRESS", "Address the public port listens on. TLS ends in front of it."}, address, "127.0.0.1", 64)
        .integer({"CALBRIDGE_PORT", "Public port for Google's pushes; 0 takes any free one and logs it."}, port, 8081, 0, 65535)
        .text({"CALBRIDGE_WEBHOOK_PATH", "Path Google's pushes come to. Everything else on the port is 404."}, path, "/webhooks/google",
              256)
        .list({"CALBRIDGE_HOSTS", "Host names requests may name, lower case, without port, separated by commas. Empty: any."}, hosts, "")
        .required_secret(
            {"CALBRIDGE_CHANNEL_KEYS",
             "Keys of channel tokens: id:base64 of 32 bytes, the first is the primary, separated by commas. Keep an old key 8 days."},
            channel_keys);
    runtime::declare_database(t, database);
    runtime::declare_kafka(t, kafka);
    t.integer({"CALBRIDGE_CONNECTIONS_MAX", "Most connections open at the same time; one more is answered 503."}, connections_max, 10000, 1,
              1000000)
        .integer({"CALBRIDGE_CHANNELS_CACHED", "Channels remembered in memory, about 700 bytes each."}, channels_max, 100000, 1, 10000000)
        .integer({"CALBRIDGE_PUSHES_IN_FLIGHT", "Pushes on their way to Kafka at the same time; one more is answered 503."}, in_flight_max,
                 20000, 1, 1000000);
    t.require("CALBRIDGE_CHANNEL_KEYS", [this]() -> std::string {
        if (channel_keys.empty()) return "";
        auto const ring = crypto::key_ring::parse(channel_keys);
        return ring ? "" : ring.error().context;
    });
    t.require("CALBRIDGE_WEBHOOK_PATH", [this]() -> std::string {
        bool const plain =
            path.starts_with('/') && path.find_first_of("?#%\\ ") == std::string::npos && path.find("/.") == std::string::npos;
        return plain ? "" : "must start with / and hold no query, fragment, escape or dot segment";
    });
    return t;
}

}  // namespace calbridge::ingest
