// Zoom beside the calendar: one meeting for a task, in step with it, and never in the event's way.
#include "worker_stack.h"

#include "account/zoom.h"
#include "tests/zoom_emulator/zoom_world.h"

#include <fmt/format.h>

#include <algorithm>

namespace calbridge::integration {
namespace {

class zoom_client final : public http::client {
public:
    explicit zoom_client(zoom_emulator::zoom_world& zoom) : zoom_(zoom) {}
    task<result<http::response>> send(http::client_request request, deadline) override {
        emulator::request asked;
        asked.method = std::move(request.method);
        std::string const target = request.url.substr(std::string_view("http://zoom.test").size());
        auto const mark = target.find('?');
        asked.path = target.substr(0, mark);
        if (mark != std::string::npos) asked.query = target.substr(mark + 1);
        asked.fields = std::move(request.fields);
        asked.body = std::move(request.body);
        if (asked.path.starts_with("/v2")) calls.push_back(asked.method);
        emulator::answer answer = zoom_.handle(asked);
        if (answer.sent != emulator::answer::how::whole)
            co_return fail(errc::unavailable, "connection closed before the answer was complete");
        co_return http::response{answer.status, std::move(answer.fields), std::move(answer.body)};
    }
    std::vector<std::string> calls;

private:
    zoom_emulator::zoom_world& zoom_;
};

class zoom_stack : public worker_stack {
protected:
    zoom_stack() {
        zoom.add_account({.id = "acc", .client_id = "client", .client_secret = "hush", .users = {"owner@example.com"}, .any_user = true});
        set_up("hush");
        with->zoom = meetings.get();
        with->zoom_accounts = accounts.get();
    }
    ~zoom_stack() override { EXPECT_TRUE(zoom.violations().empty()) << zoom.violations().front(); }

    void set_up(std::string const& password) {
        auto const sealed = account::seal_zoom_secret(ring, tenant, secret(password));
        std::string hex;
        for (auto const byte : sealed) hex += fmt::format("{:02x}", byte);
        sql("INSERT INTO zoom_accounts (tenant_id, account_id, client_id, client_secret) VALUES ('acme', 'acc', 'client', '\\x" + hex +
            "') ON CONFLICT (tenant_id) DO UPDATE SET client_secret = excluded.client_secret");
    }
    void say(json::object more = {}) {
        json::object said{{"zoomMeeting", true}};
        for (auto const& member : more) said[member.key()] = member.value();
        crm_says(std::move(said));
    }
    void fault(std::string const& method, std::string const& action, int times = 1) {
        emulator::request r;
        r.method = "POST";
        r.path = "/_control/faults";
        r.fields.emplace_back("Content-Type", "application/json");
        r.body = R"([{"match":{"method":")" + method + R"(","path_contains":"/meetings"},"action":)" + action + R"(,"times":)" +
                 std::to_string(times) + "}]";
        EXPECT_LT(zoom.handle(r).status, 300);
    }
    // Rests of Zoom are over too.
    void work_on() {
        for (int i = 0; i < 4; ++i) {
            sql("UPDATE zoom_meetings SET retry_at = NULL");
            sql("UPDATE tasks SET retry_at = NULL");
            one_turn();
        }
    }
    std::size_t asked(std::string const& method) {
        return static_cast<std::size_t>(std::count(client.calls.begin(), client.calls.end(), method));
    }
    std::string text(std::string const& member) {
        auto const all = events();
        return all.empty() ? std::string() : std::string(json::text_or(all.at(0).as_object(), member));
    }
    std::size_t told(std::string const& reason) {
        auto const all = updates();
        return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](auto const& u) { return u.reason == reason; }));
    }

    zoom_emulator::zoom_world zoom{now, {}};
    zoom_client client{zoom};
    std::unique_ptr<zoom::meetings_api> meetings = zoom::make_meetings_api(client, {"http://zoom.test", "http://zoom.test/v2"}, now);
    std::unique_ptr<account::zoom_directory> accounts = account::make_zoom_directory(*db, ring, now);
};

TEST_F(zoom_stack, TheEventGoesOutOnceWithTheLinkOfItsMeeting) {
    say({{"location", ""}, {"googleMeet", true}});

    work();

    EXPECT_EQ(zoom.meetings(), 1u);
    EXPECT_EQ(calls("events.insert"), 1);
    EXPECT_EQ(calls("events.patch"), 0);
    std::string const url = sql("SELECT join_url FROM zoom_meetings");
    EXPECT_NE(text("description").find("Zoom: " + url), std::string::npos);
    EXPECT_EQ(text("location"), url);
    EXPECT_FALSE(text("hangoutLink").empty()) << "beside Meet";
    EXPECT_EQ(last(domain::update_kind::synced).zoom_link, url);
    EXPECT_EQ(sql("SELECT string_agg(kind || ' ' || state, ', ' ORDER BY sequence) FROM operations"), "zoom_create done, create done");

    say({{"location", ""}, {"googleMeet", true}});
    hint();
    work();
    EXPECT_EQ(asked("POST"), 1u);
    EXPECT_EQ(calls("events.patch"), 0);
}

TEST_F(zoom_stack, APlaceOfItsOwnStaysThePlace) {
    say();
    work();
    EXPECT_EQ(text("location"), "Room 1");
}

