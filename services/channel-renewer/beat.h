#pragma once
// One loop of the clock: do a bounded step, go on at once while there is more, else rest with jitter.

#include "common/async/task.h"
#include "common/base/random.h"

#include <functional>
#include <string>

namespace calbridge::renewer {

struct rhythm {
    std::string name;
    std::chrono::milliseconds every{};
    std::size_t full{};  // a step that did this many probably left some
};

// How long to rest after a step that did `done` (`failures` steps in a row failed): pure. Full steps follow each other; failures back off
// to a minute.
std::chrono::milliseconds rest_after(rhythm const& of, std::size_t done, int failures, double random);

// Until cancelled. A step's error is logged and waited out.
task<void> keep_beat(rhythm of, random_source& random, std::function<task<result<std::size_t>>()> step);

}  // namespace calbridge::renewer
