#include "tests/bench/tool.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace calbridge::bench {

std::int64_t now_us() {
    timespec at{};
    ::clock_gettime(CLOCK_REALTIME, &at);
    return at.tv_sec * std::int64_t{1000000} + at.tv_nsec / 1000;
}

void sleep_until_us(std::int64_t at) {
    timespec const until{.tv_sec = at / 1000000, .tv_nsec = at % 1000000 * 1000};
    while (::clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, nullptr) == EINTR) {}
}

std::int64_t quantile(std::vector<std::int64_t> const& sorted, double share) {
    if (sorted.empty()) return 0;
    auto const rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
    return sorted[std::min(std::max<std::size_t>(rank, 1), sorted.size()) - 1];
}

std::string quantiles_json(std::vector<std::int64_t> samples) {
    std::ranges::sort(samples);
    return fmt::format(R"({{"p50":{},"p99":{},"max":{},"n":{}}})", quantile(samples, 0.5), quantile(samples, 0.99), quantile(samples, 1),
                       samples.size());
}

std::vector<std::int64_t> sleep_overshoots(std::size_t times) {
    std::vector<std::int64_t> out;
    out.reserve(times);
    for (std::size_t i = 0; i < times; ++i) {
        auto const due = now_us() + 1000;
        sleep_until_us(due);
        out.push_back(now_us() - due);
    }
    return out;
}

std::vector<std::int64_t> sync_times(std::string const& file, std::size_t times) {
    int const fd = ::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) throw std::runtime_error("cannot open " + file);
    std::string const block(8192, 'x');
    std::vector<std::int64_t> out;
    out.reserve(times);
    // The first one makes the file grow, which later ones do not.
    for (std::size_t i = 0; i <= times; ++i) {
        auto const began = now_us();
        bool const done = ::pwrite(fd, block.data(), block.size(), 0) == static_cast<ssize_t>(block.size()) && ::fdatasync(fd) == 0;
        if (!done) {
            ::close(fd);
            throw std::runtime_error("cannot write to " + file);
        }
        if (i > 0) out.push_back(now_us() - began);
    }
    ::close(fd);
    ::unlink(file.c_str());
    return out;
}

}  // namespace calbridge::bench
