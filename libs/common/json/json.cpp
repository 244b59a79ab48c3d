#include "common/json/json.h"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>

namespace calbridge::json {

namespace {

error refuse(std::string_view what, std::string_view why) { return fail(errc::malformed, fmt::format("{}: {}", what, why)); }

std::optional<unsigned> unit_at(std::string_view text, std::size_t at) {
    if (text.size() < at + 6 || text[at] != '\\' || text[at + 1] != 'u') return std::nullopt;
    unsigned unit{};
    char const* const first = text.data() + at + 2;
    auto const [end, ec] = std::from_chars(first, first + 4, unit, 16);
    if (ec != std::errc{} || end != first + 4) return std::nullopt;
    return unit;
}

bool is_high(unsigned unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool is_low(unsigned unit) { return unit >= 0xdc00 && unit < 0xe000; }

// Positions of escapes that spell NUL or half a surrogate pair. A backslash is legal only inside a string, so the scan needs no
// knowledge of structure; what is not JSON at all is left to the parser.
std::vector<std::size_t> odd_escapes(std::string_view text) {
    std::vector<std::size_t> found;
    for (std::size_t at = text.find('\\'); at != std::string_view::npos; at = text.find('\\', at)) {
        auto const unit = unit_at(text, at);
        if (!unit) {
            at += 2;
            continue;
        }
        auto const next = is_high(*unit) ? unit_at(text, at + 6) : std::nullopt;
        bool const pair = next && is_low(*next);
        if (*unit == 0 || is_low(*unit) || (is_high(*unit) && !pair)) found.push_back(at);
        at += pair ? 12 : 6;
    }
    return found;
}

struct conversion {
    std::string_view what;
    std::optional<error> fault;

    value from(simdjson::dom::element e) {
        switch (e.type()) {
        case simdjson::dom::element_type::ARRAY: return from_array(e.get_array().value_unsafe());
        case simdjson::dom::element_type::OBJECT: return from_object(e.get_object().value_unsafe());
        case simdjson::dom::element_type::INT64: return e.get_int64().value_unsafe();
        case simdjson::dom::element_type::UINT64: return e.get_uint64().value_unsafe();
        case simdjson::dom::element_type::DOUBLE: return e.get_double().value_unsafe();
        case simdjson::dom::element_type::STRING: return value(text_of(e));
        case simdjson::dom::element_type::BOOL: return e.get_bool().value_unsafe();
        case simdjson::dom::element_type::NULL_VALUE: return nullptr;
        }
        return nullptr;
    }

private:
    static boost::json::string text_of(simdjson::dom::element e) {
        std::string_view const text = e.get_string().value_unsafe();
        return boost::json::string(boost::json::string_view(text.data(), text.size()));
    }

    value from_array(simdjson::dom::array source) {
        array out;
        out.reserve(source.size());
        for (auto const item : source) out.push_back(from(item));
        return out;
    }

    value from_object(simdjson::dom::object source) {
        object out;
        out.reserve(source.size());
        for (auto const member : source) {
            boost::json::string_view const key(member.key.data(), member.key.size());
            // The key is outside text: it is not repeated in the error.
            if (!out.emplace(key, from(member.value)).second && !fault) fault = refuse(what, "an object has the same name twice");
        }
        return out;
    }
};

}  // namespace

result<value> parse(std::string_view text, std::string_view what, limits within, bool scrub) {
    if (text.size() > within.bytes_max) return fail(errc::too_large, fmt::format("{}: more than {} bytes", what, within.bytes_max));
    simdjson::padded_string padded(text);
    for (std::size_t const at : odd_escapes(text)) {
        if (!scrub) return refuse(what, "a string holds NUL or half a surrogate pair");
        std::memcpy(padded.data() + at, "\\ufffd", 6);
    }
    simdjson::dom::parser parser;
    if (auto const code = parser.allocate(std::max<std::size_t>(text.size(), 1), within.depth_max); code != simdjson::SUCCESS) {
        return refuse(what, simdjson::error_message(code));
    }
    simdjson::dom::element root;
    if (auto const code = parser.parse(padded).get(root); code != simdjson::SUCCESS) {
        return refuse(what, simdjson::error_message(code));
    }
    conversion convert{.what = what, .fault = {}};
    value converted = convert.from(root);
    if (convert.fault) return *convert.fault;
    return converted;
}

namespace {

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.back() == ' ' || text.back() == '\n' || text.back() == '\r' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

// The text of any value, consumed.
simdjson::simdjson_result<std::string_view> raw_of(simdjson::ondemand::value v) {
    simdjson::ondemand::json_type type{};
    if (auto const code = v.type().get(type); code != simdjson::SUCCESS) return code;
    if (type == simdjson::ondemand::json_type::object) {
        simdjson::ondemand::object o;
        if (auto const code = v.get_object().get(o); code != simdjson::SUCCESS) return code;
        return o.raw_json();
    }
    if (type == simdjson::ondemand::json_type::array) {
        simdjson::ondemand::array a;
        if (auto const code = v.get_array().get(a); code != simdjson::SUCCESS) return code;
        return a.raw_json();
    }
    return v.raw_json_token();
}

// `others` is the text of the object's other members.
simdjson::error_code pick_apart(simdjson::ondemand::object whole, std::string_view array_name, taken_apart& out, std::string& others) {
    for (auto member : whole) {
        std::string_view key;
        if (auto const code = member.unescaped_key().get(key); code != simdjson::SUCCESS) return code;
        simdjson::ondemand::value v;
        if (auto const code = member.value().get(v); code != simdjson::SUCCESS) return code;
        simdjson::ondemand::json_type type{};
        if (auto const code = v.type().get(type); code != simdjson::SUCCESS) return code;
        if (key == array_name && type == simdjson::ondemand::json_type::array && !out.has_array) {
            out.has_array = true;
            simdjson::ondemand::array elements;
            if (auto const code = v.get_array().get(elements); code != simdjson::SUCCESS) return code;
            for (auto element : elements) {
                simdjson::ondemand::value one;
                if (auto const code = std::move(element).get(one); code != simdjson::SUCCESS) return code;
                std::string_view raw;
                if (auto const code = raw_of(one).get(raw); code != simdjson::SUCCESS) return code;
                out.elements.emplace_back(trimmed(raw));
            }
            continue;
        }
        std::string_view raw;
        if (auto const code = raw_of(v).get(raw); code != simdjson::SUCCESS) return code;
        // Nobody asks for a name that has to be escaped.
        if (!std::ranges::all_of(key, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; })) continue;
        others += others.size() > 1 ? ",\"" : "\"";
        others.append(key).append("\":").append(trimmed(raw));
    }
    return simdjson::SUCCESS;
}

}  // namespace

result<taken_apart> take_apart(std::string text, std::string_view array_name, std::string_view what, limits within) {
    if (text.size() > within.bytes_max) return fail(errc::too_large, fmt::format("{}: more than {} bytes", what, within.bytes_max));
    for (std::size_t const at : odd_escapes(text)) std::memcpy(text.data() + at, "\\ufffd", 6);
    std::size_t const size = text.size();
    text.resize(size + simdjson::SIMDJSON_PADDING);
    simdjson::ondemand::parser parser;
    simdjson::ondemand::document document;
    if (auto const code = parser.iterate(text.data(), size, text.size()).get(document); code != simdjson::SUCCESS)
        return refuse(what, simdjson::error_message(code));
    simdjson::ondemand::object whole;
    if (auto const code = document.get_object().get(whole); code != simdjson::SUCCESS) return refuse(what, simdjson::error_message(code));
    taken_apart out;
    std::string others = "{";
    if (auto const code = pick_apart(whole, array_name, out, others); code != simdjson::SUCCESS)
        return refuse(what, simdjson::error_message(code));
    if (document.current_location().error() == simdjson::SUCCESS) return refuse(what, "something follows the document");
    others += "}";
    auto rest = parse(others, what, within, true);
    if (!rest) return rest.error();
    out.rest = std::move(*rest);
    return out;
}

std::string serialize(value const& v) { return boost::json::serialize(v); }

std::string_view text_or(object const& o, std::string_view name, std::string_view fallback) {
    auto const* const member = o.if_contains(name);
    auto const* const text = member ? member->if_string() : nullptr;
    return text ? std::string_view(text->data(), text->size()) : fallback;
}

std::int64_t integer_or(object const& o, std::string_view name, std::int64_t fallback) {
    auto const* const member = o.if_contains(name);
    if (!member) return fallback;
    if (auto const* const number = member->if_int64()) return *number;
    if (auto const* const number = member->if_uint64()) {
        return *number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) ? static_cast<std::int64_t>(*number)
                                                                                               : fallback;
    }
    auto const* const text = member->if_string();
    if (!text) return fallback;
    std::int64_t number{};
    auto const [end, ec] = std::from_chars(text->data(), text->data() + text->size(), number);
    return ec == std::errc{} && end == text->data() + text->size() ? number : fallback;
}

bool boolean_or(object const& o, std::string_view name, bool fallback) {
    auto const* const member = o.if_contains(name);
    auto const* const truth = member ? member->if_bool() : nullptr;
    return truth ? *truth : fallback;
}

object const* object_at(object const& o, std::string_view name) {
    auto const* const member = o.if_contains(name);
    return member ? member->if_object() : nullptr;
}

array const* array_at(object const& o, std::string_view name) {
    auto const* const member = o.if_contains(name);
    return member ? member->if_array() : nullptr;
}

}  // namespace calbridge::json
