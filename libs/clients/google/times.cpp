#include "clients/google/times.h"

#include <date/tz.h>
#include <fmt/format.h>

#include <charconv>
#include <stdexcept>

namespace calbridge::google {

namespace {

using std::chrono::microseconds;

// Fixed-width digits at `at`, nothing else accepted.
std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
    if (text.size() < at + count) return std::nullopt;
    int value = 0;
    for (char const c : text.substr(at, count)) {
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + (c - '0');
    }
    return value;
}

std::optional<date::local_days> parse_day(std::string_view text) {
    auto const y = digits(text, 0, 4), m = digits(text, 5, 2), d = digits(text, 8, 2);
    if (!y || !m || !d || text[4] != '-' || text[7] != '-') return std::nullopt;
    auto const ymd = date::year{*y} / *m / *d;
    if (!ymd.ok()) return std::nullopt;
    return date::local_days{ymd};
}

struct spelled {
    date::local_time<microseconds> wall;
    std::optional<microseconds> offset;
};

// Takes a fraction off the front of `rest`; more digits than a microsecond are cut.
std::optional<microseconds> take_fraction(std::string_view& rest) {
    if (rest.empty() || rest.front() != '.') return microseconds{0};
    rest.remove_prefix(1);
    std::int64_t value = 0;
    std::size_t count = 0;
    for (; !rest.empty() && rest.front() >= '0' && rest.front() <= '9'; rest.remove_prefix(1), ++count) {
        if (count < 6) value = value * 10 + (rest.front() - '0');
    }
    if (count == 0) return std::nullopt;
    for (std::size_t i = count; i < 6; ++i) value *= 10;
    return microseconds{value};
}

std::optional<microseconds> parse_offset(std::string_view text) {
    if (text == "Z" || text == "z") return microseconds{0};
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
    auto const h = digits(text, 1, 2), m = digits(text, 4, 2);
    if (!h || !m || *h > 23 || *m > 59) return std::nullopt;
    microseconds const size = std::chrono::hours{*h} + std::chrono::minutes{*m};
    return text[0] == '-' ? -size : size;
}

std::optional<spelled> parse_date_time(std::string_view text) {
    auto const day = text.size() >= 19 ? parse_day(text.substr(0, 10)) : std::nullopt;
    if (!day || (text[10] != 'T' && text[10] != 't')) return std::nullopt;
    auto const h = digits(text, 11, 2), m = digits(text, 14, 2), s = digits(text, 17, 2);
    if (!h || !m || !s || text[13] != ':' || text[16] != ':' || *h > 23 || *m > 59 || *s > 60) return std::nullopt;
    std::string_view rest = text.substr(19);
    auto const fraction = take_fraction(rest);
    if (!fraction) return std::nullopt;
    spelled out{.wall = *day + std::chrono::hours{*h} + std::chrono::minutes{*m} + std::chrono::seconds{*s} + *fraction, .offset = {}};
    if (rest.empty()) return out;
    out.offset = parse_offset(rest);
    if (!out.offset) return std::nullopt;
    return out;
}

date::time_zone const* find_zone(std::string_view name) {
    if (name.empty()) return nullptr;
    try {
        return date::locate_zone(name);
    } catch (std::runtime_error const&) {
        return nullptr;
    }
}

// A gap moves forward by its length, a doubled hour takes the first.
instant resolve(date::local_time<microseconds> wall, date::time_zone const& zone) {
    auto const info = zone.get_info(wall);
    return instant{wall.time_since_epoch() - info.first.offset};
}

error unreadable(std::string_view what) { return fail(errc::malformed, fmt::format("time: {}", what)); }

std::string spell_day(std::chrono::sys_days day) {
    date::year_month_day const ymd{date::sys_days{day.time_since_epoch()}};
    return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(ymd.year()), static_cast<unsigned>(ymd.month()),
                       static_cast<unsigned>(ymd.day()));
}

std::string spell_instant(instant at, date::time_zone const* zone) {
    using std::chrono::seconds;
    auto const whole = std::chrono::floor<seconds>(at);
    seconds const offset = zone ? zone->get_info(whole).offset : seconds{0};
    auto const wall = whole + offset;
    auto const day = std::chrono::floor<std::chrono::days>(wall);
    auto const time = (wall - day).count();
    std::string out = fmt::format("{}T{:02}:{:02}:{:02}", spell_day(day), time / 3600, time / 60 % 60, time % 60);
    // Zones of long ago have offsets with seconds, which RFC 3339 cannot spell: those go out in UTC.
    if (!zone || offset.count() % 60 != 0) return zone ? spell_instant(at, nullptr) : out + "Z";
    auto const minutes = std::abs(offset.count()) / 60;
    return fmt::format("{}{}{:02}:{:02}", out, offset.count() < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

}  // namespace

std::optional<instant> parse_rfc3339(std::string_view text) {
    auto const read = parse_date_time(text);
    if (!read || !read->offset) return std::nullopt;
    return instant{read->wall.time_since_epoch() - *read->offset};
}

result<moment> read_moment(json::object const& from, std::string_view calendar_zone) {
    moment out;
    out.zone = json::text_or(from, "timeZone");
    if (auto const day_text = json::text_or(from, "date"); !day_text.empty()) {
        auto const day = day_text.size() == 10 ? parse_day(day_text) : std::nullopt;
        if (!day) return unreadable("a date that is none");
        out.all_day = true;
        out.day = std::chrono::sys_days{day->time_since_epoch()};
        return out;
    }
    auto const text = json::text_or(from, "dateTime");
    if (text.empty()) return unreadable("neither date nor dateTime");
    auto const read = parse_date_time(text);
    if (!read) return unreadable("a dateTime that is none");
    if (read->offset) {
        out.at = instant{read->wall.time_since_epoch() - *read->offset};
        if (out.zone.empty()) out.zone = calendar_zone;
        return out;
    }
    if (out.zone.empty()) out.zone = calendar_zone;
    auto const* const zone = find_zone(out.zone);
    if (!zone) return unreadable("a dateTime without offset and without a known zone");
    out.at = resolve(read->wall, *zone);
    return out;
}

result<domain::time_range> read_range(json::object const& start, json::object const& end, std::string_view calendar_zone) {
    auto from = read_moment(start, calendar_zone);
    if (!from) return from.error();
    auto const to = read_moment(end, calendar_zone);
    if (!to) return to.error();
    if (from->all_day != to->all_day) return unreadable("one end all-day, the other not");
    domain::time_range out;
    out.all_day = from->all_day;
    if (out.all_day) {
        out.first_day = from->day;
        out.end_day = to->day;
    } else {
        out.start = from->at;
        out.end = to->at;
        out.zone = std::move(from->zone);
    }
    return out;
}

json::object write_moment(domain::time_range const& range, bool first, write_kind kind) {
    json::object out;
    bool const patch = kind == write_kind::patch;
    if (range.all_day) {
        out["date"] = spell_day(first ? range.first_day : range.end_day);
        if (patch) {
            out["dateTime"] = nullptr;
            out["timeZone"] = nullptr;
        }
        return out;
    }
    auto const* const zone = find_zone(range.zone);
    out["dateTime"] = spell_instant(first ? range.start : range.end, zone);
    // Without a known zone the offset alone decides, and a patch leaves the event's own zone in place.
    if (zone) out["timeZone"] = range.zone;
    if (patch) out["date"] = nullptr;
    return out;
}

}  // namespace calbridge::google
