// What a tenant and a connection say of templates and completed tasks, through the worker.
#include "worker_stack.h"

namespace calbridge::integration {
namespace {

class settings_stack : public worker_stack {
protected:
    std::string text(std::string const& member) {
        auto const all = events();
        return all.empty() ? std::string() : std::string(json::text_or(all.at(0).as_object(), member));
    }
    void rename_in_google(std::string const& title) {
        control("calendars/anna%40example.com/events/" + event_id(), json::serialize(json::object{{"summary", title}}), "PATCH");
        hint();
    }
};

TEST_F(settings_stack, TheConnectionsTemplatesLieOverThoseOfItsTenantTypeByType) {
    sql(R"(INSERT INTO tenant_settings (tenant_id, settings) VALUES ('acme',
        '{"title_templates":{"":"{title} - {customer}","call":"Call: {title}"},"description_templates":{"":"{description}\n\nFor {customer}"}}'))");
    sql(R"(UPDATE user_calendar_connections SET sync_settings = '{"title_templates":{"meeting":"[{customer}] {title}"}}')");
    crm_says({{"customer", "Bosch"}, {"description", "Bring a pen."}});
    work();
    EXPECT_EQ(text("summary"), "[Bosch] Appointment");
    EXPECT_NE(text("description").find("Bring a pen.\n\nFor Bosch"), std::string::npos);
    crm_says({{"customer", "Bosch"}, {"description", "Bring a pen."}, {"type", "call"}});
    work();
    EXPECT_EQ(text("summary"), "Call: Appointment");
    crm_says({{"customer", "Bosch"}, {"description", "Bring a pen."}, {"type", "visit"}});
    work();
    EXPECT_EQ(text("summary"), "Appointment - Bosch");
}

TEST_F(settings_stack, ACrmThatStoresWhatItIsToldMakesNothingGrow) {
    sql(R"(UPDATE user_calendar_connections SET sync_settings = '{"title_templates":{"":"{title} - {customer}"}}')");
    crm_says({{"customer", "Bosch"}});
    work();
    for (auto const* title : {"Contract - Bosch", "Without its template"}) {
        rename_in_google(title);
        work();
        auto const told = last(domain::update_kind::changed);
        auto const writes = calls("events.patch");
        for (int i = 0; i < 3; ++i) {
            crm_says({{"customer", "Bosch"}, {"title", told.title}, {"appliedUpdateSeq", told.sequence}});
            hint();
            work();
        }
        EXPECT_EQ(text("summary"), title);
        EXPECT_EQ(calls("events.patch"), writes);
        EXPECT_EQ(last(domain::update_kind::changed).sequence, told.sequence);
    }
}

TEST_F(settings_stack, CompletedTasksKeepTickOrRemove) {
    crm_says({});
    work();
    crm_says({{"status", "completed"}});
    work();
    EXPECT_EQ(text("summary"), "Appointment");
    EXPECT_EQ(calls("events.patch"), 1) << "the footer says it";

    sql(R"(UPDATE user_calendar_connections SET sync_settings = '{"completed":"tick"}')");
    memory.lease.reset();
    crm_says({{"status", "completed"}, {"location", "Room 2"}});
    work();
    EXPECT_EQ(text("summary"), "\xE2\x9C\x93 Appointment");

    sql(R"(UPDATE user_calendar_connections SET sync_settings = '{"completed":"remove"}')");
    memory.lease.reset();
    crm_says({{"status", "completed"}, {"location", "Room 3"}});
    work();
    EXPECT_TRUE(events().empty());
    EXPECT_EQ(sql("SELECT state FROM tasks"), "removed");
    crm_says({});
    work();
    EXPECT_EQ(events().size(), 1u);
}

}  // namespace
}  // namespace calbridge::integration
