#include "common/base/secret.h"

#include <openssl/crypto.h>

#include <algorithm>

namespace calbridge {

void wipe(void* data, std::size_t size) noexcept {
    if (size > 0) OPENSSL_cleanse(data, size);
}

bool secret::equals(std::string_view other) const {
    std::size_t const size = std::max(value_.size(), other.size());
    unsigned difference = value_.size() == other.size() ? 0u : 1u;
    for (std::size_t i = 0; i < size; ++i) {
        unsigned const a = i < value_.size() ? static_cast<unsigned char>(value_[i]) : 0u;
        unsigned const b = i < other.size() ? static_cast<unsigned char>(other[i]) : 0u;
        difference |= a ^ b;
    }
    return difference == 0;
}

}  // namespace calbridge
