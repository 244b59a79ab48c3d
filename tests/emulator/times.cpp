#include "tests/emulator/times.h"

#include <date/tz.h>
#include <fmt/format.h>

#include <array>
#include <map>
#include <stdexcept>

namespace calbridge::emulator {

namespace {

date::time_zone const* find_zone(std::string_view name) {
    static std::map<std::string, date::time_zone const*, std::less<>> known;
    if (auto it = known.find(name); it != known.end()) return it->second;
    date::time_zone const* zone = nullptr;
    try {
        zone = date::locate_zone(name);
    } catch (std::runtime_error const&) {
        zone = nullptr;  // The library reports an unknown name by throwing.
    }
    if (known.size() < 2000) known.emplace(std::string(name), zone);
    return zone;
}

std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
    if (at + count > text.size()) return std::nullopt;
    int n = 0;
    for (char c : text.substr(at, count)) {
        if (c < '0' || c > '9') return std::nullopt;
        n = n * 10 + (c - '0');
    }
    return n;
}

struct wall_time {
    date::local_time<std::chrono::microseconds> local;
    std::optional<std::chrono::minutes> offset;
};

std::optional<date::year_month_day> read_date(std::string_view text) {
    auto const y = digits(text, 0, 4), m = digits(text, 5, 2), d = digits(text, 8, 2);
    if (!y || !m || !d || text[4] != '-' || text[7] != '-') return std::nullopt;
    date::year_month_day const ymd{date::year{*y}, date::month{static_cast<unsigned>(*m)}, date::day{static_cast<unsigned>(*d)}};
    if (!ymd.ok()) return std::nullopt;
    return ymd;
}

std::optional<wall_time> read(std::string_view text) {
    if (text.size() < 19) return std::nullopt;
    auto const ymd = read_date(text);
    auto const h = digits(text, 11, 2), min = digits(text, 14, 2), s = digits(text, 17, 2);
    if (!ymd || !h || !min || !s || (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':') return std::nullopt;
    if (*h > 23 || *min > 59 || *s > 60) return std::nullopt;
    std::size_t at = 19;
    std::int64_t micros = 0;
    if (at < text.size() && text[at] == '.') {
        std::int64_t scale = 100000;
        std::size_t const first = ++at;
        for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10) micros += (text[at] - '0') * scale;
        if (at == first) return std::nullopt;
    }
    wall_time out;
    out.local = date::local_days(*ymd) + std::chrono::hours(*h) + std::chrono::minutes(*min) + std::chrono::seconds(*s) +
                std::chrono::microseconds(micros);
    if (at == text.size()) return out;
    if ((text[at] == 'Z' || text[at] == 'z') && at + 1 == text.size()) {
        out.offset = std::chrono::minutes(0);
        return out;
    }
    auto const oh = digits(text, at + 1, 2), om = digits(text, at + 4, 2);
    if ((text[at] != '+' && text[at] != '-') || text.size() != at + 6 || text[at + 3] != ':' || !oh || !om || *oh > 23 || *om > 59)
        return std::nullopt;
    int const minutes = *oh * 60 + *om;
    out.offset = std::chrono::minutes(text[at] == '-' ? -minutes : minutes);
    return out;
}

instant at_offset(wall_time const& w) { return instant(w.local.time_since_epoch() - *w.offset); }

}  // namespace

bool is_zone(std::string_view name) { return !name.empty() && find_zone(name) != nullptr; }

std::optional<instant> parse_with_offset(std::string_view text) {
    auto const w = read(text);
    if (!w || !w->offset) return std::nullopt;
    return at_offset(*w);
}

std::optional<instant> parse_in_zone(std::string_view text, std::string_view zone) {
    auto const w = read(text);
    if (!w) return std::nullopt;
    if (w->offset) return at_offset(*w);
    auto const* tz = find_zone(zone);
    if (tz == nullptr) return std::nullopt;
    auto const info = tz->get_info(w->local);
    return instant(w->local.time_since_epoch() - info.first.offset);
}

std::optional<instant> parse_date(std::string_view text) {
    if (text.size() != 10) return std::nullopt;
    auto const ymd = read_date(text);
    if (!ymd) return std::nullopt;
    return instant(date::sys_days(*ymd).time_since_epoch());
}

instant midnight_in(instant date, std::string_view zone) {
    auto const* tz = find_zone(zone);
    if (tz == nullptr) return date;
    date::local_time<std::chrono::microseconds> const local{date.time_since_epoch()};
    return instant(local.time_since_epoch() - tz->get_info(local).first.offset);
}

instant wall_of(instant at, std::string_view zone) {
    auto const* tz = find_zone(zone);
    return tz == nullptr ? at : at + tz->get_info(at).offset;
}

instant at_wall(instant wall, std::string_view zone) { return midnight_in(wall, zone); }

std::string format_basic_date(instant date) {
    auto text = format_date(date);
    std::erase(text, '-');
    return text;
}

std::string format_basic_utc(instant at) {
    auto const day = date::floor<date::days>(at);
    auto const s = std::chrono::duration_cast<std::chrono::seconds>(at - day).count();
    return fmt::format("{}T{:02}{:02}{:02}Z", format_basic_date(at), s / 3600, s / 60 % 60, s % 60);
}

std::string format_date(instant date) {
    date::year_month_day const ymd{date::floor<date::days>(date)};
    return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(ymd.year()), static_cast<unsigned>(ymd.month()),
                       static_cast<unsigned>(ymd.day()));
}

namespace {

std::string format_wall(instant wall) {
    auto const day = date::floor<date::days>(wall);
    auto const s = std::chrono::duration_cast<std::chrono::seconds>(wall - day).count();
    return fmt::format("{}T{:02}:{:02}:{:02}", format_date(wall), s / 3600, s / 60 % 60, s % 60);
}

}  // namespace

std::string format_in_zone(instant at, std::string_view zone) {
    auto const* tz = find_zone(zone);
    if (tz == nullptr || zone == "UTC") return format_wall(at) + "Z";
    auto const offset = std::chrono::duration_cast<std::chrono::minutes>(tz->get_info(at).offset).count();
    auto const size = offset < 0 ? -offset : offset;
    return fmt::format("{}{}{:02}:{:02}", format_wall(at + std::chrono::minutes(offset)), offset < 0 ? '-' : '+', size / 60, size % 60);
}

std::string format_utc(instant at) {
    auto const second = date::floor<std::chrono::seconds>(at);
    auto const ms = std::chrono::duration_cast<std::chrono::milliseconds>(at - second).count();
    return fmt::format("{}.{:03}Z", format_wall(second), ms);
}

std::string format_http_date(instant at) {
    static constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    auto const day = date::floor<date::days>(at);
    date::year_month_day const ymd{day};
    auto const s = std::chrono::duration_cast<std::chrono::seconds>(at - day).count();
    return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", days[date::weekday(day).c_encoding()], static_cast<unsigned>(ymd.day()),
                       months[static_cast<unsigned>(ymd.month()) - 1], static_cast<int>(ymd.year()), s / 3600, s / 60 % 60, s % 60);
}

}  // namespace calbridge::emulator
