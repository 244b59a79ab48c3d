// Guests hear of a meaningful change once, whatever happens on the way; and of nothing else.
#include "worker_stack.h"

namespace calbridge::integration {
namespace {

class mail_stack : public worker_stack {
protected:
    void say(json::object more = {}) {
        json::object said{{"sendUpdates", "all"}, {"attendees", json::array{json::object{{"email", "kim@example.net"}}}}};
        for (auto const& member : more) said[member.key()] = member.value();
        crm_says(std::move(said));
    }
    std::size_t mails() { return control("mails").as_object().at("mails").as_array().size(); }
    void fault(std::string const& method, std::string const& action, int times = 1) {
        control("faults", R"([{"match":{"method":")" + method + R"(","path_contains":"/events"},"action":)" + action + R"(,"times":)" +
                              std::to_string(times) + "}]");
    }
};

TEST_F(mail_stack, ACreateAndEachMeaningfulChangeMailOnce) {
    say();
    work();
    EXPECT_EQ(mails(), 1u);
    say({{"title", "Renamed"}});
    work();
    EXPECT_EQ(mails(), 2u);
    say({{"title", "Renamed"}});
    hint();
    work();
    EXPECT_EQ(mails(), 2u) << "the same again and our own echo";
}

TEST_F(mail_stack, LostAnswersMailOnceWhetherTheWriteHappenedOrNot) {
    fault("POST", R"("lost_response","how":"close")");
    say();
    work();
    EXPECT_EQ(mails(), 1u);
    fault("PATCH", R"("lost_response","how":"503")");
    say({{"title", "Renamed"}});
    work();
    EXPECT_EQ(mails(), 2u);
    fault("PATCH", R"("reset")", 2);
    say({{"title", "Renamed again"}});
    work();
    EXPECT_EQ(mails(), 3u);
}

TEST_F(mail_stack, AnEventThatChangesUnderOurHandsMailsOnce) {
    say();
    work();
    control("calendars/anna%40example.com/events/" + event_id(), R"({"location":"Room 9"})", "PATCH");
    say({{"title", "Renamed"}});
    work();
    EXPECT_EQ(mails(), 2u);
}

TEST_F(mail_stack, FooterColourReminderAndTickMailNobody) {
    sql(R"(UPDATE user_calendar_connections SET sync_settings = '{"completed":"tick"}')");
    say();
    work();
    say({{"notes", "Only for us"}, {"color", "#dc2127"}, {"reminders", json::object{{"overrides", json::array{}}}}});
    work();
    EXPECT_EQ(calls("events.patch"), 1);
    say({{"notes", "Only for us"},
         {"color", "#dc2127"},
         {"reminders", json::object{{"overrides", json::array{}}}},
         {"status", "completed"}});
    work();
    EXPECT_EQ(calls("events.patch"), 2);
    say({{"notes", "Only for us"}, {"color", "#dc2127"}, {"reminders", json::object{{"overrides", json::array{}}}}});
    work();
    EXPECT_EQ(calls("events.patch"), 3);
    EXPECT_EQ(mails(), 1u) << "the invitation";
}

TEST_F(mail_stack, CompletedAndPastMeetingsAreNeverMailedAgain) {
    say();
    work();
    say({{"status", "completed"}, {"title", "Renamed"}});
    work();
    say({{"start", "2020-01-20T10:00:00"}, {"end", "2020-01-20T11:00:00"}});
    work();
    say({{"start", "2020-01-20T10:00:00"}, {"end", "2020-01-20T11:00:00"}, {"title", "Later"}});
    work();
    EXPECT_EQ(mails(), 1u);
}

TEST_F(mail_stack, ASplitInvitesToTheNewSeriesAndSaysNothingOfTheOldOne) {
    say({{"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=10"}}});
    work();
    EXPECT_EQ(mails(), 1u);
    say({{"scope", "THIS_AND_FOLLOWING"},
         {"occurrence", "2027-02-10T10:00:00"},
         {"followingTaskId", "T-2"},
         {"start", "2027-02-10T10:00:00"},
         {"end", "2027-02-10T11:00:00"},
         {"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=7"}}});
    work();
    EXPECT_EQ(mails(), 2u);
}

TEST_F(mail_stack, ACancelledMeetingIsCalledOffOnce) {
    say();
    work();
    fault("DELETE", R"("lost_response","how":"close")");
    say({{"status", "cancelled"}});
    work();
    EXPECT_EQ(mails(), 2u);
    EXPECT_TRUE(events().empty());
}

}  // namespace
}  // namespace calbridge::integration
