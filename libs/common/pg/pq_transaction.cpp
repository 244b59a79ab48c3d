#include "common/pg/pq_transaction.h"

#include "common/observe/log.h"
#include "common/pg/params_value.h"

#include <algorithm>
#include <stdexcept>

namespace calbridge::pg {

namespace {

constexpr statement begin_statement{"calbridge_begin", "begin"};
// Row-level security reads app.tenant. The setting ends with the transaction; what it was before is returned, because anything
// but nothing means that an earlier borrower left its tenant behind.
constexpr statement tenant_statement{"calbridge_tenant",
                                     "select coalesce(current_setting('app.tenant', true), ''), set_config('app.tenant', $1::text, true)"};
constexpr statement commit_statement{"calbridge_commit", "commit"};

bool is_refused(params const& with) {
    return std::ranges::any_of(with.values(), [](params::value const& v) { return v.refused; });
}

}  // namespace

task<result<std::vector<rows>>> transaction::batch_and_commit(std::vector<step> steps) {
    auto answers = co_await batch(std::move(steps));
    if (!answers) co_return answers;
    auto const committed = co_await commit();
    if (!committed) co_return committed.error();
    co_return answers;
}

pq_transaction::pq_transaction(std::shared_ptr<pq_pool> pool, std::unique_ptr<pq_connection> on, tenant_id tenant)
    : pool_(std::move(pool)), on_(std::move(on)), tenant_(std::move(tenant)) {}

pq_transaction::~pq_transaction() { pool_->give_back(std::move(on_)); }

task<result<rows>> pq_transaction::query(statement const& what, params with) {
    std::vector<step> steps;
    steps.push_back({&what, std::move(with)});
    auto answers = co_await run(std::move(steps), false);
    if (!answers) co_return answers.error();
    co_return std::move(answers->front());
}

task<result<std::vector<rows>>> pq_transaction::batch(std::vector<step> steps) { return run(std::move(steps), false); }

task<result<std::vector<rows>>> pq_transaction::batch_and_commit(std::vector<step> steps) { return run(std::move(steps), true); }

task<result<void>> pq_transaction::commit() {
    std::vector<step> nothing;
    auto const answers = co_await run(std::move(nothing), true);
    if (!answers) co_return answers.error();
    co_return result<void>();
}

task<result<std::vector<rows>>> pq_transaction::run(std::vector<step> steps, bool with_commit) {
    if (ended_) throw std::logic_error("pg: a transaction is used after its commit");
    if (failed_) co_return *failed_;
    for (step const& s : steps) {
        if (!is_refused(s.with)) continue;
        failed_ = fail(errc::malformed, std::string("statement ") + s.what->name + ": text with NUL or invalid UTF-8");
        co_return *failed_;
    }
    if (steps.empty() && (!with_commit || !begun_)) {
        ended_ = with_commit;
        co_return std::vector<rows>();
    }

    params const none;
    params tenant;
    tenant.add(tenant_.str());
    std::vector<command> commands;
    bool const begins = !begun_;
    if (begins) {
        commands.push_back({pool_->prepare(begin_statement, none), &none});
        commands.push_back({pool_->prepare(tenant_statement, tenant), &tenant});
    }
    for (step const& s : steps) commands.push_back({pool_->prepare(*s.what, s.with), &s.with});
    if (with_commit) commands.push_back({pool_->prepare(commit_statement, none), &none});

    begun_ = true;
    ended_ = with_commit;
    std::chrono::milliseconds const patience = pool_->options().statement_time_max + std::chrono::seconds(2);
    auto answers = co_await on_->run(std::move(commands), patience);
    if (!answers) {
        failed_ = answers.error();
        ended_ = false;
        co_return *failed_;
    }
    if (begins) {
        if (!(*answers)[1].text(0, 0).empty()) {
            on_->distrust();
            failed_ = fail(errc::internal, "a tenant was left behind on a PostgreSQL session");
            log::error("pg.tenant_left_behind", {});
            co_return *failed_;
        }
        answers->erase(answers->begin(), answers->begin() + 2);
    }
    if (with_commit) answers->pop_back();
    co_return answers;
}

}  // namespace calbridge::pg
