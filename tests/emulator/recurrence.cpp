#include "tests/emulator/recurrence.h"

#include "tests/emulator/recurrence_parts.h"
#include "tests/emulator/times.h"

#include <libical/ical.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>

namespace calbridge::emulator {

namespace {

constexpr std::size_t starts_walked_max = 200000;

icaltimetype wall_time(instant wall, bool all_day) {
    auto const seconds = std::chrono::duration_cast<std::chrono::seconds>(wall.time_since_epoch()).count();
    return icaltime_from_timet_with_zone(static_cast<time_t>(seconds), all_day ? 1 : 0, nullptr);
}

instant wall_instant(icaltimetype t) {
    t.zone = nullptr;
    return instant(std::chrono::seconds(icaltime_as_timet(t)));
}

// One RRULE or EXRULE, walked. Wall times; COUNT and UNTIL are kept here because they count from and compare with more than libical sees.
class rule_walk {
public:
    rule_walk(icalrecurrencetype rule, series const& s) : all_day_(s.all_day), zone_(s.zone) {
        if (rule.count > 0) left_ = rule.count;
        if (!icaltime_is_null_time(rule.until)) {
            auto const wall = wall_instant(rule.until);
            if (all_day_)
                until_ = icaltime_is_utc(rule.until) != 0 || rule.until.is_date == 0 ? std::chrono::floor<std::chrono::days>(wall) : wall;
            else if (rule.until.is_date != 0) until_ = at_wall(wall + std::chrono::days(1), zone_) - std::chrono::seconds(1);
            else until_ = icaltime_is_utc(rule.until) != 0 ? wall : at_wall(wall, zone_);
        }
        rule.count = 0;
        rule.until = icaltime_null_time();
        rule.until.year = last_year_of_a_series;
        rule.until.month = rule.until.day = 1;
        rule.until.is_date = s.all_day ? 1 : 0;
        walk_.reset(icalrecur_iterator_new(rule, wall_time(all_day_ ? s.first : wall_of(s.first, zone_), all_day_)));
        step();
    }

