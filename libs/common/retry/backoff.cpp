#include "common/retry/backoff.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace calbridge::retry {

namespace {

constexpr std::chrono::seconds retry_after_max{3600};

// base * 2^(failures-1), stopping at the cap so that nothing overflows.
std::chrono::milliseconds ceiling(policy const& p, int failures) {
    std::chrono::milliseconds grown = std::max(p.base, std::chrono::milliseconds(0));
    for (int i = 1; i < failures && grown < p.cap; ++i) {
        if (grown.count() == 0) break;
        grown = grown > p.cap / 2 ? p.cap : grown * 2;
    }
    return std::min(grown, p.cap);
}

std::optional<int> number(std::string_view text) {
    int value{};
    if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<unsigned> month_number(std::string_view name) {
    constexpr std::array<std::string_view, 12> names{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    auto const found = std::ranges::find(names, name);
    if (found == names.end()) return std::nullopt;
    return static_cast<unsigned>(found - names.begin()) + 1;
}

std::optional<std::int64_t> time_of_day(std::string_view hms) {
    if (hms.size() != 8 || hms[2] != ':' || hms[5] != ':') return std::nullopt;
    auto const h = number(hms.substr(0, 2)), m = number(hms.substr(3, 2)), s = number(hms.substr(6, 2));
    if (!h || !m || !s || *h > 23 || *m > 59 || *s > 60) return std::nullopt;
    return *h * 3600 + *m * 60 + *s;
}

struct date_words {
    std::string_view day, month, year, hms;
};

std::optional<std::int64_t> to_unix(date_words const& words, std::int64_t now_unix) {
    auto const day = number(words.day), year = number(words.year);
    auto const month = month_number(words.month);
    auto const seconds = time_of_day(words.hms);
    if (!day || !year || !month || !seconds || (words.year.size() != 4 && words.year.size() != 2)) return std::nullopt;
    int full_year = *year;
    if (words.year.size() == 2) {
        // RFC 9110 section 5.6.7: a two-digit year more than 50 years ahead is in the past.
        auto const today = std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds(std::chrono::seconds(now_unix)));
        int const this_year = static_cast<int>(std::chrono::year_month_day(today).year());
        full_year += this_year / 100 * 100;
        if (full_year > this_year + 50) full_year -= 100;
    }
    std::chrono::year_month_day const date{std::chrono::year(full_year), std::chrono::month(*month),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) return std::nullopt;
    return std::chrono::sys_seconds(std::chrono::sys_days(date)).time_since_epoch().count() + *seconds;
}

// The three forms every recipient must read (RFC 9110 section 5.6.7).
std::optional<std::int64_t> parse_http_date(std::string_view text, std::int64_t now_unix) {
    std::array<std::string_view, 6> words;
    std::size_t count = 0;
    while (!text.empty()) {
        auto const start = text.find_first_not_of(' ');
        if (start == std::string_view::npos) break;
        text.remove_prefix(start);
        auto const end = std::min(text.find(' '), text.size());
        if (count == words.size()) return std::nullopt;
        words[count++] = text.substr(0, end);
        text.remove_prefix(end);
    }
    bool const gmt = count > 0 && words[count - 1] == "GMT";
    if (count == 6 && gmt && words[0].ends_with(',')) {  // Sun, 06 Nov 1994 08:49:37 GMT
        return to_unix({.day = words[1], .month = words[2], .year = words[3], .hms = words[4]}, now_unix);
    }
    if (count == 4 && gmt && words[0].ends_with(',')) {  // Sunday, 06-Nov-94 08:49:37 GMT
        std::string_view const date = words[1];
        if (date.size() != 9 || date[2] != '-' || date[6] != '-') return std::nullopt;
        return to_unix({.day = date.substr(0, 2), .month = date.substr(3, 3), .year = date.substr(7), .hms = words[2]}, now_unix);
    }
    if (count == 5) {  // Sun Nov  6 08:49:37 1994
        return to_unix({.day = words[2], .month = words[1], .year = words[4], .hms = words[3]}, now_unix);
    }
    return std::nullopt;
}

std::string_view trim(std::string_view text) {
    auto const first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

std::chrono::milliseconds wait(policy const& p, int failures, double random, std::optional<std::chrono::seconds> retry_after) {
    std::chrono::milliseconds const top = std::max(ceiling(p, failures), p.floor);
    double const share = std::clamp(random, 0.0, 1.0);
    std::chrono::milliseconds const jitter(static_cast<std::int64_t>(static_cast<double>((top - p.floor).count()) * share));
    std::chrono::milliseconds const own = p.floor + jitter;
    if (!retry_after) return own;
    return std::max(own, std::chrono::milliseconds(std::clamp(*retry_after, std::chrono::seconds(0), retry_after_max)));
}

std::optional<std::chrono::seconds> parse_retry_after(std::string_view value, std::int64_t now_unix) {
    value = trim(value);
    if (value.empty()) return std::nullopt;
    if (value.find_first_not_of("0123456789") == std::string_view::npos) {
        // More digits than an int holds is simply a very long wait.
        auto const seconds = number(value);
        return seconds ? std::min(std::chrono::seconds(*seconds), retry_after_max) : retry_after_max;
    }
    auto const at = parse_http_date(value, now_unix);
    if (!at || *at < now_unix) return std::nullopt;
    return std::min(std::chrono::seconds(*at - now_unix), retry_after_max);
}

}  // namespace calbridge::retry
