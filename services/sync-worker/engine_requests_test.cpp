// What people ask for, against the CRM and the Google in memory: named stories, then random histories with people who settle and undo.
#include "engine_requests.h"
#include "engine_world.h"

#include "store/conflicts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace calbridge::worker::testing {

using domain::field;
using domain::field_choice;

std::string engine_world::carry_out(verdict const& what) {
    if (what.later) return "later";
    if (what.refused) return what.refused->code;
    if (what.reopen_task) task.snapshot.status = "open";
    std::string const status = task.snapshot.status;
    commit(*what.change);
    if (what.reopen_task) task.snapshot.status = status;
    return "";
}

std::string engine_world::version() const {
    auto const r = rows();
    auto const open = store::conflict_of(r.task, r.link);
    return open ? open->version : "none";
}

std::string engine_world::resolve(std::map<field, field_choice> choices) {
    domain::conflict_choice choice;
    choice.version = version();
    choice.fields = std::move(choices);
    return carry_out(resolve_conflict(rows(), choice, "user anna", around()));
}

std::string engine_world::resolve_whole(domain::whole_choice of) {
    domain::conflict_choice choice;
    choice.version = version();
    choice.whole = of;
    return carry_out(resolve_conflict(rows(), choice, "user anna", around()));
}

std::string engine_world::undo(store::operation_row const& operation) {
    store::placed_operation placed{operation, link.value_or(store::link_row{}), around().now};
    return carry_out(worker::undo(rows(), placed, "user anna", around()));
}

