#pragma once
// Answers of the control API. Inside this folder only.

#include "tests/emulator/core.h"

namespace calbridge::emulator {

inline reply ok(bj::value body) {
    reply out;
    out.body = std::move(body);
    return out;
}
inline reply wrong(std::string_view why, int status = 400) {
    reply out;
    out.status = status;
    out.body = bj::object{{"error", why}};
    return out;
}
inline std::uint64_t since_of(params const& q) { return static_cast<std::uint64_t>(to_integer(value_of(q, "since")).value_or(0)); }

}  // namespace calbridge::emulator
