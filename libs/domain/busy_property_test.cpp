// Busy spans against a naive placing of every occurrence and exception.

#include "domain/brute_force_for_tests.h"
#include "domain/busy.h"
#include "domain/properties_for_tests.h"

#include <algorithm>
#include <chrono>
#include <map>

namespace calbridge::domain {
namespace {

using testing_world::check_cases;
using testing_world::dice;

constexpr std::string_view calendar_zone = "Europe/Zurich";

struct drawn {
    calendar_event series;
    std::vector<calendar_event> exceptions;
    brute_force::day_series naive;
};

instant at(std::time_t moment) { return instant{std::chrono::seconds(moment)}; }

time_range place(std::time_t start, bool all_day, std::time_t length) {
    if (!all_day) return {.start = at(start), .end = at(start + length), .zone = std::string(calendar_zone)};
    auto const day = std::chrono::floor<std::chrono::days>(at(start));
    return {.all_day = true, .first_day = day, .end_day = day + std::chrono::days(1)};
}

void set_mood(dice& random, calendar_event& event) {
    event.status = random.pick({"confirmed", "confirmed", "confirmed", "tentative", "cancelled"});
    event.transparency = random.pick({"opaque", "opaque", "", "transparent"});
    event.event_type = random.pick({"default", "default", "outOfOffice", "workingLocation"});
    if (random.below(3) == 0)
        event.attendees.push_back({.email = "me@x.y", .response = random.pick({"accepted", "declined", "tentative"}), .self = true});
}

drawn draw(dice& random) {
    constexpr std::time_t spring = 1'774'000'000;  // 2026-03-20
    drawn out;
    auto& naive = out.naive;
    naive.all_day = random.below(4) == 0;
    naive.zone = calendar_zone;
    naive.first = spring + random.below(20) * 86'400L + random.below(86'400);
    if (naive.all_day) naive.first -= naive.first % 86'400;
    auto const weekly = random.below(2) == 1;
    naive.rules.push_back({.every = weekly ? brute_force::freq::weekly : brute_force::freq::daily,
                           .interval = 1 + random.below(3),
                           .count = 1 + random.below(15)});
    auto const& r = naive.rules.front();
    set_mood(random, out.series);
    out.series.id = "e";
    if (random.below(4)) out.series.status = "confirmed";
    out.series.time = place(naive.first, naive.all_day, 3600);
    out.series.recurrence = {"RRULE:FREQ=" + std::string(weekly ? "WEEKLY" : "DAILY") + ";INTERVAL=" + std::to_string(r.interval) +
                             ";COUNT=" + std::to_string(*r.count)};
    for (auto const start : brute_force::occurrences(naive, naive.first + 200 * 86'400L)) {
        if (random.below(4)) continue;
        calendar_event one;
        set_mood(random, one);
        one.id = "x" + std::to_string(start);
        one.recurring_event_id = "e";
        one.original_start = place(start, naive.all_day, 3600);
        one.time = place(start + (random.below(2) ? 0 : (random.below(40) - 20) * 43'200L), random.below(8) == 0, random.below(3) * 1800);
        if (one.is_cancelled() && random.below(2)) one.time.reset();
        out.exceptions.push_back(std::move(one));
    }
    std::shuffle(out.exceptions.begin(), out.exceptions.end(), random.engine());
    return out;
}

bool blocks(calendar_event const& event) {
    bool const declined = !event.attendees.empty() && event.attendees.front().response == "declined";
    return event.status != "cancelled" && event.transparency != "transparent" && event.event_type != "workingLocation" && !declined;
}

std::pair<std::time_t, std::time_t> moments(time_range const& time) {
    auto const seconds = [](instant when) {
        return static_cast<std::time_t>(std::chrono::floor<std::chrono::seconds>(when).time_since_epoch().count());
    };
    if (!time.all_day) return {seconds(time.start), seconds(time.end)};
    brute_force::c_zone const in{std::string(calendar_zone)};
    return {brute_force::c_zone::moment_of(seconds(time.first_day)), brute_force::c_zone::moment_of(seconds(time.end_day))};
}

using spans = std::vector<std::pair<std::time_t, std::time_t>>;

spans naive_spans(drawn const& d, std::time_t from, std::time_t to) {
    spans out;
    auto const add = [&](time_range const& time) {
        auto const [begins, ends] = moments(time);
        if (begins < ends && ends > from && begins < to) out.emplace_back(begins, ends);
    };
    if (d.series.is_cancelled()) return out;
    auto starts = brute_force::occurrences(d.naive, d.naive.first + 400 * 86'400L);
    for (auto const& one : d.exceptions) {
        starts.erase(static_cast<std::time_t>(one.original_start->all_day
                                                  ? std::chrono::sys_seconds(one.original_start->first_day).time_since_epoch().count()
                                                  : moments(*one.original_start).first));
        if (blocks(one) && one.time) add(*one.time);
    }
    if (blocks(d.series)) {
        for (auto const start : starts) add(place(start, d.naive.all_day, 3600));
    }
    std::ranges::sort(out);
    return out;
}

TEST(BusyProperty, SpansAreThoseOfEveryOccurrenceInItsPlace) {
    check_cases(30'000, [](dice& random) {
        auto const d = draw(random);
        auto const from = d.naive.first + (random.below(60) - 20) * 43'200L;
        auto const to = from + random.below(60) * 43'200L;

        auto const found = busy_spans(d.series, d.exceptions, {.from = at(from), .to = at(to)}, calendar_zone);

        RC_ASSERT(found.has_value());
        RC_ASSERT(!found->cut);
        spans got;
        for (auto const& span : found->spans) got.push_back(moments({.start = span.starts, .end = span.ends}));
        RC_ASSERT(got == naive_spans(d, from, to));
    });
}

}  // namespace
}  // namespace calbridge::domain
