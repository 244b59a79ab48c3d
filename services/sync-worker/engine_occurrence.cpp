#include "engine_in.h"
#include "engine_series.h"

#include "domain/recurrence.h"
#include "domain/scope.h"

#include <algorithm>

namespace calbridge::worker {

namespace {

using domain::field;

// What Google last showed of the series; the agreement where it has shown nothing since.
domain::fields const* shown_of(store::link_row const& series) {
    if (series.remote) return &*series.remote;
    return series.google_base ? &*series.google_base : nullptr;
}

// A difference a person made: fields only calbridge writes do not count, and a list Google cut says nothing about who is missing.
bool differs(domain::fields const& agreed, domain::calendar_event const& event) {
    auto const read = domain::read_event(event);
    if (!read) return true;
    domain::field_set const different = domain::differences(agreed, domain::normalise(*read));
    return std::ranges::any_of(domain::all_fields, [&](field f) {
        return different.has(f) && !domain::is_push_only(f) && !(f == field::guests && event.attendees_omitted);
    });
}

store::task_row occurrence_row_of(store::task_row const& series, std::string const& key, domain::fields const& agreed,
                                  calendar_id calendar) {
    store::task_row row;
    row.tenant = series.tenant;
    row.id = domain::occurrence_row(series.id, key);
    row.user = series.user;
    row.snapshot = series.snapshot;
    row.snapshot.version = std::max<std::int64_t>(row.snapshot.version, 1);
    row.snapshot.scope = domain::edit_scope::this_one;
    row.snapshot.recurrence.clear();
    domain::spoken_time const spoken = domain::speak(agreed.time);
    row.snapshot.occurrence = spoken.start;
    row.snapshot.start = spoken.start;
    row.snapshot.end = spoken.end;
    row.snapshot.time_zone = spoken.time_zone;
    row.snapshot.applied_update_seq = 0;
    row.calendar = calendar;
    row.dirty_seq = row.synced_seq = 1;
    // Answers for the occurrence may have been told in the series' sequence: its own goes on from there.
    row.update_seq = series.update_seq;
    row.seen = row.local = agreed;
    row.state = "synced";
    row.series = series.id;
    row.occurrence = key;
    row.origin = series.origin;
    return row;
}

// Guests answered for one occurrence alone: told in the series' own sequence, without a row.
std::optional<inbound> answers_only(store::task_and_link const& series, std::string const& key, domain::calendar_event const& event,
                                    surroundings const& around) {
    effects e = start(series);
    store::link_row const before = *e.link;
    if (!note_event(*e.link, event)) return {};
    domain::task_update& update = tell(e, domain::update_kind::occurrence_changed, around);
    auto const at = domain::start_of_occurrence(key, e.task.local ? e.task.local->time.zone : std::string());
    domain::spoken_time const spoken = at ? domain::speak(*at) : domain::spoken_time{key, "", "", false};
    update.occurrence = spoken.start;
    update.time_zone = spoken.time_zone;
    update.google_event_id = event.id;
    update.reason = "attendees_or_conference";
    describe_guests(update, e);
    e.link = before;
    e.why = "answers";
    inbound out;
    out.change = std::move(e);
    return out;
}

}  // namespace

bool pulls(domain::sync_mode mode) { return mode == domain::sync_mode::two_way || mode == domain::sync_mode::google_to_crm; }

std::optional<exception_name> exception_named(domain::calendar_event const& event) {
    bool const says_series = !event.recurring_event_id.empty();
    if (says_series && event.original_start) return exception_name{event.recurring_event_id, domain::occurrence_key(*event.original_start)};
    if (!says_series && !event.is_cancelled()) return {};
    std::size_t const mark = event.id.rfind('_');
    std::string key = mark == std::string::npos || mark == 0 ? std::string() : event.id.substr(mark + 1);
    if (!domain::start_of_occurrence(key, "")) key.clear();
    // Of a series it does not say where: an occurrence of nothing.
    if (says_series) return exception_name{event.recurring_event_id, std::move(key)};
    if (key.empty()) return {};
    return exception_name{event.id.substr(0, mark), std::move(key)};
}

void complete_exception(domain::calendar_event& event) {
    if (!event.recurring_event_id.empty() && event.original_start) return;
    auto const name = exception_named(event);
    if (!name) return;
    event.recurring_event_id = name->master;
    event.original_start = domain::start_of_occurrence(name->key, "");
}

bool takes_place(store::link_row const& series, std::string const& key) {
    domain::fields const* const shown = shown_of(series);
    return shown && !shown->recurrence.empty() && domain::has_occurrence(shown->recurrence, shown->time, key);
}

std::vector<std::string> dropped_occurrences(store::link_row const& series, std::vector<std::string> const& open) {
    std::vector<std::string> out;
    std::ranges::copy_if(open, std::back_inserter(out), [&](std::string const& key) { return !takes_place(series, key); });
    return out;
}

exception_seen unlinked_exception(store::task_and_link const& series, std::optional<store::task_and_link> row, exception_name const& name,
                                  domain::calendar_event const& event, bool known, surroundings const& around) {
    exception_seen out;
    effects const whole = start(series);
    if (!pulls(around.connection.mode) || !is_wanted(whole, around) || !takes_place(*series.link, name.key)) return out;
    auto const agreed = agreement_on(*series.link, name.key);
    if (!agreed) return out;
    bool const ended_before = row && row->link;
    if (ended_before && event.is_cancelled()) return out;
    bool const comes_back = ended_before && row->task.reason == "deleted_in_google";
    if (!event.is_cancelled() && !comes_back && !differs(agreed->google_base, event)) {
        if (!row && !known) out.seen = answers_only(series, name.key, event, around);
        return out;
    }
    store::task_and_link rows;
    rows.series = series.link;
    rows.task = row ? row->task : occurrence_row_of(series.task, name.key, agreed->base, series.link->calendar);
    if (ended_before) {
        effects const told = start(*row);
        if (!is_wanted(told, around)) return out;
        rows.link = row->link;
        rebind(*rows.link, rows.task, *series.link);
        rows.task.local = agreed->base;
        rows.task.state = "synced";
        rows.task.reason.clear();
    } else {
        rows.link = occurrence_link(rows.task, *series.link, around);
        rows.task.calendar = series.link->calendar;
    }
    out.seen = event_seen(std::move(rows), std::nullopt, event, around);
    effects& e = out.seen->change;
    e.link_is_new = !ended_before;
    e.link_changed = true;
    e.task_changed = true;
    e.task_is_new = !row;
    out.makes_row = !row;
    if (comes_back && e.updates.empty() && !out.seen->odd) {
        domain::field_set all;
        for (field f : domain::all_fields)
            if (!domain::is_push_only(f)) all.add(f);
        tell_changes(e, all, around).reason = "restored_in_google";
    }
    return out;
}

inbound linked_exception(store::task_and_link rows, std::optional<store::operation_row> const& stamped, exception_name const& name,
                         domain::calendar_event const& event, surroundings const& around) {
    if (event.is_cancelled() && rows.series && !takes_place(*rows.series, name.key)) {
        inbound out;
        out.change = start(std::move(rows));
        out.change.link->etag = event.etag;
        leave_series(out.change, around);
        return out;
    }
    return event_seen(std::move(rows), stamped, event, around);
}

}  // namespace calbridge::worker
