// What people ask for, from the request's row to Google, the CRM and the history.
#include "worker_stack.h"

#include "store/conflicts.h"

namespace calbridge::integration {

std::string worker_stack::ask(std::string const& kind, std::string const& subject, json::object detail) {
    std::string const id = to_string(random_uuid());
    sql("INSERT INTO requests (tenant_id, request_id, user_id, connection_id, calendar_id, kind, subject, detail, who) VALUES ('acme', '" +
        id + "', 'anna', '" + connection.str() + "', '" + calendar.str() + "', '" + kind + "', '" + subject + "', '" +
        json::serialize(detail) + "', 'user anna')");
    return id;
}

std::string worker_stack::state_of(std::string const& request) {
    return sql("SELECT state FROM requests WHERE request_id = '" + request + "'");
}

json::object worker_stack::result_of(std::string const& request) {
    return boost::json::parse(sql("SELECT coalesce(result, '{}') FROM requests WHERE request_id = '" + request + "'")).as_object();
}

std::string worker_stack::conflict_version(std::string const& task) {
    std::string shown;
    auto body = [](pg::database& in, tenant_id of, std::string wanted, std::string& to) -> calbridge::task<void> {
        auto const open = co_await store::open_conflicts(in, of, std::nullopt, 10);
        EXPECT_TRUE(open) << open.error().context;
        for (auto const& one : *open)
            if (one.task.id.str() == wanted) to = one.version;
    };
    testing::run_coro(ioc, body(*db, tenant, task, shown));
    return shown;
}

namespace {

class Requests : public worker_stack {
protected:
    // Both sides change the title without knowing of each other.
    void title_in_conflict() {
        crm_says({});
        work();
        google_edits(R"({"summary":"From Google"})");
        crm_says({{"title", "From CRM"}});
        work();
        ASSERT_EQ(sql("SELECT state FROM tasks"), "conflict");
    }
    std::string resolve(json::object choices) {
        json::object detail{{"version", conflict_version("T-1")}, {"choices", std::move(choices)}};
        return ask("resolve_conflict", "T-1", std::move(detail));
    }
    std::string resolve_whole(std::string const& choice) {
        json::object detail{{"version", conflict_version("T-1")}, {"choice", choice}};
        return ask("resolve_conflict", "T-1", std::move(detail));
    }
    std::string reason_of(std::string const& request) { return std::string(json::text_or(result_of(request), "reason")); }
    std::string summary() { return std::string(json::text_or(events().at(0).as_object(), "summary")); }
    // Nothing more to say, nothing more to send.
    void expect_quiet() {
        auto const told = kafka.records.size();
        auto const patches = calls("events.patch");
        hint();
        work();
        EXPECT_EQ(kafka.records.size(), told);
        EXPECT_EQ(calls("events.patch"), patches);
    }
};

TEST_F(Requests, TheCrmsVersionGoesToGoogleAndTheConflictIsGoneForGood) {
    title_in_conflict();

    auto const asked = resolve({{"title", "crm"}});
    work();

    EXPECT_EQ(state_of(asked), "done");
    EXPECT_EQ(summary(), "From CRM");
    EXPECT_EQ(sql("SELECT has_conflict FROM task_links"), "f");
    EXPECT_EQ(sql("SELECT state FROM tasks"), "synced");
    EXPECT_EQ(last(domain::update_kind::changed).reason, "conflict_settled");
    EXPECT_EQ(last(domain::update_kind::changed).title, "From CRM");
    EXPECT_EQ(sql("SELECT who || ' ' || (conflicts -> 0 ->> 'winner') FROM operations WHERE kind = 'resolve'"), "user anna crm");
    // The CRM hears that it need not show the conflict any more.
    auto const told = last(domain::update_kind::changed);
    EXPECT_EQ(told.changed, std::vector<std::string>{"title"});
    EXPECT_EQ(told.title, "From CRM");
    EXPECT_EQ(told.reason, "conflict_settled");
    crm_says({{"title", "From CRM"}});
    work();
    EXPECT_EQ(sql("SELECT state FROM tasks"), "synced");
    expect_quiet();
}

TEST_F(Requests, GooglesVersionIsToldToTheCrmAndNothingIsSent) {
    title_in_conflict();
    auto const patches = calls("events.patch");

    auto const asked = resolve({{"title", "google"}});
    work();

    EXPECT_EQ(state_of(asked), "done");
    EXPECT_EQ(calls("events.patch"), patches);
    auto const told = last(domain::update_kind::changed);
    EXPECT_EQ(told.changed, std::vector<std::string>{"title"});
    EXPECT_EQ(told.title, "From Google");
    EXPECT_EQ(told.reason, "conflict_settled");
    crm_says({{"title", "From Google"}});
    work();
    EXPECT_EQ(sql("SELECT state FROM tasks"), "synced");
    expect_quiet();
}

TEST_F(Requests, AMergedValueReachesBothSides) {
    title_in_conflict();

    auto const asked = resolve({{"title", json::object{{"value", "Both, agreed"}}}});
    work();

    EXPECT_EQ(state_of(asked), "done");
    EXPECT_EQ(summary(), "Both, agreed");
    EXPECT_EQ(last(domain::update_kind::changed).title, "Both, agreed");
    EXPECT_EQ(sql("SELECT state FROM tasks"), "synced");
}

TEST_F(Requests, AConflictThatHasChangedSinceIsNotSettledBlindly) {
    title_in_conflict();
    std::string const seen = conflict_version("T-1");
    google_edits(R"({"summary":"From Google, later"})");
    hint();
    work();
    ASSERT_NE(conflict_version("T-1"), seen);

    json::object detail{{"version", seen}, {"choices", json::object{{"title", "crm"}}}};
    auto const asked = ask("resolve_conflict", "T-1", std::move(detail));
    work();

    EXPECT_EQ(state_of(asked), "failed");
    EXPECT_EQ(reason_of(asked), "conflict_changed");
    EXPECT_EQ(summary(), "From Google, later");
    EXPECT_EQ(sql("SELECT state FROM tasks"), "conflict");
}

TEST_F(Requests, AConflictIsSettledOnce) {
    title_in_conflict();
    std::string const seen = conflict_version("T-1");
    json::object const detail{{"version", seen}, {"choices", json::object{{"title", "crm"}}}};
    auto const first = ask("resolve_conflict", "T-1", detail);
    auto const second = ask("resolve_conflict", "T-1", detail);

    work();

    EXPECT_EQ(state_of(first), "done");
    EXPECT_EQ(state_of(second), "failed");
    EXPECT_EQ(reason_of(second), "no_conflict");
    EXPECT_EQ(sql("SELECT count(*) FROM operations WHERE kind = 'resolve'"), "1");
}

TEST_F(Requests, WhatIsNotInConflictOrCannotBeReadIsRefusedInWords) {
    title_in_conflict();

    auto const other = resolve({{"location", "crm"}});
    auto const whole = resolve_whole("put_back");
    auto const unknown = ask("resolve_conflict", "T-9", json::object{{"version", "x"}, {"choices", json::object{{"title", "crm"}}}});
    auto const garbled = ask("resolve_conflict", "T-1", json::object{{"choices", 7}});
    work();

    EXPECT_EQ(reason_of(other), "not_in_conflict");
    EXPECT_EQ(reason_of(whole), "no_such_choice");
    EXPECT_EQ(reason_of(unknown), "not_found");
    EXPECT_EQ(reason_of(garbled), "malformed");
    EXPECT_EQ(conflict_version("T-1").empty(), false);
}

TEST_F(Requests, ADeletedEventOfAnEditedTaskIsPutBackOrItsTaskCancelled) {
    for (bool const put_back : {true, false}) {
        SCOPED_TRACE(put_back);
        crm_says({});
        work();
        if (put_back) {
            google_deletes();
            crm_says({{"title", "Still needed"}});
        } else {
            google_deletes();
            crm_says({{"title", "Needed again"}});
        }
        work();
        ASSERT_EQ(sql("SELECT reason FROM tasks"), "edited_and_deleted");

        auto const asked = resolve_whole(put_back ? "put_back" : "cancel_task");
        work();

        EXPECT_EQ(state_of(asked), "done");
        if (put_back) {
            ASSERT_EQ(events().size(), 1u);
            EXPECT_EQ(summary(), "Still needed");
            EXPECT_EQ(sql("SELECT generation FROM task_links WHERE state = 'live'"), "2");
        } else {
            EXPECT_EQ(events().size(), 0u);
            EXPECT_EQ(last(domain::update_kind::cancelled).reason, "deleted_in_google");
            EXPECT_EQ(sql("SELECT state FROM tasks"), "removed");
        }
    }
}

TEST_F(Requests, AnEditedEventOfACancelledTaskIsRemovedOrKept) {
    for (bool const keep : {false, true}) {
        SCOPED_TRACE(keep);
        std::string const task = keep ? "T-2" : "T-1";
        crm_says({{"taskId", task}});
        work();
        google_edits(R"({"summary":"Moved by Anna"})");
        crm_says({{"taskId", task}, {"status", "cancelled"}});
        work();
        ASSERT_EQ(sql("SELECT reason FROM tasks WHERE task_id = '" + task + "'"), "cancelled_and_edited");

        json::object detail{{"version", conflict_version(task)}, {"choice", keep ? "keep_event" : "remove_event"}};
        auto const asked = ask("resolve_conflict", task, std::move(detail));
        work();

        EXPECT_EQ(state_of(asked), "done");
        EXPECT_EQ(events().size(), keep ? 1u : 0u);
        EXPECT_EQ(sql("SELECT state FROM tasks WHERE task_id = '" + task + "'"), "removed");
    }
}

TEST_F(Requests, APushIsTakenBackOnBothSidesAndTheUndoToo) {
    crm_says({});
    work();
    crm_says({{"title", "Contract talk"}});
    work();

    auto const asked = ask("undo", operation("patch"));
    work();

    EXPECT_EQ(state_of(asked), "done");
    EXPECT_EQ(summary(), "Appointment");
    EXPECT_EQ(last(domain::update_kind::changed).title, "Appointment");
    EXPECT_EQ(last(domain::update_kind::changed).reason, "undone");
    crm_says({{"title", "Appointment"}});
    work();
    auto const back = ask("undo", operation("undo"));
    work();
    EXPECT_EQ(state_of(back), "done");
    EXPECT_EQ(summary(), "Contract talk");
    EXPECT_EQ(last(domain::update_kind::changed).title, "Contract talk");
    EXPECT_EQ(sql("SELECT state FROM tasks"), "synced");
}

TEST_F(Requests, APullIsTakenBackOnBothSides) {
    crm_says({});
    work();
    google_edits(R"({"location":"Room 9"})");
    hint();
    work();
    crm_says({{"location", "Room 9"}});
    work();

    auto const asked = ask("undo", operation("pull"));
    work();

    EXPECT_EQ(state_of(asked), "done");
    EXPECT_EQ(json::text_or(events().at(0).as_object(), "location"), "Room 1");
    EXPECT_EQ(last(domain::update_kind::changed).location, "Room 1");
}

TEST_F(Requests, WhatWasChangedSinceIsNamedAndNothingIsTakenBack) {
    crm_says({});
    work();
    crm_says({{"title", "Contract talk"}, {"location", "Room 2"}});
    work();
    std::string const patch = operation("patch");
    google_edits(R"({"location":"Room 9"})");
    hint();
    work();

    auto const asked = ask("undo", patch);
    work();

    EXPECT_EQ(state_of(asked), "failed");
    EXPECT_EQ(reason_of(asked), "changed_since");
    EXPECT_NE(json::text_or(result_of(asked), "explanation").find("location"), std::string_view::npos);
    EXPECT_EQ(summary(), "Contract talk");
}

TEST_F(Requests, UndoOfCreationsDeletionsAndOldOperationsIsRefusedInWords) {
    crm_says({});
    work();
    auto const created = ask("undo", operation("create"));
    crm_says({{"title", "Contract talk"}});
    work();
    sql("UPDATE operations SET created_at = now() - interval '31 days' WHERE kind = 'patch'");
    auto const old = ask("undo", operation("patch"));
    work();
    crm_says({{"status", "cancelled"}});
    work();
    auto const removed = ask("undo", operation("delete"));
    auto const unknown = ask("undo", to_string(random_uuid()));
    work();

    EXPECT_EQ(reason_of(created), "created");
    EXPECT_EQ(reason_of(old), "too_old");
    EXPECT_EQ(reason_of(removed), "asked_by_crm");
    EXPECT_EQ(reason_of(unknown), "not_found");
    for (auto const& one : {created, old, removed, unknown}) EXPECT_FALSE(json::text_or(result_of(one), "explanation").empty());
}

TEST_F(Requests, UndoOfADeletionFromGooglePutsTheEventBackAndTellsTheCrm) {
    crm_says({});
    work();
    google_deletes();
    hint();
    work();
    crm_says({{"status", "cancelled"}});  // the CRM has followed
    work();
    ASSERT_EQ(events().size(), 0u);

    auto const asked = ask("undo", operation("pull"));
    work();

    EXPECT_EQ(state_of(asked), "done") << reason_of(asked);
    ASSERT_EQ(events().size(), 1u);
    EXPECT_EQ(summary(), "Appointment");
    EXPECT_EQ(last(domain::update_kind::changed).reason, "put_back");
    EXPECT_EQ(last(domain::update_kind::synced).reason, "event_created");
    auto const again = ask("undo", sql("SELECT operation_id FROM operations WHERE kind = 'pull'"));
    work();
    EXPECT_EQ(reason_of(again), "changed_since");
    EXPECT_EQ(events().size(), 1u);
}

TEST_F(Requests, AnOccurrenceIsSettledAndTakenBackByItself) {
    crm_says({{"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=10"}}});
    work();
    std::string const task = "T-1/20270127T090000Z";
    std::string const instance = sql("SELECT google_calendar_event_id FROM task_links") + "_20270127T090000Z";
    auto shown = [&] {
        for (auto const& e : events())
            if (json::text_or(e.as_object(), "id") == instance) return std::string(json::text_or(e.as_object(), "summary"));
        return std::string();
    };
    auto says = [&](std::string const& title) {
        crm_says(
            {{"scope", "THIS"}, {"occurrence", "2027-01-27T10:00:00"}, {"start", "2027-01-27T10:00:00"}, {"end", ""}, {"title", title}});
    };
    control("calendars/anna%40example.com/events/" + instance, R"({"summary":"From Google"})", "PATCH");
    says("From CRM");
    work();
    ASSERT_EQ(sql("SELECT state FROM tasks WHERE task_id = '" + task + "'"), "conflict");

