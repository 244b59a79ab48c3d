#include "own_echoes.h"

#include <algorithm>

namespace calbridge::worker {

void own_echoes::wrote(std::int64_t writes, instant now) {
    // A bulk sync writes more than can be announced within the patience; what is left out here is listed a little sooner.
    constexpr std::size_t awaited_max = 1000;
    forget_late(now);
    for (std::int64_t i = 0; i < writes && awaited_.size() < awaited_max; ++i) awaited_.push_back(now);
}

std::chrono::milliseconds own_echoes::wait(std::int64_t announced, instant now) {
    forget_late(now);
    if (awaited_.empty() || announced > static_cast<std::int64_t>(awaited_.size())) return {};
    return std::chrono::ceil<std::chrono::milliseconds>(awaited_.front() + patience_ - now);
}

void own_echoes::listed(std::int64_t announced) {
    auto const heard = std::clamp<std::int64_t>(announced, 0, static_cast<std::int64_t>(awaited_.size()));
    awaited_.erase(awaited_.begin(), awaited_.begin() + heard);
}

void own_echoes::forget_late(instant now) {
    while (!awaited_.empty() && awaited_.front() + patience_ <= now) awaited_.pop_front();
}

}  // namespace calbridge::worker
