#pragma once
// The canonical form both sides are compared in. It lives in event space: a task is rendered into it, an event is read into it.

#include "common/base/clock.h"

#include <bitset>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace calbridge::domain {

// When something happens. All-day uses dates (end exclusive, floating); timed uses instants plus the IANA zone it was said in.
struct time_range {
    bool all_day{false};
    std::chrono::sys_days first_day{}, end_day{};  // all-day only
    instant start{}, end{};                        // timed only
    std::string zone;                              // timed only; may be empty when unknown
    // Same moments. The zone's name is presentation for a single event and does not count.
    friend bool operator==(time_range const& a, time_range const& b) {
        if (a.all_day != b.all_day) return false;
        return a.all_day ? a.first_day == b.first_day && a.end_day == b.end_day : a.start == b.start && a.end == b.end;
    }
};

struct guest {
    std::string email;  // lower case
    std::string name;
    bool optional{false};
    // Who is invited and how; the display name is presentation.
    friend bool operator==(guest const& a, guest const& b) { return a.email == b.email && a.optional == b.optional; }
};

struct reminder {
    std::string method;
    int minutes{};
    auto operator<=>(reminder const&) const = default;
};

struct reminder_list {
    bool use_default{true};
    std::vector<reminder> overrides;  // sorted, at most 5
    bool operator==(reminder_list const&) const = default;
};

struct fields {
    std::string title;
    std::string description;  // the user's text, without the footer
    std::string footer;       // ours, rendered behind the marker
    std::string location;
    time_range time;
    std::string color_id;  // "1".."11"; empty: the calendar's own colour
    reminder_list reminders;
    std::vector<guest> guests;  // sorted by email, no repeats
    bool meet{false};
    std::vector<std::string> recurrence;  // canonical_recurrence(); empty: a single event, or one occurrence
    bool operator==(fields const&) const = default;
};

enum class field : std::uint8_t { title, description, footer, location, time, color, reminders, guests, meet, recurrence };
inline constexpr std::size_t field_count = 10;
inline constexpr field all_fields[field_count] = {field::title, field::description, field::footer, field::location, field::time,
                                                  field::color, field::reminders,   field::guests, field::meet,     field::recurrence};
std::string_view name(field f);  // "title", "description", …
std::optional<field> field_named(std::string_view n);

class field_set {
public:
    bool has(field f) const { return bits_.test(static_cast<std::size_t>(f)); }
    field_set& add(field f) {
        bits_.set(static_cast<std::size_t>(f));
        return *this;
    }
    field_set& remove(field f) {
        bits_.reset(static_cast<std::size_t>(f));
        return *this;
    }
    bool empty() const { return bits_.none(); }
    std::size_t size() const { return bits_.count(); }
    std::vector<std::string> names() const;
    bool operator==(field_set const&) const = default;

private:
    std::bitset<field_count> bits_;
};

// Fields whose values differ. Of two series the time differs in its zone too: the wall time lives there.
field_set differences(fields const& a, fields const& b);
bool same(field f, fields const& a, fields const& b);
void copy(field f, fields const& from, fields& to);
// The value of one field in words, for conflict records and histories.
std::string describe(field f, fields const& of);

// Fields only calbridge writes: a person's change to them in Google is left alone and never pulled.
bool is_push_only(field f);  // footer, color, reminders, meet

// Idempotent canonical form: line ends, trailing blanks, Unicode scrubbed, e-mails lowered and sorted, repeats removed, reminder order,
// lengths cut where Google is known to cut. normalise(normalise(x)) == normalise(x).
fields normalise(fields raw);

}  // namespace calbridge::domain
