#pragma once
// The port operators and the platform look at: /livez, /readyz, /metrics. Internal to this folder.

#include "common/http/server.h"
#include "common/runtime/service.h"

namespace calbridge::runtime {

// `health` must outlive the routes.
std::vector<http::route> private_routes(health const& health, std::string const& service);
// Throws when the address cannot be bound.
std::unique_ptr<http::server> make_private_server(asio::any_io_executor executor, common_settings const& common, health const& health,
                                                  std::string const& service);

}  // namespace calbridge::runtime
