// Too many deletions at once are not believed until a person says so.
#include "inbound_stack.h"

#include "store/brake.h"

namespace calbridge::integration {
namespace {

class brake_stack : public inbound_stack {
protected:
    void many(int tasks) {
        for (int i = 0; i < tasks; ++i)
            crm_says({{"taskId", "T-" + std::to_string(i)}, {"version", 1}, {"title", "Task " + std::to_string(i)}});
        work();
    }
    void drop_all() {
        for (auto const& e : events()) drop(std::string(json::text_or(e.as_object(), "id")));
    }
    // A pass, whatever it leaves.
    void look() {
        hint();
        one_turn();
        sql("UPDATE calendars SET retry_at = NULL");
    }
    void answer(store::brake_answer what, std::int64_t most, std::chrono::milliseconds life = std::chrono::hours(1)) {
        auto body = [](pg::database& in, tenant_id whose, calendar_id which, store::brake_answer said, std::int64_t n,
                       std::chrono::milliseconds for_how_long) -> task<void> {
            auto begun = co_await in.begin(whose);
            EXPECT_TRUE(begun);
            auto done = co_await store::answer_brake(**begun, whose, which, said, n, for_how_long);
            EXPECT_TRUE(done) << done.error().context;
            auto committed = co_await (*begun)->commit();
            EXPECT_TRUE(committed);
        };
        testing::run_coro(ioc, body(*db, tenant, calendar, what, most, life));
    }
    std::string brake() {
        return sql("SELECT coalesce((brake ->> 'missing') || '/' || (brake ->> 'known') || ' ' || (brake ->> 'pass'), '') FROM calendars");
    }
};

TEST_F(brake_stack, ManyTombstonesOfOnePassApplyNothingAndKeepTheCursor) {
    many(30);
    std::string const token = sql("SELECT sync_token FROM calendars");
    drop_all();

    look();

    EXPECT_EQ(brake(), "30/30 incremental");
    EXPECT_EQ(sql("SELECT sync_token FROM calendars"), token);
    EXPECT_EQ(count("task_links WHERE state = 'live'"), "30");
    EXPECT_EQ(count("events WHERE status = 'cancelled'"), "0");
    EXPECT_TRUE(told(domain::update_kind::cancelled).empty());
    EXPECT_EQ(sql("SELECT kind || ' ' || (resolved_at IS NULL)::text FROM alerts"), "brake_pulled true");
    auto const listings = calls("events.list");
    look();
    EXPECT_EQ(calls("events.list"), listings) << "pulling waits";
}

TEST_F(brake_stack, PushesGoOnMeanwhile) {
    many(30);
    drop_all();
    look();
    crm_says({{"taskId", "T-new"}, {"title", "Still served"}});

    one_turn();

    EXPECT_EQ(row("T-new", "state"), "synced");
    EXPECT_EQ(events().size(), 1u);
}

TEST_F(brake_stack, AFewDeletionsAreNotHeldBack) {
    many(30);
    auto const all = events();
    for (std::size_t i = 0; i < 20; ++i) drop(std::string(json::text_or(all.at(i).as_object(), "id")));

    pull();

    EXPECT_EQ(brake(), "");
    EXPECT_EQ(told(domain::update_kind::cancelled).size(), 20u);
}

TEST_F(brake_stack, ConfirmedTheyAreTakenIn) {
    many(30);
    drop_all();
    look();
    answer(store::brake_answer::confirm, 30);

    work();

    EXPECT_EQ(told(domain::update_kind::cancelled).size(), 30u);
    EXPECT_EQ(brake(), "");
    EXPECT_EQ(sql("SELECT resolved_at IS NULL FROM alerts"), "f");
}

TEST_F(brake_stack, PutBackTheyAreMadeAgain) {
    many(30);
    drop_all();
    look();
    answer(store::brake_answer::put_back, 30);

    work();

    EXPECT_EQ(events().size(), 30u);
    EXPECT_TRUE(told(domain::update_kind::cancelled).empty());
    EXPECT_EQ(brake(), "");
    EXPECT_EQ(sql("SELECT delete_choice FROM user_calendar_connections"), "cancel_task");
}

TEST_F(brake_stack, AnAnswerAboutFewerOrLongAgoDoesNotCount) {
    many(30);
    drop_all();
    look();
    answer(store::brake_answer::confirm, 25);
    one_turn();
    EXPECT_EQ(brake(), "30/30 incremental");
    EXPECT_EQ(sql("SELECT brake ? 'answer' FROM calendars"), "f");

    answer(store::brake_answer::confirm, 30, std::chrono::milliseconds(-1000));
    one_turn();

    EXPECT_EQ(brake(), "30/30 incremental");
    EXPECT_TRUE(told(domain::update_kind::cancelled).empty());
}

TEST_F(brake_stack, AFullReadingIsHeldBackAndConfirmedTheSameWay) {
    many(30);
    google->settings().tombstone_days = 0;
    drop_all();
    control(std::string(own_calendar) + "/expire_tokens", "{}");
    look();
    EXPECT_EQ(brake(), "30/30 full");
    answer(store::brake_answer::confirm, 30);

    work();

    EXPECT_EQ(told(domain::update_kind::cancelled).size(), 30u);
    EXPECT_EQ(brake(), "");
}

}  // namespace
}  // namespace calbridge::integration