    std::optional<instant> const& next() const { return next_; }
    // The series' own first start counts as an occurrence of this rule even when the rule would not make it.
    void count_first(instant first) {
        if (next_ != first && left_ && --*left_ < 0) next_.reset();
    }
    void step() {
        next_.reset();
        if (!walk_ || (left_ && *left_ <= 0) || ++steps_ > starts_walked_max) return;
        auto const t = icalrecur_iterator_next(walk_.get());
        if (icaltime_is_null_time(t) != 0) return;
        auto const at = all_day_ ? wall_instant(t) : at_wall(wall_instant(t), zone_);
        if (until_ && at > *until_) return;
        if (left_) --*left_;
        next_ = at;
    }

private:
    struct freed {
        void operator()(icalrecur_iterator* i) const { icalrecur_iterator_free(i); }
    };
    std::unique_ptr<icalrecur_iterator, freed> walk_;
    bool all_day_;
    std::string zone_;
    std::optional<int> left_;
    std::optional<instant> until_, next_;
    std::size_t steps_{0};
};

std::optional<icalrecurrencetype> read_rule(std::string_view text) {
    icalerror_set_errors_are_fatal(0);
    icalerror_clear_errno();
    auto const rule = icalrecurrencetype_from_string(std::string(text).c_str());
    bool const fit = icalerrno == ICAL_NO_ERROR && rule.freq != ICAL_NO_RECURRENCE && rule.rscale == nullptr;
    icalerror_clear_errno();
    if (!fit || rule.interval < 1 || rule.count < 0) return std::nullopt;
    return rule;
}

struct sources {
    std::vector<rule_walk> rules, exrules;
    std::vector<instant> dates;
    std::set<instant> exdates;
};

sources open(series const& s) {
    sources out;
    for (auto const& text : s.lines) {
        auto const l = read_line(text);
        if (!l) continue;
        if (l->is_rule()) {
            if (auto const rule = read_rule(l->value)) (l->name == "RRULE" ? out.rules : out.exrules).emplace_back(*rule, s);
        } else if (auto const dates = read_dates(*l, s)) {
            if (l->name == "RDATE") out.dates.insert(out.dates.end(), dates->begin(), dates->end());
            else out.exdates.insert(dates->begin(), dates->end());
        }
    }
    std::ranges::sort(out.dates);
    return out;
}

bool is_excluded(sources& all, instant at) {
    if (all.exdates.contains(at)) return true;
    bool out = false;
    for (auto& rule : all.exrules) {
        while (rule.next() && *rule.next() < at) rule.step();
        out = out || rule.next() == at;
    }
    return out;
}

}  // namespace

series series_of(event const& master, calendar const& cal) {
    series s{.first = master.starts, .length = master.ends - master.starts, .all_day = master.all_day};
    if (auto const* start = object_at(master.body, "start")) s.zone = std::string(text_at(*start, "timeZone", cal.time_zone));
    if (auto const* lines = array_at(master.body, "recurrence"))
        for (auto const& l : *lines)
            if (l.is_string()) s.lines.emplace_back(l.get_string());
    return s;
}

std::string fault_in(series const& s) {
    for (auto const& text : s.lines) {
        auto const l = read_line(text);
        if (!l) return "a line is not of RRULE, EXRULE, RDATE, EXDATE";
        if (!l->is_rule()) {
            if (!read_dates(*l, s)) return "a date cannot be read or is of the wrong kind";
            continue;
        }
        auto const rule = read_rule(l->value);
        if (!rule) return "a rule cannot be read";
        if (rule->freq == ICAL_SECONDLY_RECURRENCE || rule->freq == ICAL_MINUTELY_RECURRENCE || rule->freq == ICAL_HOURLY_RECURRENCE)
            return "a rule repeats more often than daily";
        if (rule->count > 0 && !icaltime_is_null_time(rule->until)) return "a rule has both COUNT and UNTIL";
    }
    return {};
}

void walk(series const& s, std::function<bool(instant)> const& each) {
    auto all = open(s);
    for (auto& rule : all.rules) rule.count_first(s.first);
    std::optional<instant> last;
    std::size_t date = 0;
    instant at = s.first;
    for (std::size_t n = 0; n < starts_walked_max; ++n) {
        if ((!last || at > *last) && !is_excluded(all, at) && !each(at)) return;
        last = last ? std::max(*last, at) : at;
        // What does not lie after the last one was it, or came before the first.
        std::optional<instant> next;
        while (date < all.dates.size() && all.dates[date] <= *last) ++date;
        if (date < all.dates.size()) next = all.dates[date];
        for (auto& rule : all.rules) {
            while (rule.next() && *rule.next() <= *last) rule.step();
            if (rule.next() && (!next || *rule.next() < *next)) next = rule.next();
        }
        if (!next) return;
        at = *next;
    }
}

std::vector<instant> starts_within(series const& s, std::optional<instant> from, std::optional<instant> to, std::size_t most) {
    std::vector<instant> out;
    auto const begins = [&](instant at) { return s.all_day ? midnight_in(at, s.zone) : at; };
    walk(s, [&](instant at) {
        if (to && begins(at) >= *to) return false;
        if (!from || begins(at + s.length) > *from) out.push_back(at);
        return out.size() < most;
    });
    return out;
}

bool has_start(series const& s, instant at) {
    bool found = false;
    walk(s, [&](instant start) {
        found = start == at;
        return start < at;
    });
    return found;
}

std::string instance_id(std::string_view master, instant original, bool all_day) {
    return std::string(master) + "_" + (all_day ? format_basic_date(original) : format_basic_utc(original));
}

std::optional<instance_name> read_instance_id(std::string_view id) {
    auto const mark = id.rfind('_');
    if (mark == std::string_view::npos || mark == 0) return std::nullopt;
    auto const text = id.substr(mark + 1);
    if (text.size() != 8 && text.size() != 16) return std::nullopt;
    auto const at = read_basic(text, "UTC");
    if (!at) return std::nullopt;
    return instance_name{id.substr(0, mark), at->at, at->is_date};
}

}  // namespace calbridge::emulator
