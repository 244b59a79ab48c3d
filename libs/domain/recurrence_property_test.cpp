// Series against a naive day-by-day reading of RFC 5545, across clock changes.

#include "domain/brute_force_for_tests.h"
#include "domain/properties_for_tests.h"
#include "domain/recurrence.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace calbridge::domain {
namespace {

using brute_force::civil_of;
using brute_force::day_of;
using brute_force::day_rule;
using brute_force::day_series;
using brute_force::freq;
using testing_world::check_drawn_cases;
using lines = std::vector<std::string>;

int below(int n) { return *rc::gen::inRange(0, n); }
bool one_in(int n) { return below(n) == n - 1; }

instant at(std::time_t moment) { return instant{std::chrono::seconds(moment)}; }

std::string compact(std::time_t moment, bool all_day) {
    std::tm out{};
    gmtime_r(&moment, &out);
    auto const date = fmt::format("{:04}{:02}{:02}", out.tm_year + 1900, out.tm_mon + 1, out.tm_mday);
    return all_day ? date : date + fmt::format("T{:02}{:02}{:02}Z", out.tm_hour, out.tm_min, out.tm_sec);
}

std::string local(std::time_t moment, std::string const& zone) {
    brute_force::c_zone const in(zone);
    auto text = compact(brute_force::c_zone::wall_of(moment), false);
    text.pop_back();
    return text;
}

std::vector<int> some_numbers(int least, int most, bool negative, int how_many) {
    std::vector<int> out;
    for (int n = 1 + below(how_many); n > 0; --n) {
        int const value = least + below(most - least + 1);
        out.push_back(negative && one_in(3) ? -value : value);
    }
    return out;
}

void draw_days(day_rule& r) {
    auto const weekdays = [&](bool ordinals) {
        for (int n = 1 + below(3); n > 0; --n)
            r.weekdays.emplace_back(ordinals && one_in(2) ? (one_in(2) ? -1 : 1) * (1 + below(5)) : 0, below(7));
    };
    switch (r.every) {
    case freq::daily:
        if (one_in(3)) weekdays(false);
        if (one_in(4)) r.month_days = some_numbers(1, 31, true, 4);
        return;
    case freq::weekly:
        if (!one_in(3)) weekdays(false);
        return;
    case freq::monthly:
        if (one_in(2)) weekdays(true);
        if (one_in(3)) r.month_days = some_numbers(1, 31, true, 3);
        return;
    case freq::yearly: {
        int const kind = below(6);
        if (kind == 1) r.year_days = some_numbers(1, 366, true, 3);
        if (kind == 2 && r.interval == 1) r.week_numbers = some_numbers(1, 53, true, 3);
        if (kind == 3) r.month_days = some_numbers(1, 31, true, 3);
        if (kind >= 3 && one_in(2)) weekdays(kind > 3 || !r.months.empty());
        if (kind == 1 && one_in(3)) weekdays(false);
        if (kind == 2 && one_in(2)) weekdays(false);
        return;
    }
    }
}

int days_looked_at(day_rule const& r) {
    if (r.every == freq::yearly) return 7 * 365;
    return r.every == freq::monthly ? 700 : r.every == freq::weekly ? 400 : 130;
}

day_rule draw_rule(day_series const& s) {
    day_rule r{.every = static_cast<freq>(below(4))};
    r.interval = one_in(2) ? 1 + below(5) : 1;
    if (one_in(4)) r.months = some_numbers(1, 12, false, 4);
    draw_days(r);
    bool const selects = !r.months.empty() || !r.weekdays.empty() || !r.month_days.empty() || !r.year_days.empty();
    bool const one_way = r.week_numbers.empty() && (r.year_days.empty() || r.months.empty());
    if (selects && one_way && one_in(4)) r.positions = some_numbers(1, r.every == freq::yearly ? 10 : 4, true, 2);
    if (one_in(3)) r.week_start = below(7);
    if (one_in(3)) r.count = 1 + below(20);
    else if (one_in(3)) {
        auto const days = below(days_looked_at(r));
        r.until = s.first + days * 86'400L + (s.all_day ? 0 : (below(5) - 2) * 3600L);
    }
    return r;
}

std::string numbers(std::string_view name, std::vector<int> const& values) {
    return values.empty() ? "" : fmt::format(";{}={}", name, fmt::join(values, ","));
}

constexpr std::array<std::string_view, 7> weekday_names{"MO", "TU", "WE", "TH", "FR", "SA", "SU"};

// UNTIL as a moment, or as the local time it is in the zone.
std::string spell(day_rule const& r, day_series const& s) {
    constexpr std::array<std::string_view, 4> freqs{"DAILY", "WEEKLY", "MONTHLY", "YEARLY"};
    std::string out = fmt::format("FREQ={};INTERVAL={}", freqs[static_cast<std::size_t>(r.every)], r.interval);
    out += numbers("BYSETPOS", r.positions) + numbers("BYMONTHDAY", r.month_days) + numbers("BYMONTH", r.months) +
           numbers("BYYEARDAY", r.year_days) + numbers("BYWEEKNO", r.week_numbers);
    std::string days;
    for (auto const& [ordinal, weekday] : r.weekdays)
        days += (days.empty() ? "" : ",") + (ordinal == 0 ? "" : std::to_string(ordinal)) +
                std::string(weekday_names[static_cast<std::size_t>(weekday)]);
    if (!days.empty()) out += ";BYDAY=" + days;
    if (r.count) out += fmt::format(";COUNT={}", *r.count);
    if (r.until) out += ";UNTIL=" + compact(*r.until, s.all_day);
    if (r.week_start != 0) out += ";WKST=" + std::string(weekday_names[static_cast<std::size_t>(r.week_start)]);
    return out;
}

struct drawn {
    day_series series;
    time_range first;
    lines said;  // in any spelling
    std::time_t horizon{};
};

// Starts near clock changes, leap days, ends of years, and where the zone files end.
std::time_t draw_first(bool all_day, std::string const& zone) {
    constexpr std::array<std::array<int, 3>, 10> dates{{{2026, 3, 20},
                                                        {2026, 10, 20},
                                                        {2011, 12, 20},
                                                        {2026, 4, 1},
                                                        {2028, 2, 27},
                                                        {2024, 12, 28},
                                                        {2027, 1, 29},
                                                        {2036, 11, 1},
                                                        {2037, 10, 20},
                                                        {2099, 3, 1}}};
    auto const& date = dates[static_cast<std::size_t>(below(10))];
    long const day = day_of(date[0], date[1], date[2]) + below(20);
    if (all_day) return day * 86'400;
    constexpr std::array<int, 8> minutes{120, 150, 90, 0, 1439, 600, 45, 180};
    brute_force::c_zone const in(zone);
    return brute_force::c_zone::moment_of(day * 86'400 + minutes[static_cast<std::size_t>(below(8))] * 60);
}

constexpr std::array<char const*, 5> zones{"Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"};

drawn draw_series() {
    drawn out;
    auto& s = out.series;
    s.all_day = one_in(4);
    s.zone = s.all_day ? "" : zones[static_cast<std::size_t>(below(5))];
    s.first = draw_first(s.all_day, s.zone);
    out.first = {.start = at(s.first), .end = at(s.first + 1800), .zone = s.zone};
    if (s.all_day) {
        auto const day = std::chrono::floor<std::chrono::days>(at(s.first));
        out.first = {.all_day = true, .first_day = day, .end_day = day + std::chrono::days(1)};
    }
    int const rules = one_in(8) ? 2 : one_in(12) ? 0 : 1;
    int days = 40;
    for (int n = 0; n < rules; ++n) {
        s.rules.push_back(draw_rule(s));
        days = std::max(days, days_looked_at(s.rules.back()));
        out.said.push_back("RRULE:" + spell(s.rules.back(), s));
    }
    if (one_in(8)) {
        s.except_rules.push_back(draw_rule(s));
        out.said.push_back("EXRULE:" + spell(s.except_rules.back(), s));
    }
    out.horizon = s.first + days * 86'400L;

    auto const some = brute_force::occurrences(s, out.horizon);
    auto const say = [&](std::string_view name, std::time_t moment) {
        if (s.all_day) out.said.push_back(fmt::format("{};VALUE=DATE:{}", name, compact(moment, true)));
        else if (one_in(2)) out.said.push_back(fmt::format("{};TZID={}:{}", name, s.zone, local(moment, s.zone)));
        else out.said.push_back(fmt::format("{}:{}", name, compact(moment, false)));
    };
    // A local time shown twice is the first: say only what has one meaning.
    brute_force::c_zone const in(s.all_day ? "UTC" : s.zone);
    auto const plain = [&](std::time_t moment) { return brute_force::c_zone::moment_of(brute_force::c_zone::wall_of(moment)); };
    if (one_in(3)) {
        for (int n = below(4); n > 0; --n) {
            s.dates.push_back(plain(s.first + below(300) * 86'400L + (s.all_day || one_in(2) ? 0 : below(86'400))));
            say("RDATE", s.dates.back());
        }
    }
    if (one_in(3) && !some.empty()) {
        for (int n = below(4); n > 0; --n) {
            s.except_dates.push_back(
                plain(one_in(3) ? s.first + below(300) * 86'400L
                                : *std::next(some.begin(), below(static_cast<int>(std::min<std::size_t>(some.size(), 12))))));
            say("EXDATE", s.except_dates.back());
        }
    }
    return out;
}

