// Templates there and back: a CRM that stores what it is told and sends it again changes nothing, and nothing grows.
#include "engine_world.h"

#include "common/json/json.h"

#include <gtest/gtest.h>

#include <iterator>
#include <random>

namespace calbridge::worker::testing {
namespace {

void json_settings(engine_world& w, std::string const& title, std::string const& text, bool ticked) {
    json::object said{{"title_templates", json::object{{"", title}}}, {"description_templates", json::object{{"", text}}}};
    if (ticked) said["completed"] = "tick";
    w.sync_settings = json::serialize(said);
}

TEST(EngineTemplates, APulledTitleIsToldWithoutItsTemplate) {
    engine_world w;
    w.sync_settings = R"({"title_templates":{"":"{title} - {customer}"},"description_templates":{"":"{description}\n\nFor {customer}"}})";
    w.crm_edit("customer", "Bosch");
    w.settle_down();
    EXPECT_EQ(w.google("title"), "Appointment - Bosch");
    EXPECT_EQ(w.google("description"), "Bring the papers.\n\nFor Bosch");
    int const writes = w.google_writes;

    w.google_edit("title", "Contract talk - Bosch");
    w.google_edit("description", "Bring a pen.\n\nFor Bosch");
    w.settle_down();

    EXPECT_EQ(w.crm("title"), "Contract talk");
    EXPECT_EQ(w.crm("description"), "Bring a pen.");
    EXPECT_EQ(w.google("title"), "Contract talk - Bosch");
    EXPECT_EQ(w.google_writes, writes);
}

TEST(EngineTemplates, ATitleTakenOutOfItsTemplateStaysAsThePersonLeftIt) {
    engine_world w;
    w.sync_settings = R"({"title_templates":{"":"CRM: {title}"}})";
    w.settle_down();
    w.google_edit("title", "Just this");
    w.settle_down();
    int const writes = w.google_writes;
    EXPECT_EQ(w.crm("title"), "Just this");
    EXPECT_EQ(w.google("title"), "Just this");

    w.crm_edit("location", "Room 2", true);
    w.settle_down();
    EXPECT_EQ(w.google("title"), "Just this") << "an edit of another field does not bring the template back";
    EXPECT_EQ(w.google_writes, writes + 1);

    w.crm_edit("title", "From the CRM", true);
    w.settle_down();
    EXPECT_EQ(w.google("title"), "CRM: From the CRM");
}

TEST(EngineTemplates, ACompletedTaskIsTickedByChoiceAndTheTickIsNeverTold) {
    engine_world w;
    w.sync_settings = R"({"completed":"tick"})";
    w.settle_down();
    w.crm_completes();
    w.settle_down();
    EXPECT_EQ(w.google("title"), "\xE2\x9C\x93 Appointment");

    w.google_edit("title", "\xE2\x9C\x93 Late appointment");
    w.settle_down();
    EXPECT_EQ(w.crm("title"), "Late appointment");
    EXPECT_EQ(w.google("title"), "\xE2\x9C\x93 Late appointment");

    w.crm_completes(false);
    w.settle_down();
    EXPECT_EQ(w.google("title"), "Late appointment");
}

TEST(EngineTemplates, ACompletedTaskKeepsItsEventUnlessTheChoiceIsToRemoveIt) {
    engine_world kept;
    kept.settle_down();
    kept.crm_completes();
    kept.settle_down();
    EXPECT_TRUE(kept.event_lives());
    EXPECT_EQ(kept.google("title"), "Appointment");

    engine_world removed;
    removed.sync_settings = R"({"completed":"remove"})";
    removed.settle_down();
    removed.crm_completes();
    removed.settle_down();
    EXPECT_FALSE(removed.event_lives());
    EXPECT_EQ(removed.task.state, "removed");

    removed.crm_completes(false);
    removed.settle_down();
    EXPECT_EQ(removed.task.state, "synced") << "an open task has its event again";
}

// Whatever the template and whatever a person makes of the title: once the CRM has stored what it was told and sent it back, nothing is
// written any more, and the titles of both sides stay as long as they were.
TEST(EngineTemplates, WhatIsToldAndSentBackIsQuietForAnyTemplateAndAnyEdit) {
    char const* const titles[] = {"{title}",     "{title} - {customer}", "{customer}: {title}", "{type} {title} ({customer})",
                                  "Fixed words", "{customer}",           "{title} {title}",     "{{x}} {title}"};
    char const* const texts[] = {"{description}", "{description}\n\nFor {customer}", "Customer: {customer}\n{description}", "Only words",
                                 "{customer}"};
    char const* const edits[] = {"New",         "Appointment - Bosch", "Bosch: Appointment", "\xE2\x9C\x93 New",
                                 "New - Bosch", "For Bosch",           "Fixed words",        "a\n\nFor Bosch"};
    for (std::uint32_t seed = 1; seed <= 1500; ++seed) {
        std::mt19937 random(seed);
        engine_world w(seed % 2 == 0 ? domain::conflict_policy::ask : domain::conflict_policy::crm_wins);
        json_settings(w, titles[random() % std::size(titles)], texts[random() % std::size(texts)], random() % 2 == 0);
        if (random() % 2 == 0) w.crm_edit("customer", "Bosch");
        w.settle_down();
        for (int step = 0; step < 4; ++step) {
            if (random() % 3 == 0) w.crm_completes(random() % 2 == 0);
            w.google_edit(random() % 2 == 0 ? "title" : "description", edits[random() % std::size(edits)]);
            w.settle_down();
            if (!w.link->conflicts.empty()) break;  // completed and renamed at once: a person decides
            std::string const title = w.google("title"), text = w.google("description"), crm_title = w.crm("title");
            int const writes = w.google_writes;
            std::size_t const told = w.updates.size();
            for (int i = 0; i < 3; ++i) {
                w.crm_edit("title", w.crm("title"), i % 2 == 0);
                w.settle_down();
            }
            ASSERT_EQ(w.google("title"), title) << "seed " << seed << " step " << step;
            ASSERT_EQ(w.google("description"), text) << "seed " << seed << " step " << step;
            ASSERT_EQ(w.crm("title"), crm_title) << "seed " << seed << " step " << step;
            ASSERT_EQ(w.google_writes, writes) << "seed " << seed << " step " << step;
            ASSERT_EQ(w.updates.size(), told) << "seed " << seed << " step " << step;
        }
    }
}

}  // namespace
}  // namespace calbridge::worker::testing
