#pragma once
// Small readings of URLs, headers and JSON that every part of the world needs.

#include "common/http/message.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace calbridge::emulator {

namespace bj = boost::json;

using params = std::vector<std::pair<std::string, std::string>>;

// Query string or form body; a bad escape gives an empty optional.
std::optional<params> parse_params(std::string_view text);
std::string_view value_of(params const& from, std::string_view name, std::string_view fallback = {});
std::string const* find_value(params const& from, std::string_view name);
bool is_true(params const& from, std::string_view name);
std::optional<std::string_view> header(http::headers const& fields, std::string_view name);

std::vector<std::string_view> split(std::string_view text, char at);
std::string lower(std::string_view text);
std::string html_escape(std::string_view text);
// Reads a whole integer; empty when anything else is in the text.
std::optional<std::int64_t> to_integer(std::string_view text);
// Cuts to at most `count` code points.
std::string cut_code_points(std::string_view text, std::size_t count);
std::size_t count_code_points(std::string_view text);

std::string_view text_at(bj::object const& o, std::string_view name, std::string_view fallback = {});
bool flag_at(bj::object const& o, std::string_view name, bool fallback = false);
bj::object const* object_at(bj::object const& o, std::string_view name);
bj::array const* array_at(bj::object const& o, std::string_view name);

// PATCH as Google documents it: null deletes, objects merge, everything else (arrays too) replaces.
void merge(bj::object& target, bj::object const& patch);
// Indented like the service does by default.
std::string pretty(bj::value const& v);

}  // namespace calbridge::emulator
