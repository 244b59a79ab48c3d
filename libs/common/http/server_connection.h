#pragma once
// One accepted connection from its first byte to its close. Internal to this folder.

#include "common/http/gate.h"
#include "common/http/reply.h"
#include "common/http/routes.h"
#include "common/http/server.h"
#include "common/http/socket_watch.h"

#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <string>

namespace calbridge::http {

// What all connections of one server share.
struct server_shared {
    server_options options;
    route_table routes;
    gate_rules rules;
    socket_watch::list watched;
    bool draining{false};
};

// Serves requests until the peer leaves, an error, the idle time, the request maximum, or draining. Throws only cancellation and bugs.
task<void> serve_connection(server_shared& shared, asio::ip::tcp::socket socket);

}  // namespace calbridge::http
