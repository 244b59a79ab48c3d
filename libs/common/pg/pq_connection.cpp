#include "common/pg/pq_connection.h"

#include "common/pg/params_value.h"
#include "common/pg/rows_impl.h"
#include "common/pg/sqlstate.h"

#include <libpq-fe.h>

#include <poll.h>

#include <stdexcept>
#include <variant>

namespace calbridge::pg {

namespace {

// libpq's connection messages name host, port, database and user, over several lines.
std::string one_line(char const* message) {
    std::string text;
    for (char const c : std::string_view(message)) {
        if (c != '\n' && c != '\t') text += c;
        else if (!text.empty() && text.back() != ' ') text += ' ';
    }
    while (text.ends_with(' ')) text.pop_back();
    return text;
}

std::string_view field(PGresult const* from, int code) {
    char const* const text = PQresultErrorField(from, code);
    return text != nullptr ? std::string_view(text) : std::string_view();
}

}  // namespace

pq_connection::pq_connection(asio::any_io_executor executor) : socket_(std::move(executor)) {}

pq_connection::~pq_connection() {
    // The reactor must forget the descriptor before libpq closes it: the number may be somebody else's a moment later.
    socket_.let_go();
    PQfinish(conn_);
}

task<result<std::unique_ptr<pq_connection>>> pq_connection::open(asio::any_io_executor executor, keywords pairs, deadline at) {
    std::unique_ptr<pq_connection> fresh(new pq_connection(std::move(executor)));
    auto const connected = co_await fresh->connect(std::move(pairs), at);
    if (!connected) co_return connected.error();
    co_return fresh;
}

task<result<void>> pq_connection::connect(keywords pairs, deadline at) {
    auto wanted = endpoints_of(pairs);
    auto const targets = co_await resolve(std::move(wanted), at);
    if (targets.empty()) co_return fail(errc::unavailable, "connect to PostgreSQL: no host name could be resolved");
    pairs = with_endpoints(std::move(pairs), targets);
    std::vector<char const*> keys;
    std::vector<char const*> values;
    for (auto const& [key, value] : pairs) {
        keys.push_back(key.c_str());
        values.push_back(value.c_str());
    }
    keys.push_back(nullptr);
    values.push_back(nullptr);

    conn_ = PQconnectStartParams(keys.data(), values.data(), 0);
    if (conn_ == nullptr) throw std::bad_alloc();
    PQsetNoticeProcessor(conn_, [](void*, char const*) {}, nullptr);
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;
    if (PQstatus(conn_) == CONNECTION_BAD) step = PGRES_POLLING_FAILED;
    while (step != PGRES_POLLING_OK) {
        if (step == PGRES_POLLING_FAILED) co_return fail(errc::unavailable, "connect to PostgreSQL: " + one_line(PQerrorMessage(conn_)));
        // libpq may close this socket and open another under the same number at every step, so it is watched for one step only.
        socket_.watch(PQsocket(conn_));
        wait_for const direction = step == PGRES_POLLING_READING ? wait_for::readable : wait_for::writable;
        bool const ready = co_await socket_.wait(direction, at);
        socket_.let_go();
        if (!ready) co_return fail(errc::unavailable, "connect to PostgreSQL: no answer in time");
        step = PQconnectPoll(conn_);
    }
    if (PQsetnonblocking(conn_, 1) != 0 || PQenterPipelineMode(conn_) != 1) co_return lost("set up");
    socket_.watch(PQsocket(conn_));
    co_return result<void>();
}

error pq_connection::lost(std::string_view during) {
    broken_ = true;
    return fail(errc::unavailable, "connection to PostgreSQL lost: " + std::string(during) + ": " + one_line(PQerrorMessage(conn_)));
}

error pq_connection::report(PGresult const* failure, std::string const& statement) {
    server_report const said{
        .sqlstate = field(failure, PG_DIAG_SQLSTATE),
        .message = field(failure, PG_DIAG_MESSAGE_PRIMARY),
        .constraint = field(failure, PG_DIAG_CONSTRAINT_NAME),
        .routine = field(failure, PG_DIAG_SOURCE_FUNCTION),
    };
    // Without a SQLSTATE libpq speaks for itself: the connection is gone.
    if (said.sqlstate.empty()) return lost(statement);
    verdict const decided = judge(said);
    broken_ = broken_ || decided.discard;
    return fail(decided.code, "statement " + statement + ": " + describe(said));
}

bool pq_connection::queue(command const& c, bool& prepares) {
    prepares = !known_.contains(c.what);
    if (prepares) {
        auto const& types = c.what->types;
        if (PQsendPrepare(conn_, c.what->name.c_str(), c.what->sql.c_str(), static_cast<int>(types.size()), types.data()) != 1)
            return false;
    }
    std::vector<char const*> values;
    std::vector<int> lengths;
    std::vector<int> formats;
    for (auto const& v : c.with->values()) {
        values.push_back(v.null ? nullptr : v.data.c_str());
        lengths.push_back(static_cast<int>(v.data.size()));
        formats.push_back(v.binary ? 1 : 0);
    }
    return PQsendQueryPrepared(conn_, c.what->name.c_str(), static_cast<int>(values.size()), values.data(), lengths.data(), formats.data(),
                               0) == 1;
}

task<result<void>> pq_connection::flush(patience longest) {
    while (true) {
        int const left = PQflush(conn_);
        if (left == 0) co_return result<void>();
        if (left < 0) co_return lost("send");
        bool const ready = co_await socket_.wait(wait_for::either, in(longest));
        if (!ready) {
            broken_ = true;
            co_return fail(errc::timed_out, "PostgreSQL did not take the statement in time");
        }
        if (PQconsumeInput(conn_) != 1) co_return lost("send");
    }
}

task<result<PGresult*>> pq_connection::next_result(patience longest) {
    // NULL ends each command's results; more than a few in a row mean that libpq and we disagree about what is outstanding.
    for (int nulls = 0; nulls < 4; ++nulls) {
        while (PQisBusy(conn_) == 1) {
            bool const ready = co_await socket_.wait(wait_for::readable, in(longest));
            if (!ready) {
                broken_ = true;
                co_return fail(errc::timed_out, "PostgreSQL did not answer in time");
            }
            // What arrived before the end is still worth reading: it says why.
            if (PQconsumeInput(conn_) != 1 && PQisBusy(conn_) == 1) co_return lost("receive");
        }
        PGresult* const found = PQgetResult(conn_);
        if (found != nullptr) co_return found;
        if (PQstatus(conn_) != CONNECTION_OK) co_return lost("receive");
    }
    broken_ = true;
    co_return fail(errc::internal, "PostgreSQL pipeline ended early");
}

task<result<std::vector<rows>>> pq_connection::run(std::vector<command> commands, patience longest) {
    if (busy_ || broken_) throw std::logic_error("pg: a connection is used while busy or after it broke");
    busy_ = true;

    // What comes back, in order: for each command an optional answer to its preparation, then its rows.
    struct expected {
        command what;
        bool preparation;
    };
    std::vector<expected> expectations;
    for (command const& c : commands) {
        bool prepares = false;
        if (!queue(c, prepares)) co_return lost("queue");
        if (prepares) {
            expectations.push_back({c, true});
            // A statement used twice in one pipeline is prepared once; forgotten again below when that fails.
            known_.insert(c.what);
        }
        expectations.push_back({c, false});
    }
    if (PQpipelineSync(conn_) != 1) co_return lost("queue");
    auto const flushed = co_await flush(longest);
    if (!flushed) co_return flushed.error();

    std::optional<error> failure;
    std::vector<rows> collected;
    if (rollback_pending_) {
        for (bool synced = false; !synced;) {
            auto const next = co_await next_result(longest);
            if (!next) co_return next.error();
            rows::impl const held(*next);
            ExecStatusType const status = PQresultStatus(*next);
            synced = status == PGRES_PIPELINE_SYNC;
            if (!synced && status != PGRES_COMMAND_OK) co_return report(*next, "rollback");
        }
        rollback_pending_ = false;
    }
    for (expected const& e : expectations) {
        auto const next = co_await next_result(longest);
        if (!next) co_return failure ? *failure : next.error();
        auto held = std::make_shared<rows::impl const>(*next);
        switch (PQresultStatus(*next)) {
        case PGRES_COMMAND_OK:
        case PGRES_TUPLES_OK:
            if (!e.preparation) collected.emplace_back(std::move(held));
            break;
        case PGRES_PIPELINE_ABORTED:
            if (e.preparation) known_.erase(e.what.what);
            break;
        case PGRES_PIPELINE_SYNC: broken_ = true; co_return fail(errc::internal, "PostgreSQL pipeline ended early");
        default:
            if (e.preparation) known_.erase(e.what.what);
            if (!failure) failure = report(*next, e.what.what->name);
            if (PQstatus(conn_) != CONNECTION_OK) co_return *failure;
        }
    }
    auto const end = co_await next_result(longest);
    if (!end) co_return failure ? *failure : end.error();
    rows::impl const held(*end);
    if (PQresultStatus(*end) != PGRES_PIPELINE_SYNC) {
        // The last command's answer came through, then the connection ended.
        auto const ended = report(*end, "end of pipeline");
        broken_ = true;
        co_return failure ? *failure : ended;
    }
    busy_ = false;
    if (failure) co_return *failure;
    co_return collected;
}

session pq_connection::standing() const {
    if (busy_ || broken_ || PQstatus(conn_) != CONNECTION_OK) return session::unusable;
    switch (PQtransactionStatus(conn_)) {
    case PQTRANS_IDLE: return session::idle;
    case PQTRANS_INTRANS:
    case PQTRANS_INERROR: return session::in_transaction;
    case PQTRANS_ACTIVE:
    case PQTRANS_UNKNOWN: return session::unusable;
    }
    return session::unusable;
}

bool pq_connection::send_rollback() {
    // Sent at once, so that its locks go now; read later, so that nobody has to wait.
    if (PQsendQueryParams(conn_, "rollback", 0, nullptr, nullptr, nullptr, nullptr, 0) != 1) return false;
    if (PQpipelineSync(conn_) != 1) return false;
    rollback_pending_ = PQflush(conn_) == 0;
    return rollback_pending_;
}

bool pq_connection::is_alive() {
    // A farewell and the end of the stream are two reads.
    for (int reads = 0; reads < 3; ++reads) {
        pollfd look{.fd = PQsocket(conn_), .events = POLLIN, .revents = 0};
        if (::poll(&look, 1, 0) == 0) return true;
        if (PQconsumeInput(conn_) != 1) return false;
    }
    return false;
}

task<bool> pq_connection::wait_for_input(deadline at) {
    bool const ready = co_await socket_.wait(wait_for::readable, at);
    if (!ready) co_return true;
    co_return PQconsumeInput(conn_) == 1;
}

std::optional<std::string> pq_connection::next_notification() {
    std::unique_ptr<PGnotify, decltype(&PQfreemem)> const said(PQnotifies(conn_), &PQfreemem);
    if (!said) return {};
    return std::string(said->extra);
}

}  // namespace calbridge::pg
