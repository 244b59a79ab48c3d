#include "intake_loop.h"

#include "wire/topics.h"

#include <gtest/gtest.h>

namespace calbridge::worker {
namespace {

kafka::consumed record(std::string topic, std::optional<std::string> value, kafka::headers fields = {}) {
    kafka::consumed r;
    r.topic = std::move(topic);
    r.key = "acme/anna";
    r.value = std::move(value);
    r.fields = std::move(fields);
    r.partition = 2;
    r.offset = 41;
    return r;
}

store::poison const* poisoned(understood const& u) { return std::get_if<store::poison>(&u.what); }

TEST(Understand, APlainJsonLineIsATask) {
    auto const u = understand(record("task-changed", R"({"tenantId":"acme","userId":"anna","taskId":"T-1","version":3,"title":"Hi"})"));

    auto const* taken = std::get_if<store::task_intake>(&u.what);
    ASSERT_NE(taken, nullptr);
    EXPECT_EQ(taken->message.task.str(), "T-1");
    EXPECT_EQ(taken->message.version, 3);
    EXPECT_TRUE(taken->message.sync_to_calendar);
}

TEST(Understand, MalformedJsonIsPoisonWithItsPlaceAndBytes) {
    auto const u = understand(record("task-changed", "{\"tenantId\":"));

    auto const* p = poisoned(u);
    ASSERT_NE(p, nullptr);
    EXPECT_EQ(p->source, "task-changed");
    EXPECT_EQ(p->partition, 2);
    EXPECT_EQ(p->offset, 41);
    EXPECT_EQ(p->value, "{\"tenantId\":");
    EXPECT_FALSE(p->reason.empty());
    EXPECT_FALSE(p->detail.empty());
}

TEST(Understand, AnEmptyValueIsPoisonAndSaysHowDeletionsAreSaid) {
    auto const u = understand(record("task-changed", std::nullopt));

    ASSERT_NE(poisoned(u), nullptr);
    EXPECT_NE(poisoned(u)->detail.find("deleted"), std::string::npos);
}

TEST(Understand, AnUnknownContentTypeIsPoison) {
    auto const u = understand(record("task-changed", "<task/>", {{"content-type", "application/xml"}}));

    ASSERT_NE(poisoned(u), nullptr);
    EXPECT_EQ(poisoned(u)->reason, "unknown_content_type");
}

TEST(Understand, ARetryWakesWithoutRaisingTheCounter) {
    domain::calendar_changed hint;
    hint.tenant = tenant_id("acme");
    hint.user = user_id("anna");
    hint.connection = connection_id{random_uuid()};
    hint.calendar = calendar_id{random_uuid()};
    hint.why = domain::cause::retry;
    auto const retry = understand(
        record("calendar-changed", wire::encode_calendar_changed(hint), {{"content-type", "application/protobuf"}, {"ce_id", "m1"}}));
    hint.why = domain::cause::push;
    auto const push =
        understand(record("calendar-changed", wire::encode_calendar_changed(hint), {{"content-type", "application/protobuf"}}));

    ASSERT_TRUE(std::holds_alternative<store::hint_intake>(retry.what));
    EXPECT_FALSE(std::get<store::hint_intake>(retry.what).raises);
    EXPECT_EQ(std::get<store::hint_intake>(retry.what).message_id, "m1");
    EXPECT_EQ(std::get<store::hint_intake>(retry.what).calendar, hint.calendar);
    ASSERT_TRUE(std::holds_alternative<store::hint_intake>(push.what));
    EXPECT_TRUE(std::get<store::hint_intake>(push.what).raises);
}

}  // namespace
}  // namespace calbridge::worker
