#pragma once
// Recurring events (RFC 5545): canonical spelling of a series' lines, its occurrences, and how series are cut. libical expands; nothing
// here reads a clock. A series is its first occurrence (with the zone its wall time lives in) plus recurrence lines.

#include "domain/fields.h"
#include "domain/render.h"

#include "common/base/clock.h"
#include "common/base/result.h"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace calbridge::domain {

inline constexpr std::size_t recurrence_lines_max = 2000;        // of one series, dates counted one by one
inline constexpr std::size_t recurrence_line_length_max = 8192;  // as given

// The lines in their one spelling: RRULE, EXRULE, RDATE, EXDATE in this order, parts of a rule in a fixed order and upper case, defaults
// (INTERVAL=1, WKST=MO where it does not matter) left out, UNTIL as UTC date-time for timed series and as date for all-day ones, one RDATE
// or EXDATE line per date (UTC date-time or date), sorted, without repeats. Idempotent. UNTIL is understood in its three spellings: a date
// in a timed series includes that whole day in the series' zone, a local time is of that zone. RDATE and EXDATE too: a date in a timed
// series means the series' own time of day, of a time in an all-day series the date counts. No lines, or none that repeats: a single event.
// refusal codes: bad_recurrence (cannot be read, a line that is not one of the four, an RDATE that is a period or before the start, parts
// RFC 5545 forbids together or leaves in doubt, a day no calendar has), recurrence_too_often (faster than daily), recurrence_without_zone
// (timed and no IANA zone), recurrence_too_long, recurrence_never (no occurrence at all).
std::variant<std::vector<std::string>, refusal> canonical_recurrence(std::vector<std::string> const& lines, time_range const& first);

// An occurrence's name within its series, from its original start: "20261125T090000Z" (UTC) or "20261125" (all-day). The same as the suffix
// of Google's instance ids, and sortable within one series.
std::string occurrence_key(time_range const& original_start);
// Start (and, for all-day, day) a key stands for; the zone is the series'. Empty when it is not a key.
std::optional<time_range> start_of_occurrence(std::string_view key, std::string_view zone);
// A CRM's spelling of an occurrence ("2026-11-25T10:00:00" in the series' zone, the same with an offset, or "2026-11-25") as a key; the
// kind must fit the series (all-day or timed). Empty when it cannot be read. A key is accepted too.
std::optional<std::string> understand_occurrence(std::string_view said, time_range const& first);
// "{master}_{key}".
std::string instance_id(std::string_view master_event_id, std::string_view key);

struct occurrence {
    std::string key;
    time_range time;
};
struct occurrence_window {
    instant from{}, to{};    // occurrences that end after `from` and start before `to`; of all-day ones the days as if they were UTC's
    std::size_t most{5000};  // a runaway rule stops here
};
struct expansion {
    std::vector<occurrence> items;  // in order of start, without repeats
    bool cut{false};                // `most`, or the work one expansion may do, ended it
};
// Local wall time stays the same across clock changes: a time the clock skips moves on by the gap, one it shows twice is the first.
// `first` always is an occurrence (unless EXDATE names it), also when its rule does not make it, and the first that COUNT counts; COUNT
// counts what EXDATE takes away, too (RFC 5545). After 2037 the clocks change as in the years before; rules end in 2180. Lines as
// canonical_recurrence gives them. errc::malformed when they cannot be read.
result<expansion> expand(std::vector<std::string> const& lines, time_range const& first, occurrence_window const& within);
bool has_occurrence(std::vector<std::string> const& lines, time_range const& first, std::string_view key);
// The last occurrence's end (of an all-day one midnight UTC), when the series has one within the work an expansion may do.
std::optional<instant> end_of_series(std::vector<std::string> const& lines, time_range const& first);

// The series without `key` and all that follows: UNTIL one second (or one day) before it, COUNT replaced, later RDATE and EXDATE dropped.
// Empty lines when at most the first occurrence is left of it and that is before `key`; nullopt when nothing is left.
std::optional<std::vector<std::string>> end_before(std::vector<std::string> const& lines, time_range const& first, std::string_view key);
// What the series is from `key` on: the original end (COUNT less what came before), later RDATE and EXDATE; no lines when it is the last.
// nullopt: no such occurrence, or an endless rest that cannot begin there (an RDATE off the rule's beat, a time the clock skipped that
// day).
struct tail {
    std::vector<std::string> lines;
    time_range first;
};
std::optional<tail> tail_from(std::vector<std::string> const& lines, time_range const& first, std::string_view key);
// When `after` is `before` cut short (by a person's "this and following", or "delete this and following"): the key of the first occurrence
// it lost. Nothing when it was not only cut.
std::optional<std::string> cut_at(std::vector<std::string> const& before, std::vector<std::string> const& after, time_range const& first);

}  // namespace calbridge::domain
