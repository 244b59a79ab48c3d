#include "store/bulk.h"
#include "store/look.h"
#include "store/requests.h"
#include "store/store_fixture.h"

namespace calbridge::store {
namespace {

class RequestRows : public store_fixture {
public:
    RequestRows() : calendar_(add_calendar("a", "anna")), gateway_(open("gateway")), worker_(open("worker")) {}

    request_row asked(domain::request_kind kind, std::string subject) {
        request_row row;
        row.tenant = tenant_id("a");
        row.id = request_id{time_ordered_uuid()};
        row.user = user_id("anna");
        row.connection = connection_of(calendar_);
        row.calendar = calendar_;
        row.kind = kind;
        row.subject = std::move(subject);
        row.who = "user anna";
        return row;
    }
    task<request_row> add(request_row row, std::optional<std::string> key = {}) {
        request_row stored;
        auto tx = co_await gateway_->begin(row.tenant);
        if (!worked(tx)) co_return stored;
        auto const done = co_await add_request(**tx, row, key);
        if (worked(done)) stored = *done;
        auto const committed = co_await (*tx)->commit();
        worked(committed);
        co_return stored;
    }
    std::string due() { return sql("select count(*) from due_requests(10)"); }

    calendar_id calendar_;
    std::unique_ptr<pg::database> gateway_, worker_;
};

TEST_F(RequestRows, AKeyAsksOnceInATenantAndGivesTheOlderRow) {
    run([](RequestRows& f) -> task<void> {
        auto const first = co_await f.add(f.asked(domain::request_kind::retry, "T-1"), "k");
        auto const second = co_await f.add(f.asked(domain::request_kind::undo, "x"), "k");
        auto const other = co_await f.add(f.asked(domain::request_kind::retry, "T-1"));
        EXPECT_EQ(second.id, first.id);
        EXPECT_EQ(second.kind, domain::request_kind::retry);
        EXPECT_NE(other.id, first.id);
        auto const found = co_await find_request(*f.gateway_, tenant_id("a"), first.id);
        EXPECT_TRUE(worked(found) && *found && (**found).subject == "T-1");
        auto const foreign = co_await find_request(*f.gateway_, tenant_id("b"), first.id);
        EXPECT_TRUE(worked(foreign) && !*foreign);
    }(*this));

    EXPECT_EQ(sql("select count(*) from requests"), "2");
}

TEST_F(RequestRows, AnOpenRequestIsSeenByALookAndByBothSweepsUntilItIsDone) {
    run([](RequestRows& f) -> task<void> {
        auto const one = co_await f.add(f.asked(domain::request_kind::retry, "T-1"));
        EXPECT_EQ(f.due(), "1");
        EXPECT_EQ(f.sql("select count(*) from overdue_requests(10, 60000)"), "0");
        f.sql("update requests set next_at = now() - interval '2 minutes'");
        EXPECT_EQ(f.sql("select count(*) from overdue_requests(10, 60000)"), "1");
        EXPECT_EQ(f.sql("select count(*) from overdue_requests(10, 60000)"), "0") << "named once in that time";
        auto const held = co_await acquire_lease(*f.worker_, tenant_id("a"), f.calendar_, "w", std::chrono::seconds(30));
        if (!worked(held) || !*held) co_return;
        EXPECT_EQ(f.due(), "0") << "its holder sees it";
        held_lease const lease = (**held).lease;
        auto const seen = co_await look_at_work(*f.worker_, lease, 10);
        EXPECT_TRUE(worked(seen) && seen->request == one.id);
        auto tx = co_await f.worker_->begin(tenant_id("a"));
        if (!worked(tx)) co_return;
        auto row = co_await lock_request(**tx, tenant_id("a"), one.id);
        if (!worked(row) || !*row) co_return;
        auto const waiting = co_await save_request(**tx, **row, std::chrono::seconds(30));
        worked(waiting);
        auto const committed = co_await (*tx)->commit();
        worked(committed);
        auto const later = co_await look_at_work(*f.worker_, lease, 10);
        EXPECT_TRUE(worked(later) && !later->request && later->next_request_in > std::chrono::seconds(20));
        auto last = co_await f.worker_->begin(tenant_id("a"));
        if (!worked(last)) co_return;
        (**row).state = "done";
        (**row).result = R"({"operation":"x"})";
        auto const ended = co_await save_request(**last, **row);
        worked(ended);
        auto const over = co_await lock_request(**last, tenant_id("a"), one.id);
        EXPECT_TRUE(worked(over) && !*over);
        auto const both = co_await (*last)->commit();
        worked(both);
        auto const quiet = co_await look_at_work(*f.worker_, lease, 10);
        EXPECT_TRUE(worked(quiet) && !quiet->request && !quiet->next_request_in);
    }(*this));

    EXPECT_EQ(sql("select state || (finished_at is not null) || attempts from requests"), "donetrue2");
}

TEST_F(RequestRows, FinishedRequestsGoAfterThirtyDays) {
    run([](RequestRows& f) -> task<void> {
        for (int i = 0; i < 3; ++i) co_await f.add(f.asked(domain::request_kind::retry, "T-" + std::to_string(i)));
    }(*this));
    sql("update requests set state = 'done', finished_at = now() - interval '31 days' where subject = 'T-0'");
    sql("update requests set state = 'done', finished_at = now() - interval '29 days' where subject = 'T-1'");

    EXPECT_EQ(sql("select retain_requests(10)"), "1");
    EXPECT_EQ(sql("select string_agg(subject, ',' order by subject) from requests"), "T-1,T-2");
}

TEST_F(RequestRows, ABulkSyncMarksBatchAfterBatchOfItsConnectionAlone) {
    calendar_id const other = add_calendar("a", "ben");
    for (int i = 0; i < 5; ++i)
        sql("insert into tasks (tenant_id, task_id, user_id, version, snapshot, calendar_id, synced_seq) values ('a', 'T-" +
            std::to_string(i) + "', 'anna', 1, '{}', '" + calendar_.str() + "', 1)");
    sql("insert into tasks (tenant_id, task_id, user_id, version, snapshot, calendar_id, synced_seq) values ('a', 'B-1', 'ben', 1, '{}', "
        "'" +
        other.str() + "', 1)");

    run([](RequestRows& f) -> task<void> {
        connection_row connection;
        connection.id = f.connection_of(f.calendar_);
        connection.user = user_id("anna");
        request_id const request{time_ordered_uuid()};
        auto tx = co_await f.worker_->begin(tenant_id("a"));
        if (!worked(tx)) co_return;
        std::vector<std::size_t> counts;
        task_id after;
        for (int i = 0; i < 3; ++i) {
            auto const marked = co_await mark_bulk(**tx, tenant_id("a"), connection, request, after, 3);
            if (!worked(marked)) co_return;
            counts.push_back(marked->count);
            after = marked->last;
        }
        EXPECT_EQ(counts, (std::vector<std::size_t>{3, 2, 0}));
        auto const committed = co_await (*tx)->commit();
        worked(committed);
        f.sql("update tasks set synced_seq = dirty_seq, state = 'parked' where task_id = 'T-0'");
        auto const seen = co_await bulk_progress(*f.worker_, tenant_id("a"), request);
        EXPECT_TRUE(worked(seen) && seen->total == 5 && seen->left == 4 && seen->failed == 1);
    }(*this));

    EXPECT_EQ(sql("select count(*) from tasks where synced_seq < dirty_seq and user_id = 'ben'"), "0");
}

TEST_F(RequestRows, APlaceNamesTheUserAndTheCalendarOfWhatItIsAbout) {
    sql("insert into tasks (tenant_id, task_id, user_id, version, snapshot) values ('a', 'T-1', 'anna', 1, '{}')");
    sql("insert into quarantine (tenant_id, quarantine_id, source, subject, reason, detail, hash, value) values ('a', "
        "'0197c0de-0000-7000-8000-000000000001', 'task-changed', 'a/anna', 'r', 'd', 'h', 'v')");

    run([](RequestRows& f) -> task<void> {
        std::string const connection = f.connection_of(f.calendar_).str();
        auto const placeless = co_await find_place(*f.gateway_, tenant_id("a"), request_subject::task, "T-1");
        EXPECT_TRUE(worked(placeless) && *placeless && !(**placeless).calendar && (**placeless).user.str() == "anna");
        f.sql("update tasks set calendar_id = '" + f.calendar_.str() + "'");
        std::string const item = "0197c0de-0000-7000-8000-000000000001";
        std::pair<request_subject, std::string> const subjects[] = {{request_subject::task, "T-1"},
                                                                    {request_subject::connection, connection},
                                                                    {request_subject::calendar, f.calendar_.str()},
                                                                    {request_subject::quarantined, item}};
        for (auto const& [kind, subject] : subjects) {
            auto const place = co_await find_place(*f.gateway_, tenant_id("a"), kind, subject);
            EXPECT_TRUE(worked(place) && *place && (**place).calendar == f.calendar_ && (**place).user.str() == "anna") << subject;
            auto const foreign = co_await find_place(*f.gateway_, tenant_id("b"), kind, subject);
            EXPECT_TRUE(worked(foreign) && !*foreign) << subject;
        }
    }(*this));
}

}  // namespace
}  // namespace calbridge::store
