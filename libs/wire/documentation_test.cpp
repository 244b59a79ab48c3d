// docs/topics.md is a promise to CRM developers: its examples must decode, and it must name every field there is.

#include "calbridge/alerts/v1/alerts.pb.h"
#include "calbridge/calendar/v1/calendar.pb.h"
#include "calbridge/tasks/v1/tasks.pb.h"
#include "wire/topics.h"

#include <fstream>
#include <gtest/gtest.h>
#include <iterator>

namespace calbridge::wire {
namespace {

// Tests run in the project's root folder.
std::string const& page() {
    static std::string const text = [] {
        std::ifstream file("docs/topics.md");
        return std::string(std::istreambuf_iterator<char>(file), {});
    }();
    return text;
}

std::vector<std::string> examples(std::string const& topic) {
    std::vector<std::string> out;
    std::string const mark = "<!-- decoded: " + topic + " -->\n```json\n";
    for (auto at = page().find(mark); at != std::string::npos; at = page().find(mark, at + 1)) {
        auto const begin = at + mark.size();
        out.push_back(page().substr(begin, page().find("\n```", begin) - begin));
    }
    return out;
}

std::string section(std::string const& heading) {
    auto const begin = page().find("\n## " + heading);
    return begin == std::string::npos ? "" : page().substr(begin, page().find("\n## ", begin + 1) - begin);
}

void expect_every_field(google::protobuf::Descriptor const& message, std::string const& in) {
    for (int i = 0; i < message.field_count(); ++i)
        EXPECT_NE(in.find("`" + message.field(i)->json_name() + "`"), std::string::npos)
            << message.full_name() << "." << message.field(i)->json_name();
}

void expect_every_value(google::protobuf::EnumDescriptor const& values, std::string const& in) {
    for (int i = 1; i < values.value_count(); ++i)
        EXPECT_NE(in.find("`" + values.value(i)->name() + "`"), std::string::npos) << values.value(i)->name();
}

TEST(TopicsPage, EveryExampleDecodes) {
    ASSERT_GE(examples("task-changed").size(), 3u);
    for (auto const& json : examples("task-changed")) {
        auto const read = decode_task_changed(json, *encoding_of("", json));
        EXPECT_TRUE(read.has_value()) << json << "\n" << read.error().context;
    }
    ASSERT_GE(examples("task-updates").size(), 4u);
    for (auto const& json : examples("task-updates")) {
        auto const read = decode_task_update(json, *encoding_of("", json));
        EXPECT_TRUE(read.has_value()) << json << "\n" << read.error().context;
        // The examples are what calbridge itself writes.
        if (read) EXPECT_EQ(encode_task_update(*read, encoding::json), json);
    }
    ASSERT_EQ(examples("calendar-changed").size(), 2u);
    for (auto const& json : examples("calendar-changed")) {
        auto const read = decode_calendar_changed(json, *encoding_of("", json));
        EXPECT_TRUE(read.has_value()) << json << "\n" << read.error().context;
    }
}

TEST(TopicsPage, NamesEveryField) {
    auto const task = section("task-changed");
    expect_every_field(*tasks::v1::TaskChanged::descriptor(), task);
    expect_every_field(*tasks::v1::TaskChanged::Attendee::descriptor(), task);
    auto const update = section("task-updates");
    expect_every_field(*tasks::v1::TaskUpdate::descriptor(), update);
    expect_every_field(*tasks::v1::TaskUpdate::Guest::descriptor(), update);
    expect_every_field(*tasks::v1::TaskUpdate::FieldVersions::descriptor(), update);
    expect_every_value(*tasks::v1::TaskUpdate::Kind_descriptor(), update);
    auto const hint = section("calendar-changed");
    expect_every_field(*calendar::v1::CalendarChanged::descriptor(), hint);
    expect_every_value(*calendar::v1::CalendarChanged::Cause_descriptor(), hint);
    expect_every_field(*alerts::v1::SyncAlert::descriptor(), section("sync-alerts"));
}

TEST(TopicsPage, TheExampleAlertIsOneWeWouldWrite) {
    domain::sync_alert const alert{.tenant = tenant_id("acme"),
                                   .kind = "connection_revoked",
                                   .subject = "0197c0de-0000-7000-8000-000000000001",
                                   .explanation = "Google no longer accepts Anna's consent. She must connect again.",
                                   .at = instant{std::chrono::seconds(1'795'597'200)}};
    EXPECT_NE(section("sync-alerts").find(encode_sync_alert(alert, encoding::json)), std::string::npos)
        << encode_sync_alert(alert, encoding::json);
}

}  // namespace
}  // namespace calbridge::wire
