#include "domain/reconcile.h"

#include "domain/footer.h"
#include "domain/world_for_tests.h"

#include <gtest/gtest.h>

namespace calbridge::domain {
namespace {

using testing_world::sample;

// --- echo ------------------------------------------------------------------------------------------------------------------------

TEST(Echo, ComparesTheStampWithTheNewestRecordedOperation) {
    EXPECT_EQ(classify_echo({}, 5), echo::unknown);
    EXPECT_EQ(classify_echo(operation_facts{5, true}, 5), echo::ours_current);
    EXPECT_EQ(classify_echo(operation_facts{6, false}, 5), echo::ours_unrecorded);
    EXPECT_EQ(classify_echo(operation_facts{4, true}, 5), echo::ours_older);
    EXPECT_EQ(classify_echo(operation_facts{4, false}, 5), echo::ours_older);
    EXPECT_EQ(classify_echo(operation_facts{1, false}, 0), echo::ours_unrecorded);
    EXPECT_EQ(classify_echo(operation_facts{6, true}, 5), echo::ours_current);  // recorded after the caller read its rows
}

TEST(LinkState, NamesLeadBack) {
    for (auto const s : {link_state::pending, link_state::live, link_state::ended}) EXPECT_EQ(link_state_named(name(s)), s);
    EXPECT_FALSE(link_state_named("dead").has_value());
}

// --- outbound --------------------------------------------------------------------------------------------------------------------

push_view live_view() {
    push_view v;
    v.wanted = true;
    v.has_link = true;
    v.state = link_state::live;
    v.base = v.local = v.remote = sample(0);
    v.policy = conflict_policy::ask;
    v.mode = sync_mode::two_way;
    return v;
}

std::string_view reason_of(push_step const& step) {
    auto const* const n = std::get_if<nothing>(&step);
    return n ? n->reason : "not nothing";
}

TEST(NextPush, AWantedTaskWithoutEventGetsOne) {
    push_view v;
    v.wanted = true;
    EXPECT_TRUE(std::holds_alternative<create_event>(next_push(v)));
    v.has_link = true;  // the row exists, the call was never made
    EXPECT_TRUE(std::holds_alternative<create_event>(next_push(v)));
}

TEST(NextPush, AnUnwantedTaskWithoutEventNeedsNothing) {
    push_view v;
    EXPECT_EQ(reason_of(next_push(v)), "not_wanted");
    v.has_link = true;
    EXPECT_EQ(reason_of(next_push(v)), "not_wanted");
}

TEST(NextPush, AnUnansweredCallIsReadBackBeforeAnythingElse) {
    for (bool const wanted : {true, false})
        for (bool const frozen : {true, false})
            for (auto const state : {link_state::pending, link_state::live})
                for (auto const mode : {sync_mode::two_way, sync_mode::crm_to_google, sync_mode::google_to_crm, sync_mode::busy_only}) {
                    auto v = live_view();
                    v.wanted = wanted;
                    v.frozen = frozen;
                    v.state = state;
                    v.mode = mode;
                    v.local.title = "changed";
                    v.unresolved_operation = true;
                    EXPECT_TRUE(std::holds_alternative<read_back>(next_push(v)));
                }
}

TEST(NextPush, AFrozenLinkWaitsForTheUser) {
    auto v = live_view();
    v.frozen = true;
    v.local.title = "changed";
    EXPECT_EQ(reason_of(next_push(v)), "frozen");
    v.wanted = false;
    EXPECT_EQ(reason_of(next_push(v)), "frozen");
}

TEST(NextPush, ReadingModesWriteNothing) {
    for (auto const mode : {sync_mode::google_to_crm, sync_mode::busy_only}) {
        auto v = live_view();
        v.mode = mode;
        v.local.title = "changed";
        EXPECT_EQ(reason_of(next_push(v)), "mode");
        v.wanted = false;
        EXPECT_EQ(reason_of(next_push(v)), "mode");
        v.has_link = false;
        v.wanted = true;
        EXPECT_EQ(reason_of(next_push(v)), "mode");
    }
}

TEST(NextPush, AnEndedLinkIsHistory) {
    for (bool const wanted : {true, false}) {
        auto v = live_view();
        v.state = link_state::ended;
        v.wanted = wanted;
        v.unresolved_operation = true;
        EXPECT_EQ(reason_of(next_push(v)), "ended");
    }
}

TEST(NextPush, AnUnwantedEventGoes) {
    auto v = live_view();
    v.wanted = false;
    EXPECT_TRUE(std::holds_alternative<delete_event>(next_push(v)));
}

TEST(NextPush, AChangeIsPatched) {
    auto v = live_view();
    v.local.title = "changed";
    auto const step = next_push(v);
    auto const* const patch = std::get_if<patch_event>(&step);
    ASSERT_NE(patch, nullptr);
    EXPECT_EQ(patch->what.push, field_set().add(field::title));
    EXPECT_EQ(patch->what.merged.title, "changed");
}

TEST(NextPush, APatchCarriesWhatGoogleChangedMeanwhile) {
    auto v = live_view();
    v.local.title = "changed";
    v.remote.time = sample(1).time;
    auto const step = next_push(v);
    auto const* const patch = std::get_if<patch_event>(&step);
    ASSERT_NE(patch, nullptr);
    EXPECT_EQ(patch->what.push, field_set().add(field::title));
    EXPECT_EQ(patch->what.pull, field_set().add(field::time));
}

TEST(NextPush, NothingNewMeansNoCall) { EXPECT_EQ(reason_of(next_push(live_view())), "equal"); }

TEST(NextPush, AnOpenConflictIsHandedBackWithoutACall) {
    auto v = live_view();
    v.local.title = "here";
    v.remote.title = "there";
    auto const step = next_push(v);
    ASSERT_EQ(reason_of(step), "conflict");
    EXPECT_EQ(std::get<nothing>(step).what.conflicts.size(), 1u);
}

TEST(NextPush, LastWriteWinsLooksAtWhoIsNewer) {
    auto v = live_view();
    v.policy = conflict_policy::last_write_wins;
    v.local.title = "here";
    v.remote.title = "there";
    EXPECT_EQ(reason_of(next_push(v)), "conflict");
    v.newer = side::google;
    EXPECT_EQ(reason_of(next_push(v)), "settled");
    v.newer = side::crm;
    EXPECT_TRUE(std::holds_alternative<patch_event>(next_push(v)));
}

TEST(NextPush, AMeetingBeingMadeIsFollowedUpAndNotAskedForTwice) {
    auto v = live_view();
    v.meet_pending = true;
    EXPECT_TRUE(std::holds_alternative<read_back>(next_push(v)));

    v.local.meet = !v.base.meet;
    EXPECT_TRUE(std::holds_alternative<read_back>(next_push(v)));

    v.local.title = "changed";
    auto const step = next_push(v);
    auto const* const patch = std::get_if<patch_event>(&step);
    ASSERT_NE(patch, nullptr);
    EXPECT_EQ(patch->what.push, field_set().add(field::title));
    EXPECT_EQ(patch->what.new_base.meet, v.base.meet);  // still to be done

    v.meet_pending = false;
    EXPECT_TRUE(std::get<patch_event>(next_push(v)).what.push.has(field::meet));
}

// --- inbound ---------------------------------------------------------------------------------------------------------------------

struct item {
    pull_view view;
    calendar_event event;
};

item linked_item() {
    item out;
    out.view.linked = true;
    out.view.known_etag = "\"1\"";
    out.view.etag_recorded = true;
    out.view.stamp = echo::ours_current;
    out.view.base = out.view.local = sample(0);
    out.view.policy = conflict_policy::ask;
    out.view.mode = sync_mode::two_way;
    auto const& f = out.view.base;
    out.event.id = "e1";
    out.event.etag = "\"2\"";
    out.event.status = "confirmed";
    out.event.summary = f.title;
    out.event.description = join_description(f.description, f.footer);
    out.event.location = f.location;
    out.event.time = f.time;
    out.event.color_id = f.color_id;
    out.event.reminders = f.reminders;
    out.event.recurrence = f.recurrence;
    for (auto const& g : f.guests) out.event.attendees.push_back({.email = g.email, .name = g.name, .optional = g.optional});
    return out;
}

std::string_view acknowledged(item const& i) {
    auto const step = next_pull(i.view, i.event);
    auto const* const a = std::get_if<acknowledge>(&step);
    return a ? a->reason : "not acknowledged";
}
template <class Step>
bool is(item const& i) {
    return std::holds_alternative<Step>(next_pull(i.view, i.event));
}

TEST(NextPull, ForeignEventsAreOnlyMirrored) {
    auto i = linked_item();
    i.view.linked = false;
    EXPECT_TRUE(is<mirror_only>(i));
    i.event.status = "cancelled";
    EXPECT_TRUE(is<mirror_only>(i));
    i.event.recurrence = {"RRULE:FREQ=DAILY"};
    EXPECT_TRUE(is<mirror_only>(i));
    i.event.event_type = "focusTime";
    EXPECT_TRUE(is<mirror_only>(i));
}

TEST(NextPull, BusyOnlyNeverTouchesTasks) {
    auto i = linked_item();
    i.view.mode = sync_mode::busy_only;
    i.event.summary = "changed";
    EXPECT_TRUE(is<mirror_only>(i));
    i.event.status = "cancelled";
    EXPECT_TRUE(is<mirror_only>(i));
}

TEST(NextPull, TheEtagWeRecordedSaysAllIsSeen) {
    auto i = linked_item();
    i.event.etag = i.view.known_etag;
    i.event.summary = "would be a change";
    EXPECT_EQ(acknowledged(i), "same_etag");

    i.view.etag_recorded = false;  // known from elsewhere: not proof that its content was taken in
    EXPECT_TRUE(is<merge_event>(i));

    i.view.etag_recorded = true;
    i.event.etag.clear();
    i.view.known_etag.clear();
    EXPECT_TRUE(is<merge_event>(i));
}

TEST(NextPull, OurOwnWriteIsAnEcho) {
    for (auto const stamp : {echo::ours_current, echo::ours_unrecorded, echo::unknown}) {
        auto i = linked_item();
        i.view.stamp = stamp;
        EXPECT_EQ(acknowledged(i), "equal");
    }
}

TEST(NextPull, AStaleReadIsIgnored) {
    auto i = linked_item();
    i.view.stamp = echo::ours_older;
    i.event.summary = "older";
    EXPECT_EQ(acknowledged(i), "stale_read");
}

TEST(NextPull, APersonsEditIsMerged) {
    auto i = linked_item();
    i.event.time = sample(1).time;
    auto const step = next_pull(i.view, i.event);
    auto const* const m = std::get_if<merge_event>(&step);
    ASSERT_NE(m, nullptr);
    EXPECT_EQ(m->what.pull, field_set().add(field::time));
    EXPECT_EQ(m->remote.time, sample(1).time);
}

TEST(NextPull, EditsOfDifferentFieldsGoBothWays) {
    auto i = linked_item();
    i.view.local.title = "from the CRM";
    i.view.local_pending = true;
    i.event.time = sample(1).time;
    auto const step = next_pull(i.view, i.event);
    auto const* const m = std::get_if<merge_event>(&step);
    ASSERT_NE(m, nullptr);
    EXPECT_EQ(m->what.pull, field_set().add(field::time));
    EXPECT_EQ(m->what.push, field_set().add(field::title));
    auto const base = agreed_now(m->what, i.view.base);
    EXPECT_EQ(base.title, i.view.base.title);
    EXPECT_EQ(base.time, sample(1).time);
}

TEST(NextPull, TheSameFieldIsAConflict) {
    auto i = linked_item();
    i.view.local.title = "from the CRM";
    i.event.summary = "from Google";
    auto const step = next_pull(i.view, i.event);
    auto const* const m = std::get_if<merge_event>(&step);
    ASSERT_NE(m, nullptr);
    ASSERT_EQ(m->what.conflicts.size(), 1u);
    EXPECT_FALSE(m->what.conflicts[0].winner.has_value());
    i.view.policy = conflict_policy::last_write_wins;
    i.view.newer = side::google;
    EXPECT_EQ(std::get<merge_event>(next_pull(i.view, i.event)).what.pull, field_set().add(field::title));
}

TEST(NextPull, AChangeOnlyOnOurSideIsNotNews) {
    auto i = linked_item();
    i.view.local.title = "to be pushed";
    i.view.local_pending = true;
    EXPECT_EQ(acknowledged(i), "push");
}

// Both sides made the same edit: forgetting that would turn the next edit into a false conflict.
TEST(NextPull, TheSameEditOnBothSidesMovesTheBase) {
    for (bool const also_pushing : {false, true}) {
        auto i = linked_item();
        i.view.local.title = i.event.summary = "same";
        if (also_pushing) i.view.local.location = "to be pushed";
        auto const step = next_pull(i.view, i.event);
        auto const* const m = std::get_if<merge_event>(&step);
        ASSERT_NE(m, nullptr);
        EXPECT_TRUE(m->what.pull.empty());
        EXPECT_EQ(agreed_now(m->what, i.view.base).title, "same");
        EXPECT_EQ(agreed_now(m->what, i.view.base).location, i.view.base.location);
    }
}

TEST(NextPull, OneWayModesLeaveTheOtherSideAlone) {
    auto i = linked_item();
    i.view.mode = sync_mode::crm_to_google;
    i.event.summary = "edited in Google";
    EXPECT_EQ(acknowledged(i), "left_alone");
    i.view.mode = sync_mode::google_to_crm;
    EXPECT_TRUE(is<merge_event>(i));
}

TEST(NextPull, ADeletedEventIsReported) {
    for (auto const state : {link_state::pending, link_state::live})
        for (auto const stamp : {echo::unknown, echo::ours_current, echo::ours_older}) {
            auto i = linked_item();
            i.view.state = state;
            i.view.stamp = stamp;
            i.event = calendar_event{.id = "e1", .etag = "\"3\"", .status = "cancelled"};
            auto const step = next_pull(i.view, i.event);
            ASSERT_TRUE(std::holds_alternative<event_removed>(step));
            EXPECT_FALSE(std::get<event_removed>(step).conflict);
        }
}

TEST(NextPull, EditAgainstDeleteIsAConflict) {
    for (auto const policy : {conflict_policy::ask, conflict_policy::crm_wins, conflict_policy::google_wins}) {
        auto i = linked_item();
        i.event.status = "cancelled";
        i.view.local_pending = true;
        i.view.policy = policy;
        EXPECT_TRUE(std::get<event_removed>(next_pull(i.view, i.event)).conflict);
    }
}

TEST(NextPull, OurOwnDeleteIsNoConflict) {
    auto i = linked_item();
    i.view.deleting = true;
    i.view.local_pending = true;
    EXPECT_EQ(acknowledged(i), "deleting");
    i.event.status = "cancelled";
    EXPECT_FALSE(std::get<event_removed>(next_pull(i.view, i.event)).conflict);
}

TEST(NextPull, AnEndedLinkIsHistory) {
    auto i = linked_item();
    i.view.state = link_state::ended;
    EXPECT_TRUE(is<mirror_only>(i));
    i.event.status = "cancelled";
    EXPECT_EQ(acknowledged(i), "ended");
}

TEST(NextPull, AnUnreadableTimeSetsTheOneEventAside) {
    auto i = linked_item();
    i.event.time.reset();
    auto const step = next_pull(i.view, i.event);
    ASSERT_TRUE(std::holds_alternative<set_aside>(step));
    EXPECT_FALSE(std::get<set_aside>(step).reason.empty());
}

TEST(NextPull, AGuestListThatGoogleCutRemovesNobody) {
    auto i = linked_item();
    i.event.attendees.clear();
    EXPECT_TRUE(is<merge_event>(i));
    i.event.attendees_omitted = true;
    EXPECT_EQ(acknowledged(i), "equal");
}

TEST(NextPull, ALinkedEventThatBecameASeriesIsStillRead) {
    auto i = linked_item();
    i.event.recurrence = {"RRULE:FREQ=DAILY"};
    i.event.summary = "changed";
    EXPECT_TRUE(is<merge_event>(i));
}

TEST(Brake, PullsBeyondTwentyAndBeyondATenth) {
    EXPECT_FALSE(brake(0, 0));
    EXPECT_FALSE(brake(20, 20));
    EXPECT_TRUE(brake(21, 21));
    EXPECT_TRUE(brake(21, 209));
    EXPECT_FALSE(brake(21, 210));
    EXPECT_FALSE(brake(100, 1000));
    EXPECT_TRUE(brake(101, 1000));
    EXPECT_TRUE(brake(101, 1009));
    EXPECT_FALSE(brake(101, 1010));
    EXPECT_FALSE(brake(20, 0));
}

}  // namespace
}  // namespace calbridge::domain
