#include "common/testing/testing.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <gtest/gtest.h>

#include <stdexcept>

namespace calbridge::testing {
namespace {

task<void> set(bool& flag) {
    flag = true;
    co_return;
}

task<void> throw_it() {
    throw std::domain_error("expected");
    co_return;
}

struct mark {
    bool& unwound;
    ~mark() { unwound = true; }
};

task<void> wait_for_ever(bool& unwound) {
    mark const m{unwound};
    asio::steady_timer never(co_await asio::this_coro::executor, deadline::max());
    co_await never.async_wait(asio::use_awaitable);
}

task<void> see_it_change(int& calls, bool& held, bool& gave_up) {
    std::function<bool()> third = [&calls] { return ++calls == 3; };
    held = co_await eventually(third);
    std::function<bool()> never = [] { return false; };
    gave_up = !co_await eventually(never, std::chrono::milliseconds(10));
}

TEST(RunCoro, RunsTheBody) {
    asio::io_context ioc;
    bool ran = false;

    run_coro(ioc, set(ran));

    EXPECT_TRUE(ran);
}

TEST(RunCoro, RethrowsWhatTheBodyThrew) {
    asio::io_context ioc;

    EXPECT_THROW(run_coro(ioc, throw_it()), std::domain_error);
}

TEST(RunCoro, UnwindsABodyThatDoesNotEnd) {
    asio::io_context ioc;
    bool unwound = false;

    EXPECT_THROW(run_coro(ioc, wait_for_ever(unwound), std::chrono::seconds(1)), std::runtime_error);
    EXPECT_TRUE(unwound);
}

TEST(Eventually, PollsUntilTheConditionHoldsOrTheLimit) {
    asio::io_context ioc;
    int calls = 0;
    bool held = false;
    bool gave_up = false;

    run_coro(ioc, see_it_change(calls, held, gave_up));

    EXPECT_TRUE(held);
    EXPECT_TRUE(gave_up);
    EXPECT_EQ(calls, 3);
}

TEST(Golden, SaysThatAFileIsMissing) {
    std::string const difference = golden_difference("no/such/file.txt", "x");

    EXPECT_NE(difference.find("does not exist"), std::string::npos);
}

}  // namespace
}  // namespace calbridge::testing
