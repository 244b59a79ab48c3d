#include "renewer_fixture.h"

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
    round_limits const within_{.poll_active = 2min, .poll_idle = 1h, .overdue_grace = 30s, .call_time_max = 5s};
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
