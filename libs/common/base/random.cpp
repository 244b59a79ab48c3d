#include "common/base/random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace calbridge {

void random_bytes(std::span<std::uint8_t> out) {
    while (!out.empty()) {
        auto const got = ::getrandom(out.data(), out.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            std::fputs("calbridge: the operating system's random source failed\n", stderr);
            std::abort();
        }
        out = out.subspan(static_cast<std::size_t>(got));
    }
}

double system_random::uniform() {
    std::uint64_t bits = 0;
    random_bytes({reinterpret_cast<std::uint8_t*>(&bits), sizeof bits});
    return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

}  // namespace calbridge
