#include "tests/emulator/text.h"

#include "common/base/encoding.h"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <charconv>

namespace calbridge::emulator {

namespace {

char lower_char(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_name(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return lower_char(x) == lower_char(y); });
}

void pretty_into(std::string& out, bj::value const& v, std::size_t depth) {
    auto const indent = [&](std::size_t n) { out.append(1, '\n').append(n, ' '); };
    if (auto const* o = v.if_object(); o != nullptr && !o->empty()) {
        out += '{';
        bool first = true;
        for (auto const& [name, member] : *o) {
            if (!first) out += ',';
            first = false;
            indent(depth + 1);
            out += bj::serialize(bj::value(name));
            out += ": ";
            pretty_into(out, member, depth + 1);
        }
        indent(depth);
        out += '}';
    } else if (auto const* a = v.if_array(); a != nullptr && !a->empty()) {
        out += '[';
        bool first = true;
        for (auto const& member : *a) {
            if (!first) out += ',';
            first = false;
            indent(depth + 1);
            pretty_into(out, member, depth + 1);
        }
        indent(depth);
        out += ']';
    } else {
        out += bj::serialize(v);
    }
}

}  // namespace

std::optional<params> parse_params(std::string_view text) {
    params out;
    if (text.empty()) return out;
    for (auto part : split(text, '&')) {
        if (part.empty()) continue;
        auto const eq = part.find('=');
        auto name = percent_decode(part.substr(0, eq), true);
        auto value = percent_decode(eq == std::string_view::npos ? std::string_view{} : part.substr(eq + 1), true);
        if (!name || !value) return std::nullopt;
        out.emplace_back(std::move(*name), std::move(*value));
    }
    return out;
}

std::string const* find_value(params const& from, std::string_view name) {
    for (auto const& [n, v] : from)
        if (n == name) return &v;
    return nullptr;
}

std::string_view value_of(params const& from, std::string_view name, std::string_view fallback) {
    auto const* v = find_value(from, name);
    return v != nullptr ? std::string_view(*v) : fallback;
}

bool is_true(params const& from, std::string_view name) { return value_of(from, name) == "true"; }

std::optional<std::string_view> header(http::headers const& fields, std::string_view name) {
    for (auto const& [n, v] : fields)
        if (same_name(n, name)) return std::string_view(v);
    return std::nullopt;
}

std::vector<std::string_view> split(std::string_view text, char at) {
    std::vector<std::string_view> out;
    for (;;) {
        auto const pos = text.find(at);
        out.push_back(text.substr(0, pos));
        if (pos == std::string_view::npos) return out;
        text.remove_prefix(pos + 1);
    }
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), lower_char);
    return out;
}

std::string html_escape(std::string_view text) {
    std::string out;
    for (char c : text) {
        switch (c) {
        case '&': out += "&amp;"; break;
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        case '"': out += "&quot;"; break;
        case '\'': out += "&#39;"; break;
        default: out += c;
        }
    }
    return out;
}

std::optional<std::int64_t> to_integer(std::string_view text) {
    std::int64_t n = 0;
    auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (ec != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return n;
}

std::size_t count_code_points(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string cut_code_points(std::string_view text, std::size_t count) {
    std::size_t seen = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if ((static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U) continue;
        if (seen++ == count) return std::string(text.substr(0, i));
    }
    return std::string(text);
}

std::string_view text_at(bj::object const& o, std::string_view name, std::string_view fallback) {
    auto const* v = o.if_contains(name);
    if (v == nullptr || !v->is_string()) return fallback;
    return {v->get_string().data(), v->get_string().size()};
}

bool flag_at(bj::object const& o, std::string_view name, bool fallback) {
    auto const* v = o.if_contains(name);
    return v != nullptr && v->is_bool() ? v->get_bool() : fallback;
}

bj::object const* object_at(bj::object const& o, std::string_view name) {
    auto const* v = o.if_contains(name);
    return v != nullptr ? v->if_object() : nullptr;
}

bj::array const* array_at(bj::object const& o, std::string_view name) {
    auto const* v = o.if_contains(name);
    return v != nullptr ? v->if_array() : nullptr;
}

void merge(bj::object& target, bj::object const& patch) {
    for (auto const& [name, value] : patch) {
        if (value.is_null()) {
            target.erase(name);
        } else if (auto const* o = value.if_object()) {
            auto& slot = target[name];
            if (!slot.is_object()) slot = bj::object{};
            merge(slot.get_object(), *o);
        } else {
            target[name] = value;
        }
    }
}

std::string pretty(bj::value const& v) {
    std::string out;
    pretty_into(out, v, 0);
    out += '\n';
    return out;
}

}  // namespace calbridge::emulator
