#include "common/base/encoding.h"

#include <gtest/gtest.h>

namespace calbridge {
namespace {

TEST(Encoding, Rfc4648Vectors) {
    EXPECT_EQ(base64(as_bytes("")), "");
    EXPECT_EQ(base64(as_bytes("f")), "Zg==");
    EXPECT_EQ(base64(as_bytes("fo")), "Zm8=");
    EXPECT_EQ(base64(as_bytes("foo")), "Zm9v");
    EXPECT_EQ(base64(as_bytes("foobar")), "Zm9vYmFy");
    EXPECT_EQ(base32hex(as_bytes("f")), "co");
    EXPECT_EQ(base32hex(as_bytes("foobar")), "cpnmuoj1e8");
    EXPECT_EQ(hex(as_bytes("foobar")), "666f6f626172");
    bytes const high{0xfb, 0xff, 0xbf};
    EXPECT_EQ(base64url(high), "-_-_");
    EXPECT_EQ(base64(high), "+/+/");
}

TEST(Encoding, EveryLengthComesBack) {
    bytes data;
    for (int size = 0; size < 70; ++size) {
        EXPECT_EQ(from_base64(base64(data)).value(), data);
        EXPECT_EQ(from_base64url(base64url(data)).value(), data);
        EXPECT_EQ(from_hex(hex(data)).value(), data);
        data.push_back(static_cast<std::uint8_t>(size * 37 + 11));
    }
}

TEST(Encoding, OneSpellingPerValue) {
    EXPECT_FALSE(from_base64("Zg=").has_value());
    EXPECT_FALSE(from_base64("Zg").has_value());
    EXPECT_FALSE(from_base64("Zh==").has_value()) << "leftover bits";
    EXPECT_FALSE(from_base64("Z===").has_value());
    EXPECT_FALSE(from_base64("====").has_value());
    EXPECT_FALSE(from_base64("Zm9v\n").has_value());
    EXPECT_FALSE(from_base64("Zm-_").has_value());
    EXPECT_FALSE(from_base64url("Zg==").has_value()) << "padding";
    EXPECT_FALSE(from_base64url("Zm+/").has_value());
    EXPECT_FALSE(from_base64url("Z").has_value());
    EXPECT_FALSE(from_hex("abc").has_value());
    EXPECT_FALSE(from_hex("zz").has_value());
    EXPECT_EQ(from_hex("zz").error().code, errc::malformed);
}

TEST(Encoding, PercentEscapesEverythingButUnreserved) {
    EXPECT_EQ(percent_encode("a-Z_0.9~"), "a-Z_0.9~");
    EXPECT_EQ(percent_encode("a b/c@d"), "a%20b%2Fc%40d");
    EXPECT_EQ(percent_encode("ü"), "%C3%BC");
    std::string every;
    for (int c = 0; c < 256; ++c) every.push_back(static_cast<char>(c));
    EXPECT_EQ(percent_decode(percent_encode(every)).value(), every);
}

TEST(Encoding, PercentDecodesOnceAndRefusesBadEscapes) {
    EXPECT_EQ(percent_decode("%2541").value(), "%41");
    EXPECT_EQ(percent_decode("a+b").value(), "a+b");
    EXPECT_EQ(percent_decode("a+b", true).value(), "a b");
    EXPECT_FALSE(percent_decode("%").has_value());
    EXPECT_FALSE(percent_decode("%4").has_value());
    EXPECT_FALSE(percent_decode("%4g").has_value());
    EXPECT_FALSE(percent_decode("ab%").has_value());
}

TEST(Utf8, AcceptsWhatRfc3629Allows) {
    EXPECT_TRUE(is_valid_utf8(""));
    EXPECT_TRUE(is_valid_utf8("plain"));
    EXPECT_TRUE(is_valid_utf8("\xC2\x80 \xDF\xBF \xE0\xA0\x80 \xED\x9F\xBF \xEE\x80\x80 \xEF\xBF\xBF \xF0\x90\x80\x80 \xF4\x8F\xBF\xBF"));
}

TEST(Utf8, RefusesOverlongSurrogateTooHighAndCut) {
    for (auto const* bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF",
                            "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xC3", "\xE2\x82", "\xF0\x9F\x98", "a\xC3z"}) {
        EXPECT_FALSE(is_valid_utf8(bad)) << testing::PrintToString(std::string(bad));
    }
}

TEST(Utf8, ScrubReplacesBadBytesAndNulAndIsIdempotent) {
    using namespace std::string_literals;
    EXPECT_EQ(scrub_text("ok ü"), "ok ü");
    EXPECT_EQ(scrub_text("a\0b"s), "a\uFFFDb");
    EXPECT_EQ(scrub_text("a\xFFz"), "a\uFFFDz");
    EXPECT_EQ(scrub_text("\xE2\x82"), "\uFFFD\uFFFD");
    auto const once = scrub_text("x\xED\xA0\x80\0y"s);
    EXPECT_TRUE(is_valid_utf8(once));
    EXPECT_EQ(scrub_text(once), once);
}

}  // namespace
}  // namespace calbridge
