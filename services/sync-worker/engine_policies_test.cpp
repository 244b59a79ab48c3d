// Conflict policies that need to know who is newer, and what is written down about every conflict.
#include "engine_rows.h"
#include "engine_world.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace calbridge::worker::testing {
namespace {

using domain::conflict_policy;
using domain::side;
using std::chrono::minutes;

store::operation_row const* settled(engine_world const& w) {
    auto const found = std::find_if(w.operations.rbegin(), w.operations.rend(), [](auto const& o) {
        return std::any_of(o.conflicts.begin(), o.conflicts.end(), [](auto const& c) { return c.winner.has_value(); });
    });
    return found == w.operations.rend() ? nullptr : &*found;
}

TEST(NewerSide, TheCrmsOwnWordComesBeforeTheTimeOfArrivalAndNeverAfterIt) {
    store::task_row task;
    instant const noon{std::chrono::sys_days{std::chrono::year(2026) / 11 / 2} + std::chrono::hours(12)};
    task.received_at = noon;

    EXPECT_EQ(newer_side(task, noon - minutes(1)), side::crm);
    EXPECT_EQ(newer_side(task, noon + minutes(1)), side::google);
    EXPECT_EQ(newer_side(task, noon), std::nullopt);
    EXPECT_EQ(newer_side(task, std::nullopt), std::nullopt);
    task.snapshot.changed_at = noon - minutes(10);
    EXPECT_EQ(newer_side(task, noon - minutes(5)), side::google);
    task.snapshot.changed_at = noon + minutes(10);
    EXPECT_EQ(newer_side(task, noon + minutes(5)), side::google) << "a clock that runs ahead";
    EXPECT_EQ(newer_side(store::task_row{}, noon), std::nullopt);
}

TEST(LastWriteWins, TheLaterEditOfTheSameFieldStandsOnBothSides) {
    for (bool const crm_later : {true, false}) {
        engine_world w(conflict_policy::last_write_wins);
        w.settle_down();
        w.now += minutes(1);
        if (crm_later) w.google_edit("title", "From Google");
        else w.crm_edit("title", "From CRM");
        w.now += minutes(1);
        if (crm_later) w.crm_edit("title", "From CRM");
        else w.google_edit("title", "From Google");

        w.settle_down();

        std::string const want = crm_later ? "From CRM" : "From Google";
        EXPECT_EQ(w.crm("title"), want);
        EXPECT_EQ(w.google("title"), want);
        EXPECT_FALSE(w.link->has_conflict);
        auto const* const record = settled(w);
        ASSERT_NE(record, nullptr);
        EXPECT_EQ(record->conflicts[0].winner, crm_later ? side::crm : side::google);
        EXPECT_EQ(record->conflicts[0].base, "Appointment");
        EXPECT_EQ(record->conflicts[0].crm, "From CRM");
        EXPECT_EQ(record->conflicts[0].google, "From Google");
    }
}

TEST(LastWriteWins, WhatAPersonDidLongAgoCountsNotWhenItsMessageArrived) {
    engine_world w(conflict_policy::last_write_wins);
    w.settle_down();
    instant const before = w.now + minutes(1);
    w.now += minutes(2);
    w.google_edit("title", "From Google");
    w.now += minutes(2);
    w.crm_task.changed_at = before;
    w.crm_edit("title", "From CRM, offline");

    w.settle_down();

    EXPECT_EQ(w.crm("title"), "From Google");
    EXPECT_EQ(w.google("title"), "From Google");
}

TEST(LastWriteWins, EquallyOldEditsAreLeftToTheUser) {
    engine_world w(conflict_policy::last_write_wins);
    w.settle_down();
    w.google_edit("title", "From Google");
    w.crm_edit("title", "From CRM");

    w.settle_down();

    ASSERT_TRUE(w.link->has_conflict);
    EXPECT_EQ(w.google("title"), "From Google");
    EXPECT_EQ(w.crm("title"), "From CRM");
}

TEST(LastWriteWins, OurOwnWritesDoNotMakeGoogleNewer) {
    engine_world w(conflict_policy::last_write_wins);
    w.settle_down();
    w.now += minutes(1);
    w.google_edit("title", "From Google");
    w.pull();
    w.now += minutes(3);
    w.crm_edit("location", "Room 2");
    w.push();
    // The CRM has not taken the title over; its own edit was made after Google's and before our write.
    w.crm_task.changed_at = w.now - minutes(1);
    w.now += minutes(1);
    w.crm_edit("title", "From CRM");

    w.settle_down();

    EXPECT_EQ(w.google("title"), "From CRM");
    EXPECT_EQ(w.crm("title"), "From CRM");
}

TEST(LastWriteWins, EditAgainstDeleteGoesToTheLaterOne) {
    engine_world deleted(conflict_policy::last_write_wins);
    deleted.settle_down();
    deleted.now += minutes(1);
    deleted.crm_edit("title", "Still needed");
    deleted.now += minutes(1);
    deleted.google_delete();
    deleted.settle_down();
    EXPECT_EQ(deleted.crm_task.status, "cancelled");
    EXPECT_FALSE(deleted.event_lives());

    engine_world edited(conflict_policy::last_write_wins);
    edited.settle_down();
    edited.now += minutes(1);
    edited.google_delete();
    edited.now += minutes(1);
    edited.crm_edit("title", "Still needed");
    edited.settle_down();
    EXPECT_TRUE(edited.event_lives());
    EXPECT_EQ(edited.google("title"), "Still needed");
    EXPECT_EQ(edited.events_created, 2);
}

TEST(Conflicts, APushThatSettlesOneRecordsBothVersionsAndTheWinner) {
    engine_world w(conflict_policy::crm_wins);
    w.settle_down();
    w.google_edit("title", "From Google");
    w.crm_edit("title", "From CRM");

    w.settle_down();

    auto const* const record = settled(w);
    ASSERT_NE(record, nullptr);
    EXPECT_EQ(record->conflicts[0].winner, side::crm);
    EXPECT_EQ(record->conflicts[0].google, "From Google");
}

TEST(Conflicts, GuestsAnswersAndLateConferenceDataAreNoEdits) {
    engine_world w;
    w.crm_task.attendees.push_back({"kim@example.com", "", false});
    w.crm_edit("title", "Appointment");
    w.settle_down();
    std::size_t const operations = w.operations.size();
    w.crm_edit("title", "New title");
    w.google_answers("kim@example.com", "accepted");
    w.google_finishes_conference("https://meet.google.com/abc");

    w.settle_down();

    EXPECT_FALSE(w.link->has_conflict);
    EXPECT_EQ(w.google("title"), "New title");
    EXPECT_TRUE(std::all_of(w.operations.begin() + static_cast<std::ptrdiff_t>(operations), w.operations.end(),
                            [](auto const& o) { return o.conflicts.empty(); }));
}

TEST(Conflicts, ATaskCancelledAndWantedAgainIsNotHeldUpByTheEditInBetween) {
    engine_world w;
    w.settle_down();
    w.google_edit("title", "Moved by Anna");
    w.crm_cancel();
    w.settle_down();
    ASSERT_TRUE(w.link->frozen);

    w.crm_task.status = "open";
    w.crm_edit("location", "Room 2");
    w.settle_down();

    EXPECT_FALSE(w.link->frozen);
    EXPECT_EQ(w.crm("title"), "Moved by Anna");
    EXPECT_EQ(w.google("location"), "Room 2");
    EXPECT_EQ(w.task.state, "synced");
}

TEST(Conflicts, AnEditedTaskWhoseEventIsGoneAndThatIsCancelledThenEndsQuietly) {
    engine_world w;
    w.settle_down();
    w.crm_edit("title", "Still needed");
    w.google_delete();
    w.settle_down();
    ASSERT_TRUE(w.link->frozen);

    w.crm_cancel();
    w.settle_down();

    EXPECT_EQ(w.task.state, "removed");
    EXPECT_EQ(w.link->state, domain::link_state::ended);
    EXPECT_EQ(w.events_created, 1);
}

}  // namespace
}  // namespace calbridge::worker::testing
