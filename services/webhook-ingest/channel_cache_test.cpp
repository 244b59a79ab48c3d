#include "channel_cache.h"

#include <gtest/gtest.h>

#include <vector>

namespace calbridge::ingest {
namespace {

using knowledge = channel_cache::entry::knowledge;

TEST(ChannelCache, StaysWithinItsMaximumAndDropsTheOldest) {
    channel_cache cache(3);
    std::vector<channel_id> ids;
    for (int i = 0; i < 5; ++i) {
        ids.push_back(channel_id{random_uuid()});
        cache.entry_of(ids.back()).known = knowledge::found;
    }

    EXPECT_EQ(cache.size(), 3u);
    EXPECT_EQ(cache.find(ids[0]), nullptr);
    EXPECT_EQ(cache.find(ids[1]), nullptr);
    ASSERT_NE(cache.find(ids[4]), nullptr);
    EXPECT_EQ(cache.find(ids[4])->known, knowledge::found);
}

TEST(ChannelCache, ForgettingFactsKeepsTheDeliveryMark) {
    channel_cache cache(10);
    channel_id const one{random_uuid()};
    channel_id const two{random_uuid()};
    for (auto const id : {one, two}) {
        auto& entry = cache.entry_of(id);
        entry.known = knowledge::found;
        entry.token = "secret";
        cache.note_delivered(id, 7);
    }

    cache.forget_facts(one);
    EXPECT_EQ(cache.find(one)->known, knowledge::none);
    EXPECT_TRUE(cache.find(one)->token.empty());
    EXPECT_EQ(cache.find(one)->delivered, 7);
    EXPECT_EQ(cache.find(two)->known, knowledge::found);

    cache.forget_all_facts();
    EXPECT_EQ(cache.find(two)->known, knowledge::none);
    EXPECT_EQ(cache.find(two)->delivered, 7);
}

TEST(ChannelCache, DeliveryMarkOnlyGrows) {
    channel_cache cache(10);
    channel_id const id{random_uuid()};
    cache.note_delivered(id, 7);
    cache.note_delivered(id, 5);

    EXPECT_EQ(cache.find(id)->delivered, 7);
}

}  // namespace
}  // namespace calbridge::ingest
