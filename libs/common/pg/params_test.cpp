#include "common/pg/params_value.h"

#include <gtest/gtest.h>

namespace calbridge::pg {
namespace {

TEST(Params, TextThatPostgresWouldCutOrRejectIsMarked) {
    params with;
    with.add(std::string_view("fine \xc3\xa9"));
    with.add(std::string_view("cut\0here", 8));
    with.add(std::string_view("bad \xff"));
    std::vector<std::string> const elements{"fine", std::string("x\0", 2)};
    with.add_array(elements);

    auto const& values = with.values();
    ASSERT_EQ(values.size(), 4U);
    EXPECT_FALSE(values[0].refused);
    EXPECT_TRUE(values[1].refused);
    EXPECT_TRUE(values[2].refused);
    EXPECT_TRUE(values[3].refused);
}

TEST(Params, AnEmptyOptionalIsANullOfItsType) {
    std::optional<std::int64_t> const number;
    std::optional<uuid> const id;
    std::optional<std::string> const text;
    params with;
    with.add(number).add(id).add(text).add_null();

    auto const& values = with.values();
    ASSERT_EQ(values.size(), 4U);
    for (auto const& v : values) EXPECT_TRUE(v.null);
    EXPECT_EQ(values[0].type, 20U);
    EXPECT_EQ(values[1].type, 2950U);
    EXPECT_EQ(values[2].type, 0U);
    EXPECT_EQ(values[3].type, 0U);
}

TEST(Params, TimesTravelAsMicrosecondsSince2000) {
    params with;
    with.add(instant(std::chrono::sys_days{std::chrono::year{2000} / 1 / 1}) + std::chrono::microseconds(258));

    EXPECT_EQ(with.values()[0].data, std::string("\0\0\0\0\0\0\x01\x02", 8));
    EXPECT_TRUE(with.values()[0].binary);
}

}  // namespace
}  // namespace calbridge::pg
