#include "renewer_fixture.h"

#include "account/fakes.h"

namespace calbridge::renewer {
namespace {

using namespace std::chrono_literals;

class Rounds : public renewer_fixture {
public:
    std::size_t did(std::function<task<result<std::size_t>>(round_parts const&)> step) {
        std::size_t count = 0;
        run([](renewer_fixture& t, std::function<task<result<std::size_t>>(round_parts const&)> work, std::size_t& n) -> task<void> {
            round_parts const parts{*t.db_, t.kafka_, t.google_, t.tokens_, t.now_, t.random_};
            auto const done = co_await work(parts);
            if (done) n = *done;
            else n = failed;
        }(*this, std::move(step), count));
        return count;
    }
    static constexpr std::size_t failed = 999999;
    round_limits const within_{.poll_active = 2min, .poll_idle = 1h, .overdue_grace = 30s, .call_time_max = 5s, .orphan_age = 30min};
};

TEST_F(Rounds, APollRaisesTheCounterAndWakes) {
    EXPECT_EQ(did([&](round_parts const& p) { return poll_round(p, within_); }), 1U);
    EXPECT_EQ(did([&](round_parts const& p) { return poll_round(p, within_); }), 0U);

    EXPECT_EQ(of_calendar(calendar_, "dirty_seq"), "1");
    ASSERT_EQ(kafka_.wakeups().size(), 1U);
    EXPECT_EQ(kafka_.wakeups()[0].why, domain::cause::retry) << "the counter is raised already";
}

TEST_F(Rounds, AbandonedMessagesArePublishedOnce) {
    sql("insert into outbox (tenant_id, message_id, topic, message_key, headers, value, claimed_until) values ('acme', gen_random_uuid(), "
        "'task-updates', 'acme/anna', "
        "'[[\"ce_id\", \"7\"]]', '{}', now() - interval '1 second'), ('other', gen_random_uuid(), 'task-updates', 'other/x', '[]', '{}', "
        "now() + interval '1 minute')");

    EXPECT_EQ(did([](round_parts const& p) { return outbox_round(p); }), 1U);
    EXPECT_EQ(did([](round_parts const& p) { return outbox_round(p); }), 0U);

    ASSERT_EQ(kafka_.records.size(), 1U);
    EXPECT_EQ(kafka_.records[0].topic, "task-updates");
    EXPECT_EQ(kafka_.records[0].key, "acme/anna");
    EXPECT_EQ(kafka_.records[0].value, "{}");
    EXPECT_EQ(kafka_.records[0].fields, (kafka::headers{{"ce_id", "7"}}));
    EXPECT_EQ(sql("select string_agg(status, ',' order by tenant_id) from outbox"), "sent,pending");
}

TEST_F(Rounds, WithKafkaAwayMessagesStay) {
    sql("insert into outbox (tenant_id, message_id, topic, message_key, value, claimed_until) values ('acme', gen_random_uuid(), 't', 'k', "
        "'v', '-infinity')");
    kafka_.away = true;

    EXPECT_EQ(did([](round_parts const& p) { return outbox_round(p); }), failed);
    kafka_.away = false;
    sql("update outbox set claimed_until = '-infinity'");
    EXPECT_EQ(did([](round_parts const& p) { return outbox_round(p); }), 1U);

    EXPECT_EQ(sql("select status from outbox"), "sent");
}

TEST_F(Rounds, OverdueAndUnplacedWorkIsWoken) {
    calendar_id const other = add_calendar("acme", "bert");
    sql("update calendars set dirty_seq = 1, dirty_at = now() - interval '1 minute' where calendar_id = '" + calendar_.str() + "'");
    sql("insert into tasks (tenant_id, task_id, user_id, version, snapshot, state) values ('acme', 't', 'bert', 1, '{}', 'waiting')");

    EXPECT_EQ(did([&](round_parts const& p) { return overdue_round(p, within_); }), 2U);
    EXPECT_EQ(did([&](round_parts const& p) { return overdue_round(p, within_); }), 0U);

    std::set<calendar_id> woken;
    for (auto const& w : kafka_.wakeups()) woken.insert(w.calendar);
    EXPECT_EQ(woken, (std::set<calendar_id>{calendar_, other}));
    EXPECT_EQ(of_calendar(calendar_, "dirty_seq"), "1") << "waking adds no work";
}

TEST_F(Rounds, CalendarListsAreReadWhenStale) {
    google_.calendars = {{.id = google_id_, .summary = "Anna", .time_zone = "Europe/Berlin", .access_role = "owner", .primary = true},
                         {.id = "team@example.com", .summary = "Team", .time_zone = "UTC", .access_role = "reader"}};
    EXPECT_EQ(did([&](round_parts const& p) { return discovery_round(p, within_); }), 0U);
    sql("update user_calendar_connections set calendars_read_at = null");

    EXPECT_EQ(did([&](round_parts const& p) { return discovery_round(p, within_); }), 1U);
    EXPECT_EQ(did([&](round_parts const& p) { return discovery_round(p, within_); }), 0U);

    EXPECT_EQ(google_.lists, 1);
    EXPECT_EQ(sql("select string_agg(summary, ',' order by summary) from calendars"), "Anna,Team");
}

TEST_F(Rounds, APushedListIsReadFromItsToken) {
    google_.calendars = {{.id = google_id_, .summary = "Anna", .access_role = "owner", .primary = true}};
    sql("update user_calendar_connections set calendars_read_at = null");
    did([&](round_parts const& p) { return discovery_round(p, within_); });
    sql("update user_calendar_connections set list_dirty_seq = list_dirty_seq + 1, discovery_claimed_until = '-infinity'");
    google_.calendars = {{.id = "new@example.com", .summary = "New", .access_role = "owner"}};

    EXPECT_EQ(did([&](round_parts const& p) { return discovery_round(p, within_); }), 1U);

    EXPECT_EQ(google_.listed_since, (std::vector<std::optional<std::string>>{{}, "token 1"}));
    EXPECT_EQ(sql("select string_agg(summary, ',' order by summary) from calendars where missing_since is null"), "Anna,New");
    EXPECT_EQ(sql("select list_synced_seq = list_dirty_seq from user_calendar_connections"), "t");
}

TEST_F(Rounds, AListTokenThatIsTooOldIsReplacedByAFullReading) {
    google_.calendars = {{.id = google_id_, .summary = "Anna", .access_role = "owner", .primary = true}};
    google_.list_problem = failure(errc::gone, "fullSyncRequired");
    google_.list_problem->cursor_dead = true;
    sql("update user_calendar_connections set list_sync_token = 'ancient', list_dirty_seq = 1");

    did([&](round_parts const& p) { return discovery_round(p, within_); });

    EXPECT_EQ(google_.listed_since, (std::vector<std::optional<std::string>>{"ancient", {}}));
    EXPECT_EQ(sql("select list_sync_token || ' ' || list_synced_seq from user_calendar_connections"), "token 1 1");
}

TEST_F(Rounds, ARefusedListIsToldOfRetriedMoreRarelyAndRevokesNobody) {
    google_.list_problem = failure(errc::forbidden, "insufficientPermissions");
    google_.list_problem->scope_missing = true;
    sql("update user_calendar_connections set calendars_read_at = null");

    did([&](round_parts const& p) { return discovery_round(p, within_); });

    EXPECT_EQ(sql("select kind || ' ' || (resolved_at is null) from alerts"), "discovery_failing true");
    EXPECT_EQ(sql("select status || ' ' || discovery_failures || ' ' || (discovery_claimed_until > now() + interval '10 s') from "
                  "user_calendar_connections"),
              "active 1 true");
    google_.list_problem.reset();
    sql("update user_calendar_connections set discovery_claimed_until = '-infinity'");
    did([&](round_parts const& p) { return discovery_round(p, within_); });
    EXPECT_EQ(sql("select resolved_at is not null from alerts"), "t");
}

TEST_F(Rounds, AChannelThatStaysSilentThroughThreeReplacementsIsToldOf) {
    sql("update calendars set sync_token = 't', probe_at = now() - interval '1 minute', last_polled_at = now() - interval '1 minute', "
        "last_changed_at = now(), "
        "push_misses = 5");
    sql("insert into channels (tenant_id, channel_id, connection_id, calendar_id, token_hash, state, verified_at, expires_at, created_at) "
        "values ('acme', "
        "gen_random_uuid(), '" +
        connection_of(calendar_).str() + "', '" + calendar_.str() +
        "', 'h', 'active', now(), now() + interval '1 day', now() - interval '1 hour')");

    did([&](round_parts const& p) { return poll_round(p, within_); });

    EXPECT_EQ(sql("select kind || ' ' || (subject = '" + calendar_.str() + "') from alerts"), "push_silent true");
    EXPECT_EQ(of_calendar(calendar_, "push_misses || ' ' || (channel_due_at <= now())"), "6 true");
    sql("update channels set last_message_number = 2, last_message_at = now()");
    sql("update calendars set next_poll_at = now()");
    did([&](round_parts const& p) { return poll_round(p, within_); });
    EXPECT_EQ(sql("select resolved_at is not null from alerts"), "t");
}

TEST_F(Rounds, OrphansAreWokenAndStuckMessagesToldOf) {
    sql("update calendars set lease_owner = 'dead', lease_until = now() - interval '31 minutes'");
    sql("insert into outbox (tenant_id, message_id, topic, message_key, value, created_at) values ('acme', gen_random_uuid(), 't', 'k', "
        "'v', now() - interval "
        "'31 minutes')");

    EXPECT_EQ(did([&](round_parts const& p) { return orphan_round(p, within_); }), 2U);

    ASSERT_EQ(kafka_.wakeups().size(), 1U);
    EXPECT_EQ(kafka_.wakeups()[0].calendar, calendar_);
    EXPECT_EQ(sql("select kind || (resolved_at is null) from alerts"), "outbox_stucktrue");
    did([](round_parts const& p) { return outbox_round(p); });
    did([&](round_parts const& p) { return orphan_round(p, within_); });
    EXPECT_EQ(sql("select kind || (resolved_at is null) from alerts"), "outbox_stuckfalse");
}

TEST_F(Rounds, WorkThatLiesForFiveMinutesIsWoken) {
    sql("update calendars set dirty_seq = 1, dirty_at = now() - interval '5 minutes'");

    EXPECT_EQ(did([&](round_parts const& p) { return overdue_round(p, within_); }), 1U);

    ASSERT_EQ(kafka_.wakeups().size(), 1U);
    EXPECT_EQ(kafka_.wakeups()[0].calendar, calendar_);
}

// A connection that was ended: sealed tokens, an open channel, Google as the test says.
class Departures : public Rounds {
public:
    Departures() {
        connection_id const connection = connection_of(calendar_);
        auto const sealed = account::seal_grant(ring_, tenant_id("acme"), connection, secret("access"), secret("refresh"));
        auto const hexed = [](bytes const& b) { return "'\\x" + hex(b) + "'"; };
        sql("update user_calendar_connections set data_key = " + hexed(sealed.data_key) + ", access_token = " + hexed(sealed.access_token) +
            ", refresh_token = " + hexed(sealed.refresh_token) + ", token_expires_at = now() + interval '1 hour'");
        sql("insert into channels (tenant_id, channel_id, connection_id, calendar_id, resource_id, token_hash, state, expires_at) values "
            "('acme', "
            "gen_random_uuid(), '" +
            connection.str() + "', '" + calendar_.str() + "', 'res', 'h', 'active', now() + interval '1 day')");
        sql("update user_calendar_connections set status = 'disconnected'");
        sql("update user_calendar_connections set revoke_due_at = now()");
    }
    std::size_t depart() {
        return did([&](round_parts const& p) {
            account::leave_parts const leaving{p.db, google_, oauth_, *clients_, ring_, now_};
            return departing(p, leaving);
        });
    }
    task<result<std::size_t>> departing(round_parts parts, account::leave_parts leaving) {
        co_return co_await departure_round(parts, leaving, within_);
    }
    std::string state() const {
        return sql(
            "select (data_key is null) || ' ' || (revoke_due_at is null) || ' ' || (select string_agg(state, ',') from channels) from "
            "user_calendar_connections");
    }

