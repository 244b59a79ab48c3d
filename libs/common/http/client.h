#pragma once
// Outgoing HTTP: keep-alive pool per origin, TLS verified, gzip, caps and a deadline on everything, no redirects.

#include "common/async/task.h"
#include "common/http/message.h"

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace calbridge::http {

struct client_request {
    std::string method{"GET"};
    std::string url;  // absolute http:// or https://; path and query already percent-encoded
    headers fields;
    std::string body;
    std::size_t answer_bytes_max{1 << 20};  // after decompression
};

class client {
public:
    virtual ~client() = default;
    // The final (non-1xx) answer, whatever its status. errc::timed_out and errc::unavailable leave the outcome unknown
    // unless `context` starts with "not sent:" (nothing of the request left this process, or it is certain the peer did not act).
    // errc::malformed: answer broke HTTP framing; errc::too_large: over answer_bytes_max.
    virtual task<result<response>> send(client_request request, deadline at) = 0;
};

struct client_options {
    std::string user_agent{"calbridge/0.1 (gzip)"};  // Google answers gzip only when the agent says so too
    std::size_t connections_per_origin_max{64};
    std::chrono::seconds idle_max{60};
    std::string ca_file;  // empty: the system's trust store
};

std::unique_ptr<client> make_client(asio::any_io_executor executor, client_options options);

}  // namespace calbridge::http
