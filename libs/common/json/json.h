#pragma once
// JSON in with simdjson (the whole document validated before any effect), out with Boost.JSON.

#include "common/base/result.h"

#include <boost/json/value.hpp>

#include <string>
#include <string_view>
#include <vector>

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

// A large object in two parts, without a tree of the whole: the elements of one of its arrays as the texts they came in, each still to be
// parsed by itself, and the rest of the object. What is wrong inside an element is found when that is parsed and fails no other. NUL and lone
// surrogates are replaced by U+FFFD everywhere. errc::malformed when the whole is no object, or the array does not end.
struct taken_apart {
    value rest;  // without the array
    std::vector<std::string> elements;
    bool has_array{false};
};
result<taken_apart> take_apart(std::string text, std::string_view array_name, std::string_view what, limits within = {});

std::string serialize(value const& v);

// Typed look-ups for tolerant readers: an absent or other-typed member gives the fallback.
std::string_view text_or(object const& o, std::string_view name, std::string_view fallback = {});
std::int64_t integer_or(object const& o, std::string_view name, std::int64_t fallback = 0);  // accepts 64-bit integers spelled as strings
bool boolean_or(object const& o, std::string_view name, bool fallback = false);
object const* object_at(object const& o, std::string_view name);
array const* array_at(object const& o, std::string_view name);

}  // namespace calbridge::json