    crypto::key_ring ring_{crypto::key_ring::parse(secret("k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")).value()};
    account::fake_oauth oauth_;
    std::unique_ptr<account::client_directory> clients_{account::make_client_directory(
        *db_, ring_, google::oauth_client{.client_id = "client", .client_secret = secret("s"), .redirect_uri = "https://x.example/cb"})};
};

TEST_F(Departures, EndWithGoogleToldAndTheKeysDestroyed) {
    EXPECT_EQ(depart(), 1U);

    EXPECT_EQ(google_.stopped.size(), 1U);
    EXPECT_EQ(oauth_.revoked, std::vector<std::string>{"refresh"});
    EXPECT_EQ(state(), "true true stopped");
}

TEST_F(Departures, WaitWhileGoogleIsAwayAndGiveUpAfterThreeDays) {
    oauth_.on_revoke = [] { return google::answer<void>(failure(errc::unavailable)); };
    depart();
    EXPECT_EQ(state(), "false false superseded");
    EXPECT_EQ(depart(), 0U) << "not again at once";
    sql("update user_calendar_connections set revoke_due_at = now(), revoke_since = now() - interval '73 hours'");
    depart();

    EXPECT_EQ(state(), "true true stopped");
    EXPECT_EQ(sql("select kind from alerts"), "revoke_failed");
}

TEST_F(Departures, RevokeNothingUntilTheChannelsAreStopped) {
    google_.refuse_stop = [] { return failure(errc::unavailable); };
    depart();

    EXPECT_TRUE(oauth_.revoked.empty());
    EXPECT_EQ(state(), "false false superseded");
}

TEST_F(Departures, TouchNoConnectionThatIsBack) {
    // Between the claim and the look: as if the user had come back in that moment.
    google_.refuse_stop = [this]() -> std::optional<google::call_error> {
        sql("update user_calendar_connections set status = 'active'");
        return {};
    };

    depart();

    EXPECT_TRUE(oauth_.revoked.empty());
    EXPECT_EQ(sql("select status || (data_key is null) from user_calendar_connections"), "activefalse");
}

TEST_F(Rounds, OneAccountsTroubleDoesNotStopTheOthers) {
    tokens_.problem = fail(errc::unavailable, "Google is away");
    sql("update user_calendar_connections set calendars_read_at = null, token_expires_at = now() - interval '2 days'");

    EXPECT_EQ(did([&](round_parts const& p) { return discovery_round(p, within_); }), 1U);
    EXPECT_EQ(did([](round_parts const& p) { return idle_grant_round(p); }), 1U);

    EXPECT_EQ(tokens_.asked, 2);
}

TEST_F(Rounds, RetentionAndBacklogWorkAsThisRole) {
    sql("insert into inbox (tenant_id, source, message_id, seen_at) values ('acme', 's', 'm', now() - interval '15 days')");

    EXPECT_EQ(did([](round_parts const& p) { return retention_round(p); }), 1U);
    EXPECT_EQ(did([](round_parts const& p) { return backlog_round(p); }), 0U);

    EXPECT_EQ(sql("select count(*) from inbox"), "0");
}

}  // namespace
}  // namespace calbridge::renewer
