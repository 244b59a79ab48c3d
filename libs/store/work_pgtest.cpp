#include "store/look.h"
#include "store/store_fixture.h"

#include "wire/stored.h"

namespace calbridge::store {
namespace {

using namespace std::chrono_literals;

domain::fields fields_of(std::string title) {
    domain::fields f;
    f.title = std::move(title);
    f.time.start = instant{std::chrono::sys_days{std::chrono::year{2026} / 11 / 25} + 9h};
    f.time.end = f.time.start + 1h;
    f.time.zone = "Europe/Berlin";
    return f;
}

class Work : public store_fixture {
public:
    void add_task(std::string const& id) {
        run([](Work& t, std::string task) -> task_of_void {
            intake in(*t.db_);
            std::vector<task_intake> tasks{task_of("acme", "anna", task, 1)};
            auto const taken = co_await in.take_in(std::move(tasks), {}, {});
            worked(taken);
        }(*this, id));
    }
    using task_of_void = task<void>;

    link_row link_of(std::string const& task, std::string const& event) const {
        link_row l;
        l.tenant = tenant_;
        l.id = link_id{random_uuid()};
        l.task = task_id(task);
        l.connection = connection_;
        l.calendar = calendar_;
        l.google_calendar_id = "anna@example.com";
        l.event_id = event;
        return l;
    }
    operation_row operation_of(link_row const& link, std::int64_t sequence, std::string kind = "create") const {
        operation_row o;
        o.tenant = tenant_;
        o.id = operation_id{random_uuid()};
        o.link = link.id;
        o.calendar = calendar_;
        o.sequence = sequence;
        o.kind = std::move(kind);
        o.state = "pending";
        o.pushed = {"title", "time"};
        o.expected = fields_of("sent");
        o.why = "task version 1";
        return o;
    }
    // One committed transaction of link and operations.
    task<void> store(link_row link, std::vector<operation_row> operations) {
        auto tx = co_await db_->begin(tenant_);
        auto const added = co_await insert_link(**tx, link);
        worked(added);
        for (operation_row const& each : operations) {
            auto const written = co_await insert_operation(**tx, each);
            worked(written);
        }
        auto const committed = co_await (*tx)->commit();
        worked(committed);
    }
    task<std::optional<task_and_link>> locked(std::string id) {
        auto tx = co_await db_->begin(tenant_);
        auto got = co_await lock_task(**tx, tenant_, task_id(id));
        worked(got);
        co_return got ? std::move(*got) : std::nullopt;
    }