    json::object detail{{"version", conflict_version(task)}, {"choices", json::object{{"title", "crm"}}}};
    auto const settled = ask("resolve_conflict", task, std::move(detail));
    work();

    EXPECT_EQ(state_of(settled), "done") << reason_of(settled);
    EXPECT_EQ(shown(), "From CRM");
    auto const told = last(domain::update_kind::occurrence_changed);
    EXPECT_EQ(told.reason, "conflict_settled");
    EXPECT_EQ(told.occurrence, "2027-01-27T10:00:00");
    says("From CRM, again");
    work();
    ASSERT_EQ(shown(), "From CRM, again");
    auto const undone = ask("undo", operation("patch"));
    work();
    EXPECT_EQ(state_of(undone), "done") << reason_of(undone);
    EXPECT_EQ(shown(), "From CRM");
    EXPECT_EQ(sql("SELECT state FROM tasks WHERE task_id = 'T-1'"), "synced");
}

TEST_F(Requests, ARequestIsFoundAgainAfterACrashAndCarriedOutOnce) {
    title_in_conflict();
    auto const asked = resolve({{"title", "crm"}});
    // The lease went to another process between the request's row and its effects: nothing of it may stay.
    sql("UPDATE calendars SET lease_epoch = lease_epoch + 1, lease_owner = 'worker-2', lease_until = now() - interval '1 second'");
    one_turn();
    EXPECT_EQ(state_of(asked), "pending");
    EXPECT_EQ(sql("SELECT count(*) FROM operations WHERE kind = 'resolve'"), "0");
    EXPECT_EQ(sql("SELECT count(*) FROM due_requests(10)"), "1");

    memory.lease.reset();
    work();

    EXPECT_EQ(state_of(asked), "done");
    EXPECT_EQ(sql("SELECT count(*) FROM operations WHERE kind = 'resolve'"), "1");
    EXPECT_EQ(summary(), "From CRM");
    EXPECT_EQ(sql("SELECT count(*) FROM due_requests(10)"), "0");
}

TEST_F(Requests, AParkedTaskGetsAnotherTry) {
    control("faults",
            R"([{"match":{"method":"POST","path_prefix":"/calendar/v3/"},"action":"status","status":400,"reason":"invalid","times":1}])");
    crm_says({});
    work();
    ASSERT_EQ(sql("SELECT state FROM tasks"), "parked");

    auto const asked = ask("retry", "T-1");
    work();
    auto const again = ask("retry", "T-1");
    work();

    EXPECT_EQ(state_of(asked), "done");
    EXPECT_EQ(events().size(), 1u);
    EXPECT_EQ(sql("SELECT state FROM tasks"), "synced");
    EXPECT_EQ(reason_of(again), "nothing_to_retry");
}

TEST_F(Requests, WhatTheMassDeleteBrakeAsksIsAnsweredForExactlyAsManyAsWereShown) {
    auto const nothing = ask("deletions", calendar.str(), {{"decision", "confirm"}});
    for (int i = 0; i < 25; ++i) crm_says({{"taskId", "T-" + std::to_string(i)}, {"version", 1}});
    work();
    EXPECT_EQ(reason_of(nothing), "nothing_held_back");
    for (auto const& e : events())
        control("calendars/anna%40example.com/events/" + std::string(json::text_or(e.as_object(), "id")), {}, "DELETE");
    hint();
    one_turn();
    ASSERT_EQ(sql("SELECT brake ->> 'missing' FROM calendars"), "25");
    auto const stale = ask("deletions", calendar.str(), {{"decision", "confirm"}, {"missing", 24}});
    one_turn();
    EXPECT_EQ(reason_of(stale), "changed_since");
    EXPECT_EQ(sql("SELECT count(*) FROM task_links WHERE state = 'live'"), "25");

    auto const confirmed = ask("deletions", calendar.str(), {{"decision", "confirm"}, {"missing", 25}});
    work();

    EXPECT_EQ(state_of(confirmed), "done");
    EXPECT_EQ(sql("SELECT count(*) FROM tasks WHERE state = 'removed'"), "25");
    EXPECT_EQ(sql("SELECT brake IS NULL FROM calendars"), "t");
}

TEST_F(Requests, WhatTheBrakeHeldBackCanBePutBack) {
    for (int i = 0; i < 25; ++i) crm_says({{"taskId", "T-" + std::to_string(i)}, {"version", 1}});
    work();
    for (auto const& e : events())
        control("calendars/anna%40example.com/events/" + std::string(json::text_or(e.as_object(), "id")), {}, "DELETE");
    hint();
    one_turn();

    auto const asked = ask("deletions", calendar.str(), {{"decision", "put_back"}});
    work();

    EXPECT_EQ(state_of(asked), "done");
    EXPECT_EQ(events().size(), 25u);
    EXPECT_EQ(sql("SELECT count(*) FROM tasks WHERE state = 'synced'"), "25");
    EXPECT_EQ(last(domain::update_kind::cancelled).sequence, 0);
}

TEST_F(Requests, WhoeverLostTheTaskHasNothingToSayAboutIt) {
    title_in_conflict();
    auto const asked = resolve({{"title", "crm"}});
    sql("UPDATE tasks SET user_id = 'ben'");

    one_turn();

    EXPECT_EQ(state_of(asked), "failed");
    EXPECT_EQ(reason_of(asked), "not_found");
    EXPECT_EQ(summary(), "From Google");
}

TEST_F(Requests, AFullResyncReadsTheWholeCalendarAgain) {
    crm_says({});
    work();
    auto const asked = ask("full_resync", calendar.str());

    work();

    EXPECT_EQ(state_of(asked), "done");
    EXPECT_EQ(sql("SELECT pass_id FROM calendars"), "2");
}

TEST_F(Requests, ADryRunCountsByKindAndWritesNothing) {
    crm_says({{"taskId", "T-1"}});
    crm_says({{"taskId", "T-2"}, {"title", "Second"}});
    work();
    crm_says({{"taskId", "T-1"}, {"title", "New title"}});
    crm_says({{"taskId", "T-2"}, {"status", "cancelled"}});
    crm_says({{"taskId", "T-3"}, {"title", "Third"}});
    crm_says({{"taskId", "T-4"}, {"end", "2027-01-20T09:00:00"}});
    // Nothing of it is pushed before the look ahead.
    sql("UPDATE tasks SET retry_at = now() + interval '1 hour' WHERE synced_seq < dirty_seq");
    std::string const before = sql("SELECT md5(string_agg(t::text, ',' ORDER BY task_id)) FROM tasks t");
    auto const told = kafka.records.size();
    auto const writes = calls("events.insert") + calls("events.patch") + calls("events.delete") + calls("events.get");

    auto const asked = ask("bulk_sync", connection.str(), {{"dryRun", true}});
    one_turn();

    EXPECT_EQ(state_of(asked), "done");
    auto const result = result_of(asked);
    auto count = [&](char const* what) { return json::integer_or(*json::object_at(result, what), "count"); };
    EXPECT_EQ(count("create"), 1);
    EXPECT_EQ(count("update"), 1);
    EXPECT_EQ(count("remove"), 1);
    EXPECT_EQ(count("failed"), 1);
    EXPECT_EQ(json::text_or(json::array_at(*json::object_at(result, "create"), "first")->at(0).as_object(), "title"), "Third");
    EXPECT_EQ(sql("SELECT md5(string_agg(t::text, ',' ORDER BY task_id)) FROM tasks t"), before);
    EXPECT_EQ(kafka.records.size(), told);
    EXPECT_EQ(calls("events.insert") + calls("events.patch") + calls("events.delete") + calls("events.get"), writes);
    sql("UPDATE tasks SET retry_at = NULL");
    work();
}

TEST_F(Requests, ABulkSyncDoesWhatTheDryRunSaidBehindLiveEdits) {
    for (int i = 0; i < 5; ++i) crm_says({{"taskId", "T-" + std::to_string(i)}, {"version", 1}});
    work();
    sql("UPDATE tasks SET state = 'parked', reason = 'invalid'");

    auto const asked = ask("bulk_sync", connection.str());
    one_turn();
    EXPECT_EQ(sql("SELECT count(*) FROM tasks WHERE bulk_request IS NOT NULL"), "5");
    work();

    EXPECT_EQ(state_of(asked), "done");
    EXPECT_EQ(json::integer_or(result_of(asked), "total"), 5);
    EXPECT_EQ(json::integer_or(result_of(asked), "done"), 5);
    EXPECT_EQ(sql("SELECT count(*) FROM tasks WHERE state = 'synced'"), "5");
    EXPECT_EQ(calls("events.insert"), 5);
}

TEST_F(Requests, LiveEditsGoBeforeBulkWork) {
    for (int i = 0; i < 3; ++i) crm_says({{"taskId", "A-" + std::to_string(i)}, {"version", 1}});
    sql("UPDATE tasks SET bulk_request = gen_random_uuid(), bulk_at = now()");
    crm_says({{"taskId", "Z-live"}, {"version", 1}});
    std::vector<std::string> order;
    auto body = [](pg::database& in, tenant_id of, calendar_id where, std::vector<std::string>& to) -> calbridge::task<void> {
        auto const due = co_await store::due_tasks(in, of, where, 10);
        EXPECT_TRUE(due);
        for (auto const& one : *due) to.push_back(one.task.id.str());
    };

    testing::run_coro(ioc, body(*db, tenant, calendar, order));

    ASSERT_EQ(order.size(), 4u);
    EXPECT_EQ(order.front(), "Z-live");
    work();
}

TEST_F(Requests, ARecordSetAsideIsTakenInOnceItCanBeRead) {
    std::string const good =
        R"({"tenantId":"acme","userId":"anna","taskId":"T-7","version":1,"title":"Late","start":"2027-01-20T10:00:00","timeZone":"UTC"})";
    std::string const foreign =
        R"({"tenantId":"globex","userId":"anna","taskId":"T-8","version":1,"title":"Late","start":"2027-01-20T10:00:00","timeZone":"UTC"})";
    std::vector<std::string> items;
    for (auto const& value : {good, std::string("{"), foreign}) {
        items.push_back(to_string(random_uuid()));
        sql("INSERT INTO quarantine (tenant_id, quarantine_id, source, partition, \"offset\", subject, reason, detail, hash, value) VALUES "
            "('acme', '" +
            items.back() + "', 'task-changed', 0, " + std::to_string(items.size()) + ", 'acme/anna', 'r', 'd', 'h', convert_to('" + value +
            "', 'UTF8'))");
    }
    auto const taken = ask("retry_quarantine", items[0]);
    auto const garbled = ask("retry_quarantine", items[1]);
    auto const theirs = ask("retry_quarantine", items[2]);
    auto const dropped = ask("drop_quarantine", items[1]);

    work();

    EXPECT_EQ(state_of(taken), "done");
    EXPECT_EQ(events().size(), 1u);
    EXPECT_EQ(sql("SELECT state FROM quarantine WHERE quarantine_id = '" + items[0] + "'"), "retried");
    EXPECT_EQ(reason_of(garbled), "still_unreadable");
    EXPECT_EQ(reason_of(theirs), "not_offered");
    EXPECT_EQ(state_of(dropped), "done");
    EXPECT_EQ(sql("SELECT state FROM quarantine WHERE quarantine_id = '" + items[1] + "'"), "dropped");
    EXPECT_EQ(sql("SELECT count(*) FROM tasks WHERE tenant_id <> 'acme'"), "0");
    auto const again = ask("retry_quarantine", items[0]);
    work();
    EXPECT_EQ(reason_of(again), "not_found");
}

TEST_F(Requests, AnEventSetAsideIsReadAgain) {
    crm_says({});
    work();
    std::string const item = to_string(random_uuid());
    sql("INSERT INTO quarantine (tenant_id, quarantine_id, source, subject, reason, detail, hash, value) VALUES ('acme', '" + item +
        "', 'google-event', '" + calendar.str() + "/" + event_id() + "', 'r', 'd', 'h', '{}')");
    google_edits(R"({"location":"Room 9"})");

    auto const asked = ask("retry_quarantine", item);
    work();

    EXPECT_EQ(state_of(asked), "done") << reason_of(asked);
    EXPECT_EQ(last(domain::update_kind::changed).location, "Room 9");
    EXPECT_EQ(sql("SELECT state FROM quarantine"), "retried");
}

}  // namespace
}  // namespace calbridge::integration
