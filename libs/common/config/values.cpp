#include "common/config/values.h"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace calbridge::config {

namespace {

struct unit {
    std::string_view name;
    std::int64_t ms;
};
constexpr std::array<unit, 5> units{{{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};

std::string_view trim(std::string_view text) {
    auto const first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
    std::int64_t number{};
    auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

std::optional<bool> parse_boolean(std::string_view text) {
    for (std::string_view yes : {"true", "yes", "on", "1"}) {
        if (text == yes) return true;
    }
    for (std::string_view no : {"false", "no", "off", "0"}) {
        if (text == no) return false;
    }
    return std::nullopt;
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
    auto const digits = std::min(text.find_first_not_of("0123456789"), text.size());
    auto const number = parse_integer(text.substr(0, digits));
    if (!number) return std::nullopt;
    auto const found = std::ranges::find(units, text.substr(digits), &unit::name);
    if (found == units.end()) return std::nullopt;
    if (*number > std::numeric_limits<std::int64_t>::max() / found->ms) return std::nullopt;
    return std::chrono::milliseconds(*number * found->ms);
}

std::string spell_duration(std::chrono::milliseconds length) {
    if (length.count() == 0) return "0s";
    auto const exact = std::ranges::find_if(units, [&](unit const& u) { return length.count() % u.ms == 0; });
    return fmt::format("{}{}", length.count() / exact->ms, exact->name);
}

std::string check_url(std::string_view text, std::string& normalised) {
    auto const parsed = boost::urls::parse_uri(boost::core::string_view(text.data(), text.size()));
    if (!parsed) return "must be an absolute URL like https://host:port/path";
    boost::urls::url_view const url = *parsed;
    if (url.scheme() != "http" && url.scheme() != "https") return "must be an http or https URL";
    if (!url.has_authority() || url.encoded_host().empty()) return "must name a host";
    if (url.has_userinfo()) return "must not hold a user name or password";
    if (url.has_fragment()) return "must not have a fragment";
    if (url.has_port() && url.port_number() == 0) return "must have a port from 1 to 65535";
    normalised = text;
    while (!url.has_query() && normalised.ends_with('/')) normalised.pop_back();
    return {};
}

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> items;
    if (trim(text).empty()) return items;
    for (std::size_t start = 0;;) {
        auto const comma = text.find(',', start);
        items.emplace_back(trim(text.substr(start, comma == std::string_view::npos ? comma : comma - start)));
        if (comma == std::string_view::npos) return items;
        start = comma + 1;
    }
}

bool has_control(std::string_view text) {
    return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            std::size_t const replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row.back();
}

}  // namespace calbridge::config
