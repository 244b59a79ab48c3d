#include "wire/topics.h"

#include <gtest/gtest.h>

#include <random>

namespace calbridge::wire {
namespace {

constexpr std::string_view crm_line =
    R"({"tenantId":"acme","userId":"anna","taskId":"T-1","version":1,"type":"meeting","title":"Appointment","customer":"Bosch",)"
    R"("start":"2026-11-25T10:00:00","end":"2026-11-25T11:00:00","timeZone":"Europe/Zurich",)"
    R"("attendees":[{"email":"kim@example.com"}],"googleMeet":true})";

std::string with(std::string_view extra) {
    return R"({"tenantId":"acme","userId":"anna","taskId":"T-1","version":1)" + std::string(extra.empty() ? "" : ",") + std::string(extra) +
           "}";
}

domain::task_changed full_task() {
    domain::task_changed t;
    t.tenant = tenant_id("acme");
    t.user = user_id("anna");
    t.task = task_id("T-1");
    t.version = 9007199254740993;  // not a double
    t.type = "meeting";
    t.title = "Grüezi 👋";
    t.customer = "Bosch";
    t.description = "line one\nline \"two\"";
    t.notes = "notes";
    t.location = "Bern";
    t.priority = "high";
    t.status = "open";
    t.contact = "Kim";
    t.deal = "D-9";
    t.video_link = "https://zoom.us/j/1";
    t.start = "2026-11-25T10:00:00";
    t.end = "2026-11-25T11:00:00";
    t.time_zone = "Europe/Zurich";
    t.attendees = {{.email = "kim@example.com", .name = "Kim", .optional = false},
                   {.email = "lee@example.com", .name = "", .optional = true}};
    t.reminders = std::vector<domain::task_reminder>{{.method = "popup", .minutes = 10}};
    t.google_meet = true;
    t.color = "#ff0000";
    t.calendar = "anna@example.com";
    t.sync_to_calendar = false;
    t.send_updates = "externalOnly";
    t.applied_update_seq = 7;
    t.recurrence = {"RRULE:FREQ=DAILY;COUNT=3"};
    return t;
}

void expect_equal(domain::task_changed const& a, domain::task_changed const& b) {
    EXPECT_EQ(a.tenant, b.tenant);
    EXPECT_EQ(a.user, b.user);
    EXPECT_EQ(a.task, b.task);
    EXPECT_EQ(a.version, b.version);
    EXPECT_EQ(a.deleted, b.deleted);
    EXPECT_EQ(a.type, b.type);
    EXPECT_EQ(a.title, b.title);
    EXPECT_EQ(a.customer, b.customer);
    EXPECT_EQ(a.description, b.description);
    EXPECT_EQ(a.notes, b.notes);
    EXPECT_EQ(a.location, b.location);
    EXPECT_EQ(a.priority, b.priority);
    EXPECT_EQ(a.status, b.status);
    EXPECT_EQ(a.contact, b.contact);
    EXPECT_EQ(a.deal, b.deal);
    EXPECT_EQ(a.video_link, b.video_link);
    EXPECT_EQ(a.start, b.start);
    EXPECT_EQ(a.end, b.end);
    EXPECT_EQ(a.time_zone, b.time_zone);
    ASSERT_EQ(a.attendees.size(), b.attendees.size());
    for (std::size_t i = 0; i < a.attendees.size(); ++i) {
        EXPECT_EQ(a.attendees[i].email, b.attendees[i].email);
        EXPECT_EQ(a.attendees[i].name, b.attendees[i].name);
        EXPECT_EQ(a.attendees[i].optional, b.attendees[i].optional);
    }
    ASSERT_EQ(a.reminders.has_value(), b.reminders.has_value());
    if (a.reminders) {
        ASSERT_EQ(a.reminders->size(), b.reminders->size());
        for (std::size_t i = 0; i < a.reminders->size(); ++i) {
            EXPECT_EQ((*a.reminders)[i].method, (*b.reminders)[i].method);
            EXPECT_EQ((*a.reminders)[i].minutes, (*b.reminders)[i].minutes);
        }
    }
    EXPECT_EQ(a.google_meet, b.google_meet);
    EXPECT_EQ(a.color, b.color);
    EXPECT_EQ(a.calendar, b.calendar);
    EXPECT_EQ(a.sync_to_calendar, b.sync_to_calendar);
    EXPECT_EQ(a.send_updates, b.send_updates);
    EXPECT_EQ(a.applied_update_seq, b.applied_update_seq);
    EXPECT_EQ(a.recurrence, b.recurrence);
}

TEST(Encoding, FollowsTheContentTypeAndElseTheFirstByte) {
    EXPECT_EQ(*encoding_of("application/json", ""), encoding::json);
    EXPECT_EQ(*encoding_of("Application/JSON ; charset=utf-8", "x"), encoding::json);
    EXPECT_EQ(*encoding_of("\tapplication/json\t;", "x"), encoding::json);
    EXPECT_EQ(*encoding_of(" application/json ", "x"), encoding::json);
    EXPECT_EQ(*encoding_of("application/protobuf", "{"), encoding::protobuf);
    EXPECT_EQ(*encoding_of("application/x-protobuf", ""), encoding::protobuf);
    EXPECT_EQ(*encoding_of("application/vnd.google.protobuf", ""), encoding::protobuf);
    EXPECT_EQ(*encoding_of("", "{}"), encoding::json);
    EXPECT_EQ(*encoding_of("",
                           "\x0a\x04"
                           "acme"),
              encoding::protobuf);
    EXPECT_EQ(*encoding_of("", ""), encoding::protobuf);
    EXPECT_EQ(encoding_of("text/plain", "{}").error().code, errc::malformed);
    EXPECT_EQ(encoding_of("application/cloudevents+json", "{}").error().code, errc::malformed);
}

TEST(RecordKey, IsTenantSlashUser) { EXPECT_EQ(record_key(tenant_id("acme"), user_id("anna")), "acme/anna"); }

TEST(TaskChanged, ALineACrmWouldSendIsRead) {
    auto const t = decode_task_changed(crm_line, encoding::json);

    ASSERT_TRUE(t.has_value());
    EXPECT_EQ(t->tenant.str(), "acme");
    EXPECT_EQ(t->user.str(), "anna");
    EXPECT_EQ(t->task.str(), "T-1");
    EXPECT_EQ(t->version, 1);
    EXPECT_EQ(t->type, "meeting");
    EXPECT_EQ(t->title, "Appointment");
    EXPECT_EQ(t->customer, "Bosch");
    EXPECT_EQ(t->start, "2026-11-25T10:00:00");
    EXPECT_EQ(t->end, "2026-11-25T11:00:00");
    EXPECT_EQ(t->time_zone, "Europe/Zurich");
    ASSERT_EQ(t->attendees.size(), 1u);
    EXPECT_EQ(t->attendees[0].email, "kim@example.com");
    EXPECT_TRUE(t->google_meet);
    EXPECT_TRUE(t->sync_to_calendar);
    EXPECT_FALSE(t->reminders.has_value());
    EXPECT_FALSE(t->deleted);
}

TEST(TaskChanged, EveryFieldSurvivesBothEncodings) {
    auto const t = full_task();

    for (auto const as : {encoding::json, encoding::protobuf}) {
        auto const back = decode_task_changed(encode_task_changed(t, as), as);
        ASSERT_TRUE(back.has_value()) << back.error().context;
        expect_equal(*back, t);
    }
}

TEST(TaskChanged, BothEncodingsAreRecognisedWithoutAContentType) {
    auto const t = full_task();

    for (auto const as : {encoding::json, encoding::protobuf}) EXPECT_EQ(*encoding_of("", encode_task_changed(t, as)), as);
}

TEST(TaskChanged, SnakeCaseUnknownMembersAndNumbersAsTextAreAccepted) {
    auto const t = decode_task_changed(
        R"({"tenant_id":"acme","user_id":"anna","task_id":"T-1","version":"12","google_meet":true,"applied_update_seq":3,"from_the_future":{"a":[1,2]}})",
        encoding::json);

    ASSERT_TRUE(t.has_value()) << t.error().context;
    EXPECT_EQ(t->version, 12);
    EXPECT_EQ(t->applied_update_seq, 3);
    EXPECT_TRUE(t->google_meet);
}

TEST(TaskChanged, AbsentRemindersDifferFromEmptyOnes) {
    EXPECT_FALSE(decode_task_changed(with(""), encoding::json)->reminders.has_value());
    auto const none = decode_task_changed(with(R"("reminders":{})"), encoding::json);
    ASSERT_TRUE(none->reminders.has_value());
    EXPECT_TRUE(none->reminders->empty());
    auto const again = decode_task_changed(encode_task_changed(*none, encoding::protobuf), encoding::protobuf);
    EXPECT_TRUE(again->reminders.has_value());
}

TEST(TaskChanged, SyncToCalendarIsTrueUnlessSaidOtherwise) {
    EXPECT_TRUE(decode_task_changed(with(""), encoding::json)->sync_to_calendar);
    EXPECT_TRUE(decode_task_changed(with(R"("syncToCalendar":true)"), encoding::json)->sync_to_calendar);
    EXPECT_FALSE(decode_task_changed(with(R"("syncToCalendar":false)"), encoding::json)->sync_to_calendar);
}

TEST(TaskChanged, ADeletionNeedsOnlyIdsAndVersion) {
    auto const t = decode_task_changed(with(R"("deleted":true)"), encoding::json);
    ASSERT_TRUE(t.has_value());
    EXPECT_TRUE(t->deleted);
}

struct bad_line {
    std::string json;
    errc code;
    std::string named;
};

TEST(TaskChanged, WhatIsWrongIsRefusedAndNamed) {
    std::string many = R"("attendees":[)";
    for (int i = 0; i < 501; ++i) many += std::string(i ? "," : "") + R"({"email":"a@b.c"})";
    many += "]";
    std::string reminders = R"("reminders":{"overrides":[)";
    for (int i = 0; i < 101; ++i) reminders += std::string(i ? "," : "") + R"({"method":"popup"})";
    reminders += "]}";
    std::string lines = R"("recurrence":[)";
    for (int i = 0; i < 2001; ++i) lines += std::string(i ? "," : "") + R"("X")";
    lines += "]";
    std::vector<bad_line> const cases{
        {R"({"userId":"anna","taskId":"T-1","version":1})", errc::malformed, "tenantId"},
        {R"({"tenantId":"acme","taskId":"T-1","version":1})", errc::malformed, "userId"},
        {R"({"tenantId":"acme","userId":"anna","version":1})", errc::malformed, "taskId"},
        {R"({"tenantId":"acme","userId":"anna","taskId":"T-1"})", errc::malformed, "version"},
        {R"({"tenantId":"acme","userId":"anna","taskId":"T-1","version":-3})", errc::malformed, "version"},
        {R"({"tenantId":"ac me","userId":"anna","taskId":"T-1","version":1})", errc::malformed, "tenantId"},
        {R"({"tenantId":"a/b","userId":"anna","taskId":"T-1","version":1})", errc::malformed, "tenantId"},
        {R"({"tenantId":")" + std::string(65, 'a') + R"(","userId":"anna","taskId":"T-1","version":1})", errc::malformed, "tenantId"},
        {R"({"tenantId":"acme","userId":")" + std::string(65, 'a') + R"(","taskId":"T-1","version":1})", errc::malformed, "userId"},
        {R"({"tenantId":"acme","userId":"anna","taskId":")" + std::string(129, 'a') + R"(","version":1})", errc::malformed, "taskId"},
        {with(R"("appliedUpdateSeq":-1)"), errc::malformed, "appliedUpdateSeq"},
        {with(R"("sendUpdates":"everybody")"), errc::malformed, "sendUpdates"},
        {with(R"("attendees":"kim")"), errc::malformed, "task-changed"},
        {with(R"("title":17.5e3000)"), errc::malformed, "task-changed"},
        {with(R"("googleMeet":"perhaps")"), errc::malformed, "googleMeet"},
        {with(many), errc::too_large, "attendees"},
        {with(reminders), errc::too_large, "reminders"},
        {with(lines), errc::too_large, "recurrence"},
        {with(R"("scope":"THIS")"), errc::malformed, "occurrence"},
        {with(R"("scope":"SOME","occurrence":"2026-11-25")"), errc::malformed, "scope"},
        {with(R"("scope":"THIS_AND_FOLLOWING","occurrence":"2026-11-25")"), errc::malformed, "followingTaskId"},
        {with(R"("scope":"THIS","occurrence":")" + std::string(65, '1') + R"(")"), errc::too_large, "occurrence"},
        {with(R"("changedAt":"yesterday")"), errc::malformed, "changedAt"},
        {with(R"("title":")" + std::string(1 << 20, 'x') + R"(")"), errc::too_large, "1 MiB"},
        {"{", errc::malformed, "task-changed"},
        {"", errc::malformed, "task-changed"},
        {"[]", errc::malformed, "task-changed"},
        {"null", errc::malformed, "task-changed"},
        {with("") + "garbage", errc::malformed, "task-changed"},
        {with(R"("x":)" + std::string(200'000, '[')), errc::malformed, "task-changed"},
    };
    for (auto const& c : cases) {
        auto const t = decode_task_changed(c.json, encoding::json);
        ASSERT_FALSE(t.has_value()) << c.json.substr(0, 200);
        EXPECT_EQ(t.error().code, c.code) << c.json.substr(0, 200);
        EXPECT_NE(t.error().context.find(c.named), std::string::npos) << t.error().context;
    }
}

TEST(TaskChanged, AnErrorNeverQuotesTheValue) {
    auto const t = decode_task_changed(with(R"("version":"canary-text")"), encoding::json);
    ASSERT_FALSE(t.has_value());
    EXPECT_EQ(t.error().context.find("canary"), std::string::npos) << t.error().context;
    EXPECT_NE(t.error().context.find("version"), std::string::npos) << t.error().context;
}

TEST(TaskChanged, FiveHundredAttendeesAndIdsOfFullLengthAreRead) {
    auto t = full_task();
    t.tenant = tenant_id(std::string(64, 't'));
    t.user = user_id(std::string(64, 'u'));
    t.task = task_id(std::string(128, 'k'));
    t.attendees.assign(500, {.email = "a@b.c", .name = "", .optional = false});
    EXPECT_TRUE(decode_task_changed(encode_task_changed(t, encoding::json), encoding::json).has_value());
}

TEST(TaskChanged, BrokenTextIsMadeStorable) {
    auto const nul = decode_task_changed(with(R"("title":"a\u0000b")"), encoding::json);
    ASSERT_TRUE(nul.has_value());
    EXPECT_EQ(nul->title,
              "a\xEF\xBF\xBD"
              "b");

    auto t = full_task();
    t.title = "bad \xFF byte";
    for (auto const as : {encoding::json, encoding::protobuf}) {
        auto const back = decode_task_changed(encode_task_changed(t, as), as);
        ASSERT_TRUE(back.has_value());
        EXPECT_EQ(back->title, "bad \xEF\xBF\xBD byte");
    }
}

TEST(TaskChanged, RandomBytesNeverDoMoreThanFail) {
    std::mt19937 random(20261121);
    auto const good_binary = encode_task_changed(full_task(), encoding::protobuf);
    auto const good_json = encode_task_changed(full_task(), encoding::json);
    for (int i = 0; i < 20'000; ++i) {
        bool const binary = i % 2 == 0;
        auto value = binary ? good_binary : good_json;
        for (int flips = 1 + static_cast<int>(random() % 4); flips > 0; --flips)
            value[random() % value.size()] = static_cast<char>(random());
        if (random() % 4 == 0) value.resize(random() % value.size());
        auto const as = binary ? encoding::protobuf : encoding::json;
        auto const t = decode_task_changed(value, as);
        if (!t) continue;
        // Whatever is let through can be stored and read back.
        auto const back = decode_task_changed(encode_task_changed(*t, as), as);
        ASSERT_TRUE(back.has_value());
        expect_equal(*back, *t);
    }
}

TEST(CalendarChanged, EveryFieldAndCauseSurvivesBothEncodings) {
    domain::calendar_changed m;
    m.tenant = tenant_id("acme");
    m.user = user_id("anna");
    m.connection = {time_ordered_uuid()};
    m.calendar = {time_ordered_uuid()};
    m.channel = channel_id{random_uuid()};
    m.message_number = 42;
    m.received_at = instant{std::chrono::sys_days{std::chrono::year{2026} / 11 / 25}} + std::chrono::microseconds(123456);
    m.resource_state = "exists";
    for (auto const why : {domain::cause::push, domain::cause::poll, domain::cause::manual, domain::cause::initial, domain::cause::resync,
                           domain::cause::retry}) {
        m.why = why;
        for (auto const as : {encoding::json, encoding::protobuf}) {
            auto const back = decode_calendar_changed(encode_calendar_changed(m, as), as);
            ASSERT_TRUE(back.has_value()) << back.error().context;
            EXPECT_EQ(back->tenant, m.tenant);
            EXPECT_EQ(back->user, m.user);
            EXPECT_EQ(back->connection, m.connection);
            EXPECT_EQ(back->calendar, m.calendar);
            EXPECT_EQ(back->why, why);
            EXPECT_EQ(back->channel, m.channel);
            EXPECT_EQ(back->message_number, 42);
            EXPECT_EQ(back->received_at, m.received_at);
            EXPECT_EQ(back->resource_state, "exists");
        }
    }
}

TEST(CalendarChanged, TenantMayBeEmptyAndOptionalFieldsAbsent) {
    domain::calendar_changed m;
    m.connection = {random_uuid()};
    m.calendar = {random_uuid()};
    m.why = domain::cause::poll;

    auto const back = decode_calendar_changed(encode_calendar_changed(m), encoding::protobuf);

    ASSERT_TRUE(back.has_value());
    EXPECT_TRUE(back->tenant.empty());
    EXPECT_FALSE(back->channel.has_value());
    EXPECT_FALSE(back->received_at.has_value());
}

TEST(CalendarChanged, APushOnTheCalendarListNamesNoCalendar) {
    domain::calendar_changed m;
    m.connection = {random_uuid()};
    m.channel = channel_id{random_uuid()};
    for (auto const as : {encoding::json, encoding::protobuf}) {
        auto const back = decode_calendar_changed(encode_calendar_changed(m, as), as);
        ASSERT_TRUE(back.has_value()) << back.error().context;
        EXPECT_TRUE(back->calendar.is_nil());
        EXPECT_EQ(back->channel, m.channel);
    }
    EXPECT_EQ(encode_calendar_changed(m, encoding::json).find("calendarId"), std::string::npos);
    m.channel.reset();
    EXPECT_FALSE(decode_calendar_changed(encode_calendar_changed(m), encoding::protobuf).has_value()) << "only a push may";
}

TEST(CalendarChanged, ACauseFromANewerSenderMeansPoll) {
    std::string const ids = R"("connectionId":"0191e0a0-0000-7000-8000-000000000001","calendarId":"0191e0a0-0000-7000-8000-000000000002")";
    for (std::string const cause : {R"("cause":"EARTHQUAKE",)", R"("cause":99,)", ""}) {
        auto const m = decode_calendar_changed("{" + cause + ids + "}", encoding::json);
        ASSERT_TRUE(m.has_value()) << cause << m.error().context;
        EXPECT_EQ(m->why, domain::cause::poll);
    }
    EXPECT_EQ(decode_calendar_changed(R"({"cause":"MANUAL",)" + ids + "}", encoding::json)->why, domain::cause::manual);
}

TEST(CalendarChanged, WhatIsWrongIsRefusedAndNamed) {
    std::string const a = R"("connectionId":"0191e0a0-0000-7000-8000-000000000001")";
    std::string const b = R"("calendarId":"0191e0a0-0000-7000-8000-000000000002")";
    std::vector<bad_line> const cases{
        {"{" + a + "}", errc::malformed, "calendarId"},
        {"{" + b + "}", errc::malformed, "connectionId"},
        {"{" + a + R"(,"calendarId":"primary"})", errc::malformed, "calendarId"},
        {"{" + a + "," + b + R"(,"tenantId":"a b"})", errc::malformed, "tenantId"},
        {"{" + a + "," + b + R"(,"userId":"a b"})", errc::malformed, "userId"},
        {"{" + a + "," + b + R"(,"channelId":"x"})", errc::malformed, "channelId"},
        {"{" + a + "," + b + R"(,"messageNumber":-1})", errc::malformed, "messageNumber"},
        {"{" + a + "," + b + R"(,"receivedAt":"yesterday"})", errc::malformed, "receivedAt"},
        {"{", errc::malformed, "calendar-changed"},
    };
    for (auto const& c : cases) {
        auto const m = decode_calendar_changed(c.json, encoding::json);
        ASSERT_FALSE(m.has_value()) << c.json;
        EXPECT_EQ(m.error().code, c.code);
        EXPECT_NE(m.error().context.find(c.named), std::string::npos) << m.error().context;
    }
    // Timestamps as only a binary value can spell them: field 9 with seconds (field 1) or nanoseconds (field 2) out of range.
    std::string const ids =
        "\x1a\x24"
        "0191e0a0-0000-7000-8000-000000000001"
        "\x22\x24"
        "0191e0a0-0000-7000-8000-000000000002";
    std::string const nine(9, '\xff');
    std::string const too_late = "\x4a\x0a\x08" + std::string(8, '\xff') + "\x7f";
    std::string const too_early = "\x4a\x0b\x08" + std::string(9, '\x80') + "\x01";
    std::string const negative_nanos = "\x4a\x0b\x10" + nine + "\x01";
    std::string const a_second_of_nanos = "\x4a\x06\x10\x80\x94\xeb\xdc\x03";
    for (auto const& stamp : {too_late, too_early, negative_nanos, a_second_of_nanos}) {
        auto const m = decode_calendar_changed(ids + stamp, encoding::protobuf);
        ASSERT_FALSE(m.has_value());
        EXPECT_NE(m.error().context.find("receivedAt"), std::string::npos) << m.error().context;
    }
    EXPECT_TRUE(decode_calendar_changed(ids + "\x4a\x06\x10\xff\x93\xeb\xdc\x03", encoding::protobuf).has_value());
}

domain::task_update full_update() {
    domain::task_update u;
    u.tenant = tenant_id("acme");
    u.user = user_id("anna");
    u.task = task_id("T-1");
    u.sequence = 3;
    u.task_version = 2;
    u.connection = {random_uuid()};
    u.google_calendar_id = "anna@example.com";
    u.google_event_id = "abc123";
    u.etag = "\"42\"";
    u.html_link = "https://calendar.google.com/x";
    u.meet_link = "https://meet.google.com/abc";
    u.changed = {"time", "title"};
    u.title = "Moved";
    u.description = "text";
    u.location = "Bern";
    u.start = "2026-11-25T10:00:00";
    u.end = "2026-11-25T11:00:00";
    u.time_zone = "Europe/Zurich";
    u.all_day = true;
    u.attendees = {{.email = "kim@example.com", .name = "Kim", .response = "accepted", .optional = true}};
    u.conflicts = {{.field = "title", .base = "a", .crm = "b", .google = "c"}};
    u.reason = "reason";
    u.explanation = "One sentence.";
    u.operation_id = "op-1";
    return u;
}

TEST(TaskUpdate, EveryFieldAndKindSurvivesBothEncodings) {
    auto u = full_update();
    for (auto const kind :
         {domain::update_kind::synced, domain::update_kind::changed, domain::update_kind::cancelled, domain::update_kind::conflict,
          domain::update_kind::imported, domain::update_kind::failed, domain::update_kind::occurrence_changed}) {
        u.kind = kind;
        for (auto const as : {encoding::json, encoding::protobuf}) {
            auto const back = decode_task_update(encode_task_update(u, as), as);
            ASSERT_TRUE(back.has_value()) << back.error().context;
            EXPECT_EQ(back->tenant, u.tenant);
            EXPECT_EQ(back->user, u.user);
            EXPECT_EQ(back->task, u.task);
            EXPECT_EQ(back->sequence, 3);
            EXPECT_EQ(back->task_version, 2);
            EXPECT_EQ(back->kind, kind);
            EXPECT_EQ(back->connection, u.connection);
            EXPECT_EQ(back->google_calendar_id, u.google_calendar_id);
            EXPECT_EQ(back->google_event_id, u.google_event_id);
            EXPECT_EQ(back->etag, u.etag);
            EXPECT_EQ(back->html_link, u.html_link);
            EXPECT_EQ(back->meet_link, u.meet_link);
            EXPECT_EQ(back->changed, u.changed);
            EXPECT_EQ(back->title, u.title);
            EXPECT_EQ(back->description, u.description);
            EXPECT_EQ(back->location, u.location);
            EXPECT_EQ(back->start, u.start);
            EXPECT_EQ(back->end, u.end);
            EXPECT_EQ(back->time_zone, u.time_zone);
            EXPECT_TRUE(back->all_day);
            ASSERT_EQ(back->attendees.size(), 1u);
            EXPECT_EQ(back->attendees[0].email, "kim@example.com");
            EXPECT_EQ(back->attendees[0].name, "Kim");
            EXPECT_EQ(back->attendees[0].response, "accepted");
            EXPECT_TRUE(back->attendees[0].optional);
            ASSERT_EQ(back->conflicts.size(), 1u);
            EXPECT_EQ(back->conflicts[0].field, "title");
            EXPECT_EQ(back->conflicts[0].base, "a");
            EXPECT_EQ(back->conflicts[0].crm, "b");
            EXPECT_EQ(back->conflicts[0].google, "c");
            EXPECT_EQ(back->reason, "reason");
            EXPECT_EQ(back->explanation, "One sentence.");
            EXPECT_EQ(back->operation_id, "op-1");
        }
    }
}

TEST(TaskUpdate, WhatIsWrongIsRefusedAndNamed) {
    std::vector<bad_line> const cases{
        {R"({"userId":"u","taskId":"t","sequence":1,"kind":"SYNCED"})", errc::malformed, "tenantId"},
        {R"({"tenantId":"a","taskId":"t","sequence":1,"kind":"SYNCED"})", errc::malformed, "userId"},
        {R"({"tenantId":"a","userId":"u","sequence":1,"kind":"SYNCED"})", errc::malformed, "taskId"},
        {R"({"tenantId":"a","userId":"u","taskId":"t","kind":"SYNCED"})", errc::malformed, "sequence"},
        {R"({"tenantId":"a","userId":"u","taskId":"t","sequence":1})", errc::malformed, "kind"},
        {R"({"tenantId":"a","userId":"u","taskId":"t","sequence":1,"kind":"EARTHQUAKE"})", errc::malformed, "kind"},
        {R"({"tenantId":"a","userId":"u","taskId":"t","sequence":1,"kind":77})", errc::malformed, "kind"},
        {R"({"tenantId":"a","userId":"u","taskId":"t","sequence":1,"kind":"SYNCED","connectionId":"x"})", errc::malformed, "connectionId"},
        {"nonsense", errc::malformed, "task-updates"},
    };
    for (auto const& c : cases) {
        auto const u = decode_task_update(c.json, encoding::json);
        ASSERT_FALSE(u.has_value()) << c.json;
        EXPECT_EQ(u.error().code, c.code);
        EXPECT_NE(u.error().context.find(c.named), std::string::npos) << u.error().context;
    }
}

TEST(SyncAlert, IsReadableJson) {
    domain::sync_alert a{.tenant = tenant_id("acme"),
                         .kind = "connection_revoked",
                         .subject = "c-1",
                         .explanation = "Anna must connect again.",
                         .resolved = true,
                         .at = instant{std::chrono::sys_days{std::chrono::year{2026} / 11 / 25}}};
    EXPECT_EQ(
        encode_sync_alert(a, encoding::json),
        R"({"tenantId":"acme","kind":"connection_revoked","subject":"c-1","explanation":"Anna must connect again.","resolved":true,"at":"2026-11-25T00:00:00Z"})");
    EXPECT_FALSE(encode_sync_alert(a, encoding::protobuf).empty());
}

TEST(SyncAlert, AnInstantOutsideTheCalendarIsBounded) {
    domain::sync_alert a{.tenant = tenant_id("acme"), .kind = "k", .at = instant::max()};
    EXPECT_NE(encode_sync_alert(a, encoding::json).find("9999-12-31T23:59:59"), std::string::npos);
}

}  // namespace
}  // namespace calbridge::wire
