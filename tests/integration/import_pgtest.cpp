// Foreign events become tasks, by choice and by rule, each meeting once.
#include "inbound_stack.h"

#include "domain/topics.h"

namespace calbridge::integration {
namespace {

class import_stack : public inbound_stack {
protected:
    std::string imported_id() { return sql("SELECT task_id FROM tasks WHERE origin = 'google' AND series_task_id IS NULL"); }
    // What a CRM that took the import over sends.
    json::object as_told(domain::task_update const& u) {
        json::object said{
            {"taskId", u.task.str()}, {"title", u.title},        {"location", u.location},       {"start", u.start},
            {"end", u.end},           {"timeZone", u.time_zone}, {"description", u.description}, {"appliedUpdateSeq", u.sequence},
            {"type", "meeting"}};
        json::array guests, lines;
        for (auto const& g : u.attendees) guests.push_back(json::object{{"email", g.email}});
        for (auto const& line : u.recurrence) lines.emplace_back(line);
        said["attendees"] = std::move(guests);
        said["recurrence"] = std::move(lines);
        return said;
    }
};

TEST_F(import_stack, ForeignEventsStayForeignUnlessAsked) {
    make({});

    pull();

    EXPECT_EQ(count("tasks"), "0");
    EXPECT_EQ(count("events"), "1");
}

TEST_F(import_stack, AnEventBecomesATaskOnceAndNothingIsWrittenToGoogle) {
    import_on();
    make({{"summary", "Dentist"}, {"location", "Bahnhofstrasse 1"}, {"description", "Bring papers"}, {"colorId", "5"}});

    pull();
    full_pull();

    auto const heard = told(domain::update_kind::imported);
    ASSERT_EQ(heard.size(), 1u);
    EXPECT_EQ(heard[0].task.str().substr(0, 4), "cal-");
    EXPECT_EQ(heard[0].title, "Dentist");
    EXPECT_EQ(heard[0].location, "Bahnhofstrasse 1");
    EXPECT_EQ(heard[0].description, "Bring papers");
    EXPECT_EQ(heard[0].start, "2027-02-01T12:00:00");
    EXPECT_EQ(row(imported_id(), "origin || ' ' || state || ' ' || version"), "google synced 0");
    EXPECT_EQ(sql("SELECT kind || ' ' || state FROM operations"), "import done");
    EXPECT_EQ(calls("events.patch"), 0);
    EXPECT_EQ(count("events WHERE link_id IS NOT NULL"), "1");
}

TEST_F(import_stack, TheCrmsFirstWordIsAnEchoAndALaterOneAnEdit) {
    import_on();
    std::string const id = make({{"summary", "Dentist"}, {"colorId", "5"}});
    pull();
    auto const heard = last(domain::update_kind::imported);
    crm_says(as_told(heard));
    work();
    EXPECT_EQ(calls("events.patch"), 0);

    json::object said = as_told(heard);
    said["title"] = "Dentist, second visit";
    crm_says(std::move(said));
    work();

    EXPECT_EQ(calls("events.patch"), 1);
    auto const event = events().at(0).as_object();
    EXPECT_EQ(json::text_or(event, "summary"), "Dentist, second visit");
    EXPECT_EQ(json::text_or(event, "colorId"), "5");
    EXPECT_EQ(json::text_or(event, "description"), "");
    EXPECT_EQ(json::text_or(event, "id"), id);
}

TEST_F(import_stack, AnEditOfAnImportedEventIsTold) {
    import_on();
    std::string const id = make({});
    pull();
    change(id, {{"summary", "Late lunch"}});

    pull();

    EXPECT_EQ(last(domain::update_kind::changed).title, "Late lunch");
    EXPECT_EQ(last(domain::update_kind::changed).task.str(), imported_id());
}

TEST_F(import_stack, TurningItOnLaterPicksUpWhatIsThereAndOffLeavesTasksAlone) {
    std::string const id = make({});
    pull();
    EXPECT_EQ(count("tasks"), "0");
    import_on();
    EXPECT_EQ(sql("SELECT synced_seq < dirty_seq FROM calendars"), "t") << "the choice itself asks for a reading";
    work();
    EXPECT_EQ(count("tasks"), "1");

    sql("UPDATE user_calendar_connections SET import_external_events = false");
    work();
    make({{"summary", "Another"}});
    change(id, {{"summary", "Late lunch"}});
    pull();

    EXPECT_EQ(count("tasks WHERE state = 'synced'"), "1");
    EXPECT_EQ(last(domain::update_kind::changed).title, "Late lunch");
}

TEST_F(import_stack, RulesSayWhichEvents) {
    import_on(R"({"colours":["5"],"participants":["@bosch.com"]})");
    make({{"summary", "No colour"}, {"attendees", json::array{json::object{{"email", "kim@bosch.com"}}}}});
    make({{"summary", "Nobody"}, {"colorId", "5"}});
    make({{"summary", "Both"}, {"colorId", "5"}, {"attendees", json::array{json::object{{"email", "Kim@Bosch.com"}}}}});

    pull();

    auto const heard = told(domain::update_kind::imported);
    ASSERT_EQ(heard.size(), 1u);
    EXPECT_EQ(heard[0].title, "Both");
    ASSERT_EQ(heard[0].attendees.size(), 1u);
    EXPECT_EQ(heard[0].attendees[0].email, "kim@bosch.com");
}

TEST_F(import_stack, PrivateEventsStayPrivate) {
    import_on();
    make({{"summary", "Therapy"}, {"location", "Clinic"}, {"description", "Secret"}, {"visibility", "private"}});

    pull();

    EXPECT_EQ(count("tasks"), "0");
    EXPECT_EQ(sql("SELECT summary || location || redacted::text FROM events"), "true");
    EXPECT_EQ(sql("SELECT raw ? 'summary' OR raw ? 'location' OR raw ? 'description' FROM events"), "f");
    EXPECT_EQ(sql("SELECT raw ? 'start' FROM events"), "t");
}

TEST_F(import_stack, APrivateEventImportedByRuleIsABusyTimeWhoseTimesMoveOn) {
    import_on(R"({"private":"busy"})");
    std::string const id = make({{"summary", "Therapy"},
                                 {"location", "Clinic"},
                                 {"visibility", "private"},
                                 {"attendees", json::array{json::object{{"email", "kim@example.com"}}}}});
    pull();
    auto const heard = last(domain::update_kind::imported);
    EXPECT_EQ(heard.title, "Busy");
    EXPECT_EQ(heard.location, "");
    EXPECT_TRUE(heard.attendees.empty());
    EXPECT_EQ(sql("SELECT read_only FROM task_links"), "private");

    change(id, {{"summary", "Other therapy"}, {"start", at("2027-02-01T15:00:00")}, {"end", at("2027-02-01T16:00:00")}});
    pull();

    auto const moved = last(domain::update_kind::changed);
    EXPECT_EQ(moved.changed, std::vector<std::string>{"time"});
    EXPECT_EQ(moved.title, "Busy");
    for (kafka::record const& r : kafka.records) EXPECT_EQ(r.value->find("herapy"), std::string::npos);
    EXPECT_EQ(sql("SELECT count(*) FROM task_links WHERE (base::text || remote::text || attendees_data::text) ~ 'herapy|kim@'"), "0");
}

TEST_F(import_stack, AGuestsCopyIsReadOnly) {
    google->add_user("boss@example.com", "Europe/Zurich");
    import_on();
    make({{"summary", "Board"},
          {"attendees", json::array{json::object{{"email", "anna@example.com"}}, json::object{{"email", "kim@example.com"}}}}},
         "calendars/boss%40example.com");

    pull();

    auto const heard = last(domain::update_kind::imported);
    EXPECT_EQ(heard.title, "Board");
    EXPECT_EQ(heard.organizer_email, "boss@example.com");
    ASSERT_EQ(heard.attendees.size(), 1u) << "the user himself is no guest of his task";
    EXPECT_EQ(sql("SELECT read_only FROM task_links"), "guest");
    crm_says(as_told(heard));
    work();
    EXPECT_EQ(calls("events.patch"), 0);
}

TEST_F(import_stack, AnImportedSeriesBringsItsExceptions) {
    import_on();
    std::string const id = make({{"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=5"}}});
    edit(id + "_20270208T110000Z", "one", {{"summary", "With the boss"}});
    edit(id + "_20270215T110000Z", "one", {});

