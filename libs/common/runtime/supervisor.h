#pragma once
// Runs a service's components until a signal or a failure, and brings them down in order. Internal to this folder.

#include "common/runtime/service.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <set>

namespace calbridge::runtime {

class supervisor {
public:
    supervisor(asio::io_context& ioc, health& health, parts what, std::chrono::milliseconds drain_time_max);

    // Ends when every component has. 0: asked to stop; 2: a component failed, ended by itself, or draining failed.
    task<int> run();
    // After run(): destroys the components' objects, so that waits they still hold are cancelled and the loop can end.
    void let_go() { parts_ = {}; }
    // Empty, or the sentence for the last log line.
    std::string const& failed_component() const { return failed_component_; }
    std::string const& failure() const { return failure_; }

private:
    task<void> guard(std::string name, std::function<task<void>()> start);
    task<void> stop_on_signal();
    task<void> drain_within(deadline at);
    void begin_stop();
    void note_failure(std::string const& name, std::string reason);

    health& health_;
    parts parts_;
    std::chrono::milliseconds drain_time_max_;
    task_group components_;
    task_group watch_;
    asio::signal_set signals_;
    asio::steady_timer overdue_;
    std::multiset<std::string> running_;
    bool stopping_{false};
    std::string failed_component_;
    std::string failure_;
};

}  // namespace calbridge::runtime
