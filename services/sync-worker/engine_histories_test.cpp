// The engine against random histories, for a whole task and for one occurrence of a series.
#include "engine_world.h"

#include <gtest/gtest.h>

#include <set>

namespace calbridge::worker::testing {
namespace {

using domain::conflict_policy;

// Random histories: both sides edit, calls crash and lose their answers, the CRM lags behind. At rest both sides hold the same, or a
// conflict record holds both versions; the last edit of a field on either side is never gone without trace; a quiet system writes nothing.
void play_histories(bool occurrence, std::uint32_t seeds) {
    char const* const names[] = {"title", "location", "description"};
    for (std::uint32_t seed = 1; seed <= seeds; ++seed) {
        std::mt19937 random(seed);
        conflict_policy const policies[] = {conflict_policy::crm_wins, conflict_policy::ask, conflict_policy::google_wins,
                                            conflict_policy::last_write_wins};
        engine_world w(policies[seed % 4], occurrence);
        std::map<std::string, std::string> last_crm, last_google;
        int edits = 0, lost_answers = 0;
        // An occurrence may have been changed in Google before the CRM ever speaks of it.
        if (!occurrence || seed % 3 != 0) w.settle_down();
        for (int step = 0; step < 25; ++step) {
            w.now += std::chrono::seconds(random() % 2);
            std::string const field = names[random() % 3];
            std::string const value = "v" + std::to_string(seed) + "." + std::to_string(step);
            switch (random() % 8) {
            case 0:
            case 1:
                w.crm_edit(field, value, random() % 2 == 0);
                last_crm[field] = value;
                ++edits;
                break;
            case 2:
            case 3:
                w.google_edit(field, value);
                last_google[field] = value;
                ++edits;
                break;
            case 4: w.pull(); break;
            case 5: w.push(); break;
            case 6: {
                fault const f = random() % 2 == 0 ? fault::lost_answer : fault::crash_before_call;
                w.push(f);
                ++lost_answers;
                break;
            }
            case 7: w.crm_applies_updates(); break;
            }
        }
        w.settle_down();
        ASSERT_EQ(w.events_created, occurrence ? 0 : 1) << "seed " << seed;
        std::set<std::string> in_conflict;
        for (auto const& c : w.link->conflicts) in_conflict.insert(std::string(domain::name(c.which)));
        for (char const* f : names) {
            std::string const crm = w.crm(f), google = w.google(f);
            if (in_conflict.contains(f)) continue;
            ASSERT_EQ(crm, google) << "seed " << seed << " field " << f;
            if (last_crm.contains(f) || last_google.contains(f))
                ASSERT_TRUE(crm == last_crm[f] || crm == last_google[f]) << "seed " << seed << " field " << f << " holds " << crm;
        }
        int const writes = w.google_writes;
        std::size_t const told = w.updates.size();
        for (int i = 0; i < 3; ++i) w.settle_down();
        ASSERT_EQ(w.google_writes, writes) << "seed " << seed;
        ASSERT_EQ(w.updates.size(), told) << "seed " << seed;
        ASSERT_LE(writes, 1 + edits + lost_answers) << "seed " << seed;
    }
}

TEST(EngineHistories, ATaskConvergesAndLosesNothing) { play_histories(false, 4000); }

TEST(EngineHistories, OneOccurrenceConvergesAndLosesNothing) { play_histories(true, 4000); }

TEST(EngineHistories, AnOccurrenceMeetsAPersonsEditMadeBeforeTheFirstLook) {
    engine_world w(conflict_policy::ask, true);
    w.google_edit("location", "Room 9");
    w.crm_edit("title", "From the CRM");

    w.settle_down();

    EXPECT_EQ(w.google("title"), "From the CRM");
    EXPECT_EQ(w.google("location"), "Room 9");
    EXPECT_EQ(w.crm("location"), "Room 9");
    EXPECT_EQ(w.updates.back().occurrence, "2026-11-25T10:00:00");
}

TEST(EngineHistories, AnOccurrenceIsCalledOffAndWantedAgainUnderTheSameEvent) {
    engine_world w(conflict_policy::ask, true);
    w.settle_down();
    std::string const id = w.link->event_id;
    w.crm_cancel();
    w.settle_down();
    EXPECT_FALSE(w.event_lives());
    EXPECT_EQ(w.task.state, "removed");

    w.crm_completes(false);
    w.settle_down();
    EXPECT_TRUE(w.event_lives());
    EXPECT_EQ(w.link->event_id, id);
    EXPECT_EQ(w.google("title"), "Appointment");
    EXPECT_EQ(w.events_created, 0);
}

}  // namespace
}  // namespace calbridge::worker::testing