    pull();

    auto const series = last(domain::update_kind::imported);
    EXPECT_EQ(series.recurrence, std::vector<std::string>{"RRULE:FREQ=WEEKLY;COUNT=5"});
    auto const changed = last(domain::update_kind::occurrence_changed);
    EXPECT_EQ(changed.task.str(), series.task.str());
    EXPECT_EQ(changed.title, "With the boss");
    EXPECT_EQ(changed.occurrence, "2027-02-08T12:00:00");
    EXPECT_EQ(last(domain::update_kind::cancelled).occurrence, "2027-02-15T12:00:00");
    EXPECT_EQ(told(domain::update_kind::imported).size(), 1u);
}

TEST_F(import_stack, ExceptionsOfEarlierPagesFindTheirSeries) {
    std::string const id = make({{"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=5"}}});
    edit(id + "_20270208T110000Z", "one", {{"summary", "With the boss"}});
    pull();
    ASSERT_EQ(count("events"), "2");
    import_on();
    // Only the series itself is on the page that imports it.
    sql("UPDATE calendars SET sync_fingerprint = ''");
    change(id, {{"location", "Room 3"}});

    work();

    EXPECT_EQ(told(domain::update_kind::imported).size(), 1u);
    EXPECT_EQ(last(domain::update_kind::occurrence_changed).title, "With the boss");
}

