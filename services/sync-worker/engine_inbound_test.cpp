// What items of a listing mean beyond the event of a link.
#include "engine_in.h"

#include "domain/recurrence.h"
#include "domain/stamp.h"

#include <gtest/gtest.h>

namespace calbridge::worker {
namespace {

using std::chrono::days;
using std::chrono::hours;

constexpr instant wednesday{std::chrono::sys_days{std::chrono::year(2027) / 1 / 20} + hours(9)};

crypto::key_ring const& ring() {
    static crypto::key_ring const keys = crypto::key_ring::parse(secret("k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")).value();
    return keys;
}

surroundings around() {
    surroundings out;
    out.connection.tenant = tenant_id("acme");
    out.connection.id = connection_id{*parse_uuid("00000000-0000-4000-8000-000000000001")};
    out.connection.user = user_id("anna");
    out.connection.mode = domain::sync_mode::two_way;
    out.connection.import_external_events = true;
    out.calendar.id = calendar_id{*parse_uuid("00000000-0000-4000-8000-000000000002")};
    out.calendar.google_id = "anna@example.com";
    out.calendar.access_role = "owner";
    out.stamps = &ring();
    out.fresh_id = [] { return random_uuid(); };
    return out;
}

domain::calendar_event event(std::string id, instant start = wednesday) {
    domain::calendar_event e;
    e.id = std::move(id);
    e.status = "confirmed";
    e.summary = "Talk";
    e.event_type = "default";
    e.time = domain::time_range{.start = start, .end = start + hours(1), .zone = "Europe/Zurich"};
    return e;
}

domain::fields weekly(std::string title = "Talk") {
    domain::fields f;
    f.title = std::move(title);
    f.time = *event("x").time;
    f.recurrence = {"RRULE:FREQ=WEEKLY"};
    return domain::normalise(std::move(f));
}

series_cut_seen cut_of(std::string const& event_id) {
    series_cut_seen out;
    store::link_row link;
    link.tenant = tenant_id("acme");
    link.connection = around().connection.id;
    link.id = link_id{*parse_uuid("00000000-0000-4000-8000-000000000003")};
    link.google_calendar_id = "anna@example.com";
    link.event_id = event_id;
    link.remote = weekly();
    out.series.link = std::move(link);
    out.before = weekly();
    out.key = "20270203T090000Z";
    return out;
}

TEST(ExceptionNamed, BySeriesAndOriginalStartOrByTheIdOfABareItem) {
    auto moved = event("master_20270127T090000Z", wednesday + days(9));
    moved.recurring_event_id = "master";
    moved.original_start = domain::start_of_occurrence("20270127T090000Z", "");
    EXPECT_EQ(exception_named(moved)->key, "20270127T090000Z");

    domain::calendar_event bare;
    bare.status = "cancelled";
    for (auto const& [id, master] :
         {std::pair{"abc_20270127T090000Z", "abc"}, std::pair{"abc_R20270101T090000_20270127", "abc_R20270101T090000"}}) {
        bare.id = id;
        ASSERT_TRUE(exception_named(bare)) << id;
        EXPECT_EQ(exception_named(bare)->master, master);
    }
    for (auto const* id : {"abc", "abc_", "_20270127", "abc_R20270101T090000", "abc_20271327", "abc_2027"}) {
        bare.id = id;
        EXPECT_FALSE(exception_named(bare)) << id;
    }
    EXPECT_FALSE(exception_named(event("abc_20270127T090000Z"))) << "a living event says whose it is";
}

TEST(Imports, WhatPasses) {
    surroundings const here = around();
    import_rules rules = import_rules_of(here.connection);
    ASSERT_TRUE(rules.on);
    EXPECT_EQ(not_imported(event("a"), rules, here), "");
    auto away = event("a");
    away.event_type = "outOfOffice";
    EXPECT_EQ(not_imported(away, rules, here), "kind");
    auto hidden = event("a");
    hidden.visibility = "confidential";
    EXPECT_EQ(not_imported(hidden, rules, here), "private");
    auto gone = event("a");
    gone.status = "cancelled";
    EXPECT_EQ(not_imported(gone, rules, here), "cancelled");
    surroundings seen_as_busy = here;
    seen_as_busy.calendar.access_role = "freeBusyReader";
    EXPECT_EQ(not_imported(event("a"), rules, seen_as_busy), "busy_only");
    for (auto const mode : {domain::sync_mode::crm_to_google, domain::sync_mode::busy_only}) {
        store::connection_row one_way = here.connection;
        one_way.mode = mode;
        EXPECT_FALSE(import_rules_of(one_way).on);
    }
}

TEST(Imports, TheConnectionsRulesGoBeforeItsTenants) {
    store::connection_row connection = around().connection;
    connection.tenant_settings = R"({"import":{"colours":["3"]}})";
    EXPECT_TRUE(import_rules_of(connection).colors.contains("3"));
    connection.sync_settings = R"({"import":{"kinds":["default","fromGmail"],"participants":["Kim@Bosch.com"]}})";
    EXPECT_TRUE(import_rules_of(connection).colors.empty());
    EXPECT_TRUE(import_rules_of(connection).kinds.contains("fromGmail"));
    EXPECT_TRUE(import_rules_of(connection).participants.contains("kim@bosch.com"));
    connection.sync_settings = "broken";
    EXPECT_TRUE(import_rules_of(connection).kinds.contains("default"));
}

TEST(Imports, AnotherReadingIsTakenWhereItMeansAnother) {
    store::connection_row one = around().connection;
    store::connection_row other = one;
    EXPECT_EQ(reading_of(one), reading_of(other));
    other.sync_settings = R"({"title_templates":{"":"{title}"}})";
    EXPECT_EQ(reading_of(one), reading_of(other)) << "nothing about reading";
    other.sync_settings = R"({"import":{"private":"busy"}})";
    EXPECT_NE(reading_of(one), reading_of(other));
    other.import_external_events = false;
    store::connection_row off = one;
    off.import_external_events = false;
    EXPECT_EQ(reading_of(off), reading_of(other)) << "rules of what is switched off";
}

TEST(Imports, ATaskIsMadeWithItsLinkItsHistoryAndOneMessage) {
    auto e = event("abc");
    e.ical_uid = "abc@google.com";
    e.description = "Bring papers";
    auto const made = import_event(e, {}, around());

    ASSERT_TRUE(made);
    EXPECT_EQ(made->rows.task.version, 0);
    EXPECT_EQ(made->rows.task.origin, "google");
    EXPECT_EQ(made->rows.task.snapshot.version, 1) << "so that it can be read again";
    EXPECT_EQ(*made->rows.task.seen, *made->rows.link.base);
    EXPECT_EQ(made->update.kind, domain::update_kind::imported);
    EXPECT_EQ(made->update.sequence, 1);
    EXPECT_EQ(made->update.description, "Bring papers");
    EXPECT_EQ(made->claim.ical_uid, "abc@google.com");
    EXPECT_EQ(made->rows.history.kind, "import");
}

TEST(Writability, OrganizersKindsAndLocksDecide) {
    auto e = event("abc");
    EXPECT_EQ(read_only_of(e), "");
    e.organizer_self = false;
    EXPECT_EQ(read_only_of(e), "guest");
    e.guests_can_modify = true;
    EXPECT_EQ(read_only_of(e), "");
    e.locked = true;
    EXPECT_EQ(read_only_of(e), "locked");
    e.event_type = "focusTime";
    EXPECT_EQ(read_only_of(e), "kind");
}

TEST(Splits, ATailIsKnownByItsIdItsCopiedStampOrItsTitleAndPlace) {
    surroundings const here = around();
    auto const cut = cut_of("abc");
    instant const at = wednesday + days(14);

    auto by_id = event("abc_R20270203T090000", at + hours(5));
    by_id.summary = "Renamed";
    EXPECT_TRUE(continues(by_id, cut, here));
    EXPECT_FALSE(continues(event("abc_R20270303T090000", at + days(28)), cut, here)) << "another cut's";
    EXPECT_FALSE(continues(event("abd_R20270203T090000", at + hours(5)), cut, here));

    auto by_stamp = event("wholly", at + hours(5));
    by_stamp.summary = "Renamed";
    by_stamp.stamp = domain::make_stamp(ring(), {tenant_id("acme"), here.connection.id, "anna@example.com", "abc"}, cut.series.link->id);
    EXPECT_TRUE(continues(by_stamp, cut, here));
    by_stamp.stamp = domain::make_stamp(ring(), {tenant_id("other"), here.connection.id, "anna@example.com", "abc"}, cut.series.link->id);
    EXPECT_FALSE(continues(by_stamp, cut, here));

    auto by_title = event("wholly", at);
    by_title.recurrence = {"RRULE:FREQ=WEEKLY"};
    EXPECT_TRUE(continues(by_title, cut, here));
    by_title.summary = "Another";
    EXPECT_FALSE(continues(by_title, cut, here));
    by_title.summary = "Talk";
    by_title.time->start += hours(1);
    by_title.time->end += hours(1);
    EXPECT_FALSE(continues(by_title, cut, here));
}

TEST(Splits, ATailThatComesFirstNamesTheOccurrenceItTakesOverFrom) {
    auto const cut = cut_of("abc");
    EXPECT_EQ(continued_from(event("abc_R20270203T090000", wednesday + days(14)), *cut.series.link), "20270203T090000Z");
    EXPECT_EQ(continued_from(event("abc_R20270204T090000", wednesday + days(14)), *cut.series.link), "20270203T090000Z")
        << "by its own start";
    EXPECT_FALSE(continued_from(event("abd_R20270203T090000", wednesday + days(14)), *cut.series.link));
    EXPECT_FALSE(continued_from(event("abc_R20270204T090000", wednesday + days(15)), *cut.series.link)) << "the series has nothing there";
}

TEST(Private, OfATaskMadeFromIt) {
    store::task_row task;
    task.origin = "google";
    store::link_row link;
    link.google_base = weekly("Busy");
    auto e = event("abc");
    e.visibility = "private";
    e.description = "Secret";
    e.attendees.push_back({.email = "kim@example.com"});

    auto const known = as_known(e, task, link);

    EXPECT_EQ(known.summary, "Busy");
    EXPECT_EQ(known.description, "");
    EXPECT_TRUE(known.attendees.empty());
    EXPECT_EQ(*known.time, *e.time);
    task.origin = "crm";
    EXPECT_EQ(as_known(e, task, link).summary, "Talk") << "our own event is the CRM's, however private";
}

}  // namespace
}  // namespace calbridge::worker
