#include "settings.h"

#include "common/crypto/crypto.h"

namespace calbridge::gateway {

config::table settings::declare() {
    config::table t("oauth-gateway");
    common.declare(t, 9101);
    google::declare_google(t, google);
    t.required_url(
         {"CALBRIDGE_PUBLIC_URL", "Where browsers reach this service: scheme and host, without a path. With https, cookies are Secure."},
         public_url)
        .text({"CALBRIDGE_ADDRESS", "Address the public port listens on. TLS ends in front of it."}, address, "127.0.0.1", 64)
        .integer({"CALBRIDGE_PORT", "Public port for browsers and API callers; 0 takes any free one and logs it."}, port, 8080, 0, 65535);
    runtime::declare_database(t, database);
    runtime::declare_kafka(t, kafka);
    t.required_secret({"CALBRIDGE_KEY_RING",
                       "Keys that seal tokens and sessions: id:base64 of 32 bytes, the first is the primary, separated by commas."},
                      key_ring)
        .required_secret({"CALBRIDGE_LAUNCH_KEY", "Shared with the CRM: signs launch links and API tokens (JWT HS256). At least 32 bytes."},
                         launch_key);
    t.require("CALBRIDGE_KEY_RING", [this]() -> std::string {
        if (key_ring.empty()) return "";
        auto const ring = crypto::key_ring::parse(key_ring);
        return ring ? "" : ring.error().context;
    });
    t.require("CALBRIDGE_LAUNCH_KEY", [this]() -> std::string {
        return launch_key.empty() || launch_key.reveal().size() >= 32 ? "" : "must be at least 32 bytes long";
    });
    t.require("CALBRIDGE_PUBLIC_URL", [this]() -> std::string {
        auto const host = public_url.find("://");
        bool const bare = host == std::string::npos || public_url.find_first_of("/?", host + 3) == std::string::npos;
        return bare ? "" : "must not have a path or query";
    });
    return t;
}

}  // namespace calbridge::gateway