lines keys_of(std::set<std::time_t> const& starts, bool all_day) {
    lines out;
    for (auto const moment : starts) out.push_back(compact(moment, all_day));
    return out;
}

lines keys_of(lines const& rules, time_range const& first, instant from, instant to) {
    lines out;
    auto const found = expand(rules, first, {.from = from, .to = to, .most = 50'000});
    RC_ASSERT(found.has_value());
    RC_ASSERT(!found->cut);
    for (auto const& one : found->items) out.push_back(one.key);
    return out;
}

constexpr instant long_ago{};

// Canonical lines, or nothing when they were refused; refusals must be right, too.
std::optional<lines> accepted(drawn const& d) {
    auto const read = canonical_recurrence(d.said, d.first);
    if (auto const* const found = std::get_if<lines>(&read)) return *found;
    auto const& why = std::get<refusal>(read);
    RC_LOG() << why.code << " " << why.explanation << " "
             << fmt::format("{} first {} {}", fmt::join(d.said, " | "), compact(d.series.first, d.series.all_day), d.series.zone)
             << std::endl;
    if (why.code == "recurrence_never") {
        RC_ASSERT(brute_force::occurrences(d.series, d.horizon).empty());
        return {};
    }
    // The only unreadable thing drawn here is a day no calendar has.
    RC_ASSERT(why.code == "bad_recurrence");
    auto const in_vain = [&](day_rule const& r) { return brute_force::instances(d.series, r, d.horizon, false).empty(); };
    RC_ASSERT(std::ranges::any_of(d.series.rules, in_vain) || std::ranges::any_of(d.series.except_rules, in_vain));
    return {};
}

void log(drawn const& d, lines const& canonical) {
    RC_LOG() << fmt::format("first {} {} {}\nsaid {}\ncanonical {}\nhorizon {}", compact(d.series.first, d.series.all_day), d.series.zone,
                            d.series.all_day ? "" : local(d.series.first, d.series.zone), fmt::join(d.said, " | "),
                            fmt::join(canonical, " | "), compact(d.horizon, false))
             << std::endl;
}

TEST(RecurrenceProperty, ExpansionIsWhatADayByDayReadingFinds) {
    check_drawn_cases(20'000, [] {
        auto const d = draw_series();
        auto const canonical = accepted(d);
        if (!canonical) return;
        log(d, *canonical);
        auto const expected = keys_of(brute_force::occurrences(d.series, d.horizon), d.series.all_day);

        RC_ASSERT(keys_of(*canonical, d.first, long_ago, at(d.horizon)) == expected);
        if (one_in(4)) RC_ASSERT(keys_of(d.said, d.first, long_ago, at(d.horizon)) == expected);
    });
}

TEST(RecurrenceProperty, TheCanonicalSpellingOfItselfIsItself) {
    check_drawn_cases(10'000, [] {
        auto const d = draw_series();
        auto const canonical = accepted(d);
        if (!canonical) return;
        log(d, *canonical);
        auto shuffled = *canonical;
        std::ranges::reverse(shuffled);
        for (auto& line : shuffled) line = " " + line;

        RC_ASSERT(std::get<lines>(canonical_recurrence(*canonical, d.first)) == *canonical);
        RC_ASSERT(std::get<lines>(canonical_recurrence(shuffled, d.first)) == *canonical);
    });
}

