#include "store/alerts.h"
#include "store/store_fixture.h"

#include <set>

namespace calbridge::store {
namespace {

class Outbox : public store_fixture {
public:
    static outbox_message message_of(std::string const& tenant, std::string value) {
        outbox_message m;
        m.tenant = tenant_id(tenant);
        m.message_id = random_uuid();
        m.topic = "task-updates";
        m.key = tenant + "/anna";
        m.headers = {{"ce_id", "1"}, {"content-type", "application/json"}};
        m.value = std::move(value);
        return m;
    }
    task<std::vector<outbox_message>> write(std::vector<outbox_message> messages) {
        tenant_id const tenant = messages.front().tenant;
        auto tx = co_await worker_->begin(tenant);
        auto const written = co_await write_outbox(**tx, messages);
        worked(written);
        auto const committed = co_await (*tx)->commit();
        worked(committed);
        co_return messages;
    }
    task<std::vector<std::string>> claim(int most = 100) {
        auto const claimed = co_await claim_outbox(*renewer_, most);
        std::vector<std::string> values;
        if (worked(claimed)) {
            for (outbox_message const& each : *claimed) values.push_back(each.value);
        }
        co_return values;
    }
    void writers_died() { sql("update outbox set claimed_until = now() - interval '1 second' where status = 'pending'"); }

    std::unique_ptr<pg::database> worker_ = open("worker");
    std::unique_ptr<pg::database> renewer_ = open("renewer");
};

TEST_F(Outbox, MessagesComeBackAsTheyWereWritten) {
    run([](Outbox& t) -> task<void> {
        outbox_message const wrote = message_of("acme", std::string("\x00\x01 \xff", 4));
        std::vector<outbox_message> one{wrote};
        auto const written = co_await t.write(one);
        EXPECT_GT(written.at(0).id, 0);
        t.writers_died();
        auto const claimed = co_await claim_outbox(*t.renewer_, 10);
        if (!worked(claimed)) co_return;
        EXPECT_EQ(claimed->size(), 1U);
        outbox_message const& got = claimed->at(0);
        EXPECT_EQ(got.tenant, wrote.tenant);
        EXPECT_EQ(got.id, written.at(0).id);
        EXPECT_EQ(got.message_id, wrote.message_id);
        EXPECT_EQ(got.topic, wrote.topic);
        EXPECT_EQ(got.key, wrote.key);
        EXPECT_EQ(got.headers, wrote.headers);
        EXPECT_EQ(got.value, wrote.value);
    }(*this));
}

TEST_F(Outbox, ItsWriterPublishesFirst) {
    run([](Outbox& t) -> task<void> {
        std::vector<outbox_message> one{message_of("acme", "m")};
        auto const written = co_await t.write(one);
        EXPECT_TRUE((co_await t.claim()).empty());
        auto const marked = co_await mark_sent(*t.worker_, written);
        worked(marked);
        t.writers_died();
        EXPECT_TRUE((co_await t.claim()).empty());
    }(*this));

    EXPECT_EQ(sql("select status || ' ' || (sent_at is not null) from outbox"), "sent true");
}

TEST_F(Outbox, ALateCommitWithASmallerIdIsNotLost) {
    run([](Outbox& t) -> task<void> {
        auto slow = co_await t.worker_->begin(tenant_id("acme"));
        std::vector<outbox_message> first{message_of("acme", "first")};
        auto const written = co_await write_outbox(**slow, first);
        worked(written);
        std::vector<outbox_message> second{message_of("acme", "second")};
        second = co_await t.write(std::move(second));
        EXPECT_LT(first.at(0).id, second.at(0).id);

        t.writers_died();
        EXPECT_EQ(co_await t.claim(), std::vector<std::string>{"second"});
        auto const sent = co_await outbox_sent(*t.renewer_, second);
        worked(sent);
        auto const committed = co_await (*slow)->commit();
        worked(committed);
        t.writers_died();
        EXPECT_EQ(co_await t.claim(), std::vector<std::string>{"first"});
    }(*this));
}

TEST_F(Outbox, TwoSweepersShareTheWork) {
    run([](Outbox& t) -> task<void> {
        std::vector<outbox_message> many;
        for (int i = 0; i < 10; ++i) many.push_back(message_of("acme", std::to_string(i)));
        co_await t.write(std::move(many));
        std::vector<outbox_message> other{message_of("other", "o")};
        co_await t.write(std::move(other));
        t.writers_died();

        std::set<std::string> seen;
        std::size_t handed_out = 0;
        for (int i = 0; i < 3; ++i) {
            auto const some = co_await t.claim(4);
            handed_out += some.size();
            seen.insert(some.begin(), some.end());
        }
        EXPECT_EQ(handed_out, 11U);
        EXPECT_EQ(seen.size(), 11U);
        EXPECT_TRUE((co_await t.claim()).empty());
    }(*this));
}

TEST_F(Outbox, NothingIsLeftOfARolledBackEffect) {
    run([](Outbox& t) -> task<void> {
        auto tx = co_await t.worker_->begin(tenant_id("acme"));
        std::vector<outbox_message> one{message_of("acme", "m")};
        auto const written = co_await write_outbox(**tx, one);
        worked(written);
        tx->reset();
        std::vector<outbox_message> mixed{message_of("acme", "m"), message_of("other", "m")};
        auto again = co_await t.worker_->begin(tenant_id("acme"));
        auto const refused = co_await write_outbox(**again, mixed);
        failed_with(refused, errc::internal);
    }(*this));

    EXPECT_EQ(sql("select count(*) from outbox"), "0");
}

TEST_F(Outbox, AnAlertIsToldOnceAndAgainWhenItIsOver) {
    run([](Outbox& t) -> task<void> {
        alert const what{.tenant = tenant_id("acme"), .kind = "renewals_failing", .subject = "calendar-1", .explanation = "Google refuses"};
        std::vector<bool> told;
        for (int i = 0; i < 2; ++i) {
            auto tx = co_await t.renewer_->begin(what.tenant);
            auto const raised = co_await raise_alert(**tx, what);
            if (worked(raised)) told.push_back(*raised);
            auto const committed = co_await (*tx)->commit();
            worked(committed);
        }
        for (int i = 0; i < 2; ++i) {
            auto tx = co_await t.renewer_->begin(what.tenant);
            auto const over = co_await resolve_alert(**tx, what);
            if (worked(over)) told.push_back(*over);
            auto const committed = co_await (*tx)->commit();
            worked(committed);
        }
        std::vector<bool> const expected{true, false, true, false};
        EXPECT_EQ(told, expected);
        auto const messages = co_await t.claim();
        EXPECT_EQ(messages.size(), 2U);
        EXPECT_NE(messages.at(0).find("renewals_failing"), std::string::npos);
    }(*this));

    EXPECT_EQ(sql("select count(*) || ' ' || count(resolved_at) from alerts"), "1 1");
    EXPECT_EQ(sql("select string_agg(distinct topic || ' ' || message_key, ',') from outbox"), "sync-alerts acme");
}

}  // namespace
}  // namespace calbridge::store
