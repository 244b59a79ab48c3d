#include "common/base/ids.h"

#include <gtest/gtest.h>

#include <chrono>
#include <unordered_set>

namespace calbridge {
namespace {

TEST(TextId, TakesPrintableAsciiOfBoundedLength) {
    EXPECT_TRUE(is_valid_text_id("a"));
    EXPECT_TRUE(is_valid_text_id("user:42@crm.example_A-b~"));
    EXPECT_TRUE(is_valid_text_id(std::string(128, 'x')));
    EXPECT_FALSE(is_valid_text_id(""));
    EXPECT_FALSE(is_valid_text_id(std::string(129, 'x')));
    for (std::string const bad : {"a b", "a/b", "a\"b", "a'b", "a\\b", "a\nb", "a\tb", "\x7f", "ü", "`"}) {
        EXPECT_FALSE(is_valid_text_id(bad)) << testing::PrintToString(bad);
    }
    EXPECT_FALSE(is_valid_text_id(std::string_view("a\0b", 3)));
}

TEST(Uuid, TextComesBackInLowerCase) {
    auto const id = parse_uuid("0195D7E0-1234-7ABC-8DEF-0123456789aB").value();

    EXPECT_EQ(to_string(id), "0195d7e0-1234-7abc-8def-0123456789ab");
    EXPECT_EQ(parse_uuid(to_string(id)).value(), id);
}

TEST(Uuid, OnlyTheHyphenatedFormIsRead) {
    for (auto const* bad :
         {"", "0195d7e012347abc8def0123456789ab", "{0195d7e0-1234-7abc-8def-0123456789ab}", "0195d7e0-1234-7abc-8def-0123456789a",
          "0195d7e0-1234-7abc-8def-0123456789abc", "0195d7e0x1234-7abc-8def-0123456789ab", "0195d7e0-1234-7abc-8def-0123456789ag",
          "0195d7e-01234-7abc-8def-0123456789ab", " 195d7e0-1234-7abc-8def-0123456789ab"}) {
        EXPECT_FALSE(parse_uuid(bad).has_value()) << bad;
    }
}

TEST(Uuid, VersionAndVariantAreSet) {
    for (int i = 0; i < 1000; ++i) {
        auto const random = to_string(random_uuid());
        auto const ordered = to_string(time_ordered_uuid());
        EXPECT_EQ(random[14], '4');
        EXPECT_EQ(ordered[14], '7');
        EXPECT_NE(std::string_view("89ab").find(random[19]), std::string_view::npos);
        EXPECT_NE(std::string_view("89ab").find(ordered[19]), std::string_view::npos);
    }
}

TEST(Uuid, TimeOrderedHoldsTheMilliseconds) {
    auto const ms_now = [] {
        return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    };
    auto const before = ms_now();
    auto const id = time_ordered_uuid();
    auto const after = ms_now();

    std::int64_t ms = 0;
    for (std::size_t i = 0; i < 6; ++i) ms = ms << 8 | id.bytes[i];
    EXPECT_GE(ms, before);
    EXPECT_LE(ms, after);
}

TEST(Uuid, NoRepeats) {
    std::unordered_set<uuid> seen;
    for (int i = 0; i < 20000; ++i) {
        EXPECT_TRUE(seen.insert(random_uuid()).second);
        EXPECT_TRUE(seen.insert(time_ordered_uuid()).second);
    }
}

TEST(Uuid, HashSpreadsTimeOrderedIds) {
    std::unordered_set<std::size_t> low_bits;
    for (int i = 0; i < 1000; ++i) low_bits.insert(std::hash<uuid>{}(time_ordered_uuid()) % 4096);
    EXPECT_GT(low_bits.size(), 700u);
}

}  // namespace
}  // namespace calbridge
