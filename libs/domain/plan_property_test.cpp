// plan() and absorb() over very many cases, in every mode and under every policy.

#include "domain/plan.h"
#include "domain/properties_for_tests.h"

#include <algorithm>

namespace calbridge::domain {
namespace {

using testing_world::check_cases;
using testing_world::dice;
using testing_world::sample;

constexpr conflict_policy policies[]{conflict_policy::ask, conflict_policy::crm_wins, conflict_policy::google_wins,
                                     conflict_policy::last_write_wins};
constexpr sync_mode modes[]{sync_mode::two_way, sync_mode::crm_to_google, sync_mode::google_to_crm, sync_mode::busy_only};
constexpr std::optional<side> newers[]{std::nullopt, side::crm, side::google};

// Few values, so that equal ones meet often.
fields some_fields(dice& random) {
    auto f = sample(0);
    for (auto const which : all_fields) copy(which, sample(random.below(3)), f);
    if (random.below(2)) f.recurrence.clear();
    f.time.zone = random.pick({"Europe/Zurich", "America/New_York", ""});
    f.guests.clear();
    for (char const c : std::string("abcd")) {
        if (random.below(2)) f.guests.push_back({std::string(1, c) + "@x.y", "", random.below(4) == 0});
    }
    return normalise(std::move(f));
}

struct versions {
    fields base, local, remote;
    conflict_policy policy{};
    sync_mode mode{};
    std::optional<side> newer;
};

// A side that changed nothing, one field, or anything.
fields edited(dice& random, fields const& base) {
    switch (random.below(4)) {
    case 0: return base;
    case 1: {
        auto out = base;
        copy(all_fields[random.below(static_cast<int>(field_count))], some_fields(random), out);
        return out;
    }
    default: return some_fields(random);
    }
}

versions some_versions(dice& random) {
    versions v{.base = some_fields(random)};
    v.local = edited(random, v.base);
    v.remote = edited(random, v.base);
    v.policy = policies[random.below(4)];
    v.mode = modes[random.below(4)];
    v.newer = newers[random.below(3)];
    return v;
}

merge planned(versions const& v) { return plan(v.base, v.local, v.remote, v.policy, v.mode, v.newer); }

void pull(merge const& m, versions& v) {
    for (auto const f : all_fields) {
        if (m.pull.has(f)) copy(f, m.merged, v.local);
    }
}
void push(merge const& m, versions& v) {
    for (auto const f : all_fields) {
        if (m.push.has(f)) copy(f, m.merged, v.remote);
    }
}

std::vector<field> open_conflicts(merge const& m) {
    std::vector<field> out;
    for (auto const& c : m.conflicts) {
        if (!c.winner) out.push_back(c.which);
    }
    return out;
}

void expect_quiet(versions const& v, merge const& before) {
    auto const again = planned(v);
    RC_ASSERT(again.push.names() == std::vector<std::string>());
    RC_ASSERT(again.pull.names() == std::vector<std::string>());
    RC_ASSERT(again.new_base == before.new_base);
    // Only what was left open is still in dispute, and nothing new.
    RC_ASSERT(again.conflicts.size() == open_conflicts(again).size());
    RC_ASSERT(open_conflicts(again) == open_conflicts(before));
}

TEST(PlanProperty, IsQuietAfterItsOwnResultWasApplied) {
    check_cases(100'000, [](dice& random) {
        auto v = some_versions(random);
        auto const m = planned(v);
        push(m, v);
        pull(m, v);
        v.base = m.new_base;
        expect_quiet(v, m);
    });
}

TEST(PlanProperty, IsQuietAlsoWhenThePullIsStoredLongBeforeThePush) {
    check_cases(60'000, [](dice& random) {
        auto v = some_versions(random);
        auto const m = planned(v);
        pull(m, v);
        v.base = agreed_now(m, v.base);
        auto const later = planned(v);
        RC_ASSERT(later.push.names() == m.push.names());
        RC_ASSERT(later.pull.names() == std::vector<std::string>());
        push(later, v);
        v.base = later.new_base;
        expect_quiet(v, later);
    });
}

