#pragma once
// A bounded number of sessions, lent out one borrower at a time. Inside this folder only.

#include "common/pg/pq_connection.h"

#include "common/base/random.h"
#include "common/observe/metrics.h"

#include <list>
#include <unordered_map>

namespace calbridge::pg {

class pq_pool : public std::enable_shared_from_this<pq_pool> {
public:
    pq_pool(asio::any_io_executor executor, database_options options);
    ~pq_pool();

    // A live session in no transaction (a ROLLBACK may still be on its way; run() copes). Waits in order for a free one, at most the
    // acquire time; errc::unavailable then, or as soon as it is clear that no connection can come in time.
    task<result<std::unique_ptr<pq_connection>>> acquire();
    // Takes any session back: idle ones are kept, open transactions rolled back, everything else closed.
    void give_back(std::unique_ptr<pq_connection> returned);
    // The same statement under the same name for the whole process; std::logic_error when one name stands for two statements.
    prepared const* prepare(statement const& what, params const& with);

    database_options const& options() const { return options_; }
    asio::any_io_executor const& executor() const { return executor_; }

private:
    struct waiter;
    struct connecting;

    std::unique_ptr<pq_connection> take_idle();
    bool may_connect() const;
    task<result<std::unique_ptr<pq_connection>>> connect(deadline at);
    void note_connected();
    void note_failure(error const& e);
    void close(std::unique_ptr<pq_connection> unwanted);
    void wake_first();
    error unavailable() const;

    asio::any_io_executor executor_;
    database_options options_;
    std::vector<std::unique_ptr<pq_connection>> idle_;
    std::size_t open_{0};  // lent, idle and being opened
    std::size_t connecting_{0};
    std::list<waiter*> waiters_;
    int failures_{0};
    deadline retry_at_{};
    error last_failure_;
    system_random random_;
    std::unordered_map<std::string, std::string> sql_by_name_;
    std::unordered_map<std::string, prepared> prepared_;
    metrics::gauge& open_gauge_;
    metrics::counter& connect_failures_;
    metrics::counter& acquire_failures_;
};

}  // namespace calbridge::pg
