#pragma once
// Randomness as a dependency. Anything secret or unguessable comes from `random_bytes`.

#include <cstdint>
#include <span>
#include <string>

namespace calbridge {

// Fills from the operating system's generator; ends the process when it fails.
void random_bytes(std::span<std::uint8_t> out);

class random_source {
public:
    virtual ~random_source() = default;
    // Uniform in [0, 1). For jitter, never for secrets.
    virtual double uniform() = 0;
};

class system_random final : public random_source {
public:
    double uniform() override;
};

}  // namespace calbridge