    tenant_id tenant_{"acme"};
    calendar_id calendar_ = add_calendar("acme", "anna");
    connection_id connection_ = connection_of(calendar_);
    std::unique_ptr<pg::database> db_ = open("worker");
};

TEST_F(Work, DueTasksComeOldestFirstWithSnapshotAndWithoutLink) {
    add_task("t1");
    add_task("t2");
    sql("update tasks set received_at = now() - interval '1 hour' where task_id = 't2'");

    run([](Work& t) -> task<void> {
        auto const due = co_await due_tasks(*t.db_, t.tenant_, t.calendar_, 10);
        auto const one = co_await due_tasks(*t.db_, t.tenant_, t.calendar_, 1);
        if (!worked(due) || !worked(one)) co_return;
        EXPECT_EQ(due->size(), 2U);
        EXPECT_EQ(one->size(), 1U);
        task_and_link const& first = due->front();
        EXPECT_EQ(first.task.id.str(), "t2");
        EXPECT_EQ(first.task.snapshot.title, "title 1");
        EXPECT_EQ(first.task.snapshot.time_zone, "Europe/Berlin");
        EXPECT_EQ(first.task.user.str(), "anna");
        EXPECT_EQ(first.task.calendar, t.calendar_);
        EXPECT_FALSE(first.link);
        EXPECT_FALSE(first.unanswered);
    }(*this));
}

TEST_F(Work, ATaskThatWaitsForItsRetryIsNotDueAndSaysWhen) {
    add_task("t1");
    sql("update tasks set retry_at = now() + interval '1 minute'");

    run([](Work& t) -> task<void> {
        auto const due = co_await due_tasks(*t.db_, t.tenant_, t.calendar_, 10);
        auto const next = co_await next_due(*t.db_, t.tenant_, t.calendar_);
        if (worked(due)) EXPECT_TRUE(due->empty());
        if (worked(next)) EXPECT_TRUE(*next);
        auto const held = co_await acquire_lease(*t.db_, t.tenant_, t.calendar_, "w", 30s);
        if (!worked(held) || !*held) co_return;
        auto const seen = co_await look_at_work(*t.db_, (**held).lease, 10);
        if (!worked(seen)) co_return;
        EXPECT_TRUE(seen->tasks.empty());
        EXPECT_TRUE(seen->next_task_in && *seen->next_task_in > 50s && *seen->next_task_in <= 60s);
    }(*this));
}

TEST_F(Work, LinkAndOperationComeBackAsTheyWereWritten) {
    add_task("t1");
    link_row link = link_of("t1", "event1");
    link.base = fields_of("agreed");
    link.meet_pending = true;
    link.attendees_data = R"([{"email": "a@b.c"}])";
    link.has_conflict = true;
    link.conflicts = {{.which = domain::field::title, .winner = {}, .base = "b", .crm = "c", .google = "g"}};
    link.operation_seq = 2;
    operation_row const first = operation_of(link, 1);
    operation_row const newest = operation_of(link, 2, "patch");

    run([](Work& t, link_row wrote, operation_row op1, operation_row op2) -> task<void> {
        std::vector<operation_row> operations{op1, op2};
        co_await t.store(wrote, std::move(operations));
        auto const got = co_await t.locked("t1");
        EXPECT_TRUE(got && got->link && got->unanswered);
        if (!got || !got->link || !got->unanswered) co_return;
        EXPECT_EQ(got->link->id, wrote.id);
        EXPECT_EQ(got->link->event_id, "event1");
        EXPECT_EQ(got->link->base, wrote.base);
        EXPECT_FALSE(got->link->remote);
        EXPECT_TRUE(got->link->meet_pending);
        EXPECT_EQ(got->link->attendees_data, R"([{"email": "a@b.c"}])");
        EXPECT_EQ(got->link->conflicts.size(), 1U);
        EXPECT_EQ(got->link->conflicts.at(0).google, "g");
        EXPECT_EQ(got->unanswered->id, op2.id);
        EXPECT_EQ(got->unanswered->kind, "patch");
        EXPECT_EQ(got->unanswered->expected, op2.expected);
        EXPECT_FALSE(got->unanswered->before);
        EXPECT_EQ(got->unanswered->pushed, op2.pushed);
    }(*this, link, first, newest));
}

TEST_F(Work, OneOpenLinkATaskAndOneLinkAnEvent) {
    add_task("t1");
    run([](Work& t) -> task<void> {
        co_await t.store(t.link_of("t1", "event1"), {});
        auto tx = co_await t.db_->begin(t.tenant_);
        link_row const again = t.link_of("t1", "event2");
        auto const second = co_await insert_link(**tx, again);
        failed_with(second, errc::exists);
    }(*this));
    sql("update task_links set state = 'ended'");
    run([](Work& t) -> task<void> {
        auto tx = co_await t.db_->begin(t.tenant_);
        link_row const same = t.link_of("t1", "event1");
        auto const refused = co_await insert_link(**tx, same);
        failed_with(refused, errc::exists);
    }(*this));
}

TEST_F(Work, UpdatedLinkKeepsEveryMutableColumn) {
    add_task("t1");
    run([](Work& t) -> task<void> {
        link_row link = t.link_of("t1", "event1");
        co_await t.store(link, {});
        link.state = domain::link_state::ended;
        link.state_reason = "cancelled";
        link.etag = "\"7\"";
        link.remote = fields_of("theirs");
        link.html_link = "https://x";
        link.meet_link = "https://meet";
        link.meet_id = "m";
        link.generation = 2;
        link.event_id = "event2";
        link.frozen = true;
        link.operation_seq = 9;
        link.recorded_seq = 8;
        auto tx = co_await t.db_->begin(t.tenant_);
        auto const updated = co_await update_link(**tx, link);
        worked(updated);
        std::vector<std::string> events{"event2"};
        auto const page = co_await lock_page(**tx, t.tenant_, t.calendar_, events, {});
        if (!worked(page)) co_return;
        EXPECT_EQ(page->links.size(), 1U);
        link_row const& got = page->links.at(0).link.value();
        EXPECT_EQ(got.state, domain::link_state::ended);
        EXPECT_EQ(got.state_reason, "cancelled");
        EXPECT_EQ(got.etag, "\"7\"");
        EXPECT_EQ(got.remote, link.remote);
        EXPECT_EQ(got.html_link + got.meet_link + got.meet_id, "https://xhttps://meetm");
        EXPECT_EQ(got.generation, 2);
        EXPECT_TRUE(got.frozen);
        EXPECT_EQ(got.operation_seq, 9);
        EXPECT_EQ(got.recorded_seq, 8);
        link_row const stranger = t.link_of("t1", "event3");
        auto const missing = co_await update_link(**tx, stranger);
        failed_with(missing, errc::internal);
    }(*this));
}

TEST_F(Work, APageLocksItsLinksAndFindsItsOperations) {
    add_task("t1");
    add_task("t2");
    run([](Work& t) -> task<void> {
        link_row const one = t.link_of("t1", "event1");
        link_row const two = t.link_of("t2", "event2");
        operation_row const op = t.operation_of(one, 1);
        std::vector<operation_row> operations{op};
        co_await t.store(one, operations);
        co_await t.store(two, {});
        auto tx = co_await t.db_->begin(t.tenant_);
        std::vector<std::string> events{"event1", "event2", "event3"};
        std::vector<uuid> ids{op.id.value, random_uuid()};
        auto const page = co_await lock_page(**tx, t.tenant_, t.calendar_, events, ids);
        if (!worked(page)) co_return;
        EXPECT_EQ(page->links.size(), 2U);
        EXPECT_EQ(page->operations.size(), 1U);
        EXPECT_THROW(t.sql("set lock_timeout = '50ms'; update task_links set frozen = false"), std::runtime_error);
        EXPECT_THROW(t.sql("set lock_timeout = '50ms'; update tasks set failures = 0"), std::runtime_error);
    }(*this));
}

TEST_F(Work, AnOperationIsFinishedOnceAndAnAbandonedOneMayStillBe) {
    add_task("t1");
    run([](Work& t) -> task<void> {
        link_row const link = t.link_of("t1", "event1");
        operation_row op = t.operation_of(link, 1);
        std::vector<operation_row> operations{op};
        co_await t.store(link, operations);
        for (auto const* state : {"abandoned", "done", "failed"}) {
            op.state = state;
            op.answer_status = 200;
            op.answer_etag = state;
            auto tx = co_await t.db_->begin(t.tenant_);
            auto const finished = co_await finish_operation(**tx, op);
            worked(finished);
            auto const committed = co_await (*tx)->commit();
            worked(committed);
        }
    }(*this));

    EXPECT_EQ(sql("select state || ' ' || answer_status || ' ' || answer_etag from operations"), "done 200 done");
}

TEST_F(Work, SavedTaskMovesOnOnlyAsFarAsWasWorkedOn) {
    add_task("t1");
    sql("update tasks set dirty_seq = 3");
    run([](Work& t) -> task<void> {
        auto tx = co_await t.db_->begin(t.tenant_);
        auto const got = co_await lock_task(**tx, t.tenant_, task_id("t1"));
        if (!worked(got) || !*got) co_return;
        task_outcome done;
        done.row = (**got).task;
        done.row.local = fields_of("local");
        done.row.seen = fields_of("seen");
        done.row.absorbed_version = 1;
        done.row.pulled_seq = 4;
        done.row.update_seq = 5;
        done.row.state = "synced";
        done.synced = 2;
        done.explanation = "why";
        auto const saved = co_await save_task(**tx, done);
        worked(saved);
        auto const committed = co_await (*tx)->commit();
        worked(committed);
        auto const again = co_await t.locked("t1");
        if (!again) co_return;
        EXPECT_EQ(again->task.local, done.row.local);
        EXPECT_EQ(again->task.seen, done.row.seen);
        EXPECT_EQ(again->task.update_seq, 5);
        EXPECT_EQ(again->task.synced_seq, 2);
        EXPECT_EQ(again->task.dirty_seq, 3);
    }(*this));

    EXPECT_EQ(sql("select state || ' ' || explanation || ' ' || pulled_seq || ' ' || (retry_at is null) from tasks"), "synced why 4 true");
}

TEST_F(Work, ATaskMayWaitForItsRetryAndAskForMore) {
    add_task("t1");
    run([](Work& t) -> task<void> {
        auto tx = co_await t.db_->begin(t.tenant_);
        auto const got = co_await lock_task(**tx, t.tenant_, task_id("t1"));
        if (!worked(got) || !*got) co_return;
        task_outcome later;
        later.row = (**got).task;
        later.row.failures = 3;
        later.retry_in = 90s;
        later.raise_dirty = true;
        auto const saved = co_await save_task(**tx, later);
        worked(saved);
        auto const committed = co_await (*tx)->commit();
        worked(committed);
    }(*this));

    EXPECT_EQ(sql("select synced_seq || ' ' || dirty_seq || ' ' || failures || ' ' || (retry_at between now() + interval '80 s' and now() "
                  "+ interval '90 s') from tasks"),
              "0 2 3 true");
}

TEST_F(Work, AStoredSnapshotThatCannotBeReadIsAnErrorAndNotACrash) {
    add_task("t1");
    sql("update tasks set seen = '[]'");

    run([](Work& t) -> task<void> {
        auto const due = co_await due_tasks(*t.db_, t.tenant_, t.calendar_, 10);
        failed_with(due, errc::internal);
    }(*this));
}

}  // namespace
}  // namespace calbridge::store
