#include "engine_zoom.h"

#include "engine_calls.h"

#include "common/json/json.h"

#include <algorithm>

namespace calbridge::worker {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds first_rest{5000}, longest_rest{3600000};

bool pushes(domain::sync_mode mode) { return mode == domain::sync_mode::two_way || mode == domain::sync_mode::crm_to_google; }

zoom::meeting_write meeting_of(effects const& e) {
    domain::fields const& f = *e.task.local;
    zoom::meeting_write what;
    what.topic = e.task.snapshot.title.empty() ? f.title : e.task.snapshot.title;
    if (!f.recurrence.empty() || f.time.all_day) return what;  // one link, whenever it is used
    domain::spoken_time const spoken = domain::speak(f.time);
    what.start = spoken.start.substr(0, 19);
    what.time_zone = spoken.time_zone;
    what.minutes =
        static_cast<int>(std::clamp<std::int64_t>(std::chrono::ceil<std::chrono::minutes>(f.time.end - f.time.start).count(), 1, 1440));
    return what;
}

std::string said(zoom::meeting_write const& what) {
    return json::serialize(json::array{what.topic, what.start, what.time_zone, what.minutes});
}

// The operation that says what is done; of a task without an event it stands with the link it had.
store::operation_row begin(effects& e, std::string const& doing, std::string why, surroundings const& around) {
    store::operation_row operation;
    if (e.link) {
        operation = new_operation(e, "zoom_" + doing, around);
    } else {
        operation.tenant = e.task.tenant;
        operation.id = operation_id{around.fresh_id()};
        operation.link = *e.zoom->link;
        operation.calendar = around.calendar.id;
        operation.kind = "zoom_" + doing;
        operation.state = "pending";
    }
    operation.why = std::move(why);
    e.zoom->link = operation.link;
    e.zoom->doing = doing;
    e.zoom->operation = operation.id;
    e.zoom_change = zoom_row_change::save;
    e.new_operations.push_back(operation);
    return operation;
}

outbound call(effects e, send_zoom what, store::operation_row operation) {
    e.why = "zoom_" + std::string(what.name());
    outbound out;
    out.change = std::move(e);
    out.call = std::move(what);
    out.operation = std::move(operation);
    return out;
}

// What was begun and never answered. A meeting that was asked for is looked for; the other two are simply said again.
outbound carry_on(effects e) {
    store::operation_row operation;
    operation.tenant = e.task.tenant;
    operation.id = *e.zoom->operation;
    operation.kind = "zoom_" + e.zoom->doing;
    send_zoom what;
    what.meeting = e.zoom->meeting;
    what.doing = e.zoom->doing == "create" ? send_zoom::find : e.zoom->doing == "update" ? send_zoom::update : send_zoom::remove;
    if (what.doing == send_zoom::update && !e.task.local) what.doing = send_zoom::remove;
    if (what.doing == send_zoom::update) what.what = meeting_of(e);
    return call(std::move(e), std::move(what), std::move(operation));
}

void tell_why_not(effects& e, std::string code, std::string explanation, surroundings const& around) {
    if (e.zoom->reason == code) return;
    e.zoom->reason = code;
    e.zoom_change = zoom_row_change::save;
    domain::task_update& update = tell(e, domain::update_kind::failed, around);
    update.reason = std::move(code);
    update.explanation = std::move(explanation);
}

// The join link stands in the footer, and is the place of a meeting that has no other.
void show_link(effects& e, surroundings const& around) {
    if (!e.task.seen || !e.task.local || e.task.absorbed_version < e.task.version) return;
    auto rendered = domain::render(e.task.snapshot, settings_for(e, around));
    auto const* now = std::get_if<domain::fields>(&rendered);
    if (now == nullptr) return;
    for (domain::field f : {domain::field::footer, domain::field::location}) {
        if (domain::same(f, *now, *e.task.seen)) continue;
        if (domain::same(f, *e.task.local, *e.task.seen)) domain::copy(f, *now, *e.task.local);
        domain::copy(f, *now, *e.task.seen);
    }
    e.task_changed = true;
    bool const repeats = !e.task.local->recurrence.empty();
    if (repeats && e.link && e.wake == occurrences_to_wake::none) e.wake = occurrences_to_wake::linked;
}

effects answered(store::task_and_link rows, store::operation_row& operation, std::string state) {
    effects e = start(std::move(rows));
    operation.state = std::move(state);
    e.finished_operations.push_back(operation);
    if (e.zoom && e.zoom->operation == operation.id) {
        e.zoom->doing.clear();
        e.zoom->operation.reset();
        e.zoom->failures = 0;
        e.zoom->retry_at.reset();
        e.zoom_change = zoom_row_change::save;
    }
    return e;
}

}  // namespace

std::string_view send_zoom::name() const {
    switch (doing) {
    case create: return "create";
    case update: return "update";
    case remove: return "delete";
    case find: return "find";
    }
    return "unknown";
}

std::string zoom_marker(operation_id operation) { return "calbridge " + operation.str(); }

std::optional<milliseconds> zoom_rests(effects const& e, surroundings const& around) {
    if (e.task.series || !e.zoom || !e.zoom->retry_at || *e.zoom->retry_at <= around.now) return {};
    return std::chrono::ceil<milliseconds>(*e.zoom->retry_at - around.now);
}

