// The history of an item as its operations tell it, and how long it is kept.
#include "worker_stack.h"

#include "domain/history.h"
#include "store/history.h"

namespace calbridge::integration {
namespace {

class History : public worker_stack {
protected:
    std::vector<domain::history_item> read(std::optional<operation_id> before = {}, int most = 50) {
        std::vector<domain::history_item> items;
        auto body = [](pg::database& in, tenant_id of, std::optional<operation_id> from, int limit,
                       std::vector<domain::history_item>& to) -> calbridge::task<void> {
            task_id const wanted("T-1");
            auto found = co_await store::item_history(in, of, wanted, from, limit);
            EXPECT_TRUE(found) << found.error().context;
            if (found) to = std::move(*found);
        };
        testing::run_coro(ioc, body(*db, tenant, before, most, items));
        return items;
    }
};

TEST_F(History, AnItemsLifeReadsFromTheNewestBackOverAllItsEvents) {
    crm_says({});
    work();
    crm_says({{"title", "Contract talk"}});
    work();
    google_edits(R"({"location":"Room 9"})");
    hint();
    work();
    google_deletes();
    hint();
    work();

    auto const items = read();

    ASSERT_EQ(items.size(), 4u);
    std::vector<std::string> kinds, headlines;
    for (auto const& one : items) {
        kinds.push_back(one.kind);
        headlines.push_back(domain::explain(one, now.now()).headline);
    }
    EXPECT_EQ(kinds, (std::vector<std::string>{"pull", "pull", "patch", "create"}));
    EXPECT_EQ(headlines[0], "The event was deleted in Google Calendar.");
    EXPECT_EQ(headlines[1], "Somebody changed location in Google Calendar, and the task took it over.");
    EXPECT_EQ(headlines[2], "The CRM's title went to Google Calendar.");
    EXPECT_EQ(headlines[3], "The event was created in Google Calendar.");
    auto const patch = domain::explain(items[2], now.now());
    ASSERT_EQ(patch.changes.size(), 1u);
    EXPECT_EQ(patch.changes[0].before, "Appointment");
    EXPECT_EQ(patch.changes[0].after, "Contract talk");
    auto const page = read(items[1].id, 1);
    ASSERT_EQ(page.size(), 1u);
    EXPECT_EQ(page[0].id, items[2].id);
}

TEST_F(History, AfterThirtyDaysTheNewestOperationAndTheOneTheEventIsStampedWithStay) {
    crm_says({});
    work();
    crm_says({{"title", "Contract talk"}});
    work();
    google_edits(R"({"location":"Room 9"})");
    hint();
    work();
    google_edits(R"({"location":"Room 10"})");
    hint();
    work();
    sql("UPDATE operations SET created_at = created_at - interval '31 days'");

    sql("SELECT retain(100)");

    auto const items = read();
    ASSERT_EQ(items.size(), 2u);
    EXPECT_EQ(items[0].kind, "pull");
    EXPECT_EQ(items[0].expected->location, "Room 10");
    EXPECT_EQ(items[1].kind, "patch");
    EXPECT_EQ(domain::explain(items[1], now.now()).undo_refused->code, "too_old");
    // The stamp is still known for ours: reading the event again changes nothing.
    auto const told = kafka.records.size();
    hint();
    work();
    EXPECT_EQ(kafka.records.size(), told);
}

}  // namespace
}  // namespace calbridge::integration
