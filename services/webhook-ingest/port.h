#pragma once
// The public port: accepts connections, cuts requests out of them behind the gate, hands each to the handler, sends its answer.
//
// Serves one kind of request only and is the hot path of the service, so it does not go through http::server: the sockets
// live in an epoll set of their own, which the event loop watches as one descriptor. One wake-up serves every connection
// that became ready, a request costs one receive and one send, and nothing is allocated for it here.

#include "common/async/task.h"
#include "common/http/gate.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace calbridge::ingest {

enum class answer { ok, not_found, unavailable };

// Names one request that waits for its answer. An answer that comes late, or twice, finds nobody and is dropped.
struct ticket {
    std::uint32_t slot{};
    std::uint32_t generation{};
};

class request_handler {
public:
    virtual ~request_handler() = default;
    // The answer, or nothing: answer() will be called with this ticket. `head` is valid during the call only. The request's
    // body, if any, has been received and dropped.
    virtual std::optional<answer> on_request(http::request_head const& head, ticket whose) = 0;
    // After a batch of requests: what was put by for sending together goes now.
    virtual void on_batch_end() = 0;
};

struct port_options {
    std::string address{"127.0.0.1"};
    std::uint16_t port{0};
    std::vector<std::string> hosts;  // allowed Host values, lower case, without port; empty: any
    std::size_t connections_max{10000};
    std::size_t requests_per_connection_max{100000};
    std::size_t body_bytes_max{1024};
    std::chrono::milliseconds request_time_max{5000};  // from its first byte to its last
    std::chrono::milliseconds idle_max{75000};
};

class port {
public:
    virtual ~port() = default;
    // Serves until cancelled; then every connection is closed. Call drain() before, to let requests finish.
    virtual task<void> run() = 0;
    // Accepts no more, closes idle connections, and completes when no request waits or at the deadline.
    virtual task<void> drain(deadline at) = 0;
    virtual void send_answer(ticket whose, answer what) = 0;
    // Valid after construction (the socket is bound there; throws boost::system::system_error when it cannot be).
    virtual std::uint16_t number() const = 0;
    virtual std::size_t connections() const = 0;
};

// `handler` must outlive the port's run().
std::unique_ptr<port> make_port(asio::any_io_executor executor, port_options options, request_handler& handler);

}  // namespace calbridge::ingest
