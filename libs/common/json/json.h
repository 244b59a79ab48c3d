#pragma once
// JSON in with simdjson (the whole document validated before any effect), out with Boost.JSON.

#include "common/base/result.h"

#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace calbridge::json {

namespace bj = boost::json;
using value = bj::value;
using object = bj::object;
using array = bj::array;

struct limits {
    std::size_t bytes_max{1 << 20};
    std::size_t depth_max{32};
};

// Parses with simdjson's DOM (rejects trailing content, bad values anywhere, depth beyond the limit, duplicate keys) and converts.
// Strings with lone surrogates or NUL: replaced by U+FFFD when `scrub`, else errc::malformed. `what` names the document in the error.
result<value> parse(std::string_view text, std::string_view what, limits within = {}, bool scrub = false);

std::string serialize(value const& v);

// Typed look-ups for tolerant readers: an absent or other-typed member gives the fallback.
std::string_view text_or(object const& o, std::string_view name, std::string_view fallback = {});
std::int64_t integer_or(object const& o, std::string_view name, std::int64_t fallback = 0);  // accepts 64-bit integers spelled as strings
bool boolean_or(object const& o, std::string_view name, bool fallback = false);
object const* object_at(object const& o, std::string_view name);
array const* array_at(object const& o, std::string_view name);

}  // namespace calbridge::json
