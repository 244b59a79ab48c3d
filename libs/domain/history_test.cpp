#include "domain/history.h"
#include "domain/world_for_tests.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace calbridge::domain {
namespace {

instant const now{testing_world::day(2026, 11, 25)};

history_item patch_of_title() {
    history_item item{.kind = "patch", .state = "done", .pushed = {"title"}, .who = "crm", .why = "push"};
    item.before = item.expected = testing_world::sample(1);
    item.before->title = "Appointment";
    item.expected->title = "Contract talk";
    item.at = now - std::chrono::hours(1);
    return item;
}

bool says(explanation const& e, std::string_view part) {
    return std::any_of(e.sentences.begin(), e.sentences.end(), [&](auto const& s) { return s.find(part) != std::string::npos; });
}

TEST(History, APatchReadsAsWhatWasSentWhatCameBackAndWhy) {
    auto const read = explain(patch_of_title(), now);

    EXPECT_EQ(read.headline, "The CRM's title went to Google Calendar.");
    EXPECT_TRUE(says(read, R"(title: from "Appointment" to "Contract talk".)"));
    EXPECT_TRUE(says(read, "Google accepted it."));
    EXPECT_TRUE(says(read, "the task had changed"));
    ASSERT_EQ(read.changes.size(), 1u);
    EXPECT_FALSE(read.undo_refused);
    EXPECT_EQ(read.undo_until, patch_of_title().at + undo_life);
}

TEST(History, AConflictNamesBothVersionsAndTheWinner) {
    auto item = patch_of_title();
    item.why = "settled";
    item.conflicts = {{field::title, side::crm, "Appointment", "Contract talk", "From Google"}};

    auto const read = explain(item, now);

    EXPECT_TRUE(says(read, R"(the CRM said "Contract talk", Google said "From Google", before it was "Appointment")"));
    EXPECT_TRUE(says(read, "The CRM's version won."));
}

TEST(History, WhatDidNotWorkIsSaidWithGooglesWords) {
    auto refused = patch_of_title();
    refused.state = "failed";
    refused.answer_status = 403;
    refused.answer_reason = "forbiddenForNonOrganizer";
    auto lost = patch_of_title();
    lost.answer_reason = "read_back";
    auto open = patch_of_title();
    open.state = "pending";
    auto dropped = patch_of_title();
    dropped.state = "abandoned";

    EXPECT_TRUE(says(explain(refused, now), "Google refused it: 403 forbiddenForNonOrganizer."));
    EXPECT_TRUE(says(explain(lost, now), "answer was lost"));
    EXPECT_TRUE(says(explain(open, now), "No answer yet"));
    EXPECT_TRUE(says(explain(dropped, now), "did not take effect"));
    EXPECT_EQ(explain(refused, now).undo_refused->code, "did_not_happen");
    EXPECT_EQ(explain(open, now).undo_refused->code, "not_finished");
}

TEST(History, WhatCannotBeTakenBackSaysWhy) {
    auto old = patch_of_title();
    old.at = now - undo_life - std::chrono::seconds(1);
    auto item = patch_of_title();
    auto code = [&](std::string kind) {
        item.kind = std::move(kind);
        return undo_refusal(item, now)->code;
    };

    EXPECT_EQ(undo_refusal(old, now)->code, "too_old");
    EXPECT_EQ(code("create"), "created");
    EXPECT_EQ(code("delete"), "asked_by_crm");
    EXPECT_EQ(code("move"), "moved");
    EXPECT_EQ(code("import"), "imported");
    EXPECT_EQ(code("zoom_create"), "nothing_to_undo");
    EXPECT_EQ(code("read_back"), "nothing_to_undo");
}

TEST(History, FieldsThatFollowTheTaskAreNotTakenBack) {
    auto item = patch_of_title();
    item.pushed = {"title", "footer", "color", "reminders", "meet"};
    item.expected = testing_world::sample(2);

    EXPECT_EQ(undo_fields(item), field_set().add(field::title));
    item.pushed = {"footer"};
    EXPECT_EQ(undo_refusal(item, now)->code, "nothing_to_undo");
}

TEST(History, ADeletionInGoogleCanBeTakenBackWhileOneThatWasPutBackCannot) {
    history_item item{.kind = "pull", .state = "done", .who = "google", .why = "deleted_in_google"};
    item.at = now;

    EXPECT_EQ(explain(item, now).headline, "The event was deleted in Google Calendar.");
    EXPECT_FALSE(undo_refusal(item, now));
    item.why = "deleted_in_google_put_back";
    EXPECT_EQ(undo_refusal(item, now)->code, "nothing_to_undo");
}

TEST(History, EveryKindHasAHeadlineAndLongTextsAreCutBetweenCharacters) {
    for (char const* kind : {"create", "patch", "delete", "move", "pull", "import", "resolve", "undo", "zoom_create", "zoom_update",
                             "zoom_delete", "read_back"}) {
        auto item = patch_of_title();
        item.kind = kind;
        EXPECT_FALSE(explain(item, now).headline.empty()) << kind;
    }
    auto item = patch_of_title();
    item.expected->title.clear();
    for (int i = 0; i < 300; ++i) item.expected->title += "\xC3\xA9";

    auto const read = explain(item, now);

    auto const cut = std::find_if(read.sentences.begin(), read.sentences.end(), [](auto const& s) { return s.starts_with("title"); });
    ASSERT_NE(cut, read.sentences.end());
    EXPECT_LT(cut->size(), 300u);
    EXPECT_EQ(cut->find("\xC3\xE2"), std::string::npos);
}

}  // namespace
}  // namespace calbridge::domain
