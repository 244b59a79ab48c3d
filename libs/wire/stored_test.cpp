#include "wire/stored.h"

#include "wire/topics.h"

#include <gtest/gtest.h>

#include <random>

namespace calbridge::wire {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

domain::fields sample() {
    domain::fields f;
    f.title = "Grüezi \"👋\"";
    f.description = "a\nb\\c";
    f.footer = "Managed by calbridge";
    f.location = "Bern";
    f.time = {.start = instant{std::chrono::microseconds(1'795'683'600'000'000)},
              .end = instant{std::chrono::microseconds(1'795'687'200'000'001)},
              .zone = "Europe/Zurich"};
    f.color_id = "11";
    f.reminders = {.use_default = false, .overrides = {{"email", 10}, {"popup", 5}}};
    f.guests = {{"a@example.com", "A", false}, {"b@example.com", "", true}};
    f.meet = true;
    return f;
}

void expect_survives(domain::fields const& f) {
    auto const back = load_fields(store_fields(f));
    ASSERT_TRUE(back.has_value()) << back.error().context;
    EXPECT_EQ(*back, f);
    EXPECT_EQ(back->time.zone, f.time.zone);
    ASSERT_EQ(back->guests.size(), f.guests.size());
    for (std::size_t i = 0; i < f.guests.size(); ++i) EXPECT_EQ(back->guests[i].name, f.guests[i].name);
}

TEST(StoredFields, ComeBackWhole) {
    expect_survives(sample());
    expect_survives({});
    auto f = sample();
    f.time = {.all_day = true, .first_day = sys_days{days(20'000)}, .end_day = sys_days{days(20'001)}};
    expect_survives(f);
    f.reminders = {.use_default = false};
    expect_survives(f);
    f.time = {.start = instant{std::chrono::microseconds(-62'167'219'200'000'000)}, .end = instant::max()};
    expect_survives(f);
}

// Rows written by an older version are read for ever: this spelling must not change.
TEST(StoredFields, HaveAStableSpelling) {
    EXPECT_EQ(store_fields(sample()),
              R"({"title":"Grüezi \"👋\"","description":"a\nb\\c","footer":"Managed by calbridge","location":"Bern",)"
              R"("time":{"start":1795683600000000,"end":1795687200000001,"zone":"Europe/Zurich"},"color":"11",)"
              R"("reminders":[{"method":"email","minutes":10},{"method":"popup","minutes":5}],)"
              R"("guests":[{"email":"a@example.com","name":"A"},{"email":"b@example.com","optional":true}],"meet":true})");
    EXPECT_EQ(store_fields({}), R"({"time":{"start":0,"end":0}})");
    domain::fields whole_day;
    whole_day.time = {.all_day = true, .first_day = sys_days{days(20'000)}, .end_day = sys_days{days(20'001)}};
    EXPECT_EQ(store_fields(whole_day), R"({"time":{"firstDay":20000,"endDay":20001}})");
}

TEST(StoredFields, UnknownMembersAreIgnoredAndAbsentOnesAreDefaults) {
    auto const f = load_fields(
        R"({"future":[1,{"x":null}],"time":{"start":1,"end":2,"more":true},"guests":[7,{"email":"a@b.c","new":1}],"reminders":["x"],"title":5})");
    ASSERT_TRUE(f.has_value());
    EXPECT_EQ(f->title, "");
    ASSERT_EQ(f->guests.size(), 1u);
    EXPECT_EQ(f->guests[0].email, "a@b.c");
    EXPECT_FALSE(f->reminders.use_default);
    EXPECT_TRUE(f->reminders.overrides.empty());
    EXPECT_FALSE(f->meet);
}

TEST(StoredFields, WhatIsNoneIsMalformed) {
    for (std::string const bad : {"", "{", "[]", "null", "{}", R"({"time":5})", R"({"time":{}} x)"}) {
        auto const f = load_fields(bad);
        ASSERT_FALSE(f.has_value()) << bad;
        EXPECT_EQ(f.error().code, errc::malformed) << bad;
    }
}

TEST(StoredFields, BrokenTextIsMadeStorable) {
    domain::fields f;
    f.title = std::string("a\0b\xFF", 4);
    auto const stored = store_fields(f);
    EXPECT_EQ(stored.find("\\u0000"), std::string::npos);
    EXPECT_EQ(load_fields(stored)->title,
              "a\xEF\xBF\xBD"
              "b\xEF\xBF\xBD");
}

TEST(StoredFields, LargeTextsComeBack) {
    domain::fields f;
    f.description = std::string(900'000, '"') + std::string(900'000, '\n');
    expect_survives(f);
}

TEST(StoredConflicts, ComeBackWhole) {
    std::vector<domain::field_conflict> const conflicts{
        {.which = domain::field::title, .base = "a", .crm = "b", .google = "c"},
        {.which = domain::field::time, .winner = domain::side::crm, .base = "", .crm = "x", .google = "y"},
        {.which = domain::field::guests, .winner = domain::side::google, .base = "\"", .crm = "\n", .google = "👋"},
    };
    auto const back = load_conflicts(store_conflicts(conflicts));
    ASSERT_TRUE(back.has_value());
    ASSERT_EQ(back->size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ((*back)[i].which, conflicts[i].which);
        EXPECT_EQ((*back)[i].winner, conflicts[i].winner);
        EXPECT_EQ((*back)[i].base, conflicts[i].base);
        EXPECT_EQ((*back)[i].crm, conflicts[i].crm);
        EXPECT_EQ((*back)[i].google, conflicts[i].google);
    }
    EXPECT_TRUE(load_conflicts(store_conflicts({}))->empty());
}

TEST(StoredConflicts, AFieldOfANewerVersionIsSkipped) {
    auto const back = load_conflicts(R"([{"field":"mood","crm":"x"},{"field":"title","winner":"nobody","crm":"y"},7])");
    ASSERT_TRUE(back.has_value());
    ASSERT_EQ(back->size(), 1u);
    EXPECT_EQ((*back)[0].crm, "y");
    EXPECT_FALSE((*back)[0].winner.has_value());
    EXPECT_EQ(load_conflicts("{}").error().code, errc::malformed);
    EXPECT_EQ(load_conflicts("[").error().code, errc::malformed);
}

TEST(StoredTask, IsTheTopicsJson) {
    domain::task_changed t;
    t.tenant = tenant_id("acme");
    t.user = user_id("anna");
    t.task = task_id("T-1");
    t.version = 3;
    t.title = "x";
    t.sync_to_calendar = false;
    t.reminders.emplace();
    EXPECT_EQ(store_task(t), encode_task_changed(t, encoding::json));
    auto const back = load_task(store_task(t));
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->version, 3);
    EXPECT_FALSE(back->sync_to_calendar);
    EXPECT_TRUE(back->reminders.has_value());
}

// A value just under the topic's limit can be spelled longer in the column; it must not be locked in there.
TEST(StoredTask, WhatTheTopicLetInCanAlwaysBeReadBack) {
    domain::task_changed t;
    t.tenant = tenant_id("acme");
    t.user = user_id("anna");
    t.task = task_id("T-1");
    t.version = 1;
    t.description = std::string(1'000'000, '\x01');
    auto const arrived = decode_task_changed(encode_task_changed(t, encoding::protobuf), encoding::protobuf);
    ASSERT_TRUE(arrived.has_value());
    auto const stored = store_task(*arrived);
    ASSERT_GT(stored.size(), std::size_t{1} << 20);
    EXPECT_EQ(load_task(stored)->description, t.description);
    EXPECT_EQ(load_task("{").error().code, errc::malformed);
}

}  // namespace
}  // namespace calbridge::wire
