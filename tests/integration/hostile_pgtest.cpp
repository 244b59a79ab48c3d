// What a listing may hold although no calendar should: set aside with a reason, the rest goes on, nobody else is touched.
#include "inbound_stack.h"

#include "domain/stamp.h"

#include <fmt/format.h>

#include <chrono>

namespace calbridge::integration {
namespace {

class hostile_stack : public inbound_stack {
protected:
    // An item shown exactly as written.
    void raw(std::string const& id, std::string const& json_text) {
        json::object const body{{"id", id}, {"json", json_text}};
        control(std::string(own_calendar) + "/raw", json::serialize(body));
    }
    // The pass goes through, a plain event beside the odd one is there, and the process has not complained.
    void expect_the_rest_goes_on() {
        std::string const good = make({{"summary", "Good one"}});
        pull();
        EXPECT_EQ(count("events WHERE google_event_id = '" + good + "'"), "1");
        EXPECT_EQ(sql("SELECT synced_seq = dirty_seq FROM calendars"), "t");
    }
    std::string reasons() {
        return sql("SELECT coalesce(string_agg(subject || ': ' || reason, ', ' ORDER BY subject), '') FROM quarantine");
    }
};

constexpr auto when = R"("start":{"dateTime":"2027-02-01T12:00:00+01:00"},"end":{"dateTime":"2027-02-01T13:00:00+01:00"})";

TEST_F(hostile_stack, NulsAndHalfSurrogatesBecomeVisible) {
    import_on();
    raw("nulnul", std::string(R"({"summary":"a\u0000b",)") + when + "}");
    raw("halfhalf", std::string(R"({"summary":"x \ud800 y","description":"\udc00",)") + when + "}");

    expect_the_rest_goes_on();

    EXPECT_EQ(reasons(), "");
    EXPECT_EQ(count("tasks"), "3");
    EXPECT_EQ(count("events WHERE raw ->> 'summary' LIKE '%' || chr(65533) || '%'"), "2");
}

TEST_F(hostile_stack, ImpossibleDatesAreSetAside) {
    raw("nodate", R"({"summary":"x","start":{"date":"2027-02-30"},"end":{"date":"2027-02-31"}})");
    raw("notime", R"({"summary":"x","start":{"dateTime":"2027-13-01T12:00:00Z"},"end":{"dateTime":"soon"}})");
    raw("mixed", R"({"summary":"x","start":{"date":"2027-02-03"},"end":{"dateTime":"2027-02-03T10:00:00Z"}})");

    expect_the_rest_goes_on();

    EXPECT_EQ(count("quarantine WHERE reason = 'unreadable_event' AND source = 'google-event' AND tenant_id = 'acme'"), "3");
    EXPECT_EQ(count("events"), "1");
}

TEST_F(hostile_stack, MissingMembersAndUnknownWordsAreTaken) {
    import_on();
    raw("baree", "{}");
    raw("words",
        std::string(
            R"({"summary":"x","status":"postponed","transparency":"see-through","visibility":"family","eventType":"party","colorId":"99",)") +
            when + "}");
    raw("nullsnulls",
        std::string(R"({"summary":null,"attendees":null,"reminders":7,"organizer":[],"recurrence":"RRULE:FREQ=DAILY",)") + when + "}");

    expect_the_rest_goes_on();

    EXPECT_EQ(reasons(), "");
    EXPECT_EQ(count("events"), "4");
    EXPECT_EQ(count("tasks"), "2") << "an unknown kind is none of ours, nor is what has no time";
}

TEST_F(hostile_stack, RulesNobodyCanReadAreSetAsideAndMirrored) {
    import_on();
    raw("badrule", std::string(R"({"summary":"x","recurrence":["RRULE:FREQ=SOMETIMES"],)") + when + "}");
    raw("toooften", std::string(R"({"summary":"x","recurrence":["RRULE:FREQ=SECONDLY"],)") + when + "}");

    expect_the_rest_goes_on();

    EXPECT_GE(std::stoi(count("quarantine")), 2);
    EXPECT_EQ(count("events"), "3");
    EXPECT_EQ(count("tasks"), "1");
}

TEST_F(hostile_stack, ALinkedEventThatTurnsUnreadableKeepsItsTask) {
    crm_says({});
    work();
    std::string const id = master();
    raw(id, std::string(R"({"summary":"x","recurrence":["RRULE:FREQ=SOMETIMES"],)") + when + "}");

    expect_the_rest_goes_on();

    EXPECT_EQ(sql("SELECT count(*) || ' ' || min(reason) FROM quarantine WHERE subject LIKE '%" + id + "'"), "1 unreadable_event");
    EXPECT_EQ(sql("SELECT state FROM task_links"), "live");
    EXPECT_EQ(row("T-1", "state"), "synced");
}

TEST_F(hostile_stack, GiantFieldsAreBounded) {
    import_on();
    raw("giant", R"({"summary":")" + std::string(50000, 's') + R"(","description":")" + std::string(100000, 'd') + "\"," + when + "}");
    raw("monster", R"({"summary":")" + std::string(400000, 's') + "\"," + when + "}");

    expect_the_rest_goes_on();

    EXPECT_EQ(sql("SELECT reason || ' ' || (length(value) <= 65536)::text FROM quarantine"), "unreadable_event true");
    EXPECT_EQ(sql("SELECT max(length(summary)) <= 8192 FROM events"), "t");
    EXPECT_EQ(sql("SELECT max(length(local::text)) < 100000 FROM tasks"), "t");
}

