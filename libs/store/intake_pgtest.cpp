#include "store/store_fixture.h"

#include <algorithm>

namespace calbridge::store {
namespace {

class Intake : public store_fixture {
public:
    std::vector<wake> take(std::vector<task_intake> tasks, std::vector<hint_intake> hints, std::vector<poison> poisons = {}) {
        std::vector<wake> wakes;
        run(take_into(wakes, std::move(tasks), std::move(hints), std::move(poisons)));
        return wakes;
    }
    task<void> take_into(std::vector<wake>& wakes, std::vector<task_intake> tasks, std::vector<hint_intake> hints,
                         std::vector<poison> poisons) {
        auto got = co_await intake_.take_in(std::move(tasks), std::move(hints), std::move(poisons));
        if (worked(got)) wakes = std::move(*got);
    }
    task<void> take_many(int rounds, bool ascending) {
        for (int round = 0; round < rounds; ++round) {
            std::vector<task_intake> tasks;
            std::vector<hint_intake> hints;
            for (int i = 0; i < 20; ++i) {
                int const n = ascending ? i : 19 - i;
                tasks.push_back(task_of("acme", "anna", "task-" + std::to_string(n), round * 2 + (ascending ? 1 : 2)));
                hints.push_back(hint_of(calendars_[static_cast<std::size_t>(n) % calendars_.size()],
                                        "m-" + std::to_string(round) + "-" + std::to_string(n)));
            }
            auto const taken = co_await intake_.take_in(std::move(tasks), std::move(hints), {});
            worked(taken);
        }
        ++finished_;
    }

