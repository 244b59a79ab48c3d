#pragma once
// How the values of settings are spelled. Internal to this folder and its tests.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace calbridge::config {

// Decimal digits with an optional minus, nothing else; nothing when it does not fit.
std::optional<std::int64_t> parse_integer(std::string_view text);
// true, false, yes, no, on, off, 1, 0 (lower case).
std::optional<bool> parse_boolean(std::string_view text);
// Digits and one unit: ms, s, m, h, d. Nothing on overflow.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
// The largest unit that is exact: 120000 ms is "2m".
std::string spell_duration(std::chrono::milliseconds length);
// What is wrong with `text` as an absolute http(s) URL, or empty with `normalised` filled: no trailing slash.
std::string check_url(std::string_view text, std::string& normalised);
// Items between commas, blanks around them removed. Empty text is no items.
std::vector<std::string> split_list(std::string_view text);
// True when any byte is an ASCII control character.
bool has_control(std::string_view text);
// Edits (insert, delete, replace) between two names.
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace calbridge::config
