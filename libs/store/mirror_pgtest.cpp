#include "store/store_fixture.h"

namespace calbridge::store {
namespace {

using namespace std::chrono_literals;

class Mirror : public store_fixture {
public:
    Mirror() {
        run([](Mirror& t) -> task<void> {
            auto const got = co_await acquire_lease(*t.db_, tenant_id("acme"), t.calendar_, "w", 60s);
            if (worked(got) && *got) t.held_ = (**got).lease;
        }(*this));
    }
    static mirrored_event event_of(std::string id, std::string etag, std::string status = "confirmed") {
        mirrored_event e;
        e.id = std::move(id);
        e.etag = std::move(etag);
        e.status = std::move(status);
        e.summary = "summary of " + e.id;
        e.start = instant{std::chrono::sys_days{std::chrono::year{2026} / 11 / 25} + 9h};
        e.end = *e.start + 1h;
        e.event_type = "default";
        e.transparency = "opaque";
        e.visibility = "default";
        e.raw = R"({"id": ")" + e.id + R"("})";
        return e;
    }
    std::size_t mirror_all(std::vector<mirrored_event> events, std::int64_t pass = 0) {
        std::size_t changed = 0;
        run([](Mirror& t, std::vector<mirrored_event> all, std::int64_t seen_pass, std::size_t& count) -> task<void> {
            auto tx = co_await t.db_->begin(t.held_.tenant);
            auto const written = co_await mirror(**tx, t.held_, std::move(all), seen_pass);
            if (!worked(written)) co_return;
            count = *written;
            auto const committed = co_await (*tx)->commit();
            worked(committed);
        }(*this, std::move(events), pass, changed));
        return changed;
    }
    void save(cursor at) {
        run([](Mirror& t, cursor c) -> task<void> {
            auto tx = co_await t.db_->begin(t.held_.tenant);
            auto const saved = co_await save_cursor(**tx, t.held_, c);
            worked(saved);
            auto const committed = co_await (*tx)->commit();
            worked(committed);
        }(*this, std::move(at)));
    }

