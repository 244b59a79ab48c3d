#include "common/runtime/service.h"

#include <algorithm>
#include <array>
#include <unistd.h>

namespace calbridge::runtime {

namespace {

bool is_level(std::string_view text) { return text == "debug" || text == "info" || text == "warn" || text == "error"; }

bool is_instance_id(std::string_view text) {
    return text.size() <= 128 && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\'; });
}

// A pod's host name is its name; on one machine the services still differ.
std::string default_instance_id(std::string const& service) {
    std::array<char, 256> host{};
    if (::gethostname(host.data(), host.size() - 1) != 0) return service;
    return service + "-" + host.data();
}

}  // namespace

void common_settings::declare(config::table& t, std::int64_t default_private_port) {
    using std::chrono::milliseconds;
    t.text({"CALBRIDGE_LOG_LEVEL", "Least severe lines written: debug, info, warn or error."}, log_level, "info", 5)
        .text({"CALBRIDGE_PRIVATE_ADDRESS", "Address of the private port (/livez, /readyz, /metrics). Never expose it to the internet."},
              private_address, "127.0.0.1", 64)
        .integer({"CALBRIDGE_PRIVATE_PORT", "The private port; 0 takes any free one and logs it."}, private_port, default_private_port, 0,
                 65535)
        .text({"CALBRIDGE_INSTANCE_ID",
               "Name of this replica, stable over restarts and different for each (a pod's name). Default: service and host name."},
              instance_id, "", 128)
        .duration({"CALBRIDGE_DRAIN_TIME_MAX",
                   "Time for finishing work after SIGTERM. Half as long again and the process ends whatever happens; "
                   "keep that below the platform's grace period."},
                  drain_time_max, milliseconds(20000), milliseconds(10), milliseconds(600000))
        .boolean({"CALBRIDGE_CORE_DUMPS", "Allow core dumps and debuggers. A dump holds secrets in the clear."}, core_dumps, false);
    t.require("CALBRIDGE_LOG_LEVEL", [this] { return is_level(log_level) ? "" : "must be debug, info, warn or error"; });
    t.require("CALBRIDGE_INSTANCE_ID", [this, service = t.service()] {
        if (instance_id.empty()) instance_id = default_instance_id(service);
        return is_instance_id(instance_id) ? "" : "must be printable ASCII without blanks, quotes and backslashes";
    });
}

}  // namespace calbridge::runtime
