#include "engine_series.h"

#include "engine_calls.h"

#include "domain/recurrence.h"

namespace calbridge::worker {

namespace {

using domain::field;

// The series' time moved to one of its occurrences.
std::optional<domain::time_range> moved_to(domain::time_range const& first, std::string const& key) {
    auto at = domain::start_of_occurrence(key, first.zone);
    if (!at || at->all_day != first.all_day) return {};
    if (at->all_day) at->end_day = at->first_day + (first.end_day - first.first_day);
    else at->end = at->start + (first.end - first.start);
    return at;
}

bool reads_as_series(domain::fields const& f) { return !f.recurrence.empty(); }

bool takes_place(domain::fields const& series, std::string const& key) {
    return reads_as_series(series) && domain::has_occurrence(series.recurrence, series.time, key);
}

bool pushes(domain::sync_mode mode) { return mode == domain::sync_mode::two_way || mode == domain::sync_mode::crm_to_google; }

outbound keep_quiet(effects e, std::string state, std::string reason, std::string_view why) {
    settle(e, e.task.dirty_seq, std::move(state));
    e.task.reason = std::move(reason);
    e.why = why;
    return done_with(std::move(e));
}

std::optional<outbound> split_gate(effects& e, store::task_row const& before, std::optional<store::link_row> const& series,
                                   surroundings const& around) {
    // Asked once: after the split was carried out the old series does not hold the occurrence any more.
    bool const first_time = !before.seen || before.reason == "no_such_occurrence";
    if (e.link || !first_time || !series || !series->base || !is_wanted(e, around)) return {};
    domain::fields const& old = *series->base;
    if (takes_place(old, e.task.split_from)) return {};
    auto const at = domain::start_of_occurrence(e.task.split_from, old.time.zone);
    auto const over = reads_as_series(old) ? domain::end_of_series(old.recurrence, old.time) : std::nullopt;
    // The CRM may have ended the old series itself before it told of the new one.
    if (at && over && !at->all_day && *over <= at->start) return {};
    if (at && over && at->all_day && *over <= instant(at->first_day)) return {};
    return refuse(
        std::move(e), e.task.dirty_seq, "no_such_occurrence",
        "The series to be split has no occurrence at that time. Choose one of its occurrences, or send the new series as a task of "
        "its own.",
        "failed", around);
}

}  // namespace

std::optional<occurrence_agreement> agreement_on(store::link_row const& series, std::string const& key) {
    if (!series.base || !series.google_base) return {};
    auto const ours = moved_to(series.base->time, key);
    auto const theirs = moved_to(series.google_base->time, key);
    if (!ours || !theirs) return {};
    occurrence_agreement out{*series.base, *series.google_base};
    out.base.time = *ours;
    out.google_base.time = *theirs;
    out.base.recurrence.clear();
    out.google_base.recurrence.clear();
    return out;
}

void rebind(store::link_row& link, store::task_row const& task, store::link_row const& series) {
    auto agreed = agreement_on(series, task.occurrence);
    link.calendar = series.calendar;
    link.google_calendar_id = series.google_calendar_id;
    link.event_id = domain::instance_id(series.event_id, task.occurrence);
    link.state = domain::link_state::live;
    link.state_reason.clear();
    link.etag.clear();
    if (agreed) {
        link.base = std::move(agreed->base);
        link.google_base = std::move(agreed->google_base);
    }
    link.remote.reset();
    link.html_link = series.html_link;
    link.meet_link = series.meet_link;
    link.meet_id = series.meet_id;
    link.meet_pending = false;
    link.attendees_data = series.attendees_data;
    link.has_conflict = false;
    link.conflicts.clear();
    link.frozen = false;
    link.recorded_seq = link.operation_seq;
    link.ical_uid = series.ical_uid;
    link.original_start = task.occurrence;
    link.read_only = series.read_only;
}

store::link_row occurrence_link(store::task_row const& task, store::link_row const& series, surroundings const& around) {
    store::link_row link;
    link.tenant = task.tenant;
    link.id = link_id{around.fresh_id()};
    link.task = task.id;
    link.connection = series.connection;
    rebind(link, task, series);
    return link;
}

void leave_series(effects& e, surroundings const& around) {
    if (e.link && e.link->state != domain::link_state::ended) end_link(e, "not_in_series");
    settle(e, e.task.dirty_seq, "removed");
    e.task.reason = "not_in_series";
    domain::task_update& update = tell(e, domain::update_kind::cancelled, around);
    e.task.pulled_seq = update.sequence;
    update.reason = "not_in_series";
    update.explanation = "The series was changed and has no occurrence at this time any more.";
    e.why = "not_in_series";
}

bool is_cut_away(store::task_row const& task) {
    if (task.cut_at.empty() || !task.local) return false;
    std::string const first = domain::occurrence_key(task.local->time);
    return first.size() == task.cut_at.size() && first >= task.cut_at;
}

void apply_cut(store::task_row const& task, domain::fields& to) {
    if (task.cut_at.empty() || to.recurrence.empty()) return;
    // A series moved between whole days and times keeps its rule; the cut is of the other kind then.
    if ((task.cut_at.size() == 8) != to.time.all_day) return;
    if (auto left = domain::end_before(to.recurrence, to.time, task.cut_at)) to.recurrence = std::move(*left);
}

void note_series(effects& e, std::optional<domain::fields> const& before, bool created) {
    if (!e.link || !e.link->base || e.task.series) return;
    if (created) {
        e.wake = occurrences_to_wake::all;
        if (e.task.split_from_task) e.cut = series_cut{*e.task.split_from_task, e.task.split_from};
        return;
    }
    bool const was = before && reads_as_series(*before);
    if (!was && !reads_as_series(*e.link->base)) return;
    if (!before || !domain::same(field::time, *before, *e.link->base) || !domain::same(field::recurrence, *before, *e.link->base))
        e.wake = was ? occurrences_to_wake::linked : occurrences_to_wake::all;
}

std::optional<outbound> series_gate(effects& e, store::task_row const& before, std::optional<store::link_row> const& series,
                                    surroundings const& around) {
    if (!e.task.series) {
        if (e.task.split_from_task) return split_gate(e, before, series, around);
        return {};
    }
    bool const news = before.absorbed_version < before.version;
    if (!series || series->state != domain::link_state::live || !agreement_on(*series, e.task.occurrence)) {
        if (!series && e.link) end_link(e, "series_ended");
        bool const other_kind = series && series->state == domain::link_state::live && series->base && series->google_base;
        if (!other_kind) return keep_quiet(std::move(e), "waiting", "waits_for_series", "waits_for_series");
    }
    domain::fields const& whole = *series->base;
    if (!takes_place(whole, e.task.occurrence)) {
        if (e.link) {
            leave_series(e, around);
            return done_with(std::move(e));
        }
        if (!news && before.state != "pending" && before.state != "waiting" && !before.reason.empty())
            return keep_quiet(std::move(e), before.state, before.reason, "not_in_series");
        if (!reads_as_series(whole))
            return refuse(
                std::move(e), e.task.dirty_seq, "not_a_series",
                "This task is not a recurring one, so one occurrence of it cannot be changed. Send the change for the whole task.",
                "failed", around);
        return refuse(std::move(e), e.task.dirty_seq, "no_such_occurrence",
                      "The series has no occurrence at this time. Choose one of its occurrences, or change the whole series.", "failed",
                      around);
    }
    if (e.link && e.link->event_id != domain::instance_id(series->event_id, e.task.occurrence)) {
        rebind(*e.link, e.task, *series);
        e.link_changed = true;
    }
    return {};
}

bool was_called_off(store::link_row const& ended) {
    return ended.state_reason == "task_removed" || ended.state_reason == "deleted_in_google";
}

void link_occurrence(effects& e, std::optional<store::link_row> ended, store::link_row const& series, surroundings const& around) {
    if (e.link || !pushes(around.connection.mode)) return;
    if (!ended) {
        e.link = occurrence_link(e.task, series, around);
        e.link_is_new = true;
        return;
    }
    // What was called off comes back by saying that it takes place, not by a new event.
    bool const called_off = was_called_off(*ended);
    e.link = std::move(ended);
    rebind(*e.link, e.task, series);
    if (called_off) e.link->state_reason = "restore";
    e.link_changed = true;
}

effects occurrence_missing(store::task_and_link rows, std::optional<store::operation_row> operation, std::int64_t worked,
                           surroundings const& around) {
    effects e = start(std::move(rows));
    if (operation) {
        operation->state = "abandoned";
        operation->answer_reason = "not_found";
        e.finished_operations.push_back(std::move(*operation));
    }
    bool const known = e.link && e.link->remote.has_value();
    if (known) {
        leave_series(e, around);
        return e;
    }
    end_link(e, "not_found");
    if (!is_wanted(e, around)) {
        settle(e, worked, "removed");
        e.why = "not_wanted";
        return e;
    }
    outbound said =
        refuse(std::move(e), worked, "no_such_occurrence",
               "Google Calendar has no occurrence of the series at this time. Choose one of its occurrences, or change the whole "
               "series.",
               "failed", around);
    return std::move(said.change);
}

}  // namespace calbridge::worker
