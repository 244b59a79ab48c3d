#include "common/pg/pg_fixture.h"

namespace calbridge::pg {
namespace {

class Transaction : public pg_fixture {
protected:
    void SetUp() override { scratch_.exec("create table items (id bigint primary key, body text)"); }
    std::string count() const { return scratch_.exec("select count(*) from items"); }
};

constexpr statement insert_item{"insert_item", "insert into items (id, body) values ($1, $2)"};
constexpr statement read_item{"read_item", "select body from items where id = $1"};
constexpr statement session_pid{"session_pid", "select pg_backend_pid()"};

transaction::step item(std::int64_t id, std::string body = "x") {
    transaction::step made{&insert_item, {}};
    made.with.add(id).add(body);
    return made;
}

task<std::int64_t> pid_of(transaction& tx) {
    params none;
    auto const answer = co_await tx.query(session_pid, std::move(none));
    co_return worked(answer) ? answer->integer(0, 0) : 0;
}

task<std::unique_ptr<transaction>> must_begin(database& db) {
    tenant_id const tenant("t");
    auto opened = co_await db.begin(tenant);
    worked(opened);
    co_return opened ? std::move(*opened) : nullptr;
}

task<void> commit_one(database& db) {
    auto tx = co_await must_begin(db);
    auto step = item(1);
    auto const inserted = co_await tx->query(*step.what, std::move(step.with));
    if (worked(inserted)) EXPECT_EQ(inserted->affected(), 1U);
    auto const committed = co_await tx->commit();
    worked(committed);
}

TEST_F(Transaction, CommitMakesItsWorkStay) {
    auto const db = open();

    run(commit_one(*db));

    EXPECT_EQ(count(), "1");
}

task<void> abandon_and_reuse(database& db) {
    std::int64_t first_pid = 0;
    {
        auto tx = co_await must_begin(db);
        first_pid = co_await pid_of(*tx);
        auto step = item(1);
        auto const inserted = co_await tx->query(*step.what, std::move(step.with));
        worked(inserted);
    }
    auto tx = co_await must_begin(db);
    auto const second_pid = co_await pid_of(*tx);
    EXPECT_EQ(first_pid, second_pid) << "a rolled-back session is sound and is used again";
    params with;
    with.add(1);
    auto const found = co_await tx->query(read_item, std::move(with));
    if (worked(found)) EXPECT_TRUE(found->empty());
}

TEST_F(Transaction, DestroyedWithoutCommitIsRolledBackAndTheSessionIsKept) {
    auto const db = open();

    run(abandon_and_reuse(*db));

    EXPECT_EQ(count(), "0");
    EXPECT_EQ(sessions(), 1);
}

task<void> hold_row(database& db) {
    auto tx = co_await must_begin(db);
    auto step = item(1);
    auto const inserted = co_await tx->query(*step.what, std::move(step.with));
    worked(inserted);
}

TEST_F(Transaction, ItsLocksGoWithIt) {
    auto const db = open();

    run(hold_row(*db));

    // Nobody has used the session since; the row must be free all the same.
    scratch_.exec("set lock_timeout = '2s'; insert into items values (1, 'other')");
    EXPECT_EQ(count(), "1");
}

task<void> batch_in_order(database& db) {
    auto tx = co_await must_begin(db);
    std::vector<transaction::step> steps;
    for (int i = 0; i < 50; ++i) {
        steps.push_back(item(i, "body " + std::to_string(i)));
        transaction::step read{&read_item, {}};
        read.with.add(i);
        steps.push_back(std::move(read));
    }
    auto const answers = co_await tx->batch_and_commit(std::move(steps));
    if (!worked(answers)) co_return;
    EXPECT_EQ(answers->size(), 100U);
    for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ((*answers)[2 * i + 1].text(0, 0), "body " + std::to_string(i));
    EXPECT_THROW((void)co_await tx->commit(), std::logic_error);
}

TEST_F(Transaction, ABatchAnswersInOrderAndCommits) {
    auto const db = open();

    run(batch_in_order(*db));

    EXPECT_EQ(count(), "50");
}

task<void> fail_at(database& db, int bad, bool with_commit) {
    auto tx = co_await must_begin(db);
    std::vector<transaction::step> steps;
    for (int i = 0; i < 5; ++i) steps.push_back(item(i == bad ? 999 : i));
    if (with_commit) {
        auto const answers = co_await tx->batch_and_commit(std::move(steps));
        failed_with(answers, errc::exists);
    } else {
        auto const answers = co_await tx->batch(std::move(steps));
        failed_with(answers, errc::exists);
        // Every further call says the same and sends nothing.
        auto const committed = co_await tx->commit();
        failed_with(committed, errc::exists);
    }
}

TEST_F(Transaction, AStepThatFailsUndoesTheWholeBatch) {
    scratch_.exec("insert into items values (999, 'there')");
    auto const db = open(1);

    for (int bad = 0; bad < 5; ++bad) {
        run(fail_at(*db, bad, false));
        run(fail_at(*db, bad, true));
        EXPECT_EQ(count(), "1") << bad;
    }

    run(commit_one(*db));
    EXPECT_EQ(count(), "2") << "and the session is sound afterwards";
    EXPECT_EQ(sessions(), 1);
}

constexpr statement big_echo{"big_echo", "select $1::text || $1::text"};

task<void> flood(database& db) {
    auto tx = co_await must_begin(db);
    std::vector<transaction::step> steps;
    std::string const body(200'000, 'x');
    for (int i = 0; i < 200; ++i) {
        transaction::step step{&big_echo, {}};
        step.with.add(body);
        steps.push_back(std::move(step));
    }
    auto const answers = co_await tx->batch(std::move(steps));
    if (!worked(answers)) co_return;
    EXPECT_EQ(answers->size(), 200U);
    EXPECT_EQ(answers->back().text(0, 0).size(), 400'000U);
}

// 40 MB go while 80 MB come: whoever only sends while the other only sends waits for ever.
TEST_F(Transaction, SendingAndReceivingDoNotWaitForEachOther) {
    auto const db = open();

    run(flood(*db));
}

constexpr statement conflicting_a{"same_name", "select 1"};
constexpr statement conflicting_b{"same_name", "select 2"};

task<void> two_of_a_name(database& db) {
    params none;
    auto const first = co_await run_once_untenanted(db, conflicting_a, none);
    worked(first);
    EXPECT_THROW((void)co_await run_once_untenanted(db, conflicting_b, none), std::logic_error);
    auto const again = co_await run_once_untenanted(db, conflicting_a, none);
    worked(again);
}

TEST_F(Transaction, OneNameStandsForOneStatement) {
    auto const db = open(1);

    run(two_of_a_name(*db));
}

constexpr statement count_prepared{"count_prepared", "select count(*) from pg_prepared_statements where name like 'read_item.%'"};

task<void> prepare_once(database& db) {
    for (int i = 0; i < 5; ++i) {
        params with;
        with.add(i);
        auto const answer = co_await run_once_untenanted(db, read_item, std::move(with));
        worked(answer);
    }
    // A failed transaction does not lose what was prepared in it.
    params none;
    auto const answer = co_await run_once_untenanted(db, count_prepared, none);
    if (worked(answer)) EXPECT_EQ(answer->integer(0, 0), 1);
}

TEST_F(Transaction, AStatementIsPreparedOncePerSession) {
    auto const db = open(1);

    run(prepare_once(*db));
}

constexpr statement nowhere{"nowhere", "select 1 from nowhere"};
constexpr statement slow{"slow", "select pg_sleep(30)"};
constexpr statement bad_value{"bad_value", "select $1::uuid"};
constexpr statement lock_item{"lock_item", "select 1 from items where id = 1 for update"};
constexpr statement touch_item{"touch_item", "update items set body = body || '.' where id = 1"};

task<void> expect_error(database& db, statement what, params with, errc code) {
    auto const answer = co_await run_once_untenanted(db, what, std::move(with));
    failed_with(answer, code);
}

TEST_F(Transaction, ServerErrorsArePlaced) {
    database_options o = options(1);
    o.statement_time_max = std::chrono::milliseconds(200);
    auto const db = open(o);
    params garbage;
    garbage.add("not a uuid, somebody@example.com");

    run(expect_error(*db, nowhere, {}, errc::internal));
    run(expect_error(*db, slow, {}, errc::timed_out));
    run(expect_error(*db, bad_value, garbage, errc::malformed));

    EXPECT_EQ(sessions(), 1) << "none of these costs the session";
}

task<void> contend(database& db) {
    auto first = co_await must_begin(db);
    params none;
    auto const locked = co_await first->query(lock_item, none);
    worked(locked);
    auto second = co_await must_begin(db);
    auto const refused = co_await second->query(lock_item, none);
    failed_with(refused, errc::conflict);
}

TEST_F(Transaction, ALockThatIsNotGivenInTimeIsAConflict) {
    scratch_.exec("insert into items values (1, '')");
    database_options o = options();
    o.lock_time_max = std::chrono::milliseconds(100);
    auto const db = open(o);

    run(contend(*db));
}

task<void> serialise(database& db) {
    // Whoever writes second sees a row that changed under its snapshot.
    params none;
    params id;
    id.add(1);
    auto tx = co_await db.begin_untenanted();
    if (!worked(tx)) co_return;
    auto const before = co_await (*tx)->query(read_item, id);
    worked(before);
    auto const other = co_await run_once_untenanted(db, touch_item, none);
    worked(other);
    auto const late = co_await (*tx)->query(touch_item, none);
    failed_with(late, errc::conflict);
}

TEST_F(Transaction, ASerialisationFailureIsAConflict) {
    scratch_.exec("insert into items values (1, '')");
    database_options o = options();
    o.conninfo += " options='-c default_transaction_isolation=repeatable\\\\ read'";
    auto const db = open(o);

    run(serialise(*db));
}

constexpr statement tenant_now{"tenant_now", "select coalesce(current_setting('app.tenant', true), '')"};
constexpr statement leave_tenant{"leave_tenant", "select set_config('app.tenant', 'left', false)"};

task<std::string> tenant_seen(database& db, std::string tenant) {
    params none;
    tenant_id const id(tenant);
    if (tenant.empty()) {
        auto const answer = co_await run_once_untenanted(db, tenant_now, none);
        co_return worked(answer) ? std::string(answer->text(0, 0)) : "?";
    }
    auto const answer = co_await run_once(db, id, tenant_now, none);
    co_return worked(answer) ? std::string(answer->text(0, 0)) : "?";
}

task<void> tenants_in_turn(database& db) {
    for (std::string const tenant : {"a", "", "b", "", "a"}) {
        auto const seen = co_await tenant_seen(db, tenant);
        EXPECT_EQ(seen, tenant);
    }
    tenant_id const none;
    EXPECT_THROW((void)db.begin(none), std::logic_error);
}

TEST_F(Transaction, ATenantEndsWithItsTransaction) {
    auto const db = open(1);

    run(tenants_in_turn(*db));

    EXPECT_EQ(sessions(), 1);
}

task<void> leave_one_behind(database& db) {
    params none;
    auto const left = co_await run_once_untenanted(db, leave_tenant, none);
    worked(left);
    auto const noticed = co_await run_once_untenanted(db, tenant_now, none);
    failed_with(noticed, errc::internal);
    auto const seen = co_await tenant_seen(db, "a");
    EXPECT_EQ(seen, "a");
}

TEST_F(Transaction, ATenantLeftBehindIsNoticedAndTheSessionThrownAway) {
    auto const db = open(1);

    run(leave_one_behind(*db));
}

task<void> see_own_rows(database& db) {
    constexpr static statement rows_seen{"rows_seen", "select count(*) from owned"};
    params none;
    for (auto const& [tenant, expected] : {std::pair{std::string("a"), 2}, {std::string("b"), 1}, {std::string("c"), 0}}) {
        tenant_id const id(tenant);
        auto const answer = co_await run_once(db, id, rows_seen, none);
        if (worked(answer)) EXPECT_EQ(answer->integer(0, 0), expected) << tenant;
    }
    auto const answer = co_await run_once_untenanted(db, rows_seen, none);
    if (worked(answer)) EXPECT_EQ(answer->integer(0, 0), 0);
}

TEST_F(Transaction, RowLevelSecurityFollowsTheTenant) {
    scratch_.exec(
        "create table owned (tenant text, n int); insert into owned values ('a', 1), ('a', 2), ('b', 1);"
        "alter table owned enable row level security;"
        "create policy own on owned using (tenant = nullif(current_setting('app.tenant', true), ''));"
        "grant select on owned to pg_read_all_settings");
    database_options o = options(1);
    // Superusers see every row, so the sessions take a role that has nothing but this grant.
    o.conninfo += " options='-c role=pg_read_all_settings'";
    auto const db = open(o);

    run(see_own_rows(*db));
}

}  // namespace
}  // namespace calbridge::pg
