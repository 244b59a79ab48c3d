#include "engine_in.h"

#include "domain/recurrence.h"
#include "domain/stamp.h"

#include <chrono>

namespace calbridge::worker {

namespace {

using std::chrono::days;

instant begin_of(domain::time_range const& t) {
    return t.all_day ? std::chrono::time_point_cast<std::chrono::microseconds>(t.first_day) : t.start;
}

auto length_of(domain::time_range const& t) {
    return t.all_day ? std::chrono::duration_cast<std::chrono::microseconds>(t.end_day - t.first_day) : t.end - t.start;
}

// "This and following" may move what follows, but not far: beyond that a copied stamp or id says nothing.
bool begins_near(domain::time_range const& tail, std::string const& key) {
    auto const at = domain::start_of_occurrence(key, tail.zone);
    if (!at) return false;
    auto const apart = begin_of(tail) - begin_of(*at);
    return apart > -days(31) && apart < days(31);
}

std::string suffix_of(std::string_view event_id) {
    std::size_t const mark = event_id.find("_R");
    return mark == std::string_view::npos ? std::string() : std::string(event_id.substr(mark + 2));
}

bool same_suffix(std::string const& suffix, std::string const& key) { return suffix == key || suffix + "Z" == key; }

}  // namespace

std::string root_id(std::string_view event_id) { return std::string(event_id.substr(0, event_id.find("_R"))); }
bool has_root(std::string_view event_id) {
    std::size_t const mark = event_id.find("_R");
    return mark != std::string_view::npos && mark > 0;
}

bool continues(domain::calendar_event const& tail, series_cut_seen const& cut, surroundings const& around) {
    store::link_row const& old = *cut.series.link;
    if (!tail.time || tail.is_cancelled() || tail.id == old.event_id || !tail.recurring_event_id.empty()) return false;
    if (tail.time->all_day != cut.before.time.all_day || !begins_near(*tail.time, cut.key)) return false;
    if (has_root(tail.id) && root_id(tail.id) == root_id(old.event_id)) {
        // Of several cuts of one series the one at the place the id names.
        std::string const suffix = suffix_of(tail.id);
        return same_suffix(suffix, cut.key) || domain::occurrence_key(*tail.time) == cut.key || suffix.substr(0, 8) == cut.key.substr(0, 8);
    }
    domain::stamp_place const place{old.tenant, old.connection, old.google_calendar_id, old.event_id};
    auto const stamped = domain::verify_stamp(*around.stamps, place, tail.stamp);
    if (stamped && *stamped == old.id) return true;
    auto const read = domain::read_event(tail);
    if (!read || tail.recurrence.empty()) return false;
    return domain::occurrence_key(*tail.time) == cut.key && domain::normalise(*read).title == cut.before.title &&
           length_of(*tail.time) == length_of(cut.before.time);
}

std::optional<std::string> continued_from(domain::calendar_event const& tail, store::link_row const& series) {
    if (!tail.time || !has_root(tail.id) || root_id(tail.id) != series.event_id) return {};
    std::string const suffix = suffix_of(tail.id);
    for (std::string key : {suffix, suffix + "Z", domain::occurrence_key(*tail.time)})
        if (domain::start_of_occurrence(key, "") && takes_place(series, key)) return key;
    return {};
}

effects split_recognised(store::task_and_link rows, continuation const& from, surroundings const& around) {
    effects e = start(std::move(rows));
    e.task.split_from_task = from.parent.id;
    e.task.split_from = from.key;
    domain::task_update& update = tell(e, domain::update_kind::changed, around);
    update.reason = "split_in_google";
    e.why = "split_in_google";
    return e;
}

inbound moved_in_google(store::task_and_link rows, domain::calendar_event const& event, surroundings const& there) {
    rows.link->calendar = there.calendar.id;
    rows.link->google_calendar_id = there.calendar.google_id;
    rows.link->etag.clear();
    rows.task.calendar = there.calendar.id;
    inbound out = event_seen(std::move(rows), std::nullopt, event, there);
    effects& e = out.change;
    store::operation_row history = new_operation(e, "move", there);
    history.state = "done";
    history.who = "google";
    history.why = "moved_in_google";
    history.answer_etag = event.etag;
    e.new_operations.push_back(std::move(history));
    e.link_changed = true;
    domain::task_update& update = tell(e, domain::update_kind::synced, there);
    update.reason = "moved_in_google";
    e.why = "moved_in_google";
    return out;
}

}  // namespace calbridge::worker
