#pragma once
// The two kinds of absolute URL this process calls. Pure. Internal to this folder.

#include "common/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace calbridge::http {

struct target_url {
    bool tls{false};
    std::string host;  // lower case, an IPv6 address without brackets
    std::uint16_t port{0};
    std::string authority;  // for the Host header
    std::string target;     // origin form
    std::string origin() const { return (tls ? "https://" : "http://") + authority; }
};

// http:// or https://, no user info, no fragment, visible ASCII only; errc::malformed otherwise.
result<target_url> parse_url(std::string_view text);

}  // namespace calbridge::http
