#include "common/pg/pg_fixture.h"

namespace calbridge::pg {
namespace {

class Listen : public pg_fixture {
protected:
    int listeners() const {
        return std::stoi(
            scratch_.exec("select count(*) from pg_stat_activity where datname = '" + scratch_.name() + "' and query like 'listen%'"));
    }
};

struct heard {
    std::vector<std::string> payloads;
    int gaps{0};
};

task<void> listen_to(database& db, heard& ears) {
    std::function<void(std::string_view)> on_notify = [&ears](std::string_view payload) { ears.payloads.emplace_back(payload); };
    std::function<void()> on_gap = [&ears] { ++ears.gaps; };
    co_await db.listen("doorbell", std::move(on_notify), std::move(on_gap));
    ADD_FAILURE() << "listen() returned by itself";
}

constexpr statement ring{"ring", "select pg_notify('doorbell', $1)"};

task<void> ring_with(database& db, std::string payload) {
    params with;
    with.add(payload);
    auto const rung = co_await run_once_untenanted(db, ring, std::move(with));
    worked(rung);
}

task<void> hear_and_lose_and_hear(database& db, std::function<void()> kill) {
    heard ears;
    task_group group(co_await asio::this_coro::executor);
    group.spawn("listener", listen_to(db, ears));
    std::function<bool()> listening = [&ears] { return ears.gaps == 1; };
    auto held = co_await testing::eventually(listening);
    EXPECT_TRUE(held);

    co_await ring_with(db, "first");
    co_await ring_with(db, "");
    std::function<bool()> two = [&ears] { return ears.payloads.size() == 2; };
    held = co_await testing::eventually(two);
    EXPECT_TRUE(held);
    EXPECT_EQ(ears.payloads, (std::vector<std::string>{"first", ""}));

    kill();
    std::function<bool()> again = [&ears] { return ears.gaps == 2; };
    held = co_await testing::eventually(again);
    EXPECT_TRUE(held) << "a new connection says that messages may have been missed";
    co_await ring_with(db, "after");
    std::function<bool()> three = [&ears] { return ears.payloads.size() == 3; };
    held = co_await testing::eventually(three);
    EXPECT_TRUE(held);

    group.cancel();
    co_await group.join();
}

task<void> wait_until(std::function<bool()> condition) {
    bool const held = co_await testing::eventually(std::move(condition));
    EXPECT_TRUE(held) << "cancelling closes the connection";
}

TEST_F(Listen, HearsNotificationsAndSaysWhenSomeMayBeMissing) {
    auto const db = open(1);
    std::function<void()> kill = [this] {
        scratch_.exec("select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = '" + scratch_.name() +
                      "' and query like 'listen%'");
    };

    run(hear_and_lose_and_hear(*db, kill));

    run(wait_until([this] { return listeners() == 0; }));
}

TEST_F(Listen, AChannelIsAPlainName) {
    auto const db = open(1);

    EXPECT_THROW((void)db->listen("a; drop table x", {}, {}), std::logic_error);
}

}  // namespace
}  // namespace calbridge::pg
