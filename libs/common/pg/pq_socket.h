#pragma once
// Readiness of a socket that libpq owns. Inside this folder only.

#include "common/async/task.h"

#include <memory>

namespace calbridge::pg {

enum class wait_for { readable, writable, either };

// Watches a descriptor without ever closing it: let_go() before libpq closes it.
class pq_socket {
public:
    explicit pq_socket(asio::any_io_executor executor);
    ~pq_socket();
    pq_socket(pq_socket const&) = delete;
    pq_socket& operator=(pq_socket const&) = delete;

    void watch(int descriptor);
    void let_go();
    // True when ready, false when `at` came first. Throws operation_aborted when the coroutine is cancelled. One waiter at a time.
    task<bool> wait(wait_for what, deadline at);

private:
    struct state;
    std::shared_ptr<state> state_;
};

}  // namespace calbridge::pg