TEST_F(import_stack, OneMeetingOfTwoConnectedPeopleIsOneTask) {
    google->add_user("bob@example.com", "Europe/Zurich");
    import_on();
    make({{"attendees", json::array{json::object{{"email", "bob@example.com"}}}}});
    pull();
    ASSERT_EQ(count("tasks"), "1");
    std::string const bob = to_string(random_uuid()), his = to_string(random_uuid());
    sql("INSERT INTO user_calendar_connections (tenant_id, connection_id, user_id, client_id, google_sub, connected_email) VALUES ('acme', "
        "'" +
        bob + "', 'bob', 'client', 'sub-bob', 'bob@example.com')");
    sql("INSERT INTO calendars (tenant_id, calendar_id, connection_id, google_calendar_id, time_zone, access_role, is_primary, selected, "
        "dirty_seq) "
        "VALUES ('acme', '" +
        his + "', '" + bob + "', 'bob@example.com', 'Europe/Zurich', 'owner', true, true, 1)");
    sql("UPDATE user_calendar_connections SET import_external_events = true");

    auto const his_token = control("tokens", R"({"email":"bob@example.com","client":"client"})");
    tokens.token = std::string(json::text_or(his_token.as_object(), "access_token"));
    worker::calendar_memory his_memory{std::nullopt, {}, worker::pass_budget(1000), {}, 0};
    auto body = [](worker::parts const& w, tenant_id t, calendar_id c, worker::calendar_memory& m) -> task<void> {
        co_await worker::work_on(w, t, c, m);
    };
    testing::run_coro(ioc, body(*with, tenant, calendar_id{*parse_uuid(his)}, his_memory));

    EXPECT_EQ(count("events"), "2");
    EXPECT_EQ(count("tasks"), "1");
    EXPECT_EQ(count("meetings"), "1");
    EXPECT_EQ(told(domain::update_kind::imported).size(), 1u);
}

TEST_F(import_stack, OurOwnEventsAreNeverImported) {
    import_on();
    crm_says({});
    work();

    full_pull();

    EXPECT_EQ(count("tasks"), "1");
    EXPECT_TRUE(told(domain::update_kind::imported).empty());
}

TEST_F(import_stack, ACopyOfOurEventIsAnEventOfItsOwn) {
    import_on();
    crm_says({});
    work();
    control(std::string(own_calendar) + "/events/" + event_id() + "/copy", R"({"summary":"Copied"})");

    pull();

    auto const heard = told(domain::update_kind::imported);
    ASSERT_EQ(heard.size(), 1u);
    EXPECT_EQ(heard[0].title, "Copied");
    EXPECT_EQ(heard[0].split_from_task, "");
    EXPECT_EQ(count("task_links"), "2");
}

TEST_F(import_stack, SpecialKindsComeByRuleOnlyAndCannotBeWritten) {
    import_on();
    make({{"summary", "Away"},
          {"eventType", "outOfOffice"},
          {"transparency", "opaque"},
          {"outOfOfficeProperties", json::object{{"autoDeclineMode", "declineNone"}}}});
    pull();
    EXPECT_EQ(count("tasks"), "0");

    import_on(R"({"kinds":["default","outOfOffice"]})");
    work();

    EXPECT_EQ(last(domain::update_kind::imported).title, "Away");
    EXPECT_EQ(sql("SELECT read_only FROM task_links"), "kind");
}

TEST_F(import_stack, WhereGoogleIsOnlyWrittenNothingIsTakenIn) {
    import_on();
    sql("UPDATE user_calendar_connections SET mode = 'crm_to_google'");
    make({});

    work();
    pull();

    EXPECT_EQ(count("tasks"), "0");
    EXPECT_EQ(count("events"), "1");
}

}  // namespace
}  // namespace calbridge::integration
