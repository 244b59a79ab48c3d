#pragma once

#include <cstddef>

namespace calbridge::http {

// Sees to it that this process may have `wanted` descriptors open beside its usual few hundred: raises the soft limit, at most to the hard
// one. False when the hard limit is lower; then what does not fit is refused when it comes.
bool allow_descriptors(std::size_t wanted);

}  // namespace calbridge::http
