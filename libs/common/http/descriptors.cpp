#include "common/http/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

namespace calbridge::http {
namespace {

constexpr std::size_t others_max = 512;

}  // namespace

bool allow_descriptors(std::size_t wanted) {
    rlimit held{};
    if (::getrlimit(RLIMIT_NOFILE, &held) != 0) return false;
    rlim_t const needed = wanted + others_max;
    if (held.rlim_cur >= needed) return true;
    held.rlim_cur = std::min(needed, held.rlim_max);
    return ::setrlimit(RLIMIT_NOFILE, &held) == 0 && held.rlim_cur >= needed;
}

}  // namespace calbridge::http
