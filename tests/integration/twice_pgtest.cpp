// Whatever a listing holds, taking it in a second time changes nothing and sends nothing.
#include "inbound_stack.h"

namespace calbridge::integration {
namespace {

class twice_stack : public inbound_stack {
protected:
    // Everything the database holds but times, counters of passes and leases.
    std::string everything() {
        return sql(R"(
            SELECT md5(coalesce((SELECT string_agg(x, '|' ORDER BY x) FROM (
                SELECT 'task ' || (to_jsonb(t) - 'received_at' - 'retry_at')::text FROM tasks t
                UNION ALL SELECT 'link ' || (to_jsonb(l) - 'google_calendar_synced_at' - 'ended_at' - 'created_at')::text FROM task_links l
                UNION ALL SELECT 'operation ' || (to_jsonb(o) - 'created_at' - 'finished_at')::text FROM operations o
                UNION ALL SELECT 'event ' || (to_jsonb(e) - 'seen_pass')::text FROM events e
                UNION ALL SELECT 'busy ' || to_jsonb(b)::text FROM blocked_times b
                UNION ALL SELECT 'meeting ' || (to_jsonb(m) - 'claimed_at')::text FROM meetings m
                UNION ALL SELECT 'aside ' || (to_jsonb(q) - 'last_seen_at' - 'seen_count')::text FROM quarantine q
                UNION ALL SELECT 'alert ' || to_jsonb(a)::text FROM alerts a
                UNION ALL SELECT 'outbox ' || (to_jsonb(b) - 'status' - 'sent_at' - 'claimed_until')::text FROM outbox b) AS all_rows (x)), '')))");
    }
    void expect_twice_is_once(std::string const& what) {
        SCOPED_TRACE(what);
        std::string const token = sql("SELECT sync_token FROM calendars");
        pull();
        std::string const once = everything();
        std::size_t const sent = kafka.records.size();
        std::int64_t const writes = calls("events.patch") + calls("events.insert") + calls("events.delete");

        // The same pages again: as after a crash before the cursor was stored, and as a full reading.
        sql("UPDATE calendars SET sync_token = '" + token + "'");
        pull();
        EXPECT_EQ(everything(), once) << "the same pages again";
        full_pull();
        EXPECT_EQ(everything(), once) << "a full reading";

        EXPECT_EQ(kafka.records.size(), sent);
        EXPECT_EQ(calls("events.patch") + calls("events.insert") + calls("events.delete"), writes);
    }
};

TEST_F(twice_stack, EveryScenario) {
    import_on(R"({"private":"busy","kinds":["default","outOfOffice"]})");
    say_series({{"attendees", json::array{json::object{{"email", "kim@example.com"}}}}});
    crm_says({{"taskId", "T-2"}, {"title", "Single"}});
    crm_says({{"taskId", "T-3"}, {"title", "To be deleted"}});
    work();

    edit(master() + "_20270127T090000Z", "one", {{"summary", "Renamed"}});
    expect_twice_is_once("a renamed occurrence");
    edit(master() + "_20270203T090000Z", "one", {});
    expect_twice_is_once("a cancelled occurrence");
    control(std::string(own_calendar) + "/events/" + master() + "_20270210T090000Z/rsvp",
            R"({"email":"kim@example.com","response":"accepted"})");
    expect_twice_is_once("an answer for one occurrence");
    change(master("T-2"), {{"location", "Room 9"}});
    expect_twice_is_once("an edited event");
    drop(master("T-3"));
    expect_twice_is_once("a deleted event");
    std::string const imported = make({{"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=5"}}});
    edit(imported + "_20270208T110000Z", "one", {{"summary", "With the boss"}});
    make({{"summary", "Private"}, {"visibility", "private"}});
    expect_twice_is_once("imports");
    edit(master() + "_20270224T090000Z", "following", {{"summary", "New format"}});
    expect_twice_is_once("a split");
    edit(master() + "_20270217T090000Z", "following", {{"summary", "Newer format"}}, true);
    expect_twice_is_once("a split under a new id");
    drop(imported);
    expect_twice_is_once("a deleted series");
    json::object const odd{
        {"id", "badrule"},
        {"json", R"({"summary":"x","recurrence":["RRULE:FREQ=SOMETIMES"],"start":{"date":"2027-02-03"},"end":{"date":"2027-02-04"}})"}};
    control(std::string(own_calendar) + "/raw", json::serialize(odd));
    expect_twice_is_once("something odd");
}

TEST_F(twice_stack, AnOpenConflict) {
    crm_says({});
    work();
    change(master(), {{"summary", "From Google"}});
    crm_says({{"title", "From CRM"}});
    work();
    ASSERT_EQ(row("T-1", "state"), "conflict");

    expect_twice_is_once("an open conflict");
}

}  // namespace
}  // namespace calbridge::integration
