#include "domain/told.h"

#include <gtest/gtest.h>

namespace calbridge::domain {
namespace {

told message(std::int64_t sequence, std::string title) {
    told t;
    t.sequence = sequence;
    t.changed.add(field::title);
    t.values.title = std::move(title);
    return t;
}

fields titled(std::string title) {
    fields f;
    f.title = std::move(title);
    return f;
}

TEST(Told, ASnapshotHoldingTheNewestAppliedMessageIsAnEcho) {
    std::vector<told> const all{message(1, "A"), message(2, "B")};

    EXPECT_TRUE(is_echo(field::title, all, titled("A"), 1));
    EXPECT_TRUE(is_echo(field::title, all, titled("B"), 2));
    EXPECT_TRUE(is_echo(field::title, all, titled("B"), 7));
}

TEST(Told, GoingBackToAnOlderMessageKnowinglyIsAnEdit) {
    std::vector<told> const all{message(1, "A"), message(2, "B")};

    EXPECT_FALSE(is_echo(field::title, all, titled("A"), 2));
}

TEST(Told, ACrmThatDoesNotSayMayHoldAnyOfThem) {
    std::vector<told> const all{message(1, "A"), message(2, "B")};

    EXPECT_TRUE(is_echo(field::title, all, titled("A"), 0));
    EXPECT_TRUE(is_echo(field::title, all, titled("B"), 0));
    EXPECT_FALSE(is_echo(field::title, all, titled("C"), 0));
}

TEST(Told, OnlyToldFieldsCount) {
    std::vector<told> const all{message(1, "A")};

    EXPECT_FALSE(is_echo(field::location, all, titled("A"), 0));
}

TEST(Told, TheOldestIsForgottenBeyondTheLimit) {
    std::vector<told> all;
    for (int i = 1; i <= static_cast<int>(told_max) + 3; ++i) remember(all, message(i, std::to_string(i)));

    EXPECT_EQ(all.size(), told_max);
    EXPECT_EQ(all.front().sequence, 4);
}

}  // namespace
}  // namespace calbridge::domain
