#pragma once
// One session with PostgreSQL, always in pipeline mode. Inside this folder only.

#include "common/pg/database.h"
#include "common/pg/pq_conninfo.h"
#include "common/pg/pq_socket.h"

#include <unordered_set>

struct pg_conn;    // libpq's PGconn
struct pg_result;  // libpq's PGresult

namespace calbridge::pg {

// A statement as it is prepared on each connection that uses it: name and parameter types are part of its identity.
struct prepared {
    std::string name;
    std::string sql;
    std::vector<std::uint32_t> types;
};

// One element of a pipeline. Both pointers outlive the run.
struct command {
    prepared const* what;
    params const* with;
};

enum class session { idle, in_transaction, unusable };

class pq_connection {
public:
    // errc::unavailable when no server took us in time.
    static task<result<std::unique_ptr<pq_connection>>> open(asio::any_io_executor executor, keywords pairs, deadline at);
    ~pq_connection();

    // Sends all in one pipeline, preparing what this connection has not seen, and returns one `rows` per command or the first
    // error. Abandoned or failed half-way, the connection is unusable. errc::timed_out when the server is silent for `longest`: each
    // statement has the server's own limit, so a sound one is not.
    using patience = std::chrono::milliseconds;
    task<result<std::vector<rows>>> run(std::vector<command> commands, patience longest);

    // Where the session stands, as far as we know. `unusable` says: close it.
    session standing() const;
    // Makes it unusable: something about the session is not as it must be.
    void distrust() { broken_ = true; }
    // Sends ROLLBACK without waiting; the answer is read by the next run(). False when it could not be handed to the kernel.
    bool send_rollback();
    // False when the server has hung up meanwhile.
    bool is_alive();

    // Completes when a notification is there (or the server spoke of something else), or at `at`. False: connection lost.
    task<bool> wait_for_input(deadline at);
    // Payload of the next notification.
    std::optional<std::string> next_notification();

private:
    explicit pq_connection(asio::any_io_executor executor);
    task<result<void>> connect(keywords pairs, deadline at);
    task<result<void>> flush(patience longest);
    task<result<pg_result*>> next_result(patience longest);
    bool queue(command const& c, bool& prepares);
    error lost(std::string_view during);
    error report(pg_result const* failure, std::string const& statement);

    pg_conn* conn_{nullptr};
    pq_socket socket_;
    std::unordered_set<prepared const*> known_;
    bool busy_{false};  // a pipeline is on its way
    bool broken_{false};
    bool rollback_pending_{false};
};

}  // namespace calbridge::pg
