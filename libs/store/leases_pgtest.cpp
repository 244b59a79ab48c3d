#include "store/look.h"
#include "store/store_fixture.h"

namespace calbridge::store {
namespace {

using namespace std::chrono_literals;

class Leases : public store_fixture {
public:
    task<std::optional<leased_calendar>> acquire(std::string owner, std::chrono::milliseconds life = 30s) {
        auto got = co_await acquire_lease(*db_, tenant_, calendar_, std::move(owner), life);
        worked(got);
        co_return got ? std::move(*got) : std::nullopt;
    }
    task<bool> holds(held_lease held) {
        auto tx = co_await db_->begin(held.tenant);
        if (!worked(tx)) co_return false;
        auto const checked = co_await check_lease(**tx, held);
        if (!checked) EXPECT_EQ(checked.error().code, errc::conflict);
        co_return checked.has_value();
    }
    void expire() { sql("update calendars set lease_until = now() - interval '1 second'"); }

    tenant_id tenant_{"acme"};
    calendar_id calendar_ = add_calendar("acme", "anna");
    std::unique_ptr<pg::database> db_ = open("worker");
};

TEST_F(Leases, AFreeCalendarIsHeldByOneAtATime) {
    run([](Leases& t) -> task<void> {
        auto const first = co_await t.acquire("w1");
        auto const second = co_await t.acquire("w2");

        EXPECT_TRUE(first);
        EXPECT_FALSE(second);
        if (!first) co_return;
        EXPECT_EQ(first->lease.epoch, 1);
        EXPECT_EQ(first->calendar.google_id, "anna@example.com");
        EXPECT_EQ(first->connection.connected_email, "anna@example.com");
        EXPECT_EQ(first->connection.user.str(), "anna");
        EXPECT_TRUE(co_await t.holds(first->lease));
    }(*this));
}

TEST_F(Leases, TakeOverRaisesTheEpochAndTheOldHolderIsTold) {
    run([](Leases& t) -> task<void> {
        auto const old = co_await t.acquire("w1");
        t.expire();
        auto const taken = co_await t.acquire("w2");
        EXPECT_TRUE(old && taken);
        if (!old || !taken) co_return;

        EXPECT_EQ(taken->lease.epoch, old->lease.epoch + 1);
        EXPECT_FALSE(co_await t.holds(old->lease));
        EXPECT_TRUE(co_await t.holds(taken->lease));
        auto const renewed = co_await renew_lease(*t.db_, old->lease, 30s);
        failed_with(renewed, errc::conflict);
        auto const deferred = co_await defer_calendar(*t.db_, old->lease, 30s, "late");
        failed_with(deferred, errc::conflict);
        auto const seen = co_await look_at_work(*t.db_, old->lease, 10);
        failed_with(seen, errc::conflict);
        auto const released = co_await release_lease(*t.db_, old->lease);
        worked(released);
        EXPECT_TRUE(co_await t.holds(taken->lease));
    }(*this));
}

TEST_F(Leases, ItsOwnOwnerRetakesAtOnceUnderANewEpoch) {
    run([](Leases& t) -> task<void> {
        auto const before = co_await t.acquire("w1");
        auto const after = co_await t.acquire("w1");
        EXPECT_TRUE(before && after);
        if (!before || !after) co_return;

        EXPECT_GT(after->lease.epoch, before->lease.epoch);
        EXPECT_FALSE(co_await t.holds(before->lease));
    }(*this));
}

TEST_F(Leases, RenewalKeepsTheEpochAndMovesTheEnd) {
    run([](Leases& t) -> task<void> {
        auto const held = co_await t.acquire("w1", 1s);
        EXPECT_TRUE(held);
        if (!held) co_return;
        auto const renewed = co_await renew_lease(*t.db_, held->lease, 600s);
        worked(renewed);

        EXPECT_TRUE(co_await t.holds(held->lease));
        EXPECT_EQ(t.of_calendar(t.calendar_, "lease_until > now() + interval '9 minutes'"), "t");
    }(*this));
}

TEST_F(Leases, AReleasedLeaseIsFreeAndNoLongerHeld) {
    run([](Leases& t) -> task<void> {
        auto const held = co_await t.acquire("w1");
        EXPECT_TRUE(held);
        if (!held) co_return;
        auto const released = co_await release_lease(*t.db_, held->lease);
        worked(released);

        EXPECT_FALSE(co_await t.holds(held->lease));
        EXPECT_TRUE(co_await t.acquire("w2"));
    }(*this));
}

TEST_F(Leases, AnExpiredLeaseNobodyTookStillHolds) {
    run([](Leases& t) -> task<void> {
        auto const held = co_await t.acquire("w1");
        t.expire();
        EXPECT_TRUE(held);
        if (held) EXPECT_TRUE(co_await t.holds(held->lease));
    }(*this));
}

TEST_F(Leases, NothingToHoldWhenConnectionOrCalendarIsGone) {
    run([](Leases& t) -> task<void> {
        for (auto const* change : {"update user_calendar_connections set status = 'paused'",
                                   "update user_calendar_connections set status = 'active'; update calendars set missing_since = now()",
                                   "update calendars set missing_since = null"}) {
            t.sql(change);
            bool const expected = std::string_view(change) == "update calendars set missing_since = null";
            EXPECT_EQ((co_await t.acquire("w1")).has_value(), expected) << change;
        }
        auto const foreign = co_await acquire_lease(*t.db_, tenant_id("other"), t.calendar_, "w1", 30s);
        EXPECT_TRUE(worked(foreign) && !*foreign);
    }(*this));
}

TEST_F(Leases, ALeaseCannotBeTakenOverInTheMiddleOfAnEffect) {
    run([](Leases& t) -> task<void> {
        auto const held = co_await t.acquire("w1");
        EXPECT_TRUE(held);
        if (!held) co_return;
        auto tx = co_await t.db_->begin(t.tenant_);
        auto const checked = co_await check_lease(**tx, held->lease);
        worked(checked);
        // The row is locked by check_lease: nobody can raise the epoch before this transaction ends.
        EXPECT_THROW(t.sql("set lock_timeout = '50ms'; update calendars set lease_epoch = lease_epoch + 1"), std::runtime_error);
        auto const committed = co_await (*tx)->commit();
        worked(committed);
    }(*this));
}

TEST_F(Leases, DeferredCalendarRestsUntilTheServersClockSaysSo) {
    run([](Leases& t) -> task<void> {
        t.sql("update calendars set dirty_seq = 1");
        auto const held = co_await t.acquire("w1");
        EXPECT_TRUE(held);
        if (!held) co_return;
        auto const deferred = co_await defer_calendar(*t.db_, held->lease, 60s, "rateLimitExceeded");
        worked(deferred);

        auto const seen = co_await look_at_work(*t.db_, held->lease, 10);
        if (worked(seen)) EXPECT_GT(seen->calendar_waits, 50s);
        EXPECT_EQ(t.of_calendar(t.calendar_, "failures || ' ' || last_error"), "1 rateLimitExceeded");
    }(*this));
}

}  // namespace
}  // namespace calbridge::store
