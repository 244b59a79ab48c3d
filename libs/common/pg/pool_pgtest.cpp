#include "common/pg/pg_fixture.h"

#include <boost/asio/ip/tcp.hpp>

namespace calbridge::pg {
namespace {

class Pool : public pg_fixture {
protected:
    void kill_sessions() {
        scratch_.exec("select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = '" + scratch_.name() +
                      "' and application_name = 'pgtest'");
    }
};

constexpr statement one{"one", "select 1"};
constexpr statement sleep_long{"sleep_long", "select pg_sleep(20)"};
constexpr statement take_lock{"take_lock", "lock table held in access exclusive mode"};
constexpr statement write_row{"write_row", "insert into held values (1)"};
constexpr statement turn_read_only{"turn_read_only", "select set_config('default_transaction_read_only', 'on', false)"};

task<void> borrow(database& db, int& inside, int& most, int& done) {
    auto tx = co_await db.begin_untenanted();
    if (!worked(tx)) co_return;
    most = std::max(most, ++inside);
    params none;
    auto const answer = co_await (*tx)->query(one, none);
    worked(answer);
    // Until somebody else has one too: a fast server would serve them all through one connection.
    auto const not_alone = [&most] { return most >= 2; };
    bool const shared = co_await testing::eventually(not_alone, std::chrono::seconds(20));
    EXPECT_TRUE(shared);
    --inside;
    ++done;
}

task<void> crowd(database& db, int& most, int& done) {
    int inside = 0;
    task_group group(co_await asio::this_coro::executor);
    for (int i = 0; i < 40; ++i) group.spawn("borrower", borrow(db, inside, most, done));
    co_await group.join();
}

TEST_F(Pool, NeverOpensMoreThanItsBoundAndServesEverybody) {
    auto const db = open(3);
    int most = 0;
    int done = 0;

    run(crowd(*db, most, done));

    EXPECT_EQ(done, 40);
    EXPECT_LE(most, 3);
    EXPECT_GE(most, 2);
    EXPECT_LE(sessions(), 3);
}

task<void> wait_in_vain(database& db) {
    auto const first = co_await db.begin_untenanted();
    worked(first);
    auto const second = co_await db.begin_untenanted();
    failed_with(second, errc::unavailable);
}

TEST_F(Pool, AFullPoolIsUnavailableAfterTheAcquireTime) {
    database_options o = options(1);
    o.acquire_time_max = std::chrono::milliseconds(50);
    auto const db = open(o);

    run(wait_in_vain(*db));
    run(wait_in_vain(*db));  // and what was lent came back
}

task<void> order_of(database& db, int place, std::vector<int>& served) {
    auto const tx = co_await db.begin_untenanted();
    if (worked(tx)) served.push_back(place);
}

task<void> queue_up(database& db, std::vector<int>& served) {
    auto first = co_await db.begin_untenanted();
    if (!worked(first)) co_return;
    task_group group(co_await asio::this_coro::executor);
    for (int i = 0; i < 5; ++i) group.spawn("waiter", order_of(db, i, served));
    co_await yield_now();
    co_await yield_now();
    EXPECT_TRUE(served.empty());
    first->reset();
    co_await group.join();
}

TEST_F(Pool, WaitersAreServedInOrder) {
    auto const db = open(1);
    std::vector<int> served;

    run(queue_up(*db, served));

    EXPECT_EQ(served, (std::vector<int>{0, 1, 2, 3, 4}));
}

task<void> cancel_waiters(database& db, std::vector<int>& served) {
    auto first = co_await db.begin_untenanted();
    if (!worked(first)) co_return;
    {
        task_group group(co_await asio::this_coro::executor);
        for (int i = 0; i < 3; ++i) group.spawn("waiter", order_of(db, i, served));
        co_await yield_now();
        // Handed over and cancelled in the same turn: the session must not get lost.
        first->reset();
        group.cancel();
        co_await group.join();
    }
    auto const again = co_await db.begin_untenanted();
    worked(again);
}

TEST_F(Pool, ACancelledWaiterPassesItsTurnOn) {
    auto const db = open(1);
    std::vector<int> served;

    run(cancel_waiters(*db, served));

    EXPECT_TRUE(served.empty());
}

task<void> sleep_on(database& db, bool& began) {
    auto tx = co_await db.begin_untenanted();
    if (!worked(tx)) co_return;
    params none;
    auto const locked = co_await (*tx)->query(take_lock, none);
    began = worked(locked);
    auto const slept = co_await (*tx)->query(sleep_long, none);
    ADD_FAILURE() << "a cancelled query returned";
}

task<void> abandon_a_query(database& db) {
    bool began = false;
    task_group group(co_await asio::this_coro::executor);
    group.spawn("sleeper", sleep_on(db, began));
    std::function<bool()> under_way = [&began] { return began; };
    co_await testing::eventually(under_way);
    co_await yield_now();
    group.cancel();
    co_await group.join();
    // The pool has room at once, and the server lets go of the lock when it sees that we hung up.
    params none;
    auto const written = co_await run_once_untenanted(db, write_row, none);
    worked(written);
}

TEST_F(Pool, AnAbandonedQueryCostsItsSessionAndNothingElse) {
    scratch_.exec("create table held (n int)");
    database_options o = options(1);
    o.statement_time_max = std::chrono::seconds(25);
    o.lock_time_max = std::chrono::seconds(10);
    auto const db = open(o);

    run(abandon_a_query(*db));

    EXPECT_EQ(scratch_.exec("select count(*) from held"), "1");
}

task<void> wait_until_gone(std::function<bool()> gone) {
    bool const held = co_await testing::eventually(std::move(gone));
    EXPECT_TRUE(held);
}

task<void> use(database& db) {
    params none;
    auto const answer = co_await run_once_untenanted(db, one, none);
    worked(answer);
}

TEST_F(Pool, SessionsThatDiedInThePoolAreReplacedUnseen) {
    auto const db = open(2);
    run(use(*db));
    kill_sessions();
    run(wait_until_gone([this] { return sessions() == 0; }));

    run(use(*db));
}

task<void> die_half_way(database& db, std::function<void()> kill) {
    auto tx = co_await db.begin_untenanted();
    if (!worked(tx)) co_return;
    params none;
    auto const answer = co_await (*tx)->query(one, none);
    worked(answer);
    kill();
    auto const lost = co_await (*tx)->query(one, none);
    failed_with(lost, errc::unavailable);
    auto const committed = co_await (*tx)->commit();
    failed_with(committed, errc::unavailable);
    tx->reset();
    co_await use(db);
}

TEST_F(Pool, ASessionKilledInMidTransactionIsUnavailableAndReplaced) {
    auto const db = open(1);

    run(die_half_way(*db, [this] { kill_sessions(); }));
}

task<void> turn_into_standby(database& db) {
    params none;
    auto const turned = co_await run_once_untenanted(db, turn_read_only, none);
    worked(turned);
    auto const refused = co_await run_once_untenanted(db, write_row, none);
    failed_with(refused, errc::unavailable);
    auto const written = co_await run_once_untenanted(db, write_row, none);
    worked(written);
}

TEST_F(Pool, ASessionThatTurnedReadOnlyIsReplaced) {
    scratch_.exec("create table held (n int)");
    auto const db = open(1);

    run(turn_into_standby(*db));
}

constexpr statement no_limit{"no_limit", "select set_config('statement_timeout', '0', true)"};

task<void> wait_for_the_silent(database& db) {
    {
        auto tx = co_await db.begin_untenanted();
        if (!worked(tx)) co_return;
        params none;
        auto const freed = co_await (*tx)->query(no_limit, none);
        worked(freed);
        auto const silent = co_await (*tx)->query(sleep_long, none);
        failed_with(silent, errc::timed_out);
    }
    co_await use(db);
}

// The server's own limit is taken away, as if the network had swallowed its answer.
TEST_F(Pool, AServerThatFallsSilentIsGivenUpWithItsSession) {
    database_options o = options(1);
    o.statement_time_max = std::chrono::milliseconds(100);
    auto const db = open(o);

    run(wait_for_the_silent(*db));
}

task<void> outage(database& db, std::function<void(bool)> allow) {
    allow(false);
    for (int i = 0; i < 3; ++i) {
        auto const refused = co_await db.ping();
        failed_with(refused, errc::unavailable);
    }
    allow(true);
    bool back = false;
    for (int i = 0; i < 200 && !back; ++i) {
        auto const answered = co_await db.ping();
        back = answered.has_value();
        if (!back) co_await sleep_for(std::chrono::milliseconds(20));
    }
    EXPECT_TRUE(back);
}

TEST_F(Pool, AServerThatIsAwayIsUnavailableAndComesBack) {
    // A role of its own, because a superuser passes every limit.
    std::string const role = scratch_.name() + "_role";
    scratch_.exec("create role " + role + " login password 'x'");
    database_options o = options(2);
    o.conninfo += " user=" + role;
    o.password = secret("x");
    o.acquire_time_max = std::chrono::milliseconds(300);
    auto const db = open(o);

    run(outage(*db, [this](bool yes) { scratch_.exec("alter database " + scratch_.name() + " connection limit " + (yes ? "-1" : "0")); }));

    scratch_.exec("drop role " + role);
}

task<void> ping_deaf(database& db) {
    auto const answered = co_await db.ping();
    failed_with(answered, errc::unavailable);
}

// Connections are accepted by the kernel and nobody ever speaks.
TEST_F(Pool, AServerThatDoesNotAnswerIsUnavailableAfterTheAcquireTime) {
    asio::ip::tcp::acceptor deaf(ioc_, asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0));
    database_options o = options(1);
    o.conninfo = "host=127.0.0.1 dbname=x user=x port=" + std::to_string(deaf.local_endpoint().port());
    o.acquire_time_max = std::chrono::milliseconds(200);
    auto const db = open(o);

    run(ping_deaf(*db));
}

}  // namespace
}  // namespace calbridge::pg
