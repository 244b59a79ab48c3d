#include "common/base/secret.h"

#include "common/base/random.h"
#include "common/base/result.h"

#include <gtest/gtest.h>

#include <array>
#include <concepts>
#include <new>
#include <ostream>

namespace calbridge {
namespace {

template <class T>
concept printable = requires(std::ostream& out, T const& value) { out << value; };
static_assert(!printable<secret>);
static_assert(!std::equality_comparable<secret>);
static_assert(!std::convertible_to<secret, std::string>);

TEST(Secret, EqualsComparesWholeValues) {
    secret const s("abc");

    EXPECT_TRUE(s.equals("abc"));
    EXPECT_FALSE(s.equals("abd"));
    EXPECT_FALSE(s.equals("ab"));
    EXPECT_FALSE(s.equals(std::string_view("abc\0", 4)));
    EXPECT_FALSE(s.equals(""));
    EXPECT_TRUE(secret{}.equals(""));
}

TEST(Secret, MovedFromIsEmpty) {
    secret a("short");
    secret b(std::move(a));
    secret c;
    c = std::move(b);

    EXPECT_TRUE(a.empty());
    EXPECT_TRUE(b.empty());
    EXPECT_EQ(c.reveal(), "short");
}

TEST(Secret, NothingStaysInItsOwnMemory) {
    alignas(secret) std::array<unsigned char, sizeof(secret)> place{};
    auto* const s = new (place.data()) secret("canary-123");
    secret const taken(std::move(*s));

    std::string_view const raw(reinterpret_cast<char const*>(place.data()), place.size());
    EXPECT_EQ(raw.find("canary"), std::string_view::npos);
    s->~secret();
}

TEST(Random, UniformStaysInRangeAndMoves) {
    system_random source;
    double sum = 0;
    for (int i = 0; i < 10000; ++i) {
        double const value = source.uniform();
        ASSERT_GE(value, 0.0);
        ASSERT_LT(value, 1.0);
        sum += value;
    }
    EXPECT_NEAR(sum / 10000, 0.5, 0.05);
}

TEST(Result, EveryCodeHasItsOwnName) {
    std::string all;
    for (int code = 1; code <= static_cast<int>(errc::internal); ++code) {
        auto const text = std::string(name(static_cast<errc>(code)));
        EXPECT_NE(text, "unknown");
        EXPECT_EQ(all.find("|" + text + "|"), std::string::npos);
        all += "|" + text + "|";
    }
}

TEST(Result, ValueOfAFailureIsABugThatNamesTheFailure) {
    result<int> const failed = fail(errc::gone, "sync cursor of calendar c1");
    try {
        (void)failed.value();
        FAIL();
    } catch (std::logic_error const& e) {
        EXPECT_NE(std::string_view(e.what()).find("gone: sync cursor of calendar c1"), std::string_view::npos);
    }
}

}  // namespace
}  // namespace calbridge
