#pragma once
// What every service's main shares: settings, logging, the private port (/livez, /readyz, /metrics), signals, drain, exit codes.

#include "common/async/task.h"
#include "common/config/config.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace calbridge::runtime {

// Named checks behind /readyz. A check is green when its last report was ok; a component reports whenever it knows better.
// Each change of colour is logged once. Same thread as the components.
class health {
public:
    void expect(std::string const& check);  // red until reported
    void report(std::string const& check, bool ok, std::string detail = {});
    void drain();  // readiness red for good
    bool ready() const;
    struct line {
        std::string check;
        bool ok;
        std::string detail;
    };
    std::vector<line> lines() const;

private:
    std::vector<line> lines_;
    bool draining_{false};
};

struct common_settings {
    std::string log_level;
    std::string private_address;
    std::int64_t private_port{};
    std::string instance_id;  // stable per replica (pod name): Kafka static membership, lease owner
    std::chrono::milliseconds drain_time_max{};
    bool core_dumps{};  // off: no core files, no debugger, /proc closed to others
    // Adds the settings above to the service's own table.
    void declare(config::table& t, std::int64_t default_private_port);
};

class component {
public:
    virtual ~component() = default;
    virtual task<void> run() = 0;  // ends on cancellation
};

struct parts {
    // Started in order, cancelled together; the one that dies is named in the last log line.
    std::vector<std::pair<std::string, std::function<task<void>()>>> components;
    // Runs after readiness went red and before the components are cancelled (bounded by drain_time_max).
    std::function<task<void>()> drain;
    std::shared_ptr<void> keep_alive;  // owns what the components refer to
};

// Loads settings (exit code 1 and every fault named when wrong; `--print-config`, `--version`, `--help` answered), starts logging, runs
// until SIGTERM/SIGINT or a component fails. Returns the exit code: 0 asked to stop, 1 bad settings, 2 unexpected failure. On a signal:
// readiness red, drain hook (at most drain_time_max), components cancelled and joined; 1.5 * drain_time_max after the signal, or on a
// second signal, the process ends with code 2. `also_known` are settings of neighbours that share this environment.
int service_main(int argc, char** argv, config::table& settings, common_settings& common,
                 std::function<parts(asio::any_io_executor, health&)> make, std::vector<std::string> const& also_known = {});

}  // namespace calbridge::runtime
