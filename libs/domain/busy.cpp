#include "domain/busy.h"

#include "domain/zone.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace calbridge::domain {
namespace {

using std::chrono::days;

event_attendee const* own_answer(calendar_event const& event) {
    auto const found = std::ranges::find_if(event.attendees, &event_attendee::self);
    return found == event.attendees.end() ? nullptr : &*found;
}

bool is_tentative(calendar_event const& event) {
    auto const* const self = own_answer(event);
    return event.status == "tentative" || (self && self->response == "tentative");
}

struct collector {
    zone_clock zone;
    instant from, to;
    std::vector<busy_span> spans;

    void add(std::string_view id, time_range const& time, bool tentative) {
        busy_span span{.event_id = std::string(id), .starts = time.start, .ends = time.end, .tentative = tentative};
        if (time.all_day) {
            span.starts = zone.moment_of(time.first_day);
            span.ends = zone.moment_of(time.end_day);
        }
        if (span.starts < span.ends && span.ends > from && span.starts < to) spans.push_back(std::move(span));
    }
};

// A time of an event Google gave no zone takes the calendar's.
time_range with_zone(time_range time, std::string_view calendar_zone) {
    if (!time.all_day && time.zone.empty()) time.zone = calendar_zone;
    return time;
}

// All-day occurrences are placed as if their days were UTC's; zones move midnight by less than two days.
occurrence_window widened(occurrence_window const& within) {
    constexpr instant lowest{std::chrono::sys_days{std::chrono::year(1800) / 1 / 1}};
    constexpr instant highest{std::chrono::sys_days{std::chrono::year(9998) / 1 / 1}};
    return {.from = std::clamp(within.from, lowest, highest) - days(2),
            .to = std::clamp(within.to, lowest, highest) + days(2),
            .most = within.most};
}

using by_key = std::map<std::string, calendar_event const*, std::less<>>;

by_key in_their_places(calendar_event const& series, std::vector<calendar_event> const& exceptions) {
    by_key out;
    for (auto const& one : exceptions) {
        bool const of_other = !one.recurring_event_id.empty() && one.recurring_event_id != series.id;
        if (one.original_start && !of_other) out[occurrence_key(*one.original_start)] = &one;
    }
    return out;
}

}  // namespace

bool blocks_time(calendar_event const& event) {
    if (!event.status.empty() && event.status != "confirmed" && event.status != "tentative") return false;
    if (event.transparency == "transparent") return false;
    if (event.event_type == "workingLocation" || event.event_type == "birthday") return false;
    auto const* const self = own_answer(event);
    return !self || self->response != "declined";
}

result<busy_spans_found> busy_spans(calendar_event const& event, std::vector<calendar_event> const& exceptions,
                                    occurrence_window const& within, std::string_view calendar_zone) {
    if (event.is_cancelled()) return busy_spans_found{};
    if (!event.time) return fail(errc::malformed, "event " + event.id + ": no usable start and end");
    collector out{.zone = zone_clock::named(calendar_zone).value_or(zone_clock::utc()), .from = within.from, .to = within.to};
    busy_spans_found found;
    if (event.recurrence.empty()) {
        if (blocks_time(event)) out.add(event.id, *event.time, is_tentative(event));
        found.spans = std::move(out.spans);
        return found;
    }

    auto const replaced = in_their_places(event, exceptions);
    auto const first = with_zone(*event.time, calendar_zone);
    auto window = widened(within);
    // Occurrences an exception stands for do not use up what was asked for.
    window.most += std::min(replaced.size(), window.most);
    auto const expanded = expand(event.recurrence, first, window);
    if (!expanded) return expanded.error();
    found.cut = expanded->cut;
    if (blocks_time(event)) {
        for (auto const& one : expanded->items) {
            if (!replaced.contains(one.key)) out.add(instance_id(event.id, one.key), one.time, is_tentative(event));
        }
    }
    for (auto const& [key, exception] : replaced) {
        if (blocks_time(*exception) && exception->time) out.add(exception->id, *exception->time, is_tentative(*exception));
    }
    std::ranges::sort(out.spans, {}, [](busy_span const& s) { return std::tuple(s.starts, s.ends, std::string_view(s.event_id)); });
    if (out.spans.size() > within.most) {
        out.spans.resize(within.most);
        found.cut = true;
    }
    found.spans = std::move(out.spans);
    return found;
}

}  // namespace calbridge::domain
