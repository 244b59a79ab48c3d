#include "common/json/json.h"

#include <gtest/gtest.h>

#include <limits>

namespace calbridge::json {
namespace {

using namespace std::string_literals;

// The value, or a null with a test failure.
value read(std::string_view text, bool scrub = false) {
    auto parsed = parse(text, "document", {}, scrub);
    EXPECT_TRUE(parsed.has_value()) << text << ": " << (parsed ? "" : parsed.error().context);
    return parsed ? *parsed : value(nullptr);
}

errc refusal(std::string_view text, limits within = {}, bool scrub = false) {
    auto const parsed = parse(text, "document", within, scrub);
    EXPECT_FALSE(parsed.has_value()) << text;
    if (parsed) return errc::internal;
    EXPECT_TRUE(parsed.error().context.starts_with("document: ")) << parsed.error().context;
    return parsed.error().code;
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(JsonParse, EveryKindOfValueArrives) {
    value const v =
        read(R"({"s":"é\n","i":-3,"u":18446744073709551615,"d":1.5,"t":true,"f":false,"n":null,"a":[1,[2]],"o":{"k":"v"},"":0})");

    object const& o = v.as_object();
    EXPECT_EQ(o.at("s").as_string(), "é\n");
    EXPECT_EQ(o.at("i").as_int64(), -3);
    EXPECT_EQ(o.at("u").as_uint64(), std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(o.at("d").as_double(), 1.5);
    EXPECT_TRUE(o.at("t").as_bool());
    EXPECT_FALSE(o.at("f").as_bool());
    EXPECT_TRUE(o.at("n").is_null());
    EXPECT_EQ(o.at("a").as_array().at(1).as_array().at(0).as_int64(), 2);
    EXPECT_EQ(o.at("o").as_object().at("k").as_string(), "v");
    EXPECT_EQ(o.at("").as_int64(), 0);
}

TEST(JsonParse, ScalarsAreDocuments) {
    EXPECT_EQ(read("7").as_int64(), 7);
    EXPECT_EQ(read(" \"x\" ").as_string(), "x");
    EXPECT_TRUE(read("null").is_null());
}

TEST(JsonParse, EveryPrefixOfADocumentIsRefused) {
    std::string const whole = R"({"items":[{"id":"a","n":12,"t":true},{"id":"é\u00e9\ud83d\ude00","x":null}],"next":"tok"})";

    ASSERT_TRUE(parse(whole, "document").has_value());
    for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_EQ(refusal(whole.substr(0, size)), errc::malformed) << size;
}

TEST(JsonParse, TrailingContentIsRefused) {
    for (char const* text : {"{} {}", "[1]]", "1 2", "{}x", "{},"}) EXPECT_EQ(refusal(text), errc::malformed) << text;
    EXPECT_EQ(refusal("{}\0"s), errc::malformed);
}

TEST(JsonParse, NotJsonIsRefused) {
    for (char const* text :
         {"",    " ",      "{'a':1}", "{a:1}",       "[1,]",    "{\"a\":1,}", "nul",     "NaN",           "01",      "+1", "1.", ".5",
          "0x1", "\"\t\"", "\"\\x\"", "\"\\u12g4\"", "\"\\u\"", "[1 2]",      "// c\n1", "\xef\xbb\xbf{", "{\"a\"}", "]"}) {
        EXPECT_EQ(refusal(text), errc::malformed) << text;
    }
}

TEST(JsonParse, InvalidUtf8IsRefusedEvenWhenScrubbing) {
    for (char const* text : {"\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "{\"\xe2\x82\":1}"}) {
        EXPECT_EQ(refusal(text), errc::malformed);
        EXPECT_EQ(refusal(text, {}, true), errc::malformed);
    }
}

TEST(JsonParse, DepthIsBounded) {
    limits const within{.depth_max = 32};

    EXPECT_TRUE(parse(nested(32), "document", within).has_value());
    EXPECT_EQ(refusal(nested(33), within), errc::malformed);
    EXPECT_EQ(refusal(std::string(100000, '['), within), errc::malformed);
    std::string objects;
    for (int i = 0; i < 40; ++i) objects += "{\"a\":";
    EXPECT_EQ(refusal(objects + "1" + std::string(40, '}'), within), errc::malformed);
}

TEST(JsonParse, SizeIsBounded) {
    limits const within{.bytes_max = 10};

    EXPECT_TRUE(parse("\"12345678\"", "document", within).has_value());
    EXPECT_EQ(refusal("\"123456789\"", within), errc::too_large);
}

TEST(JsonParse, DuplicateNamesAreRefusedAtAnyDepth) {
    EXPECT_EQ(refusal(R"({"a":1,"a":2})"), errc::malformed);
    EXPECT_EQ(refusal(R"({"a":1,"a":1})"), errc::malformed);
    EXPECT_EQ(refusal(R"([{"x":{"b":1,"c":2,"b":3}}])"), errc::malformed);
    EXPECT_EQ(refusal(R"({"a":1,"\u0061":2})"), errc::malformed) << "two spellings of one name";
    EXPECT_EQ(read(R"({"a":{"a":1},"A":2})").as_object().size(), 2U);
}

TEST(JsonParse, LoneSurrogateIsRefusedOrReplaced) {
    for (char const* half :
         {R"(["\ud83d"])", R"(["\ude00"])", R"(["\ud83dx"])", R"(["\ud83d\u0041"])", R"(["\uDE00\uD83D"])", R"(["\ud83d\ud83d\ude00"])"}) {
        EXPECT_EQ(refusal(half), errc::malformed) << half;
    }
    EXPECT_EQ(read(R"(["a\ud83db"])", true).as_array()[0].as_string(),
              "a\xef\xbf\xbd"
              "b");
    EXPECT_EQ(read(R"(["\uDE00\uD83D"])", true).as_array()[0].as_string(), "\xef\xbf\xbd\xef\xbf\xbd");
    EXPECT_EQ(read(R"(["\ud83d\ud83d\ude00"])", true).as_array()[0].as_string(), "\xef\xbf\xbd\xf0\x9f\x98\x80");
    EXPECT_EQ(read(R"({"\ud83d":1})", true).as_object().at("\xef\xbf\xbd").as_int64(), 1);
}

TEST(JsonParse, WholeSurrogatePairIsOneCharacter) {
    EXPECT_EQ(read(R"("\ud83d\ude00")").as_string(), "\xf0\x9f\x98\x80");
    EXPECT_EQ(read(R"("\\ud83d")").as_string(), "\\ud83d") << "an escaped backslash starts no escape";
}

TEST(JsonParse, NulIsRefusedOrReplaced) {
    EXPECT_EQ(refusal(R"({"a":"x\u0000y"})"), errc::malformed);
    EXPECT_EQ(refusal("\"x\0y\""s), errc::malformed) << "a raw control character is no JSON at all";
    EXPECT_EQ(refusal("\"x\0y\""s, {}, true), errc::malformed);
    EXPECT_EQ(read(R"({"a":"x\u0000y"})", true).as_object().at("a").as_string(), "x\xef\xbf\xbdy");
    EXPECT_EQ(read(R"("\\u0000")").as_string(), "\\u0000");
}

TEST(JsonParse, NumbersBeyond64BitsAreRefused) {
    EXPECT_EQ(read("9223372036854775807").as_int64(), std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(read("-9223372036854775808").as_int64(), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(refusal("18446744073709551616"), errc::malformed);
    EXPECT_EQ(refusal("-9223372036854775809"), errc::malformed);
    EXPECT_EQ(refusal("123456789012345678901234567890"), errc::malformed);
    EXPECT_EQ(refusal("1e400"), errc::malformed);
}

TEST(JsonParse, ErrorsNeverRepeatTheDocument) {
    auto const parsed = parse(R"({"secret-name":1,"secret-name":2})", "token answer");

    ASSERT_FALSE(parsed.has_value());
    EXPECT_EQ(parsed.error().context.find("secret"), std::string::npos);
}

TEST(JsonSerialize, RoundTrip) {
    std::string const text = R"({"a":[1,-2,18446744073709551615,true,null,"q\"\\\n\u0001é😀"],"b":{"c":{}}})";

    value const v = read(text);

    EXPECT_EQ(read(serialize(v)), v);
    EXPECT_EQ(serialize(value{{"k", "line\nend"}}), R"({"k":"line\nend"})");
}

TEST(JsonLookup, AbsentOrOtherTypeGivesTheFallback) {
    value const v = read(R"({"s":"x","i":5,"b":true,"o":{},"a":[],"n":null})");
    object const& o = v.as_object();

    EXPECT_EQ(text_or(o, "s"), "x");
    EXPECT_EQ(text_or(o, "i", "none"), "none");
    EXPECT_EQ(text_or(o, "absent", "none"), "none");
    EXPECT_TRUE(boolean_or(o, "b"));
    EXPECT_TRUE(boolean_or(o, "s", true));
    EXPECT_FALSE(boolean_or(o, "absent"));
    EXPECT_NE(object_at(o, "o"), nullptr);
    EXPECT_EQ(object_at(o, "a"), nullptr);
    EXPECT_EQ(object_at(o, "n"), nullptr);
    EXPECT_NE(array_at(o, "a"), nullptr);
    EXPECT_EQ(array_at(o, "o"), nullptr);
    EXPECT_EQ(array_at(o, "absent"), nullptr);
}

TEST(JsonLookup, IntegersMayBeSpelledAsStrings) {
    value const v = read(
        R"({"i":-5,"s":"1234567890123","big":18446744073709551615,"d":1.0,"t":"12x","e":"","huge":"99999999999999999999","plus":"+1"})");
    object const& o = v.as_object();

    EXPECT_EQ(integer_or(o, "i"), -5);
    EXPECT_EQ(integer_or(o, "s"), 1234567890123);
    for (char const* name : {"big", "d", "t", "e", "huge", "plus", "absent"}) EXPECT_EQ(integer_or(o, name, 42), 42) << name;
}

TEST(JsonTakeApart, ElementsStayTextsAndTheRestIsRead) {
    auto const parts = take_apart(R"( {"kind":"k", "items" : [ {"a":[1,{"b":"]"}]} , 7, "x\"]", [2], null ] ,"n":{"m":1}} )", "items", "t");

    ASSERT_TRUE(parts);
    EXPECT_TRUE(parts->has_array);
    EXPECT_EQ(parts->elements, (std::vector<std::string>{R"({"a":[1,{"b":"]"}]})", "7", R"("x\"]")", "[2]", "null"}));
    EXPECT_EQ(serialize(parts->rest), R"({"kind":"k","n":{"m":1}})");
}

TEST(JsonTakeApart, WhatIsNoArrayStaysInTheRest) {
    auto const parts = take_apart(R"({"items":{"a":1}})", "items", "t");

    ASSERT_TRUE(parts);
    EXPECT_FALSE(parts->has_array);
    EXPECT_TRUE(parts->rest.get_object().contains("items"));
}

TEST(JsonTakeApart, WhatDoesNotEndOrIsNoObjectIsRefused) {
    for (auto const* text : {R"({"items":[{"a":1},)", R"({"items":[{"a":1})", "[]", "", "7", R"({"items":[1]} x)"})
        EXPECT_FALSE(take_apart(text, "items", "t")) << text;
    EXPECT_EQ(take_apart("{}", "items", "t", {.bytes_max = 1}).error().code, errc::too_large);
}

}  // namespace
}  // namespace calbridge::json