TEST(RecurrenceProperty, AWindowHoldsExactlyItsPart) {
    check_drawn_cases(10'000, [] {
        auto const d = draw_series();
        auto const canonical = accepted(d);
        if (!canonical) return;
        log(d, *canonical);
        auto const from = d.series.first + below(static_cast<int>(d.horizon - d.series.first));
        auto const to = from + below(200 * 86'400);
        std::time_t const length = d.series.all_day ? 86'400 : 1800;
        auto expected = brute_force::occurrences(d.series, std::min<std::time_t>(to, d.horizon));
        std::erase_if(expected, [&](std::time_t start) { return start + length <= from; });

        RC_ASSERT(keys_of(*canonical, d.first, at(from), at(std::min<std::time_t>(to, d.horizon))) == keys_of(expected, d.series.all_day));
    });
}

TEST(RecurrenceProperty, ACutDividesASeriesAndIsFoundAgain) {
    check_drawn_cases(4'000, [] {
        auto const d = draw_series();
        auto const canonical = accepted(d);
        if (!canonical) return;
        log(d, *canonical);
        auto const all = keys_of(*canonical, d.first, long_ago, at(d.horizon));
        if (all.empty()) return;
        auto const place = below(static_cast<int>(std::min<std::size_t>(all.size(), 40)));
        auto const key = all[static_cast<std::size_t>(place)];
        RC_LOG() << "cut at " << key << std::endl;
        RC_ASSERT(has_occurrence(*canonical, d.first, key));
        lines const head_keys(all.begin(), all.begin() + place);
        lines const tail_keys(all.begin() + place, all.end());

        auto const head = end_before(*canonical, d.first, key);
        RC_ASSERT(head.has_value() == (place > 0));
        if (head) {
            RC_LOG() << "head " << fmt::format("{}", fmt::join(*head, " | ")) << std::endl;
            RC_ASSERT(keys_of(*head, d.first, long_ago, at(d.horizon)) == head_keys);
            if (!head->empty()) RC_ASSERT(std::get<lines>(canonical_recurrence(*head, d.first)) == *head);
            RC_ASSERT(cut_at(*canonical, *head, d.first) == key);
        }

        auto const rest = tail_from(*canonical, d.first, key);
        if (!rest) {
            // Endless, and the occurrence is none its rules make: a date of its own, or a time the clock skipped.
            bool const endless = std::ranges::any_of(d.series.rules, [](auto const& r) { return !r.count && !r.until; });
            RC_ASSERT(endless);
            return;
        }
        RC_LOG() << "tail " << fmt::format("{}", fmt::join(rest->lines, " | ")) << std::endl;
        RC_ASSERT(occurrence_key(rest->first) == key);
        RC_ASSERT(keys_of(rest->lines, rest->first, long_ago, at(d.horizon)) == tail_keys);
        if (!rest->lines.empty() && place > 0) RC_ASSERT(std::get<lines>(canonical_recurrence(rest->lines, rest->first)) == rest->lines);
    });
}