std::optional<outbound> zoom_gate(effects& e, bool wanted, surroundings const& around) {
    if (e.task.series || !pushes(around.connection.mode) || (e.link && e.link->frozen)) return {};
    bool const writable = may_write(around.calendar.access_role) && !(e.link && !e.link->read_only.empty());
    bool const wants = wanted && e.task.snapshot.zoom_meeting && e.task.local && writable;
    if (!wants && !e.zoom) return {};
    if (!around.zoom) {
        e.why = "looks_for_zoom";
        outbound out;
        out.change = std::move(e);
        out.call = find_zoom{};
        return out;
    }
    if (!*around.zoom) {
        if (!wants) {
            e.zoom_change = zoom_row_change::drop;
            e.zoom.reset();
            return {};
        }
        if (!e.zoom) e.zoom = store::zoom_row{};
        tell_why_not(
            e, "zoom_not_set_up",
            "The event is in the calendar without a Zoom meeting, because no Zoom account is set up. Ask an administrator to set it up, "
            "then send the task again.",
            around);
        return {};
    }
    if (zoom_rests(e, around)) return {};
    if (e.zoom && e.zoom->operation) return carry_on(std::move(e));
    if (!wants) {
        if (e.zoom->meeting.empty() || !(e.link || e.zoom->link)) {
            e.zoom_change = zoom_row_change::drop;
            e.zoom.reset();
            return {};
        }
        send_zoom what{send_zoom::remove, e.zoom->meeting, {}};
        store::operation_row operation = begin(e, "delete", "task needs no Zoom meeting", around);
        return call(std::move(e), std::move(what), std::move(operation));
    }
    if (!e.zoom) e.zoom = store::zoom_row{};
    zoom::meeting_write meeting = meeting_of(e);
    if (!e.zoom->meeting.empty() && e.zoom->said == said(meeting)) return {};
    ensure_link(e, around);
    bool const make = e.zoom->meeting.empty();
    store::operation_row operation =
        begin(e, make ? "create" : "update", make ? "task wants a Zoom meeting" : "time or title of the task changed", around);
    if (make) meeting.agenda = zoom_marker(operation.id);
    send_zoom what{make ? send_zoom::create : send_zoom::update, e.zoom->meeting, std::move(meeting)};
    return call(std::move(e), std::move(what), std::move(operation));
}

effects zoom_made(store::task_and_link rows, store::operation_row operation, std::optional<zoom::meeting> const& made,
                  surroundings const& around) {
    effects e = answered(std::move(rows), operation, made ? "done" : "abandoned");
    e.why = made ? "zoom_made" : "zoom_not_made";
    if (!e.zoom || !made) return e;
    e.zoom->meeting = made->id;
    e.zoom->url = made->join_url;
    e.zoom->reason.clear();
    if (e.task.local) e.zoom->said = said(meeting_of(e));
    show_link(e, around);
    return e;
}

effects zoom_updated(store::task_and_link rows, store::operation_row operation, surroundings const&) {
    effects e = answered(std::move(rows), operation, "done");
    if (e.zoom && e.task.local) e.zoom->said = said(meeting_of(e));
    if (e.zoom) e.zoom->reason.clear();
    e.why = "zoom_updated";
    return e;
}

effects zoom_removed(store::task_and_link rows, store::operation_row operation, bool lost, surroundings const& around) {
    effects e = answered(std::move(rows), operation, lost ? "failed" : "done");
    e.zoom_change = zoom_row_change::drop;
    e.zoom.reset();
    show_link(e, around);
    e.why = lost ? "zoom_lost" : "zoom_removed";
    return e;
}

effects zoom_failed(store::task_and_link rows, store::operation_row operation, zoom::call_error const& error, surroundings const& around) {
    effects e = start(std::move(rows));
    e.why = "zoom_failed";
    if (!e.zoom || e.zoom->operation != operation.id) return e;
    bool const away = error.code == errc::timed_out || error.code == errc::unavailable || error.code == errc::rate_limited ||
                      error.code == errc::shutting_down || error.outcome_unknown;
    e.zoom->failures += 1;
    milliseconds rest = std::min(longest_rest, first_rest * (1 << std::min(e.zoom->failures, 10)));
    if (!away) rest = longest_rest;
    if (error.retry_after) rest = std::max<milliseconds>(rest, *error.retry_after);
    e.zoom->retry_at = around.now + rest;
    e.zoom_change = zoom_row_change::save;
    if (!error.outcome_unknown) {
        operation.state = "failed";
        operation.answer_status = error.status;
        operation.answer_reason = std::string(name(error.code));
        e.finished_operations.push_back(operation);
        e.zoom->doing.clear();
        e.zoom->operation.reset();
    }
    if (!is_wanted(e, around)) return e;
    if (error.code == errc::client_rejected || error.code == errc::forbidden)
        tell_why_not(
            e, "zoom_refused",
            "Zoom does not accept the account that is set up for it, so the event has no Zoom meeting yet. Ask an administrator to check "
            "the account; this is retried by itself.",
            around);
    else if (!away)
        tell_why_not(e, "zoom_failed",
                     "Zoom did not accept the meeting, so the event has none. Change its title or time, or leave Zoom out.", around);
    else if (e.zoom->meeting.empty())
        tell_why_not(e, "zoom_unavailable",
                     "Zoom cannot be reached; the event is in the calendar without its meeting, which follows by itself.", around);
    return e;
}

}  // namespace calbridge::worker
