#include "beat.h"

#include "common/observe/log.h"
#include "common/observe/metrics.h"
#include "common/retry/backoff.h"

#include <algorithm>

namespace calbridge::renewer {

using namespace std::chrono_literals;

std::chrono::milliseconds rest_after(rhythm const& of, std::size_t done, int failures, double random) {
    if (failures > 0) {
        retry::policy const p{.base = std::max(of.every, std::chrono::milliseconds(250)), .cap = 1min, .floor = 100ms};
        return retry::wait(p, failures, random);
    }
    if (of.full > 0 && done >= of.full) return 0ms;
    return std::chrono::duration_cast<std::chrono::milliseconds>(of.every * (0.75 + 0.5 * random));
}

task<void> keep_beat(rhythm of, random_source& random, std::function<task<result<std::size_t>>()> step) {
    auto& done_total = metrics::get_counter("calbridge_renewer_done_total", "What the clock's loops did, by loop", {{"loop", of.name}});
    auto& failed_total =
        metrics::get_counter("calbridge_renewer_failed_total", "Steps of the clock's loops that failed, by loop", {{"loop", of.name}});
    for (int failures = 0;;) {
        auto const done = co_await step();
        if (done) {
            failures = 0;
            done_total.add(static_cast<double>(*done));
        } else {
            ++failures;
            failed_total.add();
            log::warn("loop.failed", log::with({{"loop", of.name}, {"failures", failures}}, done.error()));
        }
        co_await sleep_for(rest_after(of, done ? *done : 0, failures, random.uniform()));
    }
}

}  // namespace calbridge::renewer