TEST(RecurrenceProperty, TheEndIsTheLastOccurrences) {
    check_drawn_cases(3'000, [] {
        auto const d = draw_series();
        auto const canonical = accepted(d);
        if (!canonical) return;
        log(d, *canonical);
        auto const end = end_of_series(*canonical, d.first);
        auto const all = brute_force::occurrences(d.series, d.horizon);
        bool const endless = std::ranges::any_of(d.series.rules, [](auto const& r) { return !r.count && !r.until; });
        RC_ASSERT(end.has_value() == !endless);
        if (!end || *end >= at(d.horizon) || all.empty()) return;
        RC_ASSERT(*end == at(*all.rbegin() + (d.series.all_day ? 86'400 : 1800)));
    });
}

TEST(RecurrenceProperty, HostileLinesDoNoMoreThanBeRefused) {
    testing_world::check_cases(40'000, [](testing_world::dice& random) {
        static std::vector<std::string> const pieces{"RRULE:",
                                                     "EXRULE:",
                                                     "RDATE:",
                                                     "EXDATE:",
                                                     "EXDATE;VALUE=DATE:",
                                                     "RDATE;TZID=Asia/Kolkata:",
                                                     "FREQ=",
                                                     "DAILY",
                                                     "WEEKLY",
                                                     "MONTHLY",
                                                     "YEARLY",
                                                     ";",
                                                     ",",
                                                     "=",
                                                     ":",
                                                     "\"",
                                                     "INTERVAL=",
                                                     "COUNT=",
                                                     "UNTIL=",
                                                     "BYDAY=",
                                                     "BYMONTH=",
                                                     "BYMONTHDAY=",
                                                     "BYSETPOS=",
                                                     "BYWEEKNO=",
                                                     "BYYEARDAY=",
                                                     "WKST=",
                                                     "MO",
                                                     "-1FR",
                                                     "2SU",
                                                     "-1",
                                                     "0",
                                                     "1",
                                                     "2",
                                                     "12",
                                                     "29",
                                                     "31",
                                                     "53",
                                                     "366",
                                                     "99999999999",
                                                     "20261125",
                                                     "20261125T100000",
                                                     "20261125T100000Z",
                                                     "00000000",
                                                     "99991231T235959Z",
                                                     "\n"};
        lines given;
        for (int n = 1 + random.below(3); n > 0; --n) {
            std::string line = random.below(3) ? "RRULE:FREQ=" + random.pick({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}) + ";" : "";
            for (int m = random.below(10); m > 0; --m) line += random.below(12) ? random.pick(pieces) : random.text(1);
            given.push_back(line);
        }
        auto const first = random.range();
        auto const read = canonical_recurrence(given, first);
        auto const found = expand(given, first, {.from = instant::min(), .to = instant::max(), .most = 20});
        auto const* const canonical = std::get_if<lines>(&read);
        if (!canonical) {
            auto const& why = std::get<refusal>(read);
            RC_ASSERT(!why.explanation.empty());
            RC_ASSERT(found.has_value() == (why.code == "recurrence_never"));
            return;
        }
        RC_ASSERT(found.has_value());
        RC_ASSERT(!found->items.empty());
        RC_ASSERT(std::get<lines>(canonical_recurrence(*canonical, first)) == *canonical);
    });
}

}  // namespace
}  // namespace calbridge::domain
