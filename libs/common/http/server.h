#pragma once
// Incoming HTTP/1.1 behind a strict request gate (RFC 9112): one Host, one Content-Length, no odd
// Transfer-Encoding, no trailers, no folding, caps and deadlines on everything, closed after errors.

#include "common/async/task.h"
#include "common/http/message.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace calbridge::http {

struct server_request {
    std::string method;
    std::string target;  // origin form as received
    std::string path;    // before '?', not decoded
    std::string query;   // after '?', not decoded
    headers fields;
    std::string body;
    std::string peer;                                              // address of the TCP peer
    std::string request_id;                                        // from X-Request-Id when well-formed, else made here
    std::vector<std::pair<std::string, std::string>> path_params;  // decoded {name} segments of the route
    std::string_view param(std::string_view name) const;
};

using handler = std::function<task<response>(server_request const&)>;

struct route {
    std::string method;   // "GET", "POST", …
    std::string pattern;  // "/settings/calendar/connect/{integration}"; a last segment "{rest*}" takes the whole remainder
    handler handle;
    std::size_t body_bytes_max{64 * 1024};
};

struct server_options {
    std::string address{"127.0.0.1"};
    std::uint16_t port{0};           // 0: any free port, see server::port()
    std::vector<std::string> hosts;  // allowed Host values (without port); empty: any
    std::size_t connections_max{10000};
    std::chrono::seconds header_time_max{5};
    std::chrono::seconds total_time_max{30};
    std::chrono::seconds idle_max{75};
    std::size_t requests_per_connection_max{10000};
    headers always;  // added to every answer (security headers)
};

class server {
public:
    virtual ~server() = default;
    // Accepts until cancelled, then drains: open requests finish (bounded by total_time_max), idle connections close.
    // Throws at start when the address cannot be bound.
    virtual task<void> run() = 0;
    // Valid after construction (the socket is bound there).
    virtual std::uint16_t port() const = 0;
};

// Unknown path: uniform 404 problem; known path, other method: 405 with Allow. A handler's exception: 500 with the request id, logged.
std::unique_ptr<server> make_server(asio::any_io_executor executor, server_options options, std::vector<route> routes);

}  // namespace calbridge::http
