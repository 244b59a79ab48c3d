// The engine against a CRM and a Google that edit, crash and forget: examples first, then random histories.
#include "engine_world.h"

#include "domain/footer.h"
#include "domain/stamp.h"

#include <gtest/gtest.h>

#include <set>

namespace calbridge::worker::testing {

engine_world::engine_world(domain::conflict_policy policy, bool occurrence)
    : policy_(policy), ring_(crypto::key_ring::parse(secret("k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")).value()) {
    crm_task.tenant = tenant_id("acme");
    crm_task.user = user_id("anna");
    crm_task.task = task_id("T-1");
    crm_task.title = "Appointment";
    crm_task.location = "Room 1";
    crm_task.description = "Bring the papers.";
    crm_task.start = "2026-11-25T10:00:00";
    crm_task.end = "2026-11-25T11:00:00";
    crm_task.time_zone = "Europe/Zurich";
    task.tenant = crm_task.tenant;
    task.id = crm_task.task;
    task.user = crm_task.user;
    if (occurrence) become_occurrence();
    emit_snapshot(false);
}

void engine_world::become_occurrence() {
    domain::task_changed whole = crm_task;
    whole.recurrence = {"RRULE:FREQ=WEEKLY;COUNT=9"};
    store::link_row series;
    series.task = crm_task.task;
    series.event_id = "series";
    series.state = domain::link_state::live;
    series.base = series.google_base =
        std::get<domain::fields>(domain::render(whole, render_settings_of(around().connection, around().calendar)));
    series.google_calendar_id = "anna@example.com";
    series.calendar = around().calendar.id;
    series.connection = around().connection.id;
    crm_task.scope = domain::edit_scope::this_one;
    crm_task.occurrence = crm_task.start;
    task.series = crm_task.task;
    task.occurrence = "20261125T090000Z";
    task.id = task_id("T-1/20261125T090000Z");
    event_ = domain::calendar_event{};
    event_->id = "series_20261125T090000Z";
    event_->recurring_event_id = series.event_id;
    google::event_write as_the_series;
    as_the_series.values = *series.base;
    for (domain::field f : domain::all_fields) as_the_series.pushed.add(f);
    apply(as_the_series);
    google_writes = 0;
    series_ = std::move(series);
}

surroundings engine_world::around() const {
    surroundings s;
    s.connection.tenant = tenant_id("acme");
    s.connection.id = connection_id{uuid{{1}}};
    s.connection.user = user_id("anna");
    s.connection.connected_email = "anna@example.com";
    s.connection.policy = policy_;
    s.connection.sync_settings = sync_settings;
    s.calendar.id = calendar_id{uuid{{2}}};
    s.calendar.google_id = "anna@example.com";
    s.calendar.access_role = "owner";
    s.calendar.time_zone = "Europe/Zurich";
    s.stamps = &ring_;
    s.fresh_id = [this] {
        uuid id;
        std::uint64_t const n = ++ids_;
        for (int i = 0; i < 8; ++i) id.bytes[static_cast<std::size_t>(15 - i)] = static_cast<std::uint8_t>(n >> (8 * i));
        return id;
    };
    return s;
}

store::task_and_link engine_world::rows() const {
    store::task_and_link r;
    r.task = task;
    r.series = series_;
    if (series_ && link && link->state == domain::link_state::ended) r.ended = link;
    if (link && link->state != domain::link_state::ended) {
        r.link = link;
        for (store::operation_row const& o : operations)
            if (o.link == link->id && o.state == "pending") r.unanswered = o;
    }
    return r;
}

void engine_world::commit(effects const& change) {
    std::int64_t const dirty = task.dirty_seq;
    store::task_row const stored = task;
    task = change.task;
    task.dirty_seq = dirty + (change.raise_dirty ? 1 : 0);
    task.synced_seq = change.synced.value_or(stored.synced_seq);
    if (change.link && (change.link_is_new || change.link_changed)) link = change.link;
    for (auto const& o : change.new_operations) operations.push_back(o);
    for (auto const& f : change.finished_operations)
        for (auto& o : operations)
            if (o.id == f.id) o = f;
    for (auto const& u : change.updates) updates.push_back(u);
}

void engine_world::emit_snapshot(bool says_what_it_applied) {
    ++crm_task.version;
    crm_task.applied_update_seq = says_what_it_applied ? applied_seq_ : 0;
    task.version = crm_task.version;
    task.snapshot = crm_task;
    task.received_at = now;
    ++task.dirty_seq;
}

void engine_world::crm_edit(std::string const& field, std::string const& value, bool says_what_it_applied) {
    if (field == "title") crm_task.title = value;
    if (field == "location") crm_task.location = value;
    if (field == "description") crm_task.description = value;
    if (field == "customer") crm_task.customer = value;
    if (field == "start") {
        crm_task.start = value;
        crm_task.end.clear();
    }
    emit_snapshot(says_what_it_applied);
    crm_edited_at_[field == "start" ? "time" : field] = crm_task.version;
}

void engine_world::crm_cancel() {
    crm_task.status = "cancelled";
    emit_snapshot(false);
}

void engine_world::crm_applies_updates() {
    bool changed = false;
    for (; updates_applied_ < updates.size(); ++updates_applied_) {
        domain::task_update const& u = updates[updates_applied_];
        applied_seq_ = u.sequence;
        if (u.kind == domain::update_kind::cancelled) {
            crm_task.status = "cancelled";
            changed = true;
        }
        if (u.kind != domain::update_kind::changed && u.kind != domain::update_kind::occurrence_changed) continue;
        for (std::string const& f : u.changed) {
            if (crm_edited_at_[f] > u.task_version) continue;
            if (f == "title") crm_task.title = u.title;
            if (f == "location") crm_task.location = u.location;
            if (f == "description") crm_task.description = u.description;
            if (f == "time") {
                crm_task.start = u.start;
                crm_task.end = u.end;
                crm_task.time_zone = u.time_zone;
            }
            if (f == "guests") {
                crm_task.attendees.clear();
                for (auto const& g : u.attendees) crm_task.attendees.push_back({g.email, g.name, g.optional});
            }
            changed = true;
        }
    }
    if (changed) emit_snapshot(true);
}

void engine_world::touch() {
    event_->etag = "\"" + std::to_string(++etag_) + "\"";
    event_->updated = now;
}

void engine_world::google_edit(std::string const& field, std::string const& value) {
    if (!event_lives()) return;
    if (field == "title") event_->summary = value;
    if (field == "location") event_->location = value;
    if (field == "description") event_->description = domain::join_description(value, domain::split(event_->description).footer);
    if (field == "start") {
        auto const t = domain::understand_time(value, "", "Europe/Zurich", "Europe/Zurich", std::chrono::minutes(60));
        event_->time = std::get<domain::time_range>(t);
    }
    touch();
}

void engine_world::google_adds_guest(std::string const& email) {
    domain::event_attendee a;
    a.email = email;
    a.response = "needsAction";
    a.raw = "{\"email\":\"" + email + "\",\"responseStatus\":\"needsAction\"}";
    event_->attendees.push_back(a);
    touch();
}

void engine_world::google_answers(std::string const& email, std::string const& response) {
    for (auto& a : event_->attendees)
        if (a.email == email) {
            a.response = response;
            a.raw = "{\"email\":\"" + email + "\",\"responseStatus\":\"" + response + "\"}";
        }
    touch();
}

void engine_world::google_finishes_conference(std::string const& meet_link) {
    event_->hangout_link = meet_link;
    event_->conference_id = "abc";
    event_->conference_status = "success";
    touch();
}

void engine_world::google_delete() {
    if (!event_lives()) return;
    domain::calendar_event gone;
    gone.id = event_->id;
    gone.status = "cancelled";
    event_ = gone;
    touch();
}

void engine_world::apply(google::event_write const& what) {
    using domain::field;
    domain::fields const& v = what.values;
    domain::calendar_event& e = *event_;
    if (what.pushed.has(field::title)) e.summary = v.title;
    if (what.pushed.has(field::description) || what.pushed.has(field::footer))
        e.description = domain::join_description(v.description, v.footer);
    if (what.pushed.has(field::location)) e.location = v.location;
    if (what.pushed.has(field::time)) e.time = v.time;
    if (what.pushed.has(field::color)) e.color_id = v.color_id;
    if (what.pushed.has(field::reminders)) e.reminders = v.reminders;
    if (what.pushed.has(field::guests)) {
        e.attendees.clear();
        for (domain::guest const& g : v.guests) {
            domain::event_attendee a;
            a.email = g.email;
            a.response = "needsAction";
            a.raw = "{\"email\":\"" + g.email + "\",\"responseStatus\":\"needsAction\"}";
            e.attendees.push_back(a);
        }
    }
    e.stamp = what.stamp;
    e.operation = what.operation;
    e.status = "confirmed";
    ++google_writes;
    touch();
}

void engine_world::push(fault with) {
    if (task.synced_seq >= task.dirty_seq) return;
    std::int64_t const worked = task.dirty_seq;
    outbound const step = next_call(rows(), around());
    commit(step.change);
    if (with == fault::crash_before_call || std::holds_alternative<finished>(step.call)) return;

    if (std::holds_alternative<send_read>(step.call)) {
        std::string const id = step.change.link->event_id;
        bool const there = event_ && event_->id == id;
        auto const operation = step.operation;
        if (operation && operation->kind == "delete" && (!there || event_->is_cancelled()))
            return commit(delete_answered(rows(), *operation, worked, around()));
        if (link->state == domain::link_state::pending && !there) {
            if (operation) commit(operation_abandoned(rows(), *operation, "not_found"));
            return;
        }
        std::optional<store::operation_row> stamped;
        if (operation && event_->operation == operation->id.str()) stamped = operation;
        inbound const seen = event_seen(rows(), stamped, *event_, around());
        commit(seen.change);
        if (operation && !stamped)
            for (auto& o : operations)
                if (o.id == operation->id && o.state == "pending") o.state = "abandoned";
        return;
    }
    bool const restores = std::holds_alternative<send_patch>(step.call) && std::get<send_patch>(step.call).what.restore;
    bool const stale = event_ && event_->etag != step.operation->if_match && !restores;
    if (auto* create = std::get_if<send_create>(&step.call)) {
        if (ids_used_[step.change.link->event_id]) return;  // 409: the unanswered operation is read back next
        ids_used_[step.change.link->event_id] = true;
        event_ = domain::calendar_event{};
        event_->id = step.change.link->event_id;
        ++events_created;
        apply(create->what);
    } else if (auto* patch = std::get_if<send_patch>(&step.call)) {
        if (stale || (!event_lives() && !restores)) return;  // 412
        apply(patch->what);
    } else {
        if (stale && event_lives()) return;
        google_delete();
        ++google_writes;
        if (with == fault::lost_answer) return;
        return commit(delete_answered(rows(), *step.operation, worked, around()));
    }
    if (with == fault::lost_answer) return;
    commit(write_answered(rows(), *step.operation, *event_, worked, around()));
}

void engine_world::pull() {
    if (!event_ || !link || link->state == domain::link_state::ended || link->event_id != event_->id) return;
    std::optional<store::operation_row> stamped;
    for (auto const& o : operations)
        if (o.id.str() == event_->operation) stamped = o;
    commit(event_seen(rows(), stamped, *event_, around()).change);
}

void engine_world::settle_down() {
    for (int i = 0; i < 40; ++i) {
        int const writes = google_writes;
        std::size_t const told = updates.size();
        pull();
        for (int j = 0; j < 6; ++j) push();
        pull();
        crm_applies_updates();
        for (int j = 0; j < 6; ++j) push();
        if (writes == google_writes && told == updates.size() && task.synced_seq >= task.dirty_seq) return;
    }
    ADD_FAILURE() << "no rest after 40 rounds";
}

std::string engine_world::crm(std::string const& field) const {
    if (field == "title") return crm_task.title;
    if (field == "location") return crm_task.location;
    if (field == "description") return crm_task.description;
    auto const t = domain::understand_time(crm_task.start, crm_task.end, crm_task.time_zone, "Europe/Zurich", std::chrono::minutes(60));
    return domain::speak(std::get<domain::time_range>(t)).start;
}

std::string engine_world::google(std::string const& field) const {
    if (!event_lives()) return {};
    if (field == "title") return event_->summary;
    if (field == "location") return event_->location;
    if (field == "description") return domain::split(event_->description).text;
    domain::time_range t = *event_->time;
    t.zone = "Europe/Zurich";
    return domain::speak(t).start;
}

std::vector<std::string> engine_world::guests() const {
    std::vector<std::string> out;
    for (auto const& a : event_->attendees) out.push_back(a.email);
    return out;
}

namespace {

using domain::conflict_policy;

TEST(EngineWorld, TaskBecomesOneEventAndGoesQuiet) {
    engine_world w;

    w.settle_down();

    EXPECT_EQ(w.events_created, 1);
    EXPECT_EQ(w.google("title"), "Appointment");
    EXPECT_EQ(w.google_writes, 1);
    EXPECT_EQ(w.task.state, "synced");
    int const writes = w.google_writes;
    for (int i = 0; i < 3; ++i) w.settle_down();
    EXPECT_EQ(w.google_writes, writes);
}

TEST(EngineWorld, LostAnswerOfACreateIsReadBackNotRepeated) {
    engine_world w;
    w.push(fault::lost_answer);

    w.settle_down();

    EXPECT_EQ(w.events_created, 1);
    EXPECT_EQ(w.google_writes, 1);
    EXPECT_EQ(w.task.state, "synced");
}

TEST(EngineWorld, CrashBetweenTheOperationRowAndTheCallCreatesOnce) {
    engine_world w;
    w.push(fault::crash_before_call);

    w.settle_down();

    EXPECT_EQ(w.events_created, 1);
    EXPECT_EQ(w.google("title"), "Appointment");
}

TEST(EngineWorld, EditsOfDifferentFieldsAtTheSameTimeBothSurvive) {
    engine_world w;
    w.settle_down();
    w.crm_edit("title", "Contract talk");
    w.google_edit("start", "2026-11-25T14:00:00");

    w.settle_down();

    EXPECT_EQ(w.google("title"), "Contract talk");
    EXPECT_EQ(w.crm("start"), "2026-11-25T14:00:00");
    EXPECT_EQ(w.google("start"), "2026-11-25T14:00:00");
    EXPECT_FALSE(w.link->has_conflict);
}

TEST(EngineWorld, CrmThatHasNotAppliedOurPullDoesNotUndoIt) {
    engine_world w;
    w.settle_down();
    w.google_edit("location", "Room 9");
    w.pull();
    w.crm_edit("title", "New title");  // its snapshot still holds Room 1

    w.settle_down();

    EXPECT_EQ(w.google("location"), "Room 9");
    EXPECT_EQ(w.crm("location"), "Room 9");
    EXPECT_EQ(w.google("title"), "New title");
    EXPECT_FALSE(w.link->has_conflict);
}

TEST(EngineWorld, SameFieldOnBothSidesKeepsBothVersionsUntilTheUserDecides) {
    engine_world w;
    w.settle_down();
    w.crm_edit("title", "From CRM");
    w.google_edit("title", "From Google");

    w.settle_down();

    ASSERT_TRUE(w.link->has_conflict);
    ASSERT_EQ(w.link->conflicts.size(), 1u);
    EXPECT_EQ(w.link->conflicts[0].crm, "From CRM");
    EXPECT_EQ(w.link->conflicts[0].google, "From Google");
    EXPECT_EQ(w.crm("title"), "From CRM");
    EXPECT_EQ(w.google("title"), "From Google");
    EXPECT_EQ(w.task.state, "conflict");
}

TEST(EngineWorld, AnEditMadeInKnowledgeOfTheConflictSettlesIt) {
    engine_world w;
    w.settle_down();
    w.crm_edit("title", "From CRM");
    w.google_edit("title", "From Google");
    w.settle_down();

    w.crm_edit("title", "Agreed title", true);
    w.settle_down();

    EXPECT_FALSE(w.link->has_conflict);
    EXPECT_EQ(w.google("title"), "Agreed title");
}

TEST(EngineWorld, CrmWinsSettlesTheFieldAndRecordsWhatLost) {
    engine_world w(conflict_policy::crm_wins);
    w.settle_down();
    w.crm_edit("title", "From CRM");
    w.google_edit("title", "From Google");

    w.settle_down();

    EXPECT_EQ(w.google("title"), "From CRM");
    bool kept = false;
    for (auto const& o : w.operations)
        if (o.kind == "pull" || o.kind == "patch")
            kept = kept || (o.before && o.before->title == "From Google") || (o.expected && o.expected->title == "From CRM");
    EXPECT_TRUE(kept);
}

TEST(EngineWorld, GoogleWinsBringsItsValueToTheCrm) {
    engine_world w(conflict_policy::google_wins);
    w.settle_down();
    w.crm_edit("title", "From CRM");
    w.google_edit("title", "From Google");

    w.settle_down();

    EXPECT_EQ(w.crm("title"), "From Google");
    EXPECT_EQ(w.google("title"), "From Google");
}

TEST(EngineWorld, CancelledTaskRemovesItsEvent) {
    engine_world w;
    w.settle_down();
    w.crm_cancel();

    w.settle_down();

    EXPECT_FALSE(w.event_lives());
    EXPECT_EQ(w.task.state, "removed");
}

TEST(EngineWorld, LostAnswerOfADeleteEndsTheLink) {
    engine_world w;
    w.settle_down();
    w.crm_cancel();
    w.push(fault::lost_answer);

    w.settle_down();

    EXPECT_FALSE(w.event_lives());
    EXPECT_EQ(w.link->state, domain::link_state::ended);
    EXPECT_EQ(w.task.state, "removed");
}

TEST(EngineWorld, EventDeletedInGoogleCancelsTheTask) {
    engine_world w;
    w.settle_down();
    w.google_delete();

    w.settle_down();

    EXPECT_EQ(w.crm_task.status, "cancelled");
    EXPECT_FALSE(w.event_lives());
    EXPECT_EQ(w.events_created, 1);
}

TEST(EngineWorld, EditAgainstDeleteIsAConflictOnTheWholeLink) {
    engine_world w;
    w.settle_down();
    w.crm_edit("title", "Still needed");
    w.google_delete();

    w.settle_down();

    EXPECT_TRUE(w.link->frozen);
    EXPECT_EQ(w.task.state, "conflict");
    EXPECT_EQ(w.events_created, 1);
}

TEST(EngineWorld, CancelAgainstEditIsAConflictAndTheEventStays) {
    engine_world w;
    w.settle_down();
    w.google_edit("title", "Moved by Anna");
    w.crm_cancel();

    w.settle_down();

    EXPECT_TRUE(w.event_lives());
    EXPECT_TRUE(w.link->frozen);
}

TEST(EngineWorld, GuestAddedInGoogleStaysWhenTheCrmAddsAnother) {
    engine_world w;
    w.settle_down();
    w.google_adds_guest("kim@example.com");
    w.crm_task.attendees.push_back({"lee@example.com", "", false});
    w.crm_edit("title", "Appointment");

    w.settle_down();

    std::vector<std::string> const want{"kim@example.com", "lee@example.com"};
    EXPECT_EQ(w.guests(), want);
    EXPECT_EQ(w.crm_task.attendees.size(), 2u);
    EXPECT_FALSE(w.link->has_conflict);
}

TEST(EngineWorld, BackAndForthToTheSameValueIsNoConflict) {
    engine_world w;
    w.settle_down();
    w.crm_edit("title", "B");
    w.crm_edit("title", "Appointment");
    w.google_edit("title", "From Google");

    w.settle_down();

    EXPECT_FALSE(w.link->has_conflict);
    EXPECT_EQ(w.crm("title"), "From Google");
}

TEST(EngineWorld, ImpossibleTimesAreToldInWordsAndNothingIsSent) {
    engine_world w;
    w.crm_task.end = "2026-11-25T09:00:00";
    w.crm_edit("title", "Backwards");

    w.settle_down();

    EXPECT_EQ(w.events_created, 0);
    EXPECT_EQ(w.task.state, "failed");
    EXPECT_EQ(w.task.reason, "end_before_start");
    ASSERT_FALSE(w.updates.empty());
    EXPECT_EQ(w.updates.back().kind, domain::update_kind::failed);
    EXPECT_FALSE(w.updates.back().explanation.empty());
    EXPECT_EQ(w.updates.back().task_version, w.crm_task.version);
}

}  // namespace
}  // namespace calbridge::worker::testing
