#include "own_echoes.h"

#include <gtest/gtest.h>

namespace calbridge::worker {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds patience{800};
auto const t0 = own_echoes::instant{} + std::chrono::hours(1);

TEST(OwnEchoes, WhatSomebodyElseMayHaveDoneIsListedAtOnce) {
    own_echoes echoes(patience);
    EXPECT_EQ(echoes.wait(1, t0).count(), 0);
    echoes.wrote(1, t0);
    EXPECT_EQ(echoes.wait(2, t0).count(), 0) << "one more push than writes";
}

TEST(OwnEchoes, ListingsThatOnlyOwnWritesCanBeTheReasonForWaitForEachOther) {
    own_echoes echoes(patience);
    echoes.wrote(1, t0);
    EXPECT_EQ(echoes.wait(1, t0).count(), 800);
    echoes.wrote(2, t0 + milliseconds(300));
    EXPECT_EQ(echoes.wait(3, t0 + milliseconds(300)).count(), 500) << "not longer for what came later";
    EXPECT_EQ(echoes.wait(3, t0 + milliseconds(800)).count(), 0);
}

TEST(OwnEchoes, AWriteExcusesOnePushOnly) {
    own_echoes echoes(patience);
    echoes.wrote(1, t0);
    echoes.listed(1);
    EXPECT_EQ(echoes.wait(1, t0 + milliseconds(10)).count(), 0);
    echoes.wrote(2, t0 + milliseconds(20));
    echoes.listed(1);
    EXPECT_GT(echoes.wait(1, t0 + milliseconds(30)).count(), 0) << "the other one's push is still to come";
    EXPECT_EQ(echoes.wait(2, t0 + milliseconds(30)).count(), 0);
}

TEST(OwnEchoes, APushThatNeverCameDelaysNobodyLater) {
    own_echoes echoes(patience);
    echoes.wrote(3, t0);
    EXPECT_EQ(echoes.wait(1, t0 + milliseconds(900)).count(), 0);
    echoes.wrote(1, t0 + milliseconds(1000));
    EXPECT_EQ(echoes.wait(2, t0 + milliseconds(1000)).count(), 0) << "the three are forgotten";
}

TEST(OwnEchoes, ListingMoreThanWasAwaitedIsFine) {
    own_echoes echoes(patience);
    echoes.wrote(1, t0);
    echoes.listed(5);
    echoes.listed(-1);
    EXPECT_EQ(echoes.wait(1, t0).count(), 0);
}

TEST(OwnEchoes, TheNumberAwaitedIsBounded) {
    own_echoes echoes(patience);
    echoes.wrote(1'000'000, t0);
    EXPECT_EQ(echoes.wait(1001, t0).count(), 0);
    EXPECT_GT(echoes.wait(1000, t0).count(), 0);
}

}  // namespace
}  // namespace calbridge::worker
