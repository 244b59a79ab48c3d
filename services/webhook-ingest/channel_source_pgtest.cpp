#include "channel_source.h"

#include "channel_fixture.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include <gtest/gtest.h>

#include <cstdlib>

namespace calbridge::ingest {
namespace {

using namespace std::chrono_literals;

struct ChannelSource : ::testing::Test {
    void run(task<void> body) { testing::run_coro(ioc, std::move(body)); }
    pg::database_options options() {
        pg::database_options o;
        o.conninfo = rows.database.conninfo_for("ingest");
        return o;
    }
    asio::io_context ioc{1};
    channel_fixture rows;
};

TEST_F(ChannelSource, ReadsAChannelAsItIsWithTheIngestRoleAlone) {
    auto const db = pg::make_database(ioc.get_executor(), options());
    auto const source = make_channel_source(*db);
    run([](channel_fixture& f, channel_source& from) -> task<void> {
        auto const pending = co_await from.look_up(f.channel, in(10s));
        EXPECT_TRUE(pending.has_value()) << pending.error().context;
        EXPECT_EQ(pending.value()->tenant, tenant_id("acme"));
        EXPECT_EQ(pending.value()->user, user_id("ann"));
        EXPECT_EQ(pending.value()->connection, f.connection);
        EXPECT_EQ(pending.value()->calendar, f.calendar);
        EXPECT_EQ(pending.value()->state, channel_state::pending);
        EXPECT_FALSE(pending.value()->resource_id.has_value());
        EXPECT_FALSE(pending.value()->expires_at.has_value());
        EXPECT_EQ(pending.value()->token_hash, crypto::sha256(f.token));

        f.set("state = 'active', resource_id = 'res-1', expires_at = '2026-11-27 09:00:00+00'");
        auto const active = co_await from.look_up(f.channel, in(10s));
        EXPECT_EQ(active.value()->state, channel_state::active);
        EXPECT_EQ(active.value()->resource_id, "res-1");
        EXPECT_EQ(active.value()->expires_at, instant(std::chrono::sys_days{std::chrono::year{2026} / 11 / 27} + 9h));

        channel_id const other{random_uuid()};
        auto const nothing = co_await from.look_up(other, in(10s));
        EXPECT_TRUE(nothing.has_value());
        EXPECT_FALSE(nothing.value().has_value());
    }(rows, *source));
}

TEST_F(ChannelSource, AChannelOnTheCalendarListHasTheNilCalendar) {
    auto const db = pg::make_database(ioc.get_executor(), options());
    auto const source = make_channel_source(*db);
    rows.set("kind = 'calendar_list', calendar_id = null");
    run([](channel_fixture& f, channel_source& from) -> task<void> {
        auto const list = co_await from.look_up(f.channel, in(10s));
        EXPECT_TRUE(list.has_value() && list.value().has_value());
        EXPECT_TRUE(list.value()->calendar.is_nil());
        EXPECT_EQ(list.value()->connection, f.connection);
    }(rows, *source));
}

TEST_F(ChannelSource, TheRoleCanAskNothingElse) {
    auto const db = pg::make_database(ioc.get_executor(), options());
    run([](pg::database& d) -> task<void> {
        static constexpr pg::statement all{"all_channels", "select count(*) from channels"};
        static constexpr pg::statement tokens{"tokens", "select access_token from user_calendar_connections"};
        for (auto const* what : {&all, &tokens}) {
            auto const said = co_await pg::run_once_untenanted(d, *what, pg::params());
            EXPECT_FALSE(said.has_value()) << what->sql;
        }
    }(*db));
}

TEST_F(ChannelSource, HearsOfChangesAndOfWhatItMayHaveMissed) {
    auto const db = pg::make_database(ioc.get_executor(), options());
    auto const source = make_channel_source(*db);
    run([](channel_fixture& f, channel_source& from) -> task<void> {
        std::vector<channel_id> heard;
        int gaps = 0;
        task_group group(co_await asio::this_coro::executor);
        group.spawn("follow", from.follow([&heard](channel_id id) { heard.push_back(id); }, [&gaps] { ++gaps; }));
        bool const listening = co_await testing::eventually([&gaps] { return gaps > 0; });
        EXPECT_TRUE(listening);

        f.set("state = 'active', resource_id = 'res-1'");
        bool const told = co_await testing::eventually([&heard] { return !heard.empty(); });
        EXPECT_TRUE(told);
        EXPECT_EQ(heard.at(0), f.channel);

        // A delivery updates the row too, and changes nothing that is remembered here.
        heard.clear();
        f.set("last_message_number = 7, last_message_at = now()");
        f.set("state = 'stopped'");
        bool const again = co_await testing::eventually([&heard] { return !heard.empty(); });
        EXPECT_TRUE(again);
        EXPECT_EQ(heard.size(), 1u);

        // Cut: after the reconnection everything counts as missed.
        int const before = gaps;
        f.database.exec(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()");
        bool const said = co_await testing::eventually([&gaps, before] { return gaps > before; });
        EXPECT_TRUE(said);
        group.cancel();
        co_await group.join();
    }(rows, *source));
}

TEST_F(ChannelSource, UnreachablePostgresIsAnErrorWithinTheDeadline) {
    auto unreachable = options();
    unreachable.conninfo = "host=127.0.0.1 port=1 user=calbridge_ingest dbname=x";
    auto const db = pg::make_database(ioc.get_executor(), unreachable);
    auto const source = make_channel_source(*db);
    run([](channel_source& from) -> task<void> {
        channel_id const any{random_uuid()};
        auto const said = co_await from.look_up(any, in(300ms));
        EXPECT_FALSE(said.has_value());
    }(*source));
}

}  // namespace
}  // namespace calbridge::ingest