side other(side s) { return s == side::crm ? side::google : side::crm; }

versions mirrored(versions const& v) {
    versions out{.base = v.base, .local = v.remote, .remote = v.local, .policy = v.policy, .mode = v.mode};
    if (v.policy == conflict_policy::crm_wins) out.policy = conflict_policy::google_wins;
    if (v.policy == conflict_policy::google_wins) out.policy = conflict_policy::crm_wins;
    if (v.mode == sync_mode::crm_to_google) out.mode = sync_mode::google_to_crm;
    if (v.mode == sync_mode::google_to_crm) out.mode = sync_mode::crm_to_google;
    if (v.newer) out.newer = other(*v.newer);
    return out;
}

// Fields only calbridge writes have no mirror image.
void level_push_only(versions& v) {
    for (auto const f : all_fields) {
        if (!is_push_only(f)) continue;
        copy(f, v.base, v.local);
        copy(f, v.base, v.remote);
    }
}

TEST(PlanProperty, SwappingTheSidesMirrorsTheResult) {
    check_cases(100'000, [](dice& random) {
        auto v = some_versions(random);
        level_push_only(v);
        auto const a = planned(v);
        auto const b = planned(mirrored(v));
        RC_ASSERT(a.push.names() == b.pull.names());
        RC_ASSERT(a.pull.names() == b.push.names());
        RC_ASSERT(a.new_base == b.new_base);
        RC_ASSERT(a.conflicts.size() == b.conflicts.size());
        for (std::size_t i = 0; i < a.conflicts.size(); ++i) {
            RC_ASSERT(a.conflicts[i].crm == b.conflicts[i].google);
            RC_ASSERT(a.conflicts[i].google == b.conflicts[i].crm);
            RC_ASSERT(a.conflicts[i].winner.has_value() == b.conflicts[i].winner.has_value());
            if (a.conflicts[i].winner) RC_ASSERT(*a.conflicts[i].winner == other(*b.conflicts[i].winner));
        }
        for (auto const f : all_fields) {
            if (a.push.has(f) || a.pull.has(f)) RC_ASSERT(same(f, a.merged, b.merged));
        }
    });
}

bool recorded(merge const& m, field f) {
    return std::ranges::any_of(m.conflicts, [&](auto const& c) { return c.which == f; });
}

// As plan() sees it: zones belong to the time of series.
bool alike(field f, fields const& a, fields const& b, bool series) {
    if (f != field::time) return same(f, a, b);
    return a.time == b.time && (!series || a.time.zone.empty() || b.time.zone.empty() || a.time.zone == b.time.zone);
}

// No edit is overwritten that is not the merged value or in a conflict's record, word for word.
void expect_kept(versions const& v, merge const& m, field f) {
    bool const series = !m.new_base.recurrence.empty();
    bool const here = !alike(f, v.base, v.local, series);
    bool const there = !alike(f, v.base, v.remote, series);
    bool const agree = alike(f, v.local, v.remote, series);
    if (m.push.has(f) && there && !agree) RC_ASSERT(recorded(m, f));
    if (m.pull.has(f) && here && !agree) RC_ASSERT(recorded(m, f));
    if (m.push.has(f) && here && !there) RC_ASSERT(alike(f, m.merged, v.local, series));
    if (m.pull.has(f) && there && !here) RC_ASSERT(alike(f, m.merged, v.remote, series));
    for (auto const& c : m.conflicts) {
        if (c.which != f) continue;
        RC_ASSERT(here && there && !agree);
        RC_ASSERT(c.crm == describe(f, v.local));
        RC_ASSERT(c.google == describe(f, v.remote));
        RC_ASSERT(c.base == describe(f, v.base));
    }
    // In two-way mode an edit of one side arrives at the other.
    if (v.mode != sync_mode::two_way) return;
    if (here && !there) RC_ASSERT(m.push.has(f));
    if (there && !here) RC_ASSERT(m.pull.has(f));
    if (here && there && !agree) RC_ASSERT(recorded(m, f));
}

bool invited(std::vector<guest> const& guests, std::string const& email) {
    return std::ranges::find(guests, email, &guest::email) != guests.end();
}