namespace {

field_choice from(field_choice::source source, std::string text = {}) {
    field_choice out;
    out.from = source;
    out.text = std::move(text);
    return out;
}

store::operation_row newest(engine_world const& w, std::string const& kind) {
    auto const found = std::find_if(w.operations.rbegin(), w.operations.rend(), [&](auto const& o) { return o.kind == kind; });
    EXPECT_NE(found, w.operations.rend()) << kind;
    return found == w.operations.rend() ? store::operation_row{} : *found;
}

engine_world in_conflict() {
    engine_world w;
    w.settle_down();
    w.crm_edit("title", "From CRM");
    w.google_edit("title", "From Google");
    w.settle_down();
    return w;
}

TEST(Resolve, EachChoiceEndsTheConflictForGood) {
    std::pair<field_choice, std::string> const choices[] = {{from(field_choice::source::crm), "From CRM"},
                                                            {from(field_choice::source::google), "From Google"},
                                                            {from(field_choice::source::value, "Agreed"), "Agreed"}};
    for (auto const& [choice, want] : choices) {
        engine_world w = in_conflict();

        EXPECT_EQ(w.resolve({{field::title, choice}}), "");
        w.settle_down();

        EXPECT_EQ(w.crm("title"), want);
        EXPECT_EQ(w.google("title"), want);
        EXPECT_FALSE(w.link->has_conflict);
        EXPECT_EQ(w.task.state, "synced");
        int const writes = w.google_writes;
        std::size_t const told = w.updates.size();
        w.crm_edit("location", "Room 2", true);
        w.settle_down();
        EXPECT_FALSE(w.link->has_conflict);
        EXPECT_EQ(w.crm("title"), want);
        EXPECT_EQ(w.google_writes, writes + 1);
        EXPECT_EQ(w.updates.size(), told + 1);
    }
}

TEST(Resolve, AnEditThatCameMeanwhileIsNotOverruled) {
    engine_world w = in_conflict();
    w.crm_edit("title", "CRM again");

    EXPECT_EQ(w.resolve({{field::title, from(field_choice::source::google)}}), "conflict_changed");
}

TEST(Resolve, AnEditInGoogleThatNobodyHasSeenBecomesAConflictOfItsOwn) {
    engine_world w = in_conflict();
    w.google_edit("title", "Google again");

    EXPECT_EQ(w.resolve({{field::title, from(field_choice::source::crm)}}), "");
    w.settle_down();

    ASSERT_TRUE(w.link->has_conflict);
    EXPECT_EQ(w.link->conflicts[0].google, "Google again");
    EXPECT_EQ(w.google("title"), "Google again");
}

TEST(Resolve, AnUnansweredCallIsWaitedFor) {
    engine_world w = in_conflict();
    w.crm_edit("location", "Room 2");
    w.push(fault::lost_answer);

    EXPECT_EQ(w.resolve({{field::title, from(field_choice::source::crm)}}), "later");
}

TEST(Resolve, SettlingBySideOfTheWholeLink) {
    engine_world w;
    w.settle_down();
    w.crm_edit("title", "Still needed");
    w.google_delete();
    w.settle_down();

    EXPECT_EQ(w.resolve_whole(domain::whole_choice::keep_event), "no_such_choice");
    EXPECT_EQ(w.resolve_whole(domain::whole_choice::put_back), "");
    w.settle_down();

    EXPECT_TRUE(w.event_lives());
    EXPECT_EQ(w.google("title"), "Still needed");
    EXPECT_EQ(w.events_created, 2);
    EXPECT_EQ(w.task.state, "synced");
    EXPECT_EQ(w.resolve_whole(domain::whole_choice::put_back), "no_conflict");
}

TEST(Resolve, AnEventKeptAgainstACancellationIsLeftToItsPerson) {
    engine_world w;
    w.settle_down();
    w.google_edit("title", "Moved by Anna");
    w.crm_cancel();
    w.settle_down();

    EXPECT_EQ(w.resolve_whole(domain::whole_choice::keep_event), "");
    w.settle_down();

    EXPECT_TRUE(w.event_lives());
    EXPECT_EQ(w.task.state, "removed");
    EXPECT_EQ(w.link->state, domain::link_state::ended);
}

TEST(Undo, AResolutionIsTakenBackToTheVersionThatLost) {
    engine_world w = in_conflict();
    ASSERT_EQ(w.resolve({{field::title, from(field_choice::source::crm)}}), "");
    w.settle_down();

    EXPECT_EQ(w.undo(newest(w, "resolve")), "");
    w.settle_down();

    EXPECT_EQ(w.crm("title"), "From Google");
    EXPECT_EQ(w.google("title"), "From Google");
}

TEST(Undo, AnUnpushedEditOfTheSameFieldStandsInItsWay) {
    engine_world w;
    w.settle_down();
    w.crm_edit("title", "B");
    w.settle_down();
    w.crm_edit("title", "C");

    EXPECT_EQ(w.undo(newest(w, "patch")), "changed_since");
    w.settle_down();
    EXPECT_EQ(w.google("title"), "C");
}

TEST(Undo, OtherFieldsChangedSinceStayAsTheyAre) {
    engine_world w;
    w.settle_down();
    w.crm_edit("title", "B");
    w.settle_down();
    auto const patch = newest(w, "patch");
    w.google_edit("location", "Room 9");
    w.settle_down();

    EXPECT_EQ(w.undo(patch), "");
    w.settle_down();

    EXPECT_EQ(w.google("title"), "Appointment");
    EXPECT_EQ(w.crm("title"), "Appointment");
    EXPECT_EQ(w.google("location"), "Room 9");
    EXPECT_EQ(w.crm("location"), "Room 9");
}

// Both sides edit, calls crash, and a person settles conflicts and takes operations back in between.
TEST(Requests, RandomHistoriesWithPeopleWhoSettleAndUndoConverge) {
    char const* const names[] = {"title", "location", "description"};
    int settled = 0, undone = 0;
    for (std::uint32_t seed = 1; seed <= 2000; ++seed) {
        std::mt19937 random(seed);
        engine_world w(seed % 2 == 0 ? domain::conflict_policy::ask : domain::conflict_policy::last_write_wins);
        w.settle_down();
        for (int step = 0; step < 30; ++step) {
            w.now += std::chrono::seconds(random() % 2);
            std::string const name = names[random() % 3];
            std::string const value = "v" + std::to_string(seed) + "." + std::to_string(step);
            switch (random() % 10) {
            case 0:
            case 1: w.crm_edit(name, value, random() % 2 == 0); break;
            case 2:
            case 3: w.google_edit(name, value); break;
            case 4: w.pull(); break;
            case 5: w.push(); break;
            case 6: w.push(random() % 2 == 0 ? fault::lost_answer : fault::crash_before_call); break;
            case 7: w.crm_applies_updates(); break;
            case 8:
                settled +=
                    w.resolve({{*domain::field_named(name), from(static_cast<field_choice::source>(random() % 3), value)}}).empty() ? 1 : 0;
                break;
            case 9: undone += w.undo(w.operations[random() % w.operations.size()]).empty() ? 1 : 0; break;
            }
        }
        w.settle_down();
        // Whatever is still open is settled by the user in the end.
        std::map<field, field_choice> rest;
        for (auto const& c : w.link->conflicts) rest[c.which] = from(static_cast<field_choice::source>(random() % 2));
        if (!rest.empty()) ASSERT_EQ(w.resolve(rest), "") << "seed " << seed;
        w.settle_down();
        ASSERT_EQ(w.events_created, 1) << "seed " << seed;
        ASSERT_FALSE(w.link->has_conflict) << "seed " << seed;
        for (char const* f : names) ASSERT_EQ(w.crm(f), w.google(f)) << "seed " << seed << " field " << f;
        int const writes = w.google_writes;
        std::size_t const told = w.updates.size();
        for (int i = 0; i < 3; ++i) w.settle_down();
        ASSERT_EQ(w.google_writes, writes) << "seed " << seed;
        ASSERT_EQ(w.updates.size(), told) << "seed " << seed;
    }
    EXPECT_GT(settled, 100);
    EXPECT_GT(undone, 100);
}

}  // namespace
}  // namespace calbridge::worker::testing
