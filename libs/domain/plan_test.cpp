#include "domain/plan.h"

#include "domain/world_for_tests.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace calbridge::domain {
namespace {

using testing_world::sample;

constexpr conflict_policy policies[]{conflict_policy::ask, conflict_policy::crm_wins, conflict_policy::google_wins,
                                     conflict_policy::last_write_wins};
constexpr sync_mode modes[]{sync_mode::two_way, sync_mode::crm_to_google, sync_mode::google_to_crm, sync_mode::busy_only};
constexpr std::optional<side> newers[]{std::nullopt, side::crm, side::google};

// The five ways three versions of one value can relate.
enum class shape { equal, local, remote, both_same, both_differ };
constexpr shape shapes[]{shape::equal, shape::local, shape::remote, shape::both_same, shape::both_differ};

struct versions {
    fields base, local, remote;
};

versions make(field f, shape s) {
    versions v{sample(0), sample(0), sample(0)};
    if (s == shape::local || s == shape::both_same || s == shape::both_differ) copy(f, sample(1), v.local);
    if (s == shape::remote || s == shape::both_differ) copy(f, sample(2), v.remote);
    if (s == shape::both_same) copy(f, sample(1), v.remote);
    // A yes-or-no field cannot differ three ways; both sides changing it means the same change.
    return v;
}

enum class outcome { quiet, push, pull, open, settled_crm, settled_google };

// The decision table, written down a second time and independently of plan().
outcome expected(shape s, conflict_policy policy, sync_mode mode, std::optional<side> newer) {
    if (mode == sync_mode::busy_only || s == shape::equal || s == shape::both_same) return outcome::quiet;
    if (s == shape::local) return mode == sync_mode::google_to_crm ? outcome::quiet : outcome::push;
    if (s == shape::remote) return mode == sync_mode::crm_to_google ? outcome::quiet : outcome::pull;
    if (mode == sync_mode::crm_to_google) return outcome::settled_crm;
    if (mode == sync_mode::google_to_crm) return outcome::settled_google;
    if (policy == conflict_policy::crm_wins) return outcome::settled_crm;
    if (policy == conflict_policy::google_wins) return outcome::settled_google;
    if (policy == conflict_policy::last_write_wins && newer) return *newer == side::crm ? outcome::settled_crm : outcome::settled_google;
    return outcome::open;
}

TEST(Plan, TruthTableOfEveryPlainField) {
    for (auto const f : {field::title, field::description, field::location, field::time})
        for (auto const s : shapes)
            for (auto const policy : policies)
                for (auto const mode : modes)
                    for (auto const newer : newers) {
                        auto const v = make(f, s);
                        auto const m = plan(v.base, v.local, v.remote, policy, mode, newer);
                        auto const want = expected(s, policy, mode, newer);
                        SCOPED_TRACE(std::string(name(f)) + " shape " + std::to_string(static_cast<int>(s)) + " " +
                                     std::string(name(policy)) + " " + std::string(name(mode)));

                        bool const pushed = want == outcome::push || want == outcome::settled_crm;
                        bool const pulled = want == outcome::pull || want == outcome::settled_google;
                        bool const conflict = want == outcome::open || want == outcome::settled_crm || want == outcome::settled_google;
                        EXPECT_EQ(m.push, pushed ? field_set().add(f) : field_set());
                        EXPECT_EQ(m.pull, pulled ? field_set().add(f) : field_set());
                        ASSERT_EQ(m.conflicts.size(), conflict ? 1u : 0u);
                        if (conflict) {
                            EXPECT_EQ(m.conflicts[0].which, f);
                            EXPECT_EQ(m.conflicts[0].base, describe(f, v.base));
                            EXPECT_EQ(m.conflicts[0].crm, describe(f, v.local));
                            EXPECT_EQ(m.conflicts[0].google, describe(f, v.remote));
                            EXPECT_EQ(m.conflicts[0].winner,
                                      want == outcome::open ? std::nullopt : std::optional(pushed ? side::crm : side::google));
                        }
                        EXPECT_TRUE(same(f, m.merged, pulled ? v.remote : v.local));
                        bool const agreed_already = s == shape::both_same && mode != sync_mode::busy_only;
                        EXPECT_TRUE(same(f, m.new_base, pushed || agreed_already ? v.local : pulled ? v.remote : v.base));
                        EXPECT_EQ(m.quiet(), want == outcome::quiet);
                        // The other fields are untouched.
                        EXPECT_EQ(differences(m.merged, v.base).size(), same(f, m.merged, v.base) ? 0u : 1u);
                        EXPECT_EQ(differences(m.new_base, v.base).size(), same(f, m.new_base, v.base) ? 0u : 1u);
                    }
}

TEST(Plan, TruthTableOfEveryPushOnlyField) {
    for (auto const f : {field::footer, field::color, field::reminders, field::meet})
        for (auto const s : shapes)
            for (auto const policy : policies)
                for (auto const mode : modes)
                    for (auto const newer : newers) {
                        if (f == field::meet && s == shape::both_differ) continue;
                        auto v = make(f, s);
                        if (f == field::meet && s == shape::remote) v.remote.meet = !v.base.meet;
                        auto const m = plan(v.base, v.local, v.remote, policy, mode, newer);
                        SCOPED_TRACE(std::string(name(f)) + " shape " + std::to_string(static_cast<int>(s)) + " " +
                                     std::string(name(mode)));

                        bool const writes = mode == sync_mode::two_way || mode == sync_mode::crm_to_google;
                        bool const pushed = writes && (s == shape::local || s == shape::both_differ);
                        EXPECT_EQ(m.push, pushed ? field_set().add(f) : field_set());
                        EXPECT_TRUE(m.pull.empty());
                        EXPECT_TRUE(m.conflicts.empty());
                        EXPECT_TRUE(same(f, m.merged, v.local));
                        bool const agreed_already = s == shape::both_same && mode != sync_mode::busy_only;
                        EXPECT_TRUE(same(f, m.new_base, pushed || agreed_already ? v.local : v.base));
                    }
}

TEST(Plan, DifferentFieldsMerge) {
    auto const base = sample(0);
    auto local = base;
    auto remote = base;
    local.title = "from the CRM";
    remote.time = sample(3).time;

    auto const m = plan(base, local, remote, conflict_policy::ask, sync_mode::two_way);

    EXPECT_EQ(m.push.names(), std::vector<std::string>{"title"});
    EXPECT_EQ(m.pull.names(), std::vector<std::string>{"time"});
    EXPECT_TRUE(m.conflicts.empty());
    EXPECT_EQ(m.reason, "merge");
    EXPECT_EQ(m.merged.title, "from the CRM");
    EXPECT_EQ(m.merged.time, remote.time);
    EXPECT_EQ(m.new_base, m.merged);
}

TEST(Plan, ThereAndBackAgainIsNoChange) {
    auto const base = sample(0);
    auto local = base;  // somebody wrote B and then A again
    auto remote = base;
    remote.title = "B";
    auto const m = plan(base, local, remote, conflict_policy::ask, sync_mode::two_way);
    EXPECT_TRUE(m.conflicts.empty());
    EXPECT_EQ(m.pull, field_set().add(field::title));
    EXPECT_TRUE(plan(base, base, base, conflict_policy::ask, sync_mode::two_way).quiet());
}

TEST(Plan, TheReasonNamesWhatHappens) {
    auto const base = sample(0);
    auto changed = base;
    changed.title = "x";
    auto other = base;
    other.title = "y";
    auto const reason = [&](fields const& local, fields const& remote, conflict_policy p, sync_mode m) {
        return plan(base, local, remote, p, m).reason;
    };
    EXPECT_EQ(reason(base, base, conflict_policy::ask, sync_mode::two_way), "equal");
    EXPECT_EQ(reason(changed, base, conflict_policy::ask, sync_mode::two_way), "push");
    EXPECT_EQ(reason(base, changed, conflict_policy::ask, sync_mode::two_way), "pull");
    EXPECT_EQ(reason(changed, other, conflict_policy::ask, sync_mode::two_way), "conflict");
    EXPECT_EQ(reason(changed, other, conflict_policy::crm_wins, sync_mode::two_way), "settled");
    EXPECT_EQ(reason(base, changed, conflict_policy::ask, sync_mode::crm_to_google), "left_alone");
    EXPECT_EQ(reason(changed, base, conflict_policy::ask, sync_mode::google_to_crm), "left_alone");
    EXPECT_EQ(reason(changed, other, conflict_policy::ask, sync_mode::busy_only), "left_alone");
    EXPECT_EQ(reason(base, base, conflict_policy::ask, sync_mode::busy_only), "equal");
}

TEST(Plan, NamesLeadBack) {
    for (auto const p : policies) EXPECT_EQ(policy_named(name(p)), p);
    for (auto const m : modes) EXPECT_EQ(mode_named(name(m)), m);
    EXPECT_FALSE(policy_named("newest").has_value());
    EXPECT_FALSE(mode_named("").has_value());
}

// --- guests ----------------------------------------------------------------------------------------------------------------------

std::vector<guest> people(std::string const& letters) {
    std::vector<guest> out;
    for (char const c : letters)
        out.push_back({std::string(1, static_cast<char>(std::tolower(c))) + "@x.y", "", c >= 'A' && c <= 'Z'});  // capital: optional
    return out;
}

struct guest_case {
    std::string base, local, remote, together;
};

TEST(PlanGuests, MergeAsSets) {
    guest_case const cases[]{
        {"", "", "", ""},
        {"", "a", "", "a"},    // added by the CRM
        {"", "", "a", "a"},    // added in Google stays
        {"", "a", "b", "ab"},  // both added
        {"", "a", "a", "a"},
        {"a", "", "a", ""},  // removed by the CRM
        {"a", "a", "", ""},  // removed in Google
        {"a", "", "", ""},
        {"ab", "ac", "bd", "cd"},  // each removed one and added one
        {"abc", "abc", "abcd", "abcd"},
        {"a", "A", "a", "A"},  // the CRM makes him optional
        {"a", "a", "A", "A"},
        {"A", "a", "A", "a"},
        {"a", "A", "A", "A"},
        {"", "A", "a", "a"},  // one side wants him to come
        {"", "a", "A", "a"},
        {"", "A", "A", "A"},
    };
    for (auto const& c : cases) {
        versions v{sample(0), sample(0), sample(0)};
        v.base.guests = people(c.base);
        v.local.guests = people(c.local);
        v.remote.guests = people(c.remote);
        auto const together = people(c.together);
        for (auto const policy : policies) {
            auto const m = plan(v.base, v.local, v.remote, policy, sync_mode::two_way);
            SCOPED_TRACE(c.base + "/" + c.local + "/" + c.remote);
            EXPECT_EQ(m.merged.guests, together);
            EXPECT_EQ(m.new_base.guests, together);
            EXPECT_EQ(m.push.has(field::guests), together != v.remote.guests);
            EXPECT_EQ(m.pull.has(field::guests), together != v.local.guests);
            EXPECT_TRUE(m.conflicts.empty());
        }
    }
}

TEST(PlanGuests, TheNameOfTheSideThatKnowsItIsKept) {
    versions v{sample(0), sample(0), sample(0)};
    v.base.guests = people("a");
    v.local.guests = people("ab");
    v.remote.guests = {{"a@x.y", "Ann", false}};
    EXPECT_EQ(plan(v.base, v.local, v.remote, conflict_policy::ask, sync_mode::two_way).merged.guests[0].name, "Ann");
    v.local.guests[0].name = "Anna";
    EXPECT_EQ(plan(v.base, v.local, v.remote, conflict_policy::ask, sync_mode::two_way).merged.guests[0].name, "Anna");
}

TEST(PlanGuests, OneWayToGoogleKeepsWhomGoogleAdded) {
    versions v{sample(0), sample(0), sample(0)};
    v.base.guests = v.local.guests = people("a");
    v.remote.guests = people("ax");
    EXPECT_TRUE(plan(v.base, v.local, v.remote, conflict_policy::ask, sync_mode::crm_to_google).quiet());

    v.local.guests = people("ab");
    auto const added = plan(v.base, v.local, v.remote, conflict_policy::ask, sync_mode::crm_to_google);
    EXPECT_EQ(added.push, field_set().add(field::guests));
    EXPECT_TRUE(added.pull.empty());
    EXPECT_EQ(added.merged.guests, people("abx"));
    EXPECT_EQ(added.new_base.guests, people("ab"));
    EXPECT_TRUE(plan(added.new_base, v.local, added.merged, conflict_policy::ask, sync_mode::crm_to_google).quiet());

    v.remote.guests = people("abx");  // already so
    auto const there = plan(v.base, v.local, v.remote, conflict_policy::ask, sync_mode::crm_to_google);
    EXPECT_TRUE(there.quiet());
    EXPECT_EQ(there.new_base.guests, people("ab"));
}

TEST(PlanGuests, OneWayToTheCrmKeepsWhomTheCrmAdded) {
    versions v{sample(0), sample(0), sample(0)};
    v.base.guests = v.remote.guests = people("a");
    v.local.guests = people("ax");
    EXPECT_TRUE(plan(v.base, v.local, v.remote, conflict_policy::ask, sync_mode::google_to_crm).quiet());

    v.remote.guests = people("ab");
    auto const added = plan(v.base, v.local, v.remote, conflict_policy::ask, sync_mode::google_to_crm);
    EXPECT_EQ(added.pull, field_set().add(field::guests));
    EXPECT_TRUE(added.push.empty());
    EXPECT_EQ(added.merged.guests, people("abx"));
    EXPECT_EQ(added.new_base.guests, people("ab"));
    EXPECT_TRUE(plan(added.new_base, added.merged, v.remote, conflict_policy::ask, sync_mode::google_to_crm).quiet());

    v.local.guests = people("abx");
    EXPECT_TRUE(plan(v.base, v.local, v.remote, conflict_policy::ask, sync_mode::google_to_crm).quiet());
}

TEST(PlanGuests, BusyOnlyLeavesThemAlone) {
    versions v{sample(0), sample(0), sample(0)};
    v.local.guests = people("a");
    v.remote.guests = people("b");
    auto const m = plan(v.base, v.local, v.remote, conflict_policy::ask, sync_mode::busy_only);
    EXPECT_TRUE(m.quiet());
    EXPECT_EQ(m.new_base.guests, v.base.guests);
}

// --- properties ------------------------------------------------------------------------------------------------------------------

fields random_fields(testing_world::dice& random) {
    fields f = sample(0);
    for (auto const which : all_fields) copy(which, sample(random.below(3)), f);
    f.guests.clear();
    for (char const c : std::string("abcd")) {
        if (random.below(2)) f.guests.push_back({std::string(1, c) + "@x.y", "", random.below(4) == 0});
    }
    return f;
}

TEST(PlanProperties, IsQuietAfterItsOwnResultWasApplied) {
    testing_world::dice random(10);
    for (int i = 0; i < 20'000; ++i) {
        versions v{random_fields(random), random_fields(random), random_fields(random)};
        auto const policy = policies[random.below(4)];
        auto const mode = modes[random.below(4)];
        auto const newer = newers[random.below(3)];
        auto const m = plan(v.base, v.local, v.remote, policy, mode, newer);
        for (auto const f : all_fields) {
            if (m.push.has(f)) copy(f, m.merged, v.remote);
            if (m.pull.has(f)) copy(f, m.merged, v.local);
        }

        auto const again = plan(m.new_base, v.local, v.remote, policy, mode, newer);

        ASSERT_TRUE(again.push.empty()) << ::testing::PrintToString(again.push.names());
        ASSERT_TRUE(again.pull.empty()) << ::testing::PrintToString(again.pull.names());
        for (auto const& c : again.conflicts) ASSERT_FALSE(c.winner.has_value());
        ASSERT_EQ(again.new_base, m.new_base);
        // Only what was left open is still in dispute, and nothing new.
        std::vector<field> open_before, open_after;
        for (auto const& c : m.conflicts)
            if (!c.winner) open_before.push_back(c.which);
        for (auto const& c : again.conflicts) open_after.push_back(c.which);
        ASSERT_EQ(open_before, open_after);
    }
}

// The pull is stored at once, the push happens later (or is tried again): the second plan still wants exactly the push.
TEST(PlanProperties, APullStoredBeforeThePushChangesNothingElse) {
    testing_world::dice random(11);
    for (int i = 0; i < 20'000; ++i) {
        versions v{random_fields(random), random_fields(random), random_fields(random)};
        auto const policy = policies[random.below(4)];
        auto const mode = modes[random.below(4)];
        auto const m = plan(v.base, v.local, v.remote, policy, mode, side::crm);
        for (auto const f : all_fields) {
            if (m.pull.has(f)) copy(f, m.merged, v.local);
        }

        auto const later = plan(agreed_now(m, v.base), v.local, v.remote, policy, mode, side::crm);

        ASSERT_EQ(later.push, m.push);
        ASSERT_TRUE(later.pull.empty()) << ::testing::PrintToString(later.pull.names());
        for (auto const f : all_fields) {
            if (m.push.has(f)) ASSERT_TRUE(same(f, later.merged, m.merged)) << name(f);
        }
    }
}

TEST(PlanProperties, SwappingTheSidesSwapsTheResult) {
    testing_world::dice random(12);
    auto const mirrored = [](conflict_policy p) {
        return p == conflict_policy::crm_wins      ? conflict_policy::google_wins
               : p == conflict_policy::google_wins ? conflict_policy::crm_wins
                                                   : p;
    };
    auto const other = [](side s) { return s == side::crm ? side::google : side::crm; };
    for (int i = 0; i < 20'000; ++i) {
        versions v{random_fields(random), random_fields(random), random_fields(random)};
        for (auto const f : all_fields) {
            if (is_push_only(f)) copy(f, v.base, v.local), copy(f, v.base, v.remote);
        }
        auto const policy = policies[random.below(4)];
        auto const newer = newers[random.below(3)];

        auto const a = plan(v.base, v.local, v.remote, policy, sync_mode::two_way, newer);
        auto const b =
            plan(v.base, v.remote, v.local, mirrored(policy), sync_mode::two_way, newer ? std::optional(other(*newer)) : std::nullopt);

        ASSERT_EQ(a.push, b.pull);
        ASSERT_EQ(a.pull, b.push);
        ASSERT_EQ(a.new_base, b.new_base);
        ASSERT_EQ(a.conflicts.size(), b.conflicts.size());
        for (std::size_t c = 0; c < a.conflicts.size(); ++c) {
            ASSERT_EQ(a.conflicts[c].crm, b.conflicts[c].google);
            if (a.conflicts[c].winner) ASSERT_EQ(*a.conflicts[c].winner, other(*b.conflicts[c].winner));
        }
        for (auto const f : all_fields) {
            if (a.push.has(f) || a.pull.has(f)) ASSERT_TRUE(same(f, a.merged, b.merged));
        }
    }
}

TEST(PlanProperties, NothingIsLostWithoutAConflictOnRecord) {
    testing_world::dice random(13);
    for (int i = 0; i < 20'000; ++i) {
        versions v{random_fields(random), random_fields(random), random_fields(random)};
        auto const m = plan(v.base, v.local, v.remote, policies[random.below(4)], sync_mode::two_way, newers[random.below(3)]);
        for (auto const f : all_fields) {
            if (is_push_only(f) || f == field::guests) continue;
            bool const recorded = std::ranges::any_of(m.conflicts, [&](auto const& c) { return c.which == f; });
            bool const both = !same(f, v.base, v.local) && !same(f, v.base, v.remote) && !same(f, v.local, v.remote);
            ASSERT_EQ(recorded, both);
            if (recorded) continue;
            if (!same(f, v.base, v.local)) ASSERT_TRUE(same(f, m.merged, v.local));
            if (!same(f, v.base, v.remote)) ASSERT_TRUE(same(f, m.merged, v.remote));
        }
    }
}

TEST(PlanProperties, OneWayModesNeverWriteTheOtherSide) {
    testing_world::dice random(14);
    for (int i = 0; i < 20'000; ++i) {
        versions v{random_fields(random), random_fields(random), random_fields(random)};
        auto const policy = policies[random.below(4)];
        ASSERT_TRUE(plan(v.base, v.local, v.remote, policy, sync_mode::crm_to_google).pull.empty());
        ASSERT_TRUE(plan(v.base, v.local, v.remote, policy, sync_mode::google_to_crm).push.empty());
        auto const busy = plan(v.base, v.local, v.remote, policy, sync_mode::busy_only);
        ASSERT_TRUE(busy.quiet());
        ASSERT_EQ(busy.new_base, v.base);
    }
}

// --- absorb ----------------------------------------------------------------------------------------------------------------------

TEST(Absorb, AnUntouchedFieldKeepsOurView) {
    auto const seen = sample(0);
    auto local = seen;
    local.title = "pulled from Google";
    auto const a = absorb(seen, local, local, seen, false);
    EXPECT_EQ(a.local, local);
    EXPECT_EQ(a.base, local);
    EXPECT_TRUE(a.edited.empty());
    EXPECT_TRUE(a.blind.empty());
}

TEST(Absorb, ATouchedFieldIsTheCrmsEdit) {
    auto const seen = sample(0);
    for (bool const knows : {false, true}) {
        for (auto const f : all_fields) {
            auto snapshot = seen;
            copy(f, sample(1), snapshot);
            auto const a = absorb(seen, seen, seen, snapshot, knows);
            EXPECT_EQ(a.local, snapshot);
            EXPECT_EQ(a.base, seen);
            EXPECT_EQ(a.edited, field_set().add(f));
            EXPECT_TRUE(a.blind.empty());
        }
    }
}

TEST(Absorb, TheCrmTakingOverOurPullIsNoEdit) {
    auto const seen = sample(0);
    auto local = seen;
    local.title = "pulled";
    for (bool const knows : {false, true}) {
        auto const a = absorb(seen, local, local, local, knows);
        EXPECT_TRUE(a.edited.empty());
        EXPECT_TRUE(a.blind.empty());
        EXPECT_EQ(a.local, local);
        EXPECT_EQ(a.base, local);
        EXPECT_TRUE(plan(a.base, a.local, local, conflict_policy::ask, sync_mode::two_way).quiet());
    }
}

TEST(Absorb, AnEditThatKnewOurPullIsAPlainEdit) {
    auto const seen = sample(0);
    auto local = seen;
    local.title = "pulled";
    auto snapshot = local;
    snapshot.title = "edited after that";

    auto const a = absorb(seen, local, local, snapshot, true);

    EXPECT_EQ(a.edited, field_set().add(field::title));
    EXPECT_TRUE(a.blind.empty());
    auto const m = plan(a.base, a.local, local, conflict_policy::ask, sync_mode::two_way);
    EXPECT_EQ(m.push, field_set().add(field::title));
    EXPECT_TRUE(m.conflicts.empty());
}

TEST(Absorb, UndoingOurPullKnowinglyIsAnEdit) {
    auto const seen = sample(0);
    auto local = seen;
    local.title = "pulled";

    auto const a = absorb(seen, local, local, seen, true);

    EXPECT_EQ(a.edited, field_set().add(field::title));
    EXPECT_EQ(a.local.title, seen.title);
    auto const m = plan(a.base, a.local, local, conflict_policy::ask, sync_mode::two_way);
    EXPECT_EQ(m.push, field_set().add(field::title));
    EXPECT_EQ(m.merged.title, seen.title);
}

TEST(Absorb, ABlindEditOfAPulledFieldBecomesAConflict) {
    for (auto const f : {field::title, field::description, field::location, field::time}) {
        auto const seen = sample(0);
        auto local = seen;
        copy(f, sample(1), local);  // pulled
        auto snapshot = seen;
        copy(f, sample(2), snapshot);  // edited without having seen it

        auto const a = absorb(seen, local, local, snapshot, false);

        EXPECT_EQ(a.edited, field_set().add(f));
        EXPECT_EQ(a.blind, field_set().add(f));
        EXPECT_TRUE(same(f, a.base, seen));
        auto const m = plan(a.base, a.local, local, conflict_policy::ask, sync_mode::two_way);
        ASSERT_EQ(m.conflicts.size(), 1u) << name(f);
        EXPECT_EQ(m.conflicts[0].crm, describe(f, snapshot));
        EXPECT_EQ(m.conflicts[0].google, describe(f, local));
        EXPECT_EQ(m.conflicts[0].base, describe(f, seen));
    }
}

TEST(Absorb, ABlindEditOfAnotherFieldMerges) {
    auto const seen = sample(0);
    auto local = seen;
    local.time = sample(1).time;  // pulled
    auto snapshot = seen;
    snapshot.title = "edited blindly, but elsewhere";

    auto const a = absorb(seen, local, local, snapshot, false);
    auto const m = plan(a.base, a.local, local, conflict_policy::ask, sync_mode::two_way);

    EXPECT_TRUE(a.blind.empty());
    EXPECT_EQ(m.push, field_set().add(field::title));
    EXPECT_TRUE(m.pull.empty());
    EXPECT_TRUE(m.conflicts.empty());
    EXPECT_EQ(m.merged.time, local.time);
}

TEST(Absorb, GuestsAddedInGoogleSurviveABlindEditOfTheGuests) {
    auto seen = sample(0);
    seen.guests = people("a");
    auto local = seen;
    local.guests = people("ax");  // x was added in Google
    auto snapshot = seen;
    snapshot.guests = people("ab");  // b was added in the CRM, not knowing x

    auto const a = absorb(seen, local, local, snapshot, false);
    auto const m = plan(a.base, a.local, local, conflict_policy::ask, sync_mode::two_way);

    EXPECT_EQ(a.blind, field_set().add(field::guests));
    EXPECT_TRUE(m.conflicts.empty());
    EXPECT_EQ(m.merged.guests, people("abx"));
}

// Any order of a pull, an edit and the news of the pull ends with each edit on both sides or in a conflict.
TEST(AbsorbProperties, NoEditDisappears) {
    testing_world::dice random(15);
    for (int i = 0; i < 20'000; ++i) {
        auto const seen = random_fields(random);
        auto local = seen;
        for (auto const f : all_fields) {
            if (!is_push_only(f) && random.below(3) == 0) copy(f, random_fields(random), local);
        }
        auto snapshot = random_fields(random);
        bool const knows = random.below(2) == 0;

        auto const a = absorb(seen, local, local, snapshot, knows);
        auto const m = plan(a.base, a.local, local, conflict_policy::ask, sync_mode::two_way);

        for (auto const f : all_fields) {
            if (f == field::guests) continue;
            bool const conflict = std::ranges::any_of(m.conflicts, [&](auto const& c) { return c.which == f; });
            bool const crm_edit = !same(f, snapshot, seen);
            bool const pulled = !same(f, local, seen);
            bool const blind_clash = crm_edit && pulled && !knows && !same(f, snapshot, local);
            ASSERT_EQ(conflict, blind_clash) << name(f);
            if (conflict) continue;
            if (crm_edit) ASSERT_TRUE(same(f, m.merged, snapshot)) << name(f);
            else if (!knows) ASSERT_TRUE(same(f, m.merged, local)) << name(f);
        }
    }
}

}  // namespace
}  // namespace calbridge::domain
