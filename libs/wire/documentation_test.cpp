// docs/topics.md and docs/crm-developers.md are promises to CRM developers: their examples must decode, and the tables must name every
// field there is.

#include "calbridge/alerts/v1/alerts.pb.h"
#include "calbridge/calendar/v1/calendar.pb.h"
#include "calbridge/tasks/v1/tasks.pb.h"
#include "domain/fields.h"
#include "wire/topics.h"

#include <fstream>
#include <gtest/gtest.h>
#include <iterator>

namespace calbridge::wire {
namespace {

// Tests run in the project's root folder.
std::string read(char const* file) {
    std::ifstream in(file);
    return std::string(std::istreambuf_iterator<char>(in), {});
}

std::string const& page() {
    static std::string const text = read("docs/topics.md");
    return text;
}

std::string const& guide() {
    static std::string const text = read("docs/crm-developers.md");
    return text;
}

std::vector<std::string> examples(std::string const& topic, std::string const& text = page()) {
    std::vector<std::string> out;
    std::string const mark = "<!-- decoded: " + topic + " -->\n```json\n";
    for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
        auto const begin = at + mark.size();
        out.push_back(text.substr(begin, text.find("\n```", begin) - begin));
    }
    return out;
}

std::size_t count(std::string const& text, std::string_view what) {
    std::size_t found = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++found;
    return found;
}

// The examples of task-updates are what calbridge itself writes.
void expect_updates_as_we_write_them(std::vector<std::string> const& examples) {
    for (auto const& json : examples) {
        auto const update = decode_task_update(json, *encoding_of("", json));
        EXPECT_TRUE(update.has_value()) << json << "\n" << update.error().context;
        if (update) EXPECT_EQ(encode_task_update(*update, encoding::json), json);
    }
}

void expect_decodable_tasks(std::vector<std::string> const& examples) {
    for (auto const& json : examples) {
        auto const task = decode_task_changed(json, *encoding_of("", json));
        EXPECT_TRUE(task.has_value()) << json << "\n" << task.error().context;
    }
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
    expect_decodable_tasks(examples("task-changed"));
    ASSERT_GE(examples("task-updates").size(), 4u);
    expect_updates_as_we_write_them(examples("task-updates"));
    ASSERT_EQ(examples("calendar-changed").size(), 2u);
    for (auto const& json : examples("calendar-changed")) {
        auto const hint = decode_calendar_changed(json, *encoding_of("", json));
        EXPECT_TRUE(hint.has_value()) << json << "\n" << hint.error().context;
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

TEST(CrmDevelopersPage, EveryExampleDecodes) {
    auto const tasks = examples("task-changed", guide()), updates = examples("task-updates", guide());

    ASSERT_GE(tasks.size(), 5u);
    expect_decodable_tasks(tasks);
    ASSERT_GE(updates.size(), 8u);
    expect_updates_as_we_write_them(updates);
    EXPECT_EQ(tasks.size() + updates.size(), count(guide(), "```json\n")) << "an example that nothing decodes";
}

TEST(CrmDevelopersPage, SaysWhatToDoWithEveryKindAndScope) {
    expect_every_value(*tasks::v1::TaskUpdate::Kind_descriptor(), guide());
    expect_every_value(*tasks::v1::TaskChanged::Scope_descriptor(), guide());
    for (auto const f : domain::all_fields)
        EXPECT_EQ(guide().find("\n| `" + std::string(domain::name(f)) + "` | `") == std::string::npos, domain::is_push_only(f))
            << "the table of fields to take over: " << domain::name(f);
}

}  // namespace
}  // namespace calbridge::wire
