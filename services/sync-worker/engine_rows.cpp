#include "engine_rows.h"

#include "engine_series.h"

#include "domain/recurrence.h"
#include "domain/stamp.h"

#include "common/json/json.h"

#include <algorithm>
#include <map>

namespace calbridge::worker {

effects start(store::task_and_link rows) {
    effects e;
    e.task = std::move(rows.task);
    e.link = std::move(rows.link);
    e.zoom = std::move(rows.zoom);
    return e;
}

namespace {

// The original start as the CRM spells it.
void say_occurrence(domain::task_update& update, effects const& e) {
    std::string const& key = e.task.series ? e.task.occurrence : e.task.split_from;
    std::string const zone = e.task.local ? e.task.local->time.zone : e.task.snapshot.time_zone;
    auto const start = domain::start_of_occurrence(key, zone);
    domain::spoken_time const spoken = start ? domain::speak(*start) : domain::spoken_time{key, "", "", false};
    update.occurrence = spoken.start;
    update.time_zone = spoken.time_zone;
}

}  // namespace

domain::task_update& tell(effects& e, domain::update_kind kind, surroundings const& around) {
    e.task_changed = true;
    domain::task_update update;
    update.tenant = e.task.tenant;
    update.user = e.task.user;
    update.task = e.task.told_as();
    // Of an occurrence a change is told as one, and every message names it.
    if (e.task.series) {
        say_occurrence(update, e);
        if (kind == domain::update_kind::changed) kind = domain::update_kind::occurrence_changed;
    } else if (e.task.split_from_task) {
        update.split_from_task = e.task.split_from_task->str();
        say_occurrence(update, e);
    }
    update.sequence = ++e.task.update_seq;
    // A refusal is about the snapshot that was refused; everything else about what was taken in.
    update.task_version = kind == domain::update_kind::failed ? e.task.version : e.task.absorbed_version;
    update.kind = kind;
    update.connection = around.connection.id;
    e.updates.push_back(std::move(update));
    describe_event(e.updates.back(), e);
    if (e.zoom && e.task.snapshot.zoom_meeting) e.updates.back().zoom_link = e.zoom->url;
    return e.updates.back();
}

void describe_event(domain::task_update& update, effects const& e) {
    if (!e.link) return;
    store::link_row const& link = *e.link;
    update.google_calendar_id = link.google_calendar_id;
    if (link.state == domain::link_state::ended) return;
    update.google_event_id = link.event_id;
    update.etag = link.etag;
    update.html_link = link.html_link;
    update.meet_link = link.meet_link;
}

void describe_changes(domain::task_update& update, domain::field_set changed, domain::fields const& values) {
    // A CRM takes over what it holds itself; footer, colour, reminders and the Meet link are ours to write.
    domain::field_set theirs;
    for (domain::field f : domain::all_fields)
        if (changed.has(f) && !domain::is_push_only(f)) theirs.add(f);
    update.changed = theirs.names();
    update.title = values.title;
    update.description = values.description;
    update.location = values.location;
    domain::spoken_time const spoken = domain::speak(values.time);
    update.start = spoken.start;
    update.end = spoken.end;
    update.time_zone = spoken.time_zone;
    update.all_day = spoken.all_day;
    update.recurrence = values.recurrence;
}

// The guests as both sides hold them once everything is through, with the answers Google knows.
void describe_guests(domain::task_update& update, effects const& e) {
    std::map<std::string, std::string> answers;
    auto const parsed = json::parse((e.link ? e.link->attendees_data : std::string("[]")), "attendees", {}, true);
    if (parsed && parsed->is_array())
        for (json::value const& item : parsed->get_array())
            if (item.is_object()) {
                domain::fields one;
                one.guests.push_back({std::string(json::text_or(item.get_object(), "email")), {}, false});
                one = domain::normalise(std::move(one));
                if (!one.guests.empty())
                    answers[one.guests.front().email] = std::string(json::text_or(item.get_object(), "responseStatus"));
            }
    if (!e.task.local) return;
    for (domain::guest const& g : e.task.local->guests) {
        auto const answer = answers.find(g.email);
        update.attendees.push_back({g.email, g.name, answer == answers.end() ? std::string("needsAction") : answer->second, g.optional});
    }
}

domain::task_update& tell_changes(effects& e, domain::field_set changed, surroundings const& around) {
    domain::task_update& update = tell(e, domain::update_kind::changed, around);
    e.task.pulled_seq = update.sequence;
    domain::render_settings const settings = settings_for(e, around);
    describe_changes(update, changed, domain::in_crm_words(*e.task.local, e.task.snapshot, settings));
    describe_guests(update, e);
    domain::remember(e.task.told, {update.sequence, changed, domain::said_back(*e.task.local, e.task.snapshot, settings)});
    return update;
}

domain::fields effective_remote(store::link_row const& link, domain::fields const& remote) {
    domain::fields seen = remote;
    if (!link.base || !link.google_base) return seen;
    for (domain::field f : domain::all_fields)
        if (domain::same(f, remote, *link.google_base)) domain::copy(f, *link.base, seen);
    return seen;
}

std::optional<domain::side> newer_side(store::task_row const& task, std::optional<instant> event_updated) {
    instant const unknown{};
    instant crm = task.snapshot.changed_at.value_or(task.received_at);
    // A clock that runs ahead must not win every time.
    if (task.received_at != unknown) crm = std::min(crm, task.received_at);
    if (crm == unknown || !event_updated || crm == *event_updated) return {};
    return crm > *event_updated ? domain::side::crm : domain::side::google;
}

std::optional<domain::side> whole_winner(domain::conflict_policy policy, std::optional<domain::side> newer) {
    switch (policy) {
    case domain::conflict_policy::ask: return {};
    case domain::conflict_policy::crm_wins: return domain::side::crm;
    case domain::conflict_policy::google_wins: return domain::side::google;
    case domain::conflict_policy::last_write_wins: return newer;
    }
    return {};
}

bool freeze_is_over(store::link_row const& link, bool wanted) {
    if (!link.frozen) return false;
    return link.state_reason == "cancelled_in_crm" ? wanted : link.state_reason == "deleted_in_google" && !wanted;
}

namespace {

// What the CRM leaves open of an imported event stays as it is there.
void keep_unsaid(domain::task_changed const& snapshot, domain::fields const& seen, domain::fields& said) {
    if (snapshot.color.empty()) domain::copy(domain::field::color, seen, said);
    if (!snapshot.reminders) domain::copy(domain::field::reminders, seen, said);
    if (!snapshot.google_meet) domain::copy(domain::field::meet, seen, said);
    domain::copy(domain::field::footer, seen, said);
}

}  // namespace

std::optional<domain::refusal> absorb_snapshot(effects& e, surroundings const& around) {
    if (e.task.absorbed_version >= e.task.version) {
        for (auto* side : {&e.task.seen, &e.task.local})
            if (*side) apply_cut(e.task, **side);
        return {};
    }
    if (!domain::wants_event(e.task.snapshot) || e.task.deleted) {
        // The fields of a task that is going away do not matter; what it was stays for comparison.
        e.task.absorbed_version = e.task.version;
        e.task_changed = true;
        return {};
    }
    domain::render_settings const settings = settings_for(e, around);
    auto rendered = domain::render(e.task.snapshot, settings);
    if (auto* refused = std::get_if<domain::refusal>(&rendered)) return *refused;
    domain::fields said = domain::normalise(std::move(std::get<domain::fields>(rendered)));
    apply_cut(e.task, said);
    if (settings.plain && e.task.seen) keep_unsaid(e.task.snapshot, *e.task.seen, said);

    std::int64_t const applied = e.task.snapshot.applied_update_seq;
    bool const knows = applied > 0 && applied >= e.task.pulled_seq;
    domain::field_set echoes;
    domain::fields back;
    if (!e.task.seen || !e.task.local) {
        e.task.local = said;
    } else {
        // A value we told the CRM is our own message coming back. As far as edits go, the CRM agrees there.
        domain::fields edited_only = said;
        domain::fields seen = *e.task.seen;
        back = domain::said_back(*e.task.local, e.task.snapshot, settings);
        // A text a person took out of its template comes back inside it: the CRM holds what it was told and edited nothing.
        for (domain::field f : {domain::field::title, domain::field::description, domain::field::location})
            if (domain::same(f, said, seen) && domain::same(f, said, back) && !domain::same(f, *e.task.local, back)) {
                domain::copy(f, *e.task.local, edited_only);
                domain::copy(f, *e.task.local, seen);
            }
        for (domain::field f : domain::all_fields) {
            if (domain::same(f, said, *e.task.seen) || !domain::is_echo(f, e.task.told, said, applied)) continue;
            echoes.add(f);
            domain::copy(f, *e.task.local, edited_only);
        }
        domain::fields const base = e.link && e.link->base ? *e.link->base : *e.task.seen;
        domain::absorbed taken = domain::absorb(seen, *e.task.local, base, edited_only, knows);
        e.task.local = std::move(taken.local);
        if (e.link && e.link->base && e.link->google_base) {
            store::link_row& link = *e.link;
            auto agree_on = [&](domain::field f, domain::fields const& value) {
                domain::copy(f, value, *link.base);
                domain::copy(f, value, *link.google_base);
                e.link_changed = true;
            };
            for (domain::field f : domain::all_fields)
                // Both changed it without knowing of each other: the base goes back to what both knew, and Google's value stands as its
                // edit.
                if (taken.blind.has(f)) agree_on(f, taken.base);
            for (domain::field_conflict const& open : link.conflicts) {
                if (echoes.has(open.which)) {
                    // The CRM has overwritten its side of the conflict with our older message; its version stays in the record that was
                    // sent.
                    domain::copy(open.which, said, *e.task.local);
                    agree_on(open.which, said);
                } else if (knows && taken.edited.has(open.which) && link.remote) {
                    // An edit made in knowledge of an open conflict settles it: the CRM's new value follows Google's.
                    agree_on(open.which, *link.remote);
                }
            }
        }
    }
    // The CRM took over an older message after we had moved on (it may have overwritten its own edit by that): tell it where the task
    // stands.
    domain::field_set behind;
    for (domain::field f : domain::all_fields) {
        if (!echoes.has(f) || domain::same(f, said, back)) continue;
        auto const newest = std::find_if(e.task.told.rbegin(), e.task.told.rend(), [&](domain::told const& t) { return t.changed.has(f); });
        if (newest != e.task.told.rend() && !domain::same(f, newest->values, back)) behind.add(f);
    }
    if (!behind.empty()) tell_changes(e, behind, around).reason = "kept";
    e.task.seen = said;
    e.task.absorbed_version = e.task.version;
    e.task_changed = true;
    return {};
}

bool is_wanted(effects const& e, surroundings const& around) {
    if (!domain::wants_event(e.task.snapshot) || e.task.deleted || is_cut_away(e.task)) return false;
    if (domain::is_completed(e.task.snapshot) && !domain::wants_event(e.task.snapshot, settings_for(e, around).completed)) return false;
    // An occurrence is where its series is, whoever that belongs to by now.
    return e.task.series || e.task.user == around.connection.user;
}

store::operation_row new_operation(effects& e, std::string kind, surroundings const& around) {
    store::operation_row operation;
    operation.tenant = e.task.tenant;
    operation.id = operation_id{around.fresh_id()};
    operation.link = e.link->id;
    operation.calendar = e.link->calendar;
    operation.sequence = ++e.link->operation_seq;
    operation.kind = std::move(kind);
    operation.state = "pending";
    e.link_changed = true;
    return operation;
}

namespace {

std::map<std::string, std::string> responses(std::string const& attendees_data) {
    std::map<std::string, std::string> out;
    auto const parsed = json::parse(attendees_data, "attendees", {}, true);
    if (!parsed || !parsed->is_array()) return out;
    for (json::value const& item : parsed->get_array())
        if (item.is_object())
            out[std::string(json::text_or(item.get_object(), "email"))] = std::string(json::text_or(item.get_object(), "responseStatus"));
    return out;
}

}  // namespace

bool note_event(store::link_row& link, domain::calendar_event const& event) {
    bool shown = false;
    link.etag = event.etag;
    if (!event.is_cancelled() && link.state_reason == "restore") link.state_reason.clear();
    if (!event.html_link.empty()) link.html_link = event.html_link;
    if (event.hangout_link != link.meet_link && !event.hangout_link.empty()) {
        link.meet_link = event.hangout_link;
        link.meet_id = event.conference_id;
        shown = true;
    }
    link.meet_pending = event.conference_status == "pending";
    if (event.updated) link.event_updated = event.updated;
    if (!event.attendees_omitted) {
        std::string attendees = "[";
        for (domain::event_attendee const& a : event.attendees) {
            if (attendees.size() > 1) attendees += ',';
            attendees += a.raw;
        }
        attendees += ']';
        if (responses(attendees) != responses(link.attendees_data)) shown = true;
        link.attendees_data = std::move(attendees);
    }
    return shown;
}

void end_link(effects& e, std::string reason) {
    e.link->state = domain::link_state::ended;
    e.link->state_reason = std::move(reason);
    e.link->has_conflict = false;
    e.link->conflicts.clear();
    e.link->frozen = false;
    e.link->meet_pending = false;
    e.link_changed = true;
    if (!e.task.series && e.link->base && !e.link->base->recurrence.empty()) e.occurrences_end = "series_ended";
}

void next_generation(effects& e) {
    store::link_row& link = *e.link;
    if (e.task.series) {
        // An instance has one id for ever: it is put back by saying that it takes place.
        link.state = domain::link_state::live;
        link.state_reason = "restore";
        link.frozen = false;
        link.has_conflict = false;
        link.conflicts.clear();
        e.link_changed = true;
        return;
    }
    ++link.generation;
    link.event_id = domain::event_id_for(link.tenant, link.connection, link.id, link.generation);
    link.state = domain::link_state::pending;
    link.etag.clear();
    link.base.reset();
    link.google_base.reset();
    link.remote.reset();
    link.event_updated.reset();
    link.meet_link.clear();
    link.meet_id.clear();
    link.meet_request.clear();
    link.meet_failed = false;
    link.attendees_data = "[]";
    link.frozen = false;
    link.has_conflict = false;
    link.conflicts.clear();
    link.recorded_seq = link.operation_seq;
    e.link_changed = true;
}

void settle(effects& e, std::int64_t worked, std::string state) {
    e.task_changed = true;
    e.task.state = std::move(state);
    e.task.reason.clear();
    e.task.failures = 0;
    e.synced = worked;
    e.explanation.clear();
}

namespace {

json::object settings_object(std::string const& stored) {
    auto const parsed = json::parse(stored.empty() ? "{}" : stored, "sync settings", {}, true);
    return parsed && parsed->is_object() ? parsed->get_object() : json::object{};
}

// The tenant's, with the connection's laid over them: member by member, and within templates type by type.
json::object settings_said(store::connection_row const& connection) {
    json::object all = settings_object(connection.tenant_settings);
    for (auto const& member : settings_object(connection.sync_settings)) {
        json::value& under = all[member.key()];
        if (under.is_object() && member.value().is_object())
            for (auto const& each : member.value().get_object()) under.get_object()[each.key()] = each.value();
        else under = member.value();
    }
    return all;
}

std::map<std::string, std::string, std::less<>> texts_of(json::object const& in, std::string_view name) {
    std::map<std::string, std::string, std::less<>> out;
    if (auto const* texts = json::object_at(in, name))
        for (auto const& member : *texts)
            if (member.value().is_string()) out[std::string(member.key())] = std::string(member.value().get_string());
    return out;
}

}  // namespace

domain::render_settings render_settings_of(store::connection_row const& connection, store::calendar_row const& calendar) {
    domain::render_settings settings;
    settings.calendar_zone = calendar.time_zone.empty() ? "UTC" : calendar.time_zone;
    settings.owner_email = connection.connected_email;
    settings.type_colors = domain::default_type_colors();
    for (auto const& [type, color] : connection.task_type_colors) settings.type_colors[type] = color;
    json::object const stored = settings_said(connection);
    settings.title_templates = texts_of(stored, "title_templates");
    settings.description_templates = texts_of(stored, "description_templates");
    std::string_view const completed = json::text_or(stored, "completed");
    if (completed == "tick") settings.completed = domain::when_completed::tick;
    if (completed == "remove") settings.completed = domain::when_completed::remove;
    auto const minutes = json::integer_or(stored, "default_duration_minutes", 60);
    settings.default_duration = std::chrono::minutes(std::clamp<std::int64_t>(minutes, 5, 24 * 60));
    return settings;
}

domain::render_settings settings_for(effects const& e, surroundings const& around) {
    domain::render_settings settings = render_settings_of(around.connection, around.calendar);
    settings.plain = e.task.origin == "google";
    if (e.zoom && e.task.snapshot.zoom_meeting) settings.zoom_link = e.zoom->url;
    return settings;
}

store::mirrored_event mirror_of(domain::calendar_event const& event, std::optional<link_id> link, bool details) {
    store::mirrored_event row;
    row.id = event.id;
    row.etag = event.etag;
    row.status = event.status.empty() ? "confirmed" : event.status;
    row.recurring = !event.recurrence.empty();
    row.redacted = !details;
    if (details) {
        row.ical_uid = event.ical_uid;
        row.summary = event.summary;
        row.location = event.location;
        row.organizer_email = event.organizer_email;
    }
    if (event.time) {
        row.all_day = event.time->all_day;
        row.start =
            event.time->all_day ? std::chrono::time_point_cast<std::chrono::microseconds>(event.time->first_day) : event.time->start;
        row.end = event.time->all_day ? std::chrono::time_point_cast<std::chrono::microseconds>(event.time->end_day) : event.time->end;
        row.time_zone = event.time->zone;
    }
    if (!event.recurring_event_id.empty()) row.recurring_event_id = event.recurring_event_id;
    if (event.original_start) row.original_start = domain::speak(*event.original_start).start;
    row.event_type = event.event_type.empty() ? "default" : event.event_type;
    row.transparency = event.transparency.empty() ? "opaque" : event.transparency;
    row.visibility = event.visibility.empty() ? "default" : event.visibility;
    row.link = link;
    row.updated = event.updated;
    row.raw = details ? event.raw : google::bare_event(event.raw);
    return row;
}

}  // namespace calbridge::worker