TEST_F(hostile_stack, StampsOfOtherTenantsConnectionsAndEventsMakeNothingOurs) {
    crm_says({});
    work();
    std::string const link = sql("SELECT link_id FROM task_links");
    auto const stamp = [&](std::string const& of_tenant, connection_id of_connection, std::string const& event) {
        domain::stamp_place const place{tenant_id(of_tenant), of_connection, "anna@example.com", event};
        return domain::make_stamp(ring, place, link_id{*parse_uuid(link)});
    };
    int n = 0;
    for (std::string const& s : {stamp("other", connection, "stampa"), stamp("acme", connection_id{random_uuid()}, "stampb"),
                                 stamp("acme", connection, master()), std::string("1.k1.nonsense"), std::string(5000, 's')}) {
        std::string const id = "stamp" + std::string(1, static_cast<char>('a' + n++));
        raw(id, R"({"summary":"Stolen","extendedProperties":{"private":{"calbridgeLink":")" + s + R"(","calbridgeOp":")" +
                    sql("SELECT operation_id FROM operations LIMIT 1") + "\"}}," + when + "}");
    }

    expect_the_rest_goes_on();

    EXPECT_EQ(count("tasks"), "1");
    EXPECT_EQ(count("task_links"), "1");
    EXPECT_EQ(count("events WHERE link_id IS NOT NULL"), "1");
    EXPECT_EQ(sql("SELECT local ->> 'title' FROM tasks"), "Appointment");
    EXPECT_TRUE(told(domain::update_kind::changed).empty());
}

TEST_F(hostile_stack, NothingOfAnotherTenantIsTouched) {
    std::string const before_rows =
        "SELECT coalesce(string_agg(t::text, ';'), '') FROM (SELECT * FROM tasks WHERE tenant_id = 'other' UNION ALL SELECT * FROM tasks "
        "WHERE tenant_id = 'other') t";
    sql("INSERT INTO tasks (tenant_id, task_id, user_id, version, snapshot, synced_seq) VALUES ('other', 'T-1', 'eve', 1, '{}', 1), "
        "('other', 'T-1/20270127T090000Z', 'eve', 1, '{}', 1)");
    sql("INSERT INTO meetings (tenant_id, ical_uid, task_id) VALUES ('other', 'shared@google.com', 'T-1')");
    std::string const before = sql(before_rows);
    import_on();
    raw("sharedd", std::string(R"({"summary":"Shared","iCalUID":"shared@google.com",)") + when + "}");
    say_series();
    edit(master() + "_20270127T090000Z", "one", {{"summary", "Mine"}});

    pull();

    EXPECT_EQ(sql(before_rows), before);
    EXPECT_EQ(last(domain::update_kind::imported).title, "Shared") << "another tenant's meeting is none of ours";
    EXPECT_EQ(count("meetings WHERE tenant_id = 'other'"), "1");
}

TEST_F(hostile_stack, TenThousandExceptionsOfOneSeriesDoNotStopTheOthers) {
    say_series({{"start", "2027-01-20T09:00:00"},
                {"end", "2027-01-20T10:00:00"},
                {"timeZone", "UTC"},
                {"recurrence", json::array{"RRULE:FREQ=DAILY"}}});
    std::string const id = master();
    std::chrono::sys_days const first = std::chrono::year(2027) / 1 / 20;
    for (int i = 0; i < 10000; ++i) {
        std::chrono::year_month_day const day(first + std::chrono::days(i));
        std::string const date = fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
                                             static_cast<unsigned>(day.day()));
        std::string const key = date.substr(0, 4) + date.substr(5, 2) + date.substr(8, 2) + "T090000Z";
        raw(id + "_" + key, R"({"status":"confirmed","summary":"Changed","recurringEventId":")" + id +
                                R"(","originalStartTime":{"dateTime":")" + date + R"(T09:00:00Z"},"start":{"dateTime":")" + date +
                                R"(T12:00:00Z"},"end":{"dateTime":")" + date + R"(T13:00:00Z"}})");
    }

    expect_the_rest_goes_on();

    EXPECT_EQ(count("tasks WHERE series_task_id = 'T-1'"), "1000");
    EXPECT_EQ(count("quarantine WHERE reason = 'too_many_exceptions'"), "9000");
    EXPECT_EQ(count("events"), "10002");
    crm_says({{"taskId", "T-2"}, {"title", "Another"}});
    work();
    EXPECT_EQ(row("T-2", "state"), "synced");
}

TEST_F(hostile_stack, ExceptionsOfNothingAndOfThemselvesAreMirrored) {
    raw("loop_20270127T090000Z",
        std::string(R"({"recurringEventId":"loop_20270127T090000Z","originalStartTime":{"dateTime":"2027-01-27T09:00:00Z"},)") + when +
            "}");
    raw("orphan_20270127T090000Z",
        std::string(R"({"recurringEventId":"nowhere","originalStartTime":{"dateTime":"2027-01-27T09:00:00Z"},)") + when + "}");
    raw("bare_20270127T090000Z", R"({"status":"cancelled"})");
    raw("_R20270127T090000", std::string(R"({"summary":"x","recurrence":["RRULE:FREQ=DAILY"],)") + when + "}");

    expect_the_rest_goes_on();

    EXPECT_EQ(count("events"), "5");
    EXPECT_EQ(count("tasks"), "0");
}

}  // namespace
}  // namespace calbridge::integration
