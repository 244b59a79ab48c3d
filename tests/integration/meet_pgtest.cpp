// Google Meet: one meeting for one wish; and events that are not ours to change.
#include "worker_stack.h"

#include <algorithm>

namespace calbridge::integration {
namespace {

class meet_stack : public worker_stack {
protected:
    void knob(std::string const& body) { control("knobs", body); }
    void later(int seconds) { control("clock", R"({"advance_ms":)" + std::to_string(seconds * 1000) + "}"); }
    std::string meet_link() {
        auto const all = events();
        return std::string(json::text_or(all.at(0).as_object(), "hangoutLink"));
    }
    std::size_t told(domain::update_kind kind, std::string const& reason) {
        auto const all = updates();
        return static_cast<std::size_t>(
            std::count_if(all.begin(), all.end(), [&](auto const& u) { return u.kind == kind && u.reason == reason; }));
    }
};

TEST_F(meet_stack, APendingMeetingIsFollowedUpAndItsLinkTold) {
    knob(R"({"meet_delay_s":60})");
    crm_says({{"googleMeet", true}});
    one_turn();
    EXPECT_EQ(sql("SELECT meet_pending FROM task_links"), "t");
    EXPECT_EQ(sql("SELECT synced_seq < dirty_seq AND retry_at > now() FROM tasks"), "t");
    auto const reads = calls("events.get");
    sql("UPDATE tasks SET retry_at = NULL");
    one_turn();
    EXPECT_EQ(calls("events.get"), reads + 1) << "one look a turn, with growing pauses";
    EXPECT_EQ(sql("SELECT retry_at > now() + interval '5 seconds' FROM tasks"), "t");

    later(61);
    work();

    EXPECT_EQ(sql("SELECT meet_pending FROM task_links"), "f");
    EXPECT_FALSE(meet_link().empty());
    EXPECT_EQ(last(domain::update_kind::changed).meet_link, meet_link());
    EXPECT_EQ(calls("events.insert"), 1);
    EXPECT_EQ(calls("events.patch"), 0);
}

TEST_F(meet_stack, AMeetingThatNeverComesIsGivenUpInWords) {
    knob(R"({"meet_delay_s":100000000})");
    crm_says({{"googleMeet", true}});

    work(40);

    EXPECT_EQ(told(domain::update_kind::failed, "meet_failed"), 1u);
    EXPECT_EQ(sql("SELECT state FROM tasks"), "synced") << "the event stays";
    EXPECT_LE(calls("events.get"), 12);
}

TEST_F(meet_stack, AFailedMeetingIsToldOnceAndTheEventStays) {
    knob(R"({"meet_fails":true})");
    crm_says({{"googleMeet", true}});
    work();
    crm_says({{"googleMeet", true}, {"title", "Renamed"}});
    hint();

    work();

    EXPECT_EQ(told(domain::update_kind::failed, "meet_failed"), 1u);
    EXPECT_FALSE(last(domain::update_kind::failed).explanation.empty());
    EXPECT_EQ(json::text_or(events().at(0).as_object(), "summary"), "Renamed");
    EXPECT_EQ(sql("SELECT state FROM tasks"), "synced");
}

TEST_F(meet_stack, AMeetingIsRemovedAndANewWishMakesANewOne) {
    crm_says({{"googleMeet", true}});
    work();
    std::string const first = meet_link(), request = sql("SELECT meet_request FROM task_links");
    EXPECT_FALSE(first.empty());
    crm_says({});
    work();
    EXPECT_TRUE(meet_link().empty());
    EXPECT_EQ(sql("SELECT meet_request || meet_failed FROM task_links"), "false");
    crm_says({{"googleMeet", true}});

    work();

    EXPECT_FALSE(meet_link().empty());
    EXPECT_NE(sql("SELECT meet_request FROM task_links"), request);
}

TEST_F(meet_stack, ARetryOfTheSameWishRepeatsItsRequest) {
    crm_says({});
    work();
    control("faults", R"([{"match":{"method":"PATCH","path_contains":"/events"},"action":"reset","times":2}])");
    crm_says({{"googleMeet", true}});
    one_turn();
    std::string const request = sql("SELECT meet_request FROM task_links");
    EXPECT_FALSE(request.empty());

    work();

    EXPECT_EQ(sql("SELECT meet_request FROM task_links"), request);
    EXPECT_FALSE(meet_link().empty());
}

TEST_F(meet_stack, SomebodyElsesMeetingIsNeverWrittenAndTheCrmHearsWhy) {
    crm_says({});
    work();
    sql("UPDATE task_links SET read_only = 'guest'");
    crm_says({{"title", "Mine now"}, {"color", "#dc2127"}});

    work();

    EXPECT_EQ(json::text_or(events().at(0).as_object(), "summary"), "Appointment");
    EXPECT_EQ(json::text_or(events().at(0).as_object(), "colorId"), "11") << "the colour is this calendar's own";
    auto const refused = last(domain::update_kind::failed);
    EXPECT_EQ(refused.reason, "read_only_guest");
    EXPECT_FALSE(refused.explanation.empty());
    auto const kept = last(domain::update_kind::changed);
    EXPECT_EQ(kept.changed, std::vector<std::string>{"title"});
    EXPECT_EQ(kept.title, "Appointment");

    crm_says({{"deleted", true}});
    work();
    EXPECT_EQ(events().size(), 1u) << "the task goes, the meeting stays";
    EXPECT_EQ(calls("events.delete"), 0);
    EXPECT_EQ(sql("SELECT state FROM task_links"), "ended");
}

TEST_F(meet_stack, ACalendarThatCanOnlyBeReadIsSaidInWords) {
    crm_says({});
    work();
    sql("UPDATE calendars SET access_role = 'reader'");
    memory.lease.reset();
    crm_says({{"title", "Renamed"}});
    work();
    EXPECT_EQ(sql("SELECT state || ' ' || reason FROM tasks"), "failed calendar_read_only");
    crm_says({{"deleted", true}});
    work();
    EXPECT_EQ(sql("SELECT state || ' ' || reason FROM tasks"), "failed calendar_read_only");
    EXPECT_EQ(events().size(), 1u);
    EXPECT_EQ(calls("events.patch"), 0);
    EXPECT_EQ(calls("events.delete"), 0);
}

}  // namespace
}  // namespace calbridge::integration
