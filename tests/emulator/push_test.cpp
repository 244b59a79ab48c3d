#include "tests/emulator/fixture.h"
#include "tests/emulator/times.h"

namespace calbridge::emulator {
namespace {

class Push : public emulator_test {
protected:
    outcome watch(std::string const& id = "channel-1", std::string const& more = {}) {
        return api("POST", primary + "/watch",
                   R"({"id":")" + id + R"(","type":"web_hook","address":"https://hooks.example/google","token":"secret-1")" + more + "}");
    }
    std::vector<delivery> due() { return w.take_due_deliveries(w.now()); }
    // Everything that is due answers 200.
    std::vector<delivery> drain() {
        auto all = due();
        for (auto const& d : all) w.delivery_answered(d.id, 200);
        return all;
    }
    static std::string field(delivery const& d, std::string_view name) { return std::string(header(d.fields, name).value_or("")); }
};

TEST_F(Push, AWatchSendsSyncBeforeItsAnswerUnlessTold) {
    auto const made = watch();
    ASSERT_EQ(made.status, 200) << made.whole.body;
    ASSERT_NE(made.whole.deliver_first, 0U);
    auto const sync = w.take_delivery(made.whole.deliver_first);
    ASSERT_TRUE(sync);
    EXPECT_EQ(field(*sync, "X-Goog-Resource-State"), "sync");
    EXPECT_EQ(field(*sync, "X-Goog-Message-Number"), "1");
    EXPECT_EQ(field(*sync, "X-Goog-Channel-Token"), "secret-1");
    EXPECT_EQ(field(*sync, "X-Goog-Resource-ID"), made.text("resourceId"));
    EXPECT_EQ(field(*sync, "X-Goog-Channel-Expiration"), "Fri, 27 Nov 2026 09:00:00 GMT");
    EXPECT_EQ(made.text("expiration"), "1795770000000");
    EXPECT_EQ(made.text("resourceUri"), "https://www.googleapis.com/calendar/v3/calendars/primary/events?alt=json");
    EXPECT_TRUE(due().empty()) << "it is handed out once";

    w.settings().sync_message = "after";
    EXPECT_EQ(watch("channel-2").whole.deliver_first, 0U);
    EXPECT_EQ(due().size(), 1U);
    EXPECT_EQ(violation_text(), "");
}

TEST_F(Push, EveryChannelGetsOneMessagePerChangeWithGrowingNumbers) {
    watch("channel-1");
    watch("channel-2");
    drain();
    insert(R"("id":"abcde")");
    api("DELETE", primary + "/abcde");
    auto const all = drain();
    ASSERT_EQ(all.size(), 4U);
    std::map<std::string, std::int64_t> last{{"channel-1", 1}, {"channel-2", 1}};
    for (auto const& d : all) {
        EXPECT_EQ(d.state, "exists");
        auto const number = to_integer(field(d, "X-Goog-Message-Number")).value();
        EXPECT_GT(number, last[d.channel]);
        last[d.channel] = number;
    }
}

TEST_F(Push, AGuestsCalendarIsNotifiedOfTheOrganizersChange) {
    bob("POST", primary + "/watch", R"({"id":"channel-b","type":"web_hook","address":"https://hooks.example/google"})");
    drain();
    insert(R"("attendees":[{"email":"bob@example.com"}])");
    auto const all = drain();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].channel, "channel-b");
}

TEST_F(Push, OnlyFourAnswersAreRetriedWithDoublingPauses) {
    w.settings().access_token_ttl_s = 86400;
    watch();
    drain();
    insert();
    for (int wait : {1, 2, 4}) {
        auto const all = due();
        ASSERT_EQ(all.size(), 1U);
        w.delivery_answered(all[0].id, 503);
        EXPECT_TRUE(due().empty());
        EXPECT_EQ(w.next_due(), w.now() + std::chrono::seconds(wait));
        clock.advance(std::chrono::seconds(wait));
    }
    EXPECT_EQ(drain().size(), 1U);
    for (int status : {404, 429, 302, 0}) {
        insert();
        auto const all = due();
        ASSERT_EQ(all.size(), 1U);
        w.delivery_answered(all[0].id, status);
        clock.advance(std::chrono::hours(1));
        EXPECT_TRUE(due().empty()) << status;
    }
}

TEST_F(Push, AChannelEndsAtItsExpiryAndTtlIsCapped) {
    w.settings().access_token_ttl_s = 90 * 86400;
    EXPECT_EQ(watch("channel-1", R"(,"params":{"ttl":"3600"})").text("expiration"), std::to_string(unix_ms(clock.now()) + 3600'000));
    EXPECT_EQ(watch("channel-2", R"(,"params":{"ttl":"31536000"})").text("expiration"),
              std::to_string(unix_ms(clock.now()) + 30LL * 86400'000));
    EXPECT_EQ(watch("channel-3", R"(,"expiration":"1")").status, 400);
    drain();
    clock.advance(std::chrono::seconds(3600));
    insert();
    auto const all = drain();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].channel, "channel-2");
}

TEST_F(Push, AChannelIdIsNeverFreeAgain) {
    auto const made = watch();
    EXPECT_EQ(watch().reason(), "channelIdNotUnique");
    api("POST", "channels/stop", R"({"id":"channel-1","resourceId":")" + made.text("resourceId") + "\"}");
    EXPECT_EQ(watch().reason(), "channelIdNotUnique");
}

TEST_F(Push, OnlyTheSameUserStopsAChannelAndStopIsFinal) {
    auto const made = watch();
    drain();
    std::string const stop = R"({"id":"channel-1","resourceId":")" + made.text("resourceId") + "\"}";
    EXPECT_EQ(bob("POST", "channels/stop", stop).status, 404);
    EXPECT_EQ(api("POST", "channels/stop", R"({"id":"channel-1","resourceId":"other"})").status, 404);
    EXPECT_EQ(api("POST", "channels/stop", stop).status, 204);
    insert();
    EXPECT_TRUE(due().empty());
}

TEST_F(Push, StragglersComeAfterAStopWhenAskedFor) {
    auto const made = watch();
    drain();
    w.settings().push_after_stop_s = 10;
    api("POST", "channels/stop", R"({"id":"channel-1","resourceId":")" + made.text("resourceId") + "\"}");
    insert();
    EXPECT_EQ(drain().size(), 1U);
    clock.advance(std::chrono::seconds(11));
    insert();
    EXPECT_TRUE(due().empty());
}

TEST_F(Push, PlainHttpAndUnwatchableCalendarsAreRefused) {
    EXPECT_EQ(api("POST", primary + "/watch", R"({"id":"c","type":"web_hook","address":"http://hooks.example/"})").reason(),
              "webhookUrlNotHttps");
    control("calendars/anna%40example.com", R"({"watchable":false})", "PATCH");
    EXPECT_EQ(watch().reason(), "pushNotSupportedForRequestedResource");
}

TEST_F(Push, TheCalendarListHasChannelsOfItsOwn) {
    EXPECT_EQ(api("POST", "users/me/calendarList/watch", R"({"id":"list","type":"web_hook","address":"https://hooks.example/l"})").status,
              200);
    drain();
    insert();
    EXPECT_TRUE(due().empty());
    api("POST", "calendars", R"({"summary":"Mine"})");
    EXPECT_EQ(drain().size(), 1U);
}

TEST_F(Push, KnobsDropDoubleDelayBurstAndForge) {
    watch();
    drain();
    w.settings().push_drop_percent = 100;
    insert();
    EXPECT_TRUE(due().empty());
    w.settings().push_drop_percent = 0;
    w.settings().push_duplicate_percent = 100;
    insert();
    EXPECT_EQ(drain().size(), 2U);
    w.settings().push_duplicate_percent = 0;
    w.settings().push_burst = 3;
    w.settings().push_delay_ms = 500;
    w.settings().push_wrong_token = true;
    insert();
    EXPECT_TRUE(due().empty());
    clock.advance(std::chrono::milliseconds(500));
    auto const all = drain();
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(field(all[0], "X-Goog-Channel-Token"), "secret-1x");
    control("push", R"({"address":"https://hooks.example/google","channel_id":"nobody","token":"x"})");
    EXPECT_EQ(field(drain().at(0), "X-Goog-Channel-ID"), "nobody");
}

TEST_F(Push, ALatePendingMeetNotifiesToo) {
    watch();
    w.settings().meet_delay_s = 5;
    api("POST", primary + "?conferenceDataVersion=1", event(R"("conferenceData":{"createRequest":{"requestId":"r1"}})"));
    drain();
    EXPECT_EQ(w.next_due(), w.now() + std::chrono::seconds(5));
    clock.advance(std::chrono::seconds(5));
    EXPECT_EQ(drain().size(), 1U);
}

}  // namespace
}  // namespace calbridge::emulator
