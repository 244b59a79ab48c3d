#include "beat.h"

#include "common/testing/testing.h"

#include <gtest/gtest.h>

namespace calbridge::renewer {
namespace {

using namespace std::chrono_literals;

class fixed_random final : public random_source {
public:
    double uniform() override { return 0.0; }
};

TEST(Rest, IsAboutItsIntervalWithJitter) {
    rhythm const of{.name = "x", .every = 1000ms, .full = 10};

    EXPECT_EQ(rest_after(of, 0, 0, 0.0), 750ms);
    EXPECT_EQ(rest_after(of, 9, 0, 0.5), 1000ms);
    EXPECT_LE(rest_after(of, 9, 0, 0.999), 1250ms);
}

TEST(Rest, FullStepsFollowEachOther) {
    EXPECT_EQ(rest_after({.name = "x", .every = 1000ms, .full = 10}, 10, 0, 0.5), 0ms);
    EXPECT_EQ(rest_after({.name = "x", .every = 1000ms, .full = 0}, 10, 0, 0.5), 1000ms) << "no size given: every step rests";
}

TEST(Rest, FailuresBackOffToAMinute) {
    rhythm const of{.name = "x", .every = 1000ms, .full = 10};

    EXPECT_GE(rest_after(of, 10, 1, 0.0), 100ms);
    EXPECT_LE(rest_after(of, 0, 1, 0.999), 1000ms);
    EXPECT_GT(rest_after(of, 0, 20, 0.999), 55s);
    EXPECT_LE(rest_after(of, 0, 20, 0.999), 60s);
}

task<result<std::size_t>> step(int& calls) {
    ++calls;
    if (calls == 1) co_return fail(errc::unavailable, "the first fails");
    co_return std::size_t{0};
}

TEST(Beat, GoesOnAfterAFailureUntilCancelled) {
    asio::io_context ioc(1);
    fixed_random random;
    int calls = 0;

    testing::run_coro(ioc, [](asio::io_context& on, random_source& from, int& count) -> task<void> {
        task_group group(on.get_executor());
        rhythm const of{.name = "test", .every = 1ms, .full = 0};
        group.spawn("beat", keep_beat(of, from, [&count] { return step(count); }));
        for (int i = 0; i < 1000 && count < 3; ++i) co_await sleep_for(2ms);
        group.cancel();
        co_await group.join();
    }(ioc, random, calls));

    EXPECT_GE(calls, 3);
}

}  // namespace
}  // namespace calbridge::renewer
