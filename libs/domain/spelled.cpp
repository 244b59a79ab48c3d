#include "domain/spelled.h"

#include <fmt/format.h>

namespace calbridge::domain {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::sys_days;

struct reader {
    std::string_view rest;
    bool ok{true};

    int digits(std::size_t count) {
        int value = 0;
        for (std::size_t i = 0; i < count; ++i) {
            if (i >= rest.size() || rest[i] < '0' || rest[i] > '9') return ok = false, 0;
            value = value * 10 + (rest[i] - '0');
        }
        rest.remove_prefix(count);
        return value;
    }
    bool take(std::string_view any_of) {
        if (rest.empty() || any_of.find(rest.front()) == std::string_view::npos) return false;
        rest.remove_prefix(1);
        return true;
    }
    void must(std::string_view any_of) { ok = take(any_of) && ok; }
};

bool is_date(int year, int month, int day, sys_days& out) {
    std::chrono::year_month_day const ymd{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                          std::chrono::day(static_cast<unsigned>(day))};
    if (!ymd.ok()) return false;
    out = ymd;
    return true;
}

}  // namespace

std::optional<spelled> read_spelled(std::string_view text) {
    reader from{text};
    spelled out;
    int const year = from.digits(4);
    from.must("-");
    int const month = from.digits(2);
    from.must("-");
    int const day = from.digits(2);
    if (!from.ok || !is_date(year, month, day, out.day)) return {};
    if (from.rest.empty()) return out;

    out.all_day = false;
    from.must("Tt ");
    int const hour = from.digits(2);
    from.must(":");
    int const minute = from.digits(2);
    int const second = from.take(":") ? from.digits(2) : 0;
    if (from.take(".,")) {
        from.digits(1);
        while (from.ok && from.take("0123456789")) {}
    }
    if (!from.ok || hour > 23 || minute > 59 || second > 59) return {};
    out.time_of_day = hours(hour) + minutes(minute) + seconds(second);
    if (from.rest.empty()) return out;

    if (from.take("Zz")) {
        out.offset = seconds(0);
    } else {
        bool const west = from.rest.starts_with('-');
        from.must("+-");
        int const offset_hour = from.digits(2);
        from.take(":");
        int const offset_minute = from.digits(2);
        if (!from.ok || offset_hour > 18 || offset_minute > 59) return {};
        seconds const offset = hours(offset_hour) + minutes(offset_minute);
        out.offset = west ? -offset : offset;
    }
    if (!from.ok || !from.rest.empty()) return {};
    return out;
}

int year_of(sys_days day) { return static_cast<int>(std::chrono::year_month_day(day).year()); }

std::string date_text(sys_days day) {
    std::chrono::year_month_day const ymd{day};
    return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(ymd.year()), static_cast<unsigned>(ymd.month()),
                       static_cast<unsigned>(ymd.day()));
}

std::optional<spelled> read_compact(std::string_view text) {
    reader from{text};
    spelled out;
    int const year = from.digits(4);
    int const month = from.digits(2);
    int const day = from.digits(2);
    if (!from.ok || year < 1 || year > 9998 || !is_date(year, month, day, out.day)) return {};
    if (from.rest.empty()) return out;

    out.all_day = false;
    from.must("Tt");
    int const hour = from.digits(2);
    int const minute = from.digits(2);
    int const second = from.digits(2);
    if (from.take("Zz")) out.offset = seconds(0);
    // A leap second is the last second of its minute.
    if (!from.ok || !from.rest.empty() || hour > 23 || minute > 59 || second > 60) return {};
    out.time_of_day = hours(hour) + minutes(minute) + seconds(second == 60 ? 59 : second);
    return out;
}

std::string compact_date(sys_days day) {
    std::chrono::year_month_day const ymd{day};
    return fmt::format("{:04}{:02}{:02}", static_cast<int>(ymd.year()), static_cast<unsigned>(ymd.month()),
                       static_cast<unsigned>(ymd.day()));
}

std::string compact_utc(std::chrono::sys_seconds moment) {
    auto const day = std::chrono::floor<std::chrono::days>(moment);
    std::chrono::hh_mm_ss const of_day{moment - day};
    return fmt::format("{}T{:02}{:02}{:02}Z", compact_date(day), of_day.hours().count(), of_day.minutes().count(),
                       of_day.seconds().count());
}

}  // namespace calbridge::domain