void expect_guests_kept(versions const& v, merge const& m) {
    for (auto const& list : {v.local.guests, v.remote.guests}) {
        for (auto const& one : list) {
            bool const before = invited(v.base.guests, one.email);
            bool const here = invited(v.local.guests, one.email);
            bool const there = invited(v.remote.guests, one.email);
            // Who was added by either side is there in the end, who was removed by either is not.
            bool const stays = before ? here && there : true;
            if (v.mode == sync_mode::two_way) RC_ASSERT(invited(m.merged.guests, one.email) == stays);
            if (!before && (m.push.has(field::guests) || m.pull.has(field::guests))) RC_ASSERT(invited(m.merged.guests, one.email));
        }
    }
}

TEST(PlanProperty, NoEditIsLostWithoutAConflictOnRecord) {
    check_cases(100'000, [](dice& random) {
        auto const v = some_versions(random);
        auto const m = planned(v);
        for (auto const f : all_fields) {
            if (!is_push_only(f) && f != field::guests) expect_kept(v, m, f);
        }
        expect_guests_kept(v, m);
        if (v.mode == sync_mode::crm_to_google) RC_ASSERT(m.pull.empty());
        if (v.mode == sync_mode::google_to_crm) RC_ASSERT(m.push.empty());
        if (v.mode == sync_mode::busy_only) RC_ASSERT(m.quiet());
    });
}

TEST(PlanProperty, ThereAndBackIsNoChangeAndTheSameEditTwiceAgrees) {
    check_cases(50'000, [](dice& random) {
        auto v = some_versions(random);
        v.remote = v.local;
        auto const m = planned(v);
        RC_ASSERT(m.quiet());
        v.local = v.remote = v.base;
        RC_ASSERT(planned(v).quiet());
    });
}

// Found by the properties above: the zone counts in series only, so it looked changed as soon as the event had become one.
TEST(Plan, AnEventThatBecomesASeriesAndWasSaidInAnotherZoneIsSettledAtOnce) {
    auto base = sample(0);
    base.recurrence.clear();
    auto local = base;
    local.recurrence = {"RRULE:FREQ=DAILY"};
    auto remote = base;
    remote.time.zone = "America/New_York";

    auto const m = plan(base, local, remote, conflict_policy::ask, sync_mode::two_way);
    EXPECT_EQ(m.push, field_set().add(field::recurrence));
    EXPECT_EQ(m.pull, field_set().add(field::time));
    remote.recurrence = local.recurrence;
    copy(field::time, m.merged, local);

    EXPECT_TRUE(plan(m.new_base, local, remote, conflict_policy::ask, sync_mode::two_way).quiet());
}

// A pull, the CRM's edit with or without knowing it, the push: both sides end with each edit, or in a conflict that names it.
TEST(AbsorbProperty, NoEditOfTheCrmIsLost) {
    check_cases(60'000, [](dice& random) {
        auto const seen = some_fields(random);
        auto const pulled = edited(random, seen);
        auto const snapshot = edited(random, random.below(2) ? pulled : seen);
        bool const knows = random.below(2) == 0;

        auto const a = absorb(seen, pulled, pulled, snapshot, knows);
        auto const m = plan(a.base, a.local, pulled, policies[random.below(4)], sync_mode::two_way, newers[random.below(3)]);

        bool const series = !a.local.recurrence.empty();
        for (auto const f : all_fields) {
            bool const wanted = !alike(f, snapshot, knows ? pulled : seen, series);
            if (!wanted) continue;
            RC_ASSERT(alike(f, a.local, snapshot, series));
            if (is_push_only(f) || f == field::guests || recorded(m, f)) continue;
            RC_ASSERT(alike(f, m.merged, snapshot, series && !m.new_base.recurrence.empty()));
        }
        // The same news twice is no news.
        auto const again = absorb(snapshot, a.local, a.base, snapshot, true);
        if (knows) RC_ASSERT(again.edited.names() == std::vector<std::string>());
    });
}

}  // namespace
}  // namespace calbridge::domain