    calendar_id calendar_ = add_calendar("acme", "anna");
    std::unique_ptr<pg::database> db_ = open("worker");
    intake intake_{*db_};
    std::vector<calendar_id> calendars_;
    int finished_{};
};

TEST_F(Intake, NewTaskWaitsOnTheUsersDefaultCalendar) {
    auto const wakes = take({task_of("acme", "anna", "t1", 1)}, {});

    ASSERT_EQ(wakes.size(), 1U);
    EXPECT_EQ(wakes[0].tenant.str(), "acme");
    EXPECT_EQ(wakes[0].user.str(), "anna");
    EXPECT_EQ(wakes[0].calendar, calendar_);
    EXPECT_EQ(sql("select state || ' ' || dirty_seq || ' ' || synced_seq || ' ' || (snapshot ->> 'title') from tasks"),
              "pending 1 0 title 1");
}

TEST_F(Intake, OlderAndEqualVersionsChangeNothing) {
    take({task_of("acme", "anna", "t1", 5)}, {});

    EXPECT_TRUE(take({task_of("acme", "anna", "t1", 5)}, {}).empty());
    EXPECT_TRUE(take({task_of("acme", "anna", "t1", 4)}, {}).empty());

    EXPECT_EQ(sql("select version || ' ' || dirty_seq from tasks"), "5 1");
}

TEST_F(Intake, NewestOfABatchWinsWhateverItsPlace) {
    take({task_of("acme", "anna", "t1", 2), task_of("acme", "anna", "t1", 3), task_of("acme", "anna", "t1", 1)}, {});

    EXPECT_EQ(sql("select version || ' ' || dirty_seq || ' ' || (snapshot ->> 'title') from tasks"), "3 1 title 3");
}

TEST_F(Intake, NewerVersionEndsTheWaitForARetry) {
    take({task_of("acme", "anna", "t1", 1)}, {});
    sql("update tasks set synced_seq = 1, state = 'failed', failures = 3, retry_at = now() + interval '1 hour'");

    EXPECT_EQ(take({task_of("acme", "anna", "t1", 2)}, {}).size(), 1U);

    EXPECT_EQ(sql("select state || ' ' || dirty_seq || ' ' || failures || ' ' || (retry_at is null) from tasks"), "pending 2 0 true");
}

TEST_F(Intake, DeletionIsTakenInAsARevision) {
    take({task_of("acme", "anna", "t1", 1)}, {});
    task_intake gone = task_of("acme", "anna", "t1", 2);
    gone.message.deleted = true;

    take({gone}, {});

    EXPECT_EQ(sql("select deleted || ' ' || version from tasks"), "true 2");
}

TEST_F(Intake, TaskOfAUserWithoutConnectionWaits) {
    EXPECT_TRUE(take({task_of("acme", "bert", "t1", 1)}, {}).empty());
    EXPECT_TRUE(take({task_of("other", "anna", "t2", 1)}, {}).empty());

    EXPECT_EQ(sql("select count(*) from tasks where calendar_id is null and state = 'waiting'"), "2");
}

TEST_F(Intake, TaskThatNamesACalendarGoesThereIfItMayBeWritten) {
    for (auto const* role : {"writer", "reader"}) {
        sql("insert into calendars (tenant_id, calendar_id, connection_id, google_calendar_id, access_role) values ('acme', "
            "gen_random_uuid(), '" +
            connection_of(calendar_).str() + "', '" + role + "@example.com', '" + role + "')");
    }
    task_intake writable = task_of("acme", "anna", "t1", 1);
    writable.message.calendar = "writer@example.com";
    task_intake readable = task_of("acme", "anna", "t2", 1);
    readable.message.calendar = "reader@example.com";

    take({writable, readable}, {});

    auto const place = [&](std::string const& id) {
        return sql("select c.google_calendar_id from tasks t join calendars c using (tenant_id, calendar_id) where task_id = '" + id + "'");
    };
    EXPECT_EQ(place("t1"), "writer@example.com");
    EXPECT_EQ(place("t2"), "anna@example.com");
}

TEST_F(Intake, HintRaisesTheDirtyCounterOnceForEachMessage) {
    auto const wakes = take({}, {hint_of(calendar_, "m1"), hint_of(calendar_, "m2"), hint_of(calendar_, "m1")});

    ASSERT_EQ(wakes.size(), 1U);
    EXPECT_EQ(of_calendar(calendar_, "dirty_seq"), "2");
    EXPECT_EQ(of_calendar(calendar_, "dirty_at is not null"), "t");
}

TEST_F(Intake, RepeatedMessageIdRaisesNothingAndStillWakes) {
    take({}, {hint_of(calendar_, "m1")});

    EXPECT_EQ(take({}, {hint_of(calendar_, "m1")}).size(), 1U);

    EXPECT_EQ(of_calendar(calendar_, "dirty_seq"), "1");
}

TEST_F(Intake, MessagesWithoutIdAreNeverTakenForRepeats) {
    take({}, {hint_of(calendar_, "")});
    take({}, {hint_of(calendar_, ""), hint_of(calendar_, "")});

    EXPECT_EQ(of_calendar(calendar_, "dirty_seq"), "3");
}

TEST_F(Intake, RetryOnlyWakes) {
    EXPECT_EQ(take({}, {hint_of(calendar_, "m1", false)}).size(), 1U);

    EXPECT_EQ(of_calendar(calendar_, "dirty_seq"), "0");
}

TEST_F(Intake, HintForAnUnknownCalendarIsDropped) {
    EXPECT_TRUE(take({}, {hint_of(calendar_id{random_uuid()}, "m1")}).empty());

    EXPECT_EQ(sql("select count(*) from inbox"), "0");
}

TEST_F(Intake, DeliveryProvesItsChannel) {
    channel_id const channel{random_uuid()};
    sql("insert into channels (tenant_id, channel_id, connection_id, calendar_id, token_hash, state) values ('acme', '" + channel.str() +
        "', '" + connection_of(calendar_).str() + "', '" + calendar_.str() + "', 'h', 'active')");
    hint_intake h = hint_of(calendar_, "m1");
    h.channel = channel;
    h.message_number = 7;
    hint_intake late = hint_of(calendar_, "m2");
    late.channel = channel;
    late.message_number = 3;

    take({}, {h});
    std::string const verified = sql("select verified_at from channels");
    take({}, {late});

    EXPECT_NE(verified, "");
    EXPECT_EQ(sql("select verified_at from channels"), verified);
    EXPECT_EQ(sql("select last_message_number from channels"), "7");
}

TEST_F(Intake, PoisonIsSetAsideOnceAndCounted) {
    poison p;
    p.tenant = tenant_id("acme");
    p.source = "task-changed";
    p.partition = 3;
    p.offset = 42;
    p.subject = "acme/anna";
    p.reason = "malformed";
    p.detail = "task-changed: version is missing";
    p.value = std::string("\x00\xff broken", 9);
    p.headers = {{"ce_id", "m\xff"}};
    poison nameless = p;
    nameless.tenant = tenant_id{};
    nameless.offset = 43;

    auto const wakes = take({task_of("acme", "anna", "t1", 1)}, {}, {p, nameless});
    take({}, {}, {p});

    EXPECT_EQ(wakes.size(), 1U);
    EXPECT_EQ(sql("select seen_count || ' ' || partition || ' ' || encode(value, 'hex') || ' ' || (hash = sha256(value)) from quarantine "
                  "where \"offset\" = 42"),
              "2 3 00ff2062726f6b656e true");
    EXPECT_EQ(sql("select tenant_id || '|' || seen_count from quarantine where \"offset\" = 43"), "|1");
}

TEST_F(Intake, ConcurrentBatchesInOppositeOrderDoNotDeadlock) {
    for (auto const* user : {"anna2", "anna3", "anna4"}) calendars_.push_back(add_calendar("acme", user));
    calendars_.push_back(calendar_);
    task_group group(ioc_.get_executor());

    group.spawn("up", take_many(30, true));
    group.spawn("down", take_many(30, false));
    run(group.join());

    EXPECT_EQ(finished_, 2);
    EXPECT_EQ(sql("select count(*) || ' ' || min(version) || ' ' || max(version) from tasks"), "20 60 60");
}

// Whoever holds a calendar wants its tasks next; a batch that held tasks and then wanted the calendar would deadlock with it.
TEST_F(Intake, ABatchAndAnEffectOnTheSameCalendarDoNotDeadlock) {
    take({task_of("acme", "anna", "t1", 1)}, {});
    run([](Intake& t) -> task<void> {
        tenant_id const tenant("acme");
        auto const held = co_await acquire_lease(*t.db_, tenant, t.calendar_, "w", std::chrono::seconds(30));
        if (!worked(held) || !*held) co_return;
        auto effect = co_await t.db_->begin(tenant);
        auto const checked = co_await check_lease(**effect, (**held).lease);
        worked(checked);
        task_group group(t.ioc_.get_executor());
        std::vector<wake> wakes;
        std::vector<task_intake> tasks{task_of("acme", "anna", "t1", 2)};
        std::vector<hint_intake> hints{hint_of(t.calendar_, "m1")};
        group.spawn("batch", t.take_into(wakes, std::move(tasks), std::move(hints), {}));
        std::string const waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
        for (int i = 0; i < 500 && t.sql(waiting) == "0"; ++i) co_await sleep_for(std::chrono::milliseconds(5));
        EXPECT_EQ(t.sql(waiting), "1") << "the batch waits for the calendar, holding no task";
        auto const rows = co_await lock_task(**effect, tenant, task_id("t1"));
        EXPECT_TRUE(worked(rows) && *rows && (**rows).task.version == 1);
        auto const committed = co_await (*effect)->commit();
        worked(committed);
        co_await group.join();
        EXPECT_EQ(wakes.size(), 1U);
    }(*this));

    EXPECT_EQ(sql("select version from tasks"), "2");
}

TEST_F(Intake, DueWorkNamesEachCalendarThatNobodyHolds) {
    calendar_id const held = add_calendar("acme", "bert");
    calendar_id const resting = add_calendar("acme", "carl");
    calendar_id const revoked = add_calendar("acme", "dora");
    calendar_id const with_task = add_calendar("other", "emil");
    take({task_of("other", "emil", "t1", 1), task_of("other", "emil", "t2", 1), task_of("acme", "dora", "t3", 1)},
         {hint_of(calendar_, "a"), hint_of(held, "b"), hint_of(resting, "c"), hint_of(revoked, "d")});
    sql("update calendars set lease_owner = 'w', lease_until = now() + interval '1 minute' where calendar_id = '" + held.str() + "'");
    sql("update calendars set retry_at = now() + interval '1 minute' where calendar_id = '" + resting.str() + "'");
    sql("update user_calendar_connections set status = 'revoked' where user_id = 'dora'");

    std::vector<wake> due, first;
    run([](intake& from, std::vector<wake>& all, std::vector<wake>& one) -> task<void> {
        auto found = co_await from.due_work(10);
        if (worked(found)) all = *found;
        auto bounded = co_await from.due_work(1);
        if (worked(bounded)) one = *bounded;
    }(intake_, due, first));

    std::vector<calendar_id> calendars;
    for (wake const& w : due) calendars.push_back(w.calendar);
    std::ranges::sort(calendars);
    std::vector<calendar_id> expected{calendar_, with_task};
    std::ranges::sort(expected);
    EXPECT_EQ(calendars, expected);
    EXPECT_EQ(first.size(), 1U);
}

TEST_F(Intake, ALongQueueOfASickAccountHidesNobody) {
    add_calendar("acme", "dora");
    sql("update user_calendar_connections set status = 'revoked' where user_id = 'dora'");
    std::vector<task_intake> many;
    for (int i = 0; i < 50; ++i) many.push_back(task_of("acme", "dora", "d" + std::to_string(i), 1));
    take(std::move(many), {});
    take({task_of("acme", "anna", "t1", 1)}, {});

    std::vector<wake> due;
    run([](intake& from, std::vector<wake>& all) -> task<void> {
        auto found = co_await from.due_work(1);
        if (worked(found)) all = *found;
    }(intake_, due));

    ASSERT_EQ(due.size(), 1U);
    EXPECT_EQ(due[0].calendar, calendar_);
}

}  // namespace
}  // namespace calbridge::store
