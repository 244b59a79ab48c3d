#include "common/async/task.h"
#include "common/async/mailbox.h"
#include "common/async/with_deadline.h"

#include "common/testing/testing.h"

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace calbridge {
namespace {

using namespace std::chrono_literals;
using testing::run_coro;

// Notes its end, however it ends.
struct end_marker {
    int& count;
    ~end_marker() { ++count; }
};

task<void> wait_forever(int& ended) {
    end_marker marker{ended};
    co_await sleep_until(deadline::max());
}

task<void> fail_after_a_turn(std::string what) {
    co_await yield_now();
    throw std::runtime_error(what);
}

task<result<int>> answer_after(std::chrono::milliseconds d, int value) {
    co_await sleep_for(d);
    co_return value;
}

task<result<int>> answer_at_once(int value) { co_return value; }

task<result<int>> fail_at_once() { co_return fail(errc::gone, "at once"); }

task<result<int>> throw_at_once() {
    throw std::runtime_error("broken");
    co_return 0;
}

task<result<int>> never(int& ended) {
    end_marker marker{ended};
    co_await sleep_until(deadline::max());
    co_return 0;
}

// Unwinding takes a few turns of the loop.
task<result<int>> slow_to_stop(int& ended) {
    end_marker marker{ended};
    bool cancelled = false;
    try {
        co_await sleep_until(deadline::max());
    } catch (boost::system::system_error const&) {
        cancelled = true;
    }
    co_await asio::this_coro::reset_cancellation_state();
    for (int turn = 0; turn < 10; ++turn) co_await yield_now();
    if (cancelled) throw boost::system::system_error(asio::error::operation_aborted);
    co_return 1;
}

// Finishes its work although it was told to stop.
task<result<int>> stubborn() {
    try {
        co_await sleep_until(deadline::max());
    } catch (boost::system::system_error const&) {}
    co_return 42;
}

// ---- with_deadline

TEST(WithDeadline, ResultOfFastWorkIsHandedOn) {
    asio::io_context ioc;
    run_coro(ioc, []() -> task<void> {
        auto const value = co_await with_deadline(in(10s), "work", answer_after(1ms, 7));
        EXPECT_EQ(value.value(), 7);
        auto const at_once = co_await with_deadline(in(10s), "work", answer_at_once(8));
        EXPECT_EQ(at_once.value(), 8);
    }());
}

TEST(WithDeadline, FailureOfWorkReturnsAtOnceAndKeepsItsError) {
    asio::io_context ioc;
    run_coro(ioc, []() -> task<void> {
        auto const value = co_await with_deadline(in(1h), "work", fail_at_once());
        EXPECT_EQ(value.error().code, errc::gone);
        EXPECT_EQ(value.error().context, "at once");
    }());
}

TEST(WithDeadline, ExceptionOfWorkIsRethrownAtOnce) {
    asio::io_context ioc;
    EXPECT_THROW(run_coro(ioc, []() -> task<void> { (void)co_await with_deadline(in(1h), "work", throw_at_once()); }()),
                 std::runtime_error);
}

TEST(WithDeadline, LateWorkIsCancelledUnwoundAndReported) {
    asio::io_context ioc;
    int ended = 0;
    run_coro(ioc, [](int& count) -> task<void> {
        auto const value = co_await with_deadline(in(2ms), "list events", never(count));
        EXPECT_EQ(count, 1) << "unwound before with_deadline returned";
        EXPECT_EQ(value.error().code, errc::timed_out);
        EXPECT_EQ(value.error().context, "list events");
        // The caller is not cancelled: it can go on awaiting.
        co_await yield_now();
    }(ended));
}

TEST(WithDeadline, WaitsForWorkThatUnwindsSlowly) {
    asio::io_context ioc;
    int ended = 0;
    run_coro(ioc, [](int& count) -> task<void> {
        auto const value = co_await with_deadline(in(1ms), "slow", slow_to_stop(count));
        EXPECT_EQ(count, 1);
        EXPECT_EQ(value.error().code, errc::timed_out);
    }(ended));
}

TEST(WithDeadline, ResultProducedDespiteTheCancellationWins) {
    asio::io_context ioc;
    run_coro(ioc, []() -> task<void> {
        auto const value = co_await with_deadline(in(1ms), "stubborn", stubborn());
        EXPECT_EQ(value.value(), 42);
    }());
}

TEST(WithDeadline, PassedDeadlineDoesNotStartTheWork) {
    asio::io_context ioc;
    bool started = false;
    run_coro(ioc, [](bool& flag) -> task<void> {
        auto work = [](bool& f) -> task<result<int>> {
            f = true;
            co_return 1;
        }(flag);
        auto const value = co_await with_deadline(in(-1ms), "late", std::move(work));
        EXPECT_EQ(value.error().code, errc::timed_out);
    }(started));
    EXPECT_FALSE(started);
}

TEST(WithDeadline, CancellingTheCallerCancelsTheWorkAndIsNotATimeout) {
    asio::io_context ioc;
    int ended = 0;
    bool returned = false;
    run_coro(ioc, [](int& count, bool& came_back) -> task<void> {
        task_group group(co_await asio::this_coro::executor);
        group.spawn("caller", [](int& c, bool& r) -> task<void> {
            (void)co_await with_deadline(in(1h), "work", slow_to_stop(c));
            r = true;
        }(count, came_back));
        co_await yield_now();
        co_await yield_now();
        group.cancel();
        co_await group.join();
    }(ended, returned));
    EXPECT_EQ(ended, 1);
    EXPECT_FALSE(returned);
}

TEST(WithDeadline, NestedDeadlinesTheInnerOneActsAlone) {
    asio::io_context ioc;
    int ended = 0;
    run_coro(ioc, [](int& count) -> task<void> {
        auto outer = [](int& c) -> task<result<int>> {
            auto const inner = co_await with_deadline(in(1ms), "inner", never(c));
            EXPECT_EQ(inner.error().context, "inner");
            co_await yield_now();
            co_return 5;
        }(count);
        auto const value = co_await with_deadline(in(1h), "outer", std::move(outer));
        EXPECT_EQ(value.value(), 5);
    }(ended));
    EXPECT_EQ(ended, 1);
}

TEST(WithDeadline, ManyRacesDecidedAtTheSameMoment) {
    asio::io_context ioc;
    run_coro(ioc, []() -> task<void> {
        int values = 0;
        int timeouts = 0;
        for (int i = 0; i < 300; ++i) {
            auto const at = in(200us);
            auto work = [](deadline d) -> task<result<int>> {
                co_await sleep_until(d);
                co_return 1;
            }(at);
            auto const outcome = co_await with_deadline(at, "tie", std::move(work));
            ++(outcome.has_value() ? values : timeouts);
        }
        EXPECT_EQ(values + timeouts, 300);
    }());
}

// ---- task_group

TEST(TaskGroup, JoinWaitsForAll) {
    asio::io_context ioc;
    int ended = 0;
    run_coro(ioc, [](int& count) -> task<void> {
        task_group group(co_await asio::this_coro::executor);
        for (int i = 0; i < 10; ++i) {
            group.spawn("child", [](int& c) -> task<void> {
                end_marker marker{c};
                co_await sleep_for(1ms);
            }(count));
        }
        EXPECT_EQ(group.running(), 10u);
        co_await group.join();
        EXPECT_EQ(count, 10);
        EXPECT_EQ(group.running(), 0u);
    }(ended));
}

TEST(TaskGroup, FirstFailureCancelsSiblingsAndIsRethrownOnce) {
    asio::io_context ioc;
    int ended = 0;
    run_coro(ioc, [](int& count) -> task<void> {
        task_group group(co_await asio::this_coro::executor);
        group.spawn("waiter", wait_forever(count));
        group.spawn("breaker", fail_after_a_turn("first"));
        group.spawn("waiter", wait_forever(count));
        std::string said;
        try {
            co_await group.join();
        } catch (std::runtime_error const& e) {
            said = e.what();
        }
        EXPECT_EQ(said, "first");
        EXPECT_EQ(group.failed_label(), "breaker");
        EXPECT_EQ(count, 2);
        co_await group.join();
    }(ended));
}

TEST(TaskGroup, CancellationOfAChildIsNotAFailure) {
    asio::io_context ioc;
    int ended = 0;
    run_coro(ioc, [](int& count) -> task<void> {
        task_group group(co_await asio::this_coro::executor);
        group.spawn("waiter", wait_forever(count));
        co_await yield_now();
        group.cancel();
        group.cancel();
        co_await group.join();
        EXPECT_TRUE(group.failed_label().empty());
    }(ended));
    EXPECT_EQ(ended, 1);
}

TEST(TaskGroup, SpawnIntoACancelledGroupEndsAtOnce) {
    asio::io_context ioc;
    int ended = 0;
    run_coro(ioc, [](int& count) -> task<void> {
        task_group group(co_await asio::this_coro::executor);
        group.cancel();
        group.spawn("late", wait_forever(count));
        co_await group.join();
    }(ended));
    EXPECT_LE(ended, 1);
}

TEST(TaskGroup, ChildMayCancelItsOwnGroup) {
    asio::io_context ioc;
    int ended = 0;
    run_coro(ioc, [](int& count) -> task<void> {
        task_group group(co_await asio::this_coro::executor);
        group.spawn("waiter", wait_forever(count));
        group.spawn("killer", [](task_group& g) -> task<void> {
            g.cancel();
            co_return;
        }(group));
        co_await group.join();
    }(ended));
    EXPECT_EQ(ended, 1);
}

TEST(TaskGroup, CancelledCallerStillWaitsForChildren) {
    asio::io_context ioc;
    int ended = 0;
    run_coro(ioc, [](int& count) -> task<void> {
        task_group outer(co_await asio::this_coro::executor);
        outer.spawn("parent", [](int& c) -> task<void> {
            task_group inner(co_await asio::this_coro::executor);
            inner.spawn("slow", [](int& n) -> task<void> { (void)co_await slow_to_stop(n); }(c));
            inner.spawn("waiter", wait_forever(c));
            co_await inner.join();
            EXPECT_EQ(c, 2);
        }(count));
        for (int turn = 0; turn < 5; ++turn) co_await yield_now();
        outer.cancel();
        co_await outer.join();
    }(ended));
    EXPECT_EQ(ended, 2);
}

TEST(TaskGroup, SpawnWhileJoiningIsWaitedForToo) {
    asio::io_context ioc;
    int ended = 0;
    run_coro(ioc, [](int& count) -> task<void> {
        task_group group(co_await asio::this_coro::executor);
        group.spawn("first", [](task_group& g, int& c) -> task<void> {
            co_await sleep_for(1ms);
            g.spawn("second", [](int& n) -> task<void> {
                co_await sleep_for(1ms);
                ++n;
            }(c));
        }(group, count));
        co_await group.join();
        EXPECT_EQ(count, 1);
    }(ended));
}

// ---- wakeup, semaphore, mailbox

TEST(Wakeup, NotifyBeforeWaitIsNotLost) {
    asio::io_context ioc;
    run_coro(ioc, []() -> task<void> {
        wakeup bell(co_await asio::this_coro::executor);
        bell.notify();
        co_await bell.wait();
        bool const notified = co_await bell.wait_until(in(1ms));
        EXPECT_FALSE(notified) << "one notify wakes once";
        bell.notify();
        bool const again = co_await bell.wait_until(in(1h));
        EXPECT_TRUE(again);
    }());
}

TEST(Semaphore, WaitersPassInOrderAndACancelledOneLeavesTheQueue) {
    asio::io_context ioc;
    std::vector<int> order;
    run_coro(ioc, [](std::vector<int>& seen) -> task<void> {
        auto const executor = co_await asio::this_coro::executor;
        semaphore permits(executor, 1);
        auto const enter = [](semaphore& s, std::vector<int>& v, int id) -> task<void> {
            co_await s.acquire();
            v.push_back(id);
        };
        task_group group(executor);
        task_group doomed(executor);
        group.spawn("1", enter(permits, seen, 1));
        co_await yield_now();
        doomed.spawn("2", enter(permits, seen, 2));
        group.spawn("3", enter(permits, seen, 3));
        co_await yield_now();
        co_await yield_now();
        EXPECT_EQ(permits.available(), 0u);
        doomed.cancel();
        co_await doomed.join();
        permits.release();
        co_await group.join();
        permits.release();
        EXPECT_EQ(permits.available(), 1u);
    }(order));
    EXPECT_EQ(order, (std::vector<int>{1, 3}));
}

TEST(Mailbox, KeepsItemsInOrderAndRefusesOverCapacity) {
    asio::io_context ioc;
    run_coro(ioc, []() -> task<void> {
        mailbox<int> box(co_await asio::this_coro::executor, 2);
        EXPECT_TRUE(box.push(1));
        EXPECT_TRUE(box.push(2));
        EXPECT_FALSE(box.push(3));
        auto const first = co_await box.pop();
        auto const second = co_await box.pop();
        EXPECT_EQ(first, 1);
        EXPECT_EQ(second, 2);
    }());
}

TEST(Mailbox, LosesNothingAfterATimedOutReceiveOrAtClose) {
    asio::io_context ioc;
    run_coro(ioc, []() -> task<void> {
        mailbox<std::string> box(co_await asio::this_coro::executor);
        auto const nothing = co_await box.pop_until(in(1ms));
        EXPECT_FALSE(nothing.has_value());
        EXPECT_TRUE(box.push("after a timeout"));
        auto const one = co_await box.pop();
        EXPECT_EQ(one, "after a timeout");
        EXPECT_TRUE(box.push("before close"));
        box.close();
        EXPECT_FALSE(box.push("after close"));
        auto const last = co_await box.pop();
        EXPECT_EQ(last, "before close");
        auto const end = co_await box.pop();
        EXPECT_FALSE(end.has_value());
    }());
}

TEST(Mailbox, PushWakesAWaitingReader) {
    asio::io_context ioc;
    run_coro(ioc, []() -> task<void> {
        auto const executor = co_await asio::this_coro::executor;
        mailbox<int> box(executor);
        task_group group(executor);
        int sum = 0;
        group.spawn("reader", [](mailbox<int>& b, int& s) -> task<void> {
            while (auto const item = co_await b.pop()) s += *item;
        }(box, sum));
        for (int i = 1; i <= 100; ++i) {
            box.push(i);
            if (i % 7 == 0) co_await yield_now();
        }
        box.close();
        co_await group.join();
        EXPECT_EQ(sum, 5050);
    }());
}

TEST(IsCancellation, OnlyForStopNow) {
    auto const from = [](auto e) { return is_cancellation(std::make_exception_ptr(e)); };

    EXPECT_TRUE(from(boost::system::system_error(asio::error::operation_aborted)));
    EXPECT_FALSE(from(boost::system::system_error(asio::error::connection_reset)));
    EXPECT_FALSE(from(std::runtime_error("x")));
    EXPECT_FALSE(is_cancellation(nullptr));
}

}  // namespace
}  // namespace calbridge
