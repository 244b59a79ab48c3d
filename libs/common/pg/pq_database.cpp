#include "common/base/random.h"
#include "common/observe/log.h"
#include "common/pg/params_value.h"
#include "common/pg/pq_transaction.h"
#include "common/retry/backoff.h"

#include <stdexcept>

namespace calbridge::pg {

namespace {

constexpr statement ping_statement{"calbridge_ping", "select 1"};
constexpr retry::policy relisten{
    .base = std::chrono::milliseconds(250), .cap = std::chrono::seconds(5), .floor = std::chrono::milliseconds(50)};
// A listener that hears nothing asks whether anybody is there.
constexpr std::chrono::seconds silence_max{20};
constexpr std::chrono::seconds ping_time_max{5};

// Gives a session back whatever happens.
struct loan {
    std::shared_ptr<pq_pool> pool;
    std::unique_ptr<pq_connection> on;
    ~loan() { pool->give_back(std::move(on)); }
};

// An identifier needs no quoting when it is one of these.
void check_channel(std::string const& channel) {
    bool const plain =
        !channel.empty() && channel.size() < 64 && channel.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
    if (!plain) throw std::logic_error("pg: a channel's name is lower-case letters, digits and _");
}

class pq_database final : public database {
public:
    pq_database(asio::any_io_executor executor, database_options options)
        : pool_(std::make_shared<pq_pool>(std::move(executor), std::move(options))) {}

    task<result<std::unique_ptr<transaction>>> begin(tenant_id const& tenant) override {
        if (tenant.empty()) throw std::logic_error("pg: begin() without a tenant");
        return open_transaction(pool_, tenant);
    }
    task<result<std::unique_ptr<transaction>>> begin_untenanted() override {
        tenant_id none;
        return open_transaction(pool_, std::move(none));
    }
    task<result<void>> ping() override { return ping_once(pool_); }
    task<void> listen(std::string channel, std::function<void(std::string_view)> on_notify, std::function<void()> on_gap) override {
        check_channel(channel);
        return listen_for_ever(pool_, std::move(channel), std::move(on_notify), std::move(on_gap));
    }

private:
    // Static, with the pool by value: the frames may outlive the database object.
    static task<result<std::unique_ptr<transaction>>> open_transaction(std::shared_ptr<pq_pool> pool, tenant_id tenant) {
        auto acquired = co_await pool->acquire();
        if (!acquired) co_return acquired.error();
        co_return std::make_unique<pq_transaction>(pool, std::move(*acquired), std::move(tenant));
    }

    static task<result<void>> ping_once(std::shared_ptr<pq_pool> pool) {
        auto acquired = co_await pool->acquire();
        if (!acquired) co_return acquired.error();
        loan const lent{pool, std::move(*acquired)};
        params const none;
        std::vector<command> commands{{pool->prepare(ping_statement, none), &none}};
        auto const answered = co_await lent.on->run(std::move(commands), pool->options().acquire_time_max);
        if (!answered) co_return answered.error();
        co_return result<void>();
    }

    static task<void> listen_for_ever(std::shared_ptr<pq_pool> pool, std::string channel, std::function<void(std::string_view)> on_notify,
                                      std::function<void()> on_gap) {
        system_random random;
        prepared const listening{.name = "calbridge_listen", .sql = "listen " + channel, .types = {}};
        for (int failures = 0;;) {
            auto pairs = session_keywords(pool->options());
            deadline const at = in(ping_time_max);
            auto opened = co_await pq_connection::open(pool->executor(), std::move(pairs), at);
            if (opened) {
                auto const ended = co_await hear(**opened, listening, on_notify, on_gap, failures);
                log::warn("pg.listen_lost", log::with({{"channel", channel}}, ended));
            } else if (failures == 0) {
                log::warn("pg.listen_failed", log::with({{"channel", channel}}, opened.error()));
            }
            opened = fail(errc::unavailable, "closed");
            ++failures;
            auto const pause = retry::wait(relisten, failures, random.uniform());
            co_await sleep_for(pause);
        }
    }

    // Returns what ended it.
    static task<error> hear(pq_connection& on, prepared const& listening, std::function<void(std::string_view)> const& on_notify,
                            std::function<void()> const& on_gap, int& failures) {
        params const none;
        prepared const ping{.name = ping_statement.name, .sql = ping_statement.sql, .types = {}};
        std::vector<command> first{{&listening, &none}};
        auto const heard = co_await on.run(std::move(first), ping_time_max);
        if (!heard) co_return heard.error();
        failures = 0;
        on_gap();
        while (true) {
            while (auto const payload = on.next_notification()) on_notify(*payload);
            deadline const until = in(silence_max);
            bool const alive = co_await on.wait_for_input(until);
            if (!alive) co_return fail(errc::unavailable, "connection to PostgreSQL lost while listening");
            if (std::chrono::steady_clock::now() < until) continue;
            std::vector<command> again{{&ping, &none}};
            auto const answered = co_await on.run(std::move(again), ping_time_max);
            if (!answered) co_return answered.error();
        }
    }

    std::shared_ptr<pq_pool> pool_;
};

task<result<rows>> run_alone(result<std::unique_ptr<transaction>> opened, statement const& what, params with) {
    if (!opened) co_return opened.error();
    std::vector<transaction::step> steps;
    steps.push_back({&what, std::move(with)});
    auto answers = co_await (*opened)->batch_and_commit(std::move(steps));
    if (!answers) co_return answers.error();
    co_return std::move(answers->front());
}

}  // namespace

std::unique_ptr<database> make_database(asio::any_io_executor executor, database_options options) {
    return std::make_unique<pq_database>(std::move(executor), std::move(options));
}

task<result<rows>> run_once(database& db, tenant_id const& tenant, statement const& what, params with) {
    auto opened = co_await db.begin(tenant);
    auto answer = co_await run_alone(std::move(opened), what, std::move(with));
    co_return answer;
}

task<result<rows>> run_once_untenanted(database& db, statement const& what, params with) {
    auto opened = co_await db.begin_untenanted();
    auto answer = co_await run_alone(std::move(opened), what, std::move(with));
    co_return answer;
}

}  // namespace calbridge::pg