TEST_F(zoom_stack, TimeAndTitleFollowAndRemovalRemoves) {
    say();
    work();
    say({{"start", "2027-01-20T15:00:00"}, {"end", "2027-01-20T15:30:00"}, {"title", "Later"}});
    work();
    EXPECT_EQ(asked("PATCH"), 1u);
    auto const id = std::stoll(sql("SELECT meeting_id FROM zoom_meetings"));
    EXPECT_EQ(json::text_or(*zoom.meeting(id), "topic"), "Later");
    say({{"start", "2027-01-20T15:00:00"}, {"end", "2027-01-20T15:30:00"}, {"title", "Later"}, {"notes", "x"}});
    work();
    EXPECT_EQ(asked("PATCH"), 1u) << "notes are nothing to Zoom";

    say({{"zoomMeeting", false}, {"start", "2027-01-20T15:00:00"}, {"end", "2027-01-20T15:30:00"}, {"title", "Later"}});
    work();
    EXPECT_EQ(zoom.meetings(), 0u);
    EXPECT_EQ(text("description").find("Zoom:"), std::string::npos);
    EXPECT_EQ(sql("SELECT count(*) FROM zoom_meetings"), "0");
}

TEST_F(zoom_stack, AMeetingGoesWithItsTask) {
    say();
    work();
    crm_says({{"deleted", true}});
    work();
    EXPECT_EQ(zoom.meetings(), 0u);
    EXPECT_TRUE(events().empty());
    EXPECT_EQ(sql("SELECT count(*) FROM zoom_meetings"), "0");
}

TEST_F(zoom_stack, AMeetingDeletedInZoomIsMadeAgainWhenTheTaskChanges) {
    say();
    work();
    emulator::request r;
    r.method = "DELETE";
    r.path = "/_control/meetings/" + sql("SELECT meeting_id FROM zoom_meetings");
    EXPECT_LT(zoom.handle(r).status, 300);
    say({{"title", "Renamed"}});
    work();
    EXPECT_EQ(zoom.meetings(), 1u);
    EXPECT_NE(text("description").find("Zoom: " + sql("SELECT join_url FROM zoom_meetings")), std::string::npos);
}

TEST_F(zoom_stack, ALostAnswerIsFoundByItsMarkerAndNothingIsMadeTwice) {
    fault("POST", R"("lost_response","how":"close")");
    say();
    one_turn();
    EXPECT_EQ(events().size(), 1u) << "the event does not wait";

    work_on();

    EXPECT_EQ(zoom.meetings(), 1u);
    EXPECT_EQ(asked("POST"), 1u);
    EXPECT_EQ(asked("GET"), 1u);
    EXPECT_NE(text("description").find("Zoom: "), std::string::npos);
    EXPECT_EQ(calls("events.insert"), 1);
    EXPECT_EQ(calls("events.patch"), 1);
}

TEST_F(zoom_stack, WhenZoomIsDownTheEventGoesOutAndTheLinkFollows) {
    fault("POST", R"("status","status":503)", 0);
    say();
    one_turn();
    EXPECT_EQ(events().size(), 1u);
    EXPECT_EQ(told("zoom_unavailable"), 1u);
    EXPECT_EQ(sql("SELECT synced_seq < dirty_seq AND retry_at > now() FROM tasks"), "t");
    for (int i = 0; i < 2; ++i) work_on();
    EXPECT_EQ(told("zoom_unavailable"), 1u) << "said once";
    emulator::request r;
    r.method = "DELETE";
    r.path = "/_control/faults";
    zoom.handle(r);

    work_on();

    EXPECT_EQ(zoom.meetings(), 1u);
    EXPECT_NE(text("description").find("Zoom: "), std::string::npos);
    EXPECT_EQ(sql("SELECT count(*) FROM tasks WHERE synced_seq < dirty_seq"), "0");
}

TEST_F(zoom_stack, ADeletionThatZoomDoesNotAnswerIsRepeatedUntilItIsDone) {
    say();
    work();
    fault("DELETE", R"("reset")", 2);
    crm_says({{"deleted", true}});
    one_turn();
    EXPECT_TRUE(events().empty()) << "the event goes at once";
    work_on();
    EXPECT_EQ(zoom.meetings(), 0u);
    EXPECT_EQ(sql("SELECT count(*) FROM zoom_meetings"), "0");
}

TEST_F(zoom_stack, WithoutAnAccountTheEventIsMadeAndTheCrmHearsWhyOnce) {
    sql("DELETE FROM zoom_accounts");
    say();
    work();
    say({{"title", "Renamed"}});
    work();
    EXPECT_EQ(text("summary"), "Renamed");
    EXPECT_EQ(told("zoom_not_set_up"), 1u);
    EXPECT_FALSE(last(domain::update_kind::failed).explanation.empty());
    EXPECT_TRUE(client.calls.empty());
    EXPECT_EQ(sql("SELECT state FROM tasks"), "synced");
}

TEST_F(zoom_stack, WrongCredentialsAreSaidOnce) {
    set_up("guessed");
    say();
    one_turn();
    work_on();
    EXPECT_EQ(told("zoom_refused"), 1u);
    EXPECT_EQ(events().size(), 1u);
}

TEST_F(zoom_stack, OccurrencesShareTheMeetingOfTheirSeries) {
    say({{"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=5"}}});
    work();
    say({{"scope", "THIS"}, {"occurrence", "2027-01-27T10:00:00"}, {"start", "2027-01-27T10:00:00"}, {"end", ""}, {"title", "Only this"}});
    work();
    EXPECT_EQ(zoom.meetings(), 1u);
    EXPECT_EQ(sql("SELECT string_agg(array_to_string(pushed, ' '), '') FROM operations WHERE kind = 'patch'"), "title");
}

}  // namespace
}  // namespace calbridge::integration
