#pragma once
// PostgreSQL, asynchronously: non-blocking libpq, pipeline mode, named prepared statements, a bounded pool,
// transactions that belong to one tenant (row-level security) or to none.

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/encoding.h"
#include "common/base/ids.h"
#include "common/base/secret.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace calbridge::pg {

// A statement with static storage, prepared once per connection under its name. Columns are listed, never `*`.
struct statement {
    char const* name;
    char const* sql;
};

// Bound parameters in order ($1, $2, …). Text takes the type PostgreSQL infers from the statement (text, jsonb, an enum), so
// write a cast where nothing says it; every other value and every array has its own type (bigint, double precision, text[] …),
// and converts as that type does. Text is refused (errc::malformed at execution) when it holds NUL or bad UTF-8.
class params {
public:
    params& add(std::string_view text);
    params& add(char const* text) { return add(std::string_view(text)); }
    params& add(std::string const& text) { return add(std::string_view(text)); }
    params& add(std::int64_t value);
    params& add(int value) { return add(static_cast<std::int64_t>(value)); }
    params& add(bool value);
    params& add(double value);
    params& add(instant value);  // timestamptz
    params& add(uuid const& value);
    params& add(bytes const& value);  // bytea
    template <class Tag> params& add(text_id<Tag> const& id) { return add(std::string_view(id.str())); }
    template <class Tag> params& add(uuid_id<Tag> const& id) { return add(id.value); }
    // An empty optional is a NULL of T's type.
    template <class T> params& add(std::optional<T> const& value) { return value ? add(*value) : add(T{}).forget_last(); }
    params& add_null();  // of the type PostgreSQL infers, as for text
    // One-dimensional arrays for unnest()/= ANY; an empty optional element is NULL.
    params& add_array(std::vector<std::optional<std::string>> const& values);  // text[]
    params& add_array(std::vector<std::string> const& values);                 // text[]
    params& add_array(std::vector<std::int64_t> const& values);                // bigint[]
    params& add_array(std::vector<uuid> const& values);                        // uuid[]
    params& add_array(std::vector<std::optional<uuid>> const& values);         // uuid[]
    params& add_array(std::vector<std::optional<instant>> const& values);      // timestamptz[]
    params& add_array(std::vector<bool> const& values);                        // boolean[]
    params& add_array(std::vector<bytes> const& values);                       // bytea[]

    struct value;  // implementation detail
    std::vector<value> const& values() const { return values_; }
    params();
    ~params();
    params(params const&);
    params(params&&) noexcept;
    params& operator=(params const&);
    params& operator=(params&&) noexcept;

private:
    params& forget_last();
    std::vector<value> values_;
};

// Rows of one result. Getters throw std::logic_error on a wrong column or NULL where not optional: a bug, not data.
class rows {
public:
    std::size_t size() const;
    bool empty() const { return size() == 0; }
    std::uint64_t affected() const;  // rows touched by INSERT/UPDATE/DELETE

    bool is_null(std::size_t row, std::size_t column) const;
    std::string_view text(std::size_t row, std::size_t column) const;  // valid while this object lives
    std::int64_t integer(std::size_t row, std::size_t column) const;
    bool boolean(std::size_t row, std::size_t column) const;
    double real(std::size_t row, std::size_t column) const;
    instant time(std::size_t row, std::size_t column) const;
    uuid id(std::size_t row, std::size_t column) const;
    bytes blob(std::size_t row, std::size_t column) const;
    std::optional<std::string> text_or_null(std::size_t row, std::size_t column) const;
    std::optional<std::int64_t> integer_or_null(std::size_t row, std::size_t column) const;
    std::optional<instant> time_or_null(std::size_t row, std::size_t column) const;
    std::optional<uuid> id_or_null(std::size_t row, std::size_t column) const;
    std::optional<bytes> blob_or_null(std::size_t row, std::size_t column) const;

    struct impl;
    explicit rows(std::shared_ptr<impl const> impl);
    rows();

private:
    std::shared_ptr<impl const> impl_;
};

// One open transaction on one pooled connection. Destroyed without commit() = rolled back.
// Errors: unavailable (connection lost: outcome of commit unknown; server read-only, shutting down or out of resources),
// conflict (40001, 40P01, 55P03), exists (23505), timed_out (statement timeout, 57014, or no answer at all), malformed (22xxx, bad
// parameter), internal (anything else). After an error only destruction is useful: every further call returns the same error.
// One call at a time; a call abandoned half-way (cancellation) costs the connection, never another borrower.
class transaction {
public:
    virtual ~transaction() = default;
    virtual task<result<rows>> query(statement const& what, params with) = 0;
    // Pipelined: all are sent in one round trip; stops at the first error.
    struct step {
        statement const* what;
        params with;
    };
    virtual task<result<std::vector<rows>>> batch(std::vector<step> steps) = 0;
    // The same with COMMIT behind the last step, in the same round trip; nothing is committed when a step fails.
    virtual task<result<std::vector<rows>>> batch_and_commit(std::vector<step> steps);
    virtual task<result<void>> commit() = 0;
};

class database {
public:
    virtual ~database() = default;
    // BEGIN with `SET LOCAL app.tenant` (sent together with the first query). Waits for a free connection at most the pool's acquire time.
    virtual task<result<std::unique_ptr<transaction>>> begin(tenant_id const& tenant) = 0;
    // Without a tenant: row-level security shows nothing; only SECURITY DEFINER functions and untenanted tables are reachable.
    virtual task<result<std::unique_ptr<transaction>>> begin_untenanted() = 0;
    // Connects when needed and runs `select 1`; for readiness.
    virtual task<result<void>> ping() = 0;
    // LISTEN on a dedicated connection. Calls `on_notify(payload)`, and `on_gap()` after every (re)connect, when messages may have
    // been missed. Returns only by cancellation; reconnects with backoff.
    virtual task<void> listen(std::string channel, std::function<void(std::string_view)> on_notify, std::function<void()> on_gap) = 0;
};

struct database_options {
    std::string conninfo;  // libpq keywords or URI without the password
    secret password;
    std::string application_name{"calbridge"};
    std::size_t connections_max{8};
    std::chrono::milliseconds acquire_time_max{2000};
    std::chrono::milliseconds statement_time_max{5000};
    std::chrono::milliseconds lock_time_max{2000};
};

std::unique_ptr<database> make_database(asio::any_io_executor executor, database_options options);

// One transaction of one statement.
task<result<rows>> run_once(database& db, tenant_id const& tenant, statement const& what, params with);
task<result<rows>> run_once_untenanted(database& db, statement const& what, params with);

}  // namespace calbridge::pg
