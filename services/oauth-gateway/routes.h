#pragma once
// Every route of the public port, and the headers of every answer.

#include "deps.h"

namespace calbridge::gateway {

// `d` must outlive the routes.
std::vector<http::route> routes_of(deps const& d);
// Content-Security-Policy and its like.
http::headers security_headers(deps const& d, bool https);

}  // namespace calbridge::gateway
