#include "common/http/message.h"

#include <gtest/gtest.h>

namespace calbridge::http {
namespace {

TEST(Message, HeaderNamesIgnoreCaseFormNamesDoNot) {
    headers const fields{{"Content-Type", "a"}, {"content-type", "b"}};
    form const names{{"State", "a"}, {"state", "b"}};

    EXPECT_EQ(find(fields, "CONTENT-TYPE"), "a");
    EXPECT_FALSE(find(fields, "Content").has_value());
    EXPECT_EQ(find(names, "state"), "b");
    EXPECT_FALSE(find(names, "STATE").has_value());
}

TEST(Message, FormComesBack) {
    form const fields{{"a b", "c&d=e"}, {"ü", "+%"}, {"empty", ""}, {"a b", "again"}};

    EXPECT_EQ(encode_form(fields), "a%20b=c%26d%3De&%C3%BC=%2B%25&empty=&a%20b=again");
    EXPECT_EQ(decode_form(encode_form(fields)), fields);
}

TEST(Message, FormReadsBrowsersSpelling) {
    form const wanted{{"a", "b c"}, {"flag", ""}};
    EXPECT_EQ(decode_form("a=b+c&&flag&"), wanted);
    EXPECT_EQ(decode_form(""), form{});
}

TEST(Message, FormRefusesWhatCannotBeText) {
    EXPECT_FALSE(decode_form("a=%").has_value());
    EXPECT_FALSE(decode_form("a=%zz").has_value());
    EXPECT_FALSE(decode_form("a=%00").has_value());
    EXPECT_FALSE(decode_form("a=%ff").has_value());
    EXPECT_FALSE(decode_form("%ff=a").has_value());
}

TEST(Message, ProblemIsAnRfc9457Document) {
    auto const answer = problem(409, "state_used", "Already used", "Start again from the settings \"page\".");

    EXPECT_EQ(answer.status, 409);
    EXPECT_EQ(find(answer.fields, "content-type"), "application/problem+json");
    EXPECT_EQ(
        answer.body,
        R"({"type":"about:blank","title":"Already used","status":409,"code":"state_used","detail":"Start again from the settings \"page\"."})");
}

}  // namespace
}  // namespace calbridge::http
