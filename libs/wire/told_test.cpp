#include "wire/told.h"

#include <gtest/gtest.h>

namespace calbridge::wire {
namespace {

TEST(StoredTold, ComesBackAsItWas) {
    domain::told one;
    one.sequence = 7;
    one.changed.add(domain::field::title).add(domain::field::time);
    one.values.title = "Müller \"AG\"";
    std::vector<domain::told> const all{one, one};

    auto const back = load_told(store_told(all));

    ASSERT_TRUE(back);
    ASSERT_EQ(back->size(), 2u);
    EXPECT_EQ(back->at(1).sequence, 7);
    EXPECT_EQ(back->at(1).changed, one.changed);
    EXPECT_EQ(back->at(1).values, one.values);
}

TEST(StoredTold, NothingToldIsAnEmptyArray) {
    EXPECT_EQ(store_told({}), "[]");
    EXPECT_TRUE(load_told("[]")->empty());
    EXPECT_FALSE(load_told("{}"));
}

}  // namespace
}  // namespace calbridge::wire
