#include "engine_in.h"

#include "domain/busy.h"
#include "domain/recurrence.h"
#include "domain/text.h"

#include "common/base/encoding.h"
#include "common/crypto/crypto.h"
#include "common/json/json.h"

#include <algorithm>

namespace calbridge::worker {

namespace {

json::value settings_of(std::string const& stored) {
    auto parsed = json::parse(stored.empty() ? "{}" : stored, "sync settings", {}, true);
    return parsed ? std::move(*parsed) : json::value(nullptr);
}

// The member as the connection says it, else as its tenant does.
json::value setting(store::connection_row const& connection, std::string_view name) {
    for (std::string const* stored : {&connection.sync_settings, &connection.tenant_settings}) {
        json::value const all = settings_of(*stored);
        if (!all.is_object()) continue;
        if (auto const* const member = all.get_object().if_contains(name)) return *member;
    }
    return nullptr;
}

void read_names(json::object const& from, std::string_view name, std::set<std::string, std::less<>>& to) {
    json::array const* const listed = json::array_at(from, name);
    if (!listed) return;
    to.clear();
    for (json::value const& each : *listed)
        if (each.is_string()) to.insert(std::string(each.get_string()));
}

// An address, or a whole domain written "@example.com".
bool takes_part(domain::calendar_event const& event, std::set<std::string, std::less<>> const& wanted) {
    auto const one = [&](std::string const& email) {
        std::string const address = domain::lower_ascii(email);
        std::size_t const at = address.find('@');
        return wanted.contains(address) || (at != std::string::npos && wanted.contains(address.substr(at)));
    };
    return one(event.organizer_email) || std::ranges::any_of(event.attendees, [&](auto const& a) { return one(a.email); });
}

domain::task_changed snapshot_of(domain::fields const& said, task_id const& id, std::optional<continuation> const& from,
                                 surroundings const& around) {
    domain::task_changed snapshot;
    if (from) snapshot = from->parent.snapshot;
    else snapshot.type = "meeting";
    snapshot.tenant = around.connection.tenant;
    snapshot.user = around.connection.user;
    snapshot.task = id;
    snapshot.version = 1;
    snapshot.scope = domain::edit_scope::all;
    snapshot.occurrence.clear();
    snapshot.applied_update_seq = 0;
    snapshot.changed_at.reset();
    snapshot.title = said.title;
    snapshot.description = said.description;
    snapshot.location = said.location;
    domain::spoken_time const spoken = domain::speak(said.time);
    snapshot.start = spoken.start;
    snapshot.end = spoken.end;
    snapshot.time_zone = spoken.time_zone;
    snapshot.recurrence = said.recurrence;
    snapshot.attendees.clear();
    for (domain::guest const& g : said.guests) snapshot.attendees.push_back({g.email, g.name, g.optional});
    return snapshot;
}

store::link_row link_of(domain::calendar_event const& event, domain::fields const& said, task_id const& id, surroundings const& around) {
    store::link_row link;
    link.tenant = around.connection.tenant;
    link.id = link_id{around.fresh_id()};
    link.task = id;
    link.connection = around.connection.id;
    link.calendar = around.calendar.id;
    link.google_calendar_id = around.calendar.google_id;
    link.event_id = event.id;
    link.state = domain::link_state::live;
    link.base = link.google_base = link.remote = said;
    link.ical_uid = event.ical_uid;
    link.read_only = read_only_of(event);
    note_event(link, event);
    return link;
}

}  // namespace

import_rules import_rules_of(store::connection_row const& connection) {
    import_rules rules;
    rules.on = connection.import_external_events && pulls(connection.mode);
    json::value const said = setting(connection, "import");
    if (!said.is_object()) return rules;
    json::object const& from = said.get_object();
    read_names(from, "calendars", rules.calendars);
    read_names(from, "kinds", rules.kinds);
    read_names(from, "colours", rules.colors);
    read_names(from, "participants", rules.participants);
    std::set<std::string, std::less<>> lowered;
    for (std::string const& each : rules.participants) lowered.insert(domain::lower_ascii(each));
    rules.participants = std::move(lowered);
    rules.private_as_busy = json::text_or(from, "private") == "busy";
    return rules;
}

bool blocks_tentative(store::connection_row const& connection) {
    json::value const said = setting(connection, "blocked");
    return said.is_object() && json::boolean_or(said.get_object(), "tentative");
}

std::string reading_of(store::connection_row const& connection) {
    std::string said(domain::name(connection.mode));
    said += blocks_tentative(connection) ? "+tentative" : "";
    if (connection.import_external_events && pulls(connection.mode)) said += "+import" + json::serialize(setting(connection, "import"));
    auto const digest = crypto::sha256(said);
    return "&reading=" + hex(std::span<std::uint8_t const>(digest).first(8));
}

bool is_private(domain::calendar_event const& event) { return event.visibility == "private" || event.visibility == "confidential"; }

std::string_view not_imported(domain::calendar_event const& event, import_rules const& rules, surroundings const& around) {
    if (!rules.on) return "import_off";
    if (event.is_cancelled() || !event.time) return "cancelled";
    // Busy times without details, shown to those who may see no more.
    if (around.calendar.access_role == "freeBusyReader") return "busy_only";
    if (!rules.calendars.empty() && !rules.calendars.contains(around.calendar.google_id)) return "calendar";
    if (!rules.kinds.contains(event.event_type.empty() ? std::string_view("default") : std::string_view(event.event_type))) return "kind";
    if (!rules.colors.empty() && !rules.colors.contains(event.color_id)) return "colour";
    if (!rules.participants.empty() && !takes_part(event, rules.participants)) return "participants";
    if (is_private(event) && !rules.private_as_busy) return "private";
    return {};
}

std::string read_only_of(domain::calendar_event const& event) {
    if (!event.event_type.empty() && event.event_type != "default") return "kind";
    if (event.locked) return "locked";
    if (!event.organizer_self && !event.guests_can_modify) return "guest";
    return {};
}

domain::calendar_event without_details(domain::calendar_event event) {
    event.summary = "Busy";
    event.description.clear();
    event.location.clear();
    event.attendees.clear();
    event.attendees_omitted = false;
    event.hangout_link.clear();
    event.conference_id.clear();
    event.conference_status.clear();
    event.html_link.clear();
    event.organizer_email.clear();
    event.color_id.clear();
    event.reminders = {};
    return event;
}

domain::calendar_event as_known(domain::calendar_event const& event, store::task_row const& task, store::link_row const& link) {
    if (task.origin != "google" || !is_private(event) || event.is_cancelled()) return event;
    domain::calendar_event known = without_details(event);
    domain::fields const* const agreed = link.google_base ? &*link.google_base : nullptr;
    if (agreed) {
        known.summary = agreed->title;
        known.description = agreed->description;
        known.location = agreed->location;
    }
    known.attendees_omitted = true;
    return known;
}

std::optional<imported_event> import_event(domain::calendar_event const& shown, std::optional<continuation> const& from,
                                           surroundings const& around) {
    bool const hidden = !from && is_private(shown);
    domain::calendar_event const event = hidden ? without_details(shown) : shown;
    auto const read = domain::read_event(event);
    if (!read) return {};
    domain::fields const said = domain::normalise(*read);
    task_id const id("cal-" + to_string(around.fresh_id()));

    effects e;
    e.task.tenant = around.connection.tenant;
    e.task.id = id;
    e.task.user = around.connection.user;
    e.task.snapshot = snapshot_of(said, id, from, around);
    e.task.calendar = around.calendar.id;
    e.task.seen = e.task.local = said;
    e.task.state = "synced";
    e.task.origin = "google";
    e.task.dirty_seq = e.task.synced_seq = 1;
    if (from) {
        e.task.split_from_task = from->parent.id;
        e.task.split_from = from->key;
    }
    e.link = link_of(event, said, id, around);
    if (hidden) e.link->read_only = "private";

    domain::field_set all;
    for (domain::field f : domain::all_fields) all.add(f);
    store::operation_row history = new_operation(e, "import", around);
    history.state = "done";
    history.who = "google";
    history.why = from ? "split_in_google" : "imported";
    history.expected = said;
    history.answer_etag = event.etag;

    domain::task_update& update = tell(e, domain::update_kind::imported, around);
    e.task.pulled_seq = update.sequence;
    update.reason = from ? "split_in_google" : "imported";
    describe_changes(update, all, said);
    describe_guests(update, e);
    update.organizer_email = event.organizer_email;
    domain::remember(e.task.told, {update.sequence, all, said});

    imported_event out;
    out.update = update;
    out.claim = {event.ical_uid.empty() ? "event:" + event.id : event.ical_uid, "", id};
    out.rows = {std::move(e.task), std::move(*e.link), std::move(history)};
    return out;
}

}  // namespace calbridge::worker