    calendar_id calendar_ = add_calendar("acme", "anna");
    std::unique_ptr<pg::database> db_ = open("worker");
    held_lease held_;
};

TEST_F(Mirror, OnlyNewAndChangedEventsAreWritten) {
    EXPECT_EQ(mirror_all({event_of("e1", "1"), event_of("e2", "1")}), 2U);
    std::string const before = sql("select xmin from events where google_event_id = 'e1'");

    EXPECT_EQ(mirror_all({event_of("e1", "1"), event_of("e2", "2"), event_of("e3", "1")}), 2U);

    EXPECT_EQ(sql("select xmin from events where google_event_id = 'e1'"), before);
    EXPECT_EQ(sql("select string_agg(google_event_id || etag, ' ' order by google_event_id) from events"), "e11 e22 e31");
}

TEST_F(Mirror, TheLastOfAPageCountsWhenAnEventStandsTwice) {
    EXPECT_EQ(mirror_all({event_of("e1", "1"), event_of("e1", "2")}), 1U);

    EXPECT_EQ(sql("select etag from events"), "2");
}

TEST_F(Mirror, ABareCancellationKeepsWhatWasKnown) {
    mirror_all({event_of("e1", "1")});
    mirrored_event bare;
    bare.id = "e1";
    bare.status = "cancelled";
    bare.raw = R"({"id": "e1", "status": "cancelled"})";

    EXPECT_EQ(mirror_all({bare}), 1U);

    EXPECT_EQ(sql("select status || '|' || summary || '|' || (start_at is not null) from events"), "cancelled|summary of e1|true");
}

TEST_F(Mirror, SweepFindsWhatAFullPassDidNotSee) {
    mirror_all({event_of("e1", "1"), event_of("e2", "1"), event_of("e3", "1", "cancelled")});
    mirror_all({event_of("e1", "1"), event_of("e4", "1")}, 7);

    run([](Mirror& t) -> task<void> {
        auto tx = co_await t.db_->begin(t.held_.tenant);
        auto const view = co_await unswept(**tx, t.held_, 7);
        if (!worked(view)) co_return;
        EXPECT_EQ(view->known, 3U);
        EXPECT_EQ(view->missing, std::vector<std::string>{"e2"});
        auto const marked = co_await mark_cancelled(**tx, t.held_, view->missing);
        worked(marked);
        auto const after = co_await unswept(**tx, t.held_, 7);
        if (worked(after)) EXPECT_TRUE(after->missing.empty());
    }(*this));
}

TEST_F(Mirror, AHintInMidPassLeavesTheCalendarPending) {
    sql("update calendars set dirty_seq = 5, failures = 2, retry_at = now(), last_error = 'x'");

    save({.sync_token = "token",
          .fingerprint = "f1",
          .synced_seq = 4,
          .page_token = {},
          .pass_dirty_seq = {},
          .pass_id = 0,
          .time_zone = "Europe/Berlin",
          .changed = true});

    EXPECT_EQ(sql("select sync_token || ' ' || sync_fingerprint || ' ' || synced_seq || ' ' || dirty_seq || ' ' || (synced_seq < "
                  "dirty_seq) || ' ' || failures || ' ' || "
                  "(retry_at is null) || ' ' || time_zone || ' ' || (last_changed_at is not null) from calendars"),
              "token f1 4 5 true 0 true Europe/Berlin true");
    EXPECT_EQ(sql("select last_synced_at is not null from user_calendar_connections"), "t");
}

TEST_F(Mirror, AnInterruptedPassKeepsItsPlaceAndItsToken) {
    save({.sync_token = "token", .fingerprint = "f1", .synced_seq = {}, .page_token = {}, .pass_dirty_seq = {}});
    save({.sync_token = {}, .fingerprint = "f1", .synced_seq = {}, .page_token = "page2", .pass_dirty_seq = 3, .pass_id = 1});

    EXPECT_EQ(sql("select sync_token || ' ' || pass_page_token || ' ' || pass_dirty_seq || ' ' || pass_id from calendars"),
              "token page2 3 1");

    save({.sync_token = {}, .fingerprint = "f1", .synced_seq = {}, .page_token = {}, .pass_dirty_seq = {}, .pass_id = 0});

    EXPECT_EQ(sql("select (pass_page_token is null) || ' ' || pass_id from calendars"), "true 1");
}

TEST_F(Mirror, ADroppedCursorAsksForAFullPass) {
    save({.sync_token = "token", .fingerprint = "f1", .synced_seq = {}, .page_token = {}, .pass_dirty_seq = {}});
    run([](Mirror& t) -> task<void> {
        auto tx = co_await t.db_->begin(t.held_.tenant);
        auto const dropped = co_await drop_cursor(**tx, t.held_);
        worked(dropped);
        auto const committed = co_await (*tx)->commit();
        worked(committed);
    }(*this));

    EXPECT_EQ(sql("select (sync_token is null) || ' ' || pass_id || ' ' || (synced_seq < dirty_seq) from calendars"), "true 0 true");
}

TEST_F(Mirror, ACursorOfALostLeaseIsRefused) {
    sql("update calendars set lease_epoch = lease_epoch + 1");
    run([](Mirror& t) -> task<void> {
        auto tx = co_await t.db_->begin(t.held_.tenant);
        cursor at;
        at.sync_token = "late";
        auto const saved = co_await save_cursor(**tx, t.held_, at);
        failed_with(saved, errc::conflict);
    }(*this));

    EXPECT_EQ(sql("select sync_token is null from calendars"), "t");
}

TEST_F(Mirror, AnOddEventIsSetAsideOnceAndCounted) {
    for (int i = 0; i < 2; ++i) {
        run([](Mirror& t) -> task<void> {
            auto tx = co_await t.db_->begin(t.held_.tenant);
            auto const aside = co_await quarantine_events(**tx, t.held_, std::vector<odd_event>{{"odd", "malformed", "start is missing", "{\"id\":\"odd\"}"}});
            worked(aside);
            auto const committed = co_await (*tx)->commit();
            worked(committed);
        }(*this));
    }

    EXPECT_EQ(
        sql("select source || ' ' || reason || ' ' || seen_count || ' ' || (subject = '" + calendar_.str() + "/odd') from quarantine"),
        "google-event malformed 2 true");
}

}  // namespace
}  // namespace calbridge::store
