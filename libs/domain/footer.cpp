#include "domain/footer.h"

#include "domain/text.h"

#include <charconv>
#include <cstdint>
#include <optional>

namespace calbridge::domain {
namespace {

// Tells people where their own words are kept; no special character of HTML in it.
constexpr std::string_view marker = "──── calbridge: please write above this line ────";
constexpr char escape = '\\';

// How many escapes stand before a marker on this line (0: the marker itself); nothing when the line is not one.
// Tags, blanks around it and runs of blanks inside it do not count: editors change those.
std::optional<std::size_t> escapes_before_marker(std::string_view line) {
    if (line.find("\xE2\x94\x80") == std::string_view::npos) return {};
    std::string plain;
    for (std::size_t i = 0; i < line.size(); ++i) {
        char const c = line[i] == '\t' ? ' ' : line[i];
        if (c == '<') {
            auto const end = line.find_first_of("<>", i + 1);
            if (end != std::string_view::npos && line[end] == '>') {
                i = end;
                continue;
            }
        }
        if (c == ' ' && plain.ends_with(' ')) continue;
        plain.push_back(c);
    }
    auto rest = trim(plain);
    std::size_t escapes = 0;
    for (; rest.starts_with(escape); ++escapes) rest = trim(rest.substr(1));
    if (rest != marker) return {};
    return escapes;
}

template <class EachLine>
void for_lines(std::string_view text, EachLine each) {
    for (std::size_t from = 0;;) {
        auto const end = text.find('\n', from);
        each(text.substr(from, end == std::string_view::npos ? end : end - from), from);
        if (end == std::string_view::npos) return;
        from = end + 1;
    }
}

std::string escaped(std::string_view text) {
    std::string out;
    for_lines(text, [&](std::string_view line, std::size_t from) {
        if (from > 0) out.push_back('\n');
        if (escapes_before_marker(line)) out.push_back(escape);
        out.append(line);
    });
    return out;
}

std::string unescaped(std::string_view text) {
    std::string out;
    for_lines(text, [&](std::string_view line, std::size_t from) {
        if (from > 0) out.push_back('\n');
        std::string plain(line);
        if (escapes_before_marker(line).value_or(0) > 0) plain.erase(plain.find(escape), 1);
        out.append(plain);
    });
    return out;
}

struct cut {
    std::size_t begin{}, end{};  // of the marker line
};

// The last one: should somebody paste a whole description above it, everything he pasted is his text.
std::optional<cut> find_marker(std::string_view text) {
    std::optional<cut> found;
    for_lines(text, [&](std::string_view line, std::size_t from) {
        if (escapes_before_marker(line) == 0u) found = cut{from, from + line.size()};
    });
    return found;
}

void append_code_point(std::string& out, std::uint32_t code) {
    auto const tail = [&](unsigned shift) { out.push_back(static_cast<char>(0x80 | ((code >> shift) & 0x3F))); };
    if (code < 0x80) {
        out.push_back(static_cast<char>(code));
    } else if (code < 0x800) {
        out.push_back(static_cast<char>(0xC0 | (code >> 6)));
        tail(0);
    } else if (code < 0x10000) {
        out.push_back(static_cast<char>(0xE0 | (code >> 12)));
        tail(6);
        tail(0);
    } else {
        out.push_back(static_cast<char>(0xF0 | (code >> 18)));
        tail(12);
        tail(6);
        tail(0);
    }
}

// Appends what the entity `name` (between '&' and ';') stands for; false when it is none an editor writes.
bool append_entity(std::string& out, std::string_view name) {
    struct {
        std::string_view name;
        char c;
    } constexpr named[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}, {"nbsp", ' '}};
    for (auto const& one : named) {
        if (one.name == name) return out.push_back(one.c), true;
    }
    if (!name.starts_with('#') || name.size() < 2) return false;
    bool const hex = name[1] == 'x' || name[1] == 'X';
    auto const digits = name.substr(hex ? 2 : 1);
    std::uint32_t code = 0;
    auto const [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), code, hex ? 16 : 10);
    if (digits.empty() || bad != std::errc{} || end != digits.data() + digits.size()) return false;
    if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
    append_code_point(out, code);
    return true;
}

// One level of entities, as an editor writes one level.
std::string without_entities(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '&') {
            auto const end = text.substr(i, 12).find(';');
            if (end != std::string_view::npos && append_entity(out, text.substr(i + 1, end - 1))) {
                i += end;
                continue;
            }
        }
        out.push_back(text[i]);
    }
    return out;
}

// Paragraphs as lines: the end of one is a line break, its start is nothing.
std::string without_blocks(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto const end = text[i] == '<' ? text.find_first_of("<>", i + 1) : std::string_view::npos;
        if (end == std::string_view::npos || text[end] != '>') {
            out.push_back(text[i]);
            continue;
        }
        auto const tag = lower_ascii(text.substr(i + 1, end - i - 1));
        auto const name = std::string_view(tag).substr(0, tag.find(' '));
        if (name == "/p" || name == "/div") out.push_back('\n');
        else if (name != "p" && name != "div") out.append(text.substr(i, end - i + 1));
        i = end;
    }
    return out;
}

split_description split_at(std::string_view text, std::optional<cut> const& at) {
    if (!at) return {unescaped(text), {}};
    return {unescaped(trim(text.substr(0, at->begin))), unescaped(trim(text.substr(at->end)))};
}

}  // namespace

std::string join_description(std::string_view text, std::string_view footer) {
    auto out = escaped(text);
    if (footer.empty()) return out;
    if (!out.empty()) out.append("\n\n");
    out.append(marker).append("\n").append(escaped(footer));
    return out;
}

split_description split(std::string_view description) {
    // Normalised text holds none of this, so what was_html() sees was put there by an editor, and entities are its doing too.
    if (!was_html(description)) {
        auto const text = canonical_text(description);
        return split_at(text, find_marker(text));
    }
    auto const text = canonical_text(without_entities(canonical_text(description)));
    if (auto const at = find_marker(text)) return split_at(text, at);
    auto const lines = canonical_text(without_entities(without_blocks(canonical_text(description))));
    if (auto const at = find_marker(lines)) return split_at(lines, at);
    return split_at(text, {});
}

}  // namespace calbridge::domain
