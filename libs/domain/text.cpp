#include "domain/text.h"

#include "common/base/encoding.h"

#include <algorithm>

namespace calbridge::domain {
namespace {

constexpr std::string_view no_break_space = "\xC2\xA0";

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_white(char c) { return is_blank(c) || c == '\n' || c == '\r'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Length of a <br>, <br/> or <br /> tag that ends `text`; 0 when there is none.
std::size_t line_break_tag(std::string_view text) {
    if (!text.ends_with('>')) return 0;
    std::size_t at = text.size() - 1;
    if (at > 0 && text[at - 1] == '/') --at;
    while (at > 0 && is_blank(text[at - 1])) --at;
    return ends_with_ignoring_case(text.substr(0, at), "<br") ? text.size() - (at - 3) : 0;
}

std::size_t wrapper_tag(std::string_view text) {
    for (std::string_view const tag : {"<html-blob>", "</html-blob>"}) {
        if (ends_with_ignoring_case(text, tag)) return tag.size();
    }
    return 0;
}

std::string cut_blanks(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (char const c : text) {
        if (c == '\n') {
            while (!out.empty() && is_blank(out.back())) out.pop_back();
        }
        out.push_back(c);
    }
    return std::string(trim(out));
}

// Each replacement looks at the end of what was written so far, so one replacement cannot leave another one behind.
std::string canonical(std::string_view raw, bool html) {
    std::string const clean = scrub_text(raw);
    std::string out;
    out.reserve(clean.size());
    for (std::size_t i = 0; i < clean.size(); ++i) {
        char c = clean[i];
        if (c == '\r') {
            if (i + 1 < clean.size() && clean[i + 1] == '\n') continue;
            c = '\n';
        }
        if ((static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F) c = ' ';
        out.push_back(c);
        if (out.ends_with(no_break_space)) {
            out.resize(out.size() - no_break_space.size());
            out.push_back(' ');
        }
        if (!html) continue;
        if (c == ';' && ends_with_ignoring_case(out, "&nbsp;")) {
            out.resize(out.size() - 6);
            out.push_back(' ');
        } else if (c == '>') {
            if (auto const wrapper = wrapper_tag(out)) out.resize(out.size() - wrapper);
            else if (auto const line_break = line_break_tag(out)) {
                out.resize(out.size() - line_break);
                out.push_back('\n');
            }
        }
    }
    return cut_blanks(out);
}

}  // namespace

std::string canonical_text(std::string_view raw) { return canonical(raw, true); }

std::string plain_text(std::string_view raw) { return canonical(raw, false); }

std::string one_line(std::string_view raw) {
    auto text = plain_text(raw);
    std::ranges::replace_if(text, is_white, ' ');
    return std::string(trim(text));
}

bool was_html(std::string_view raw) {
    for (std::size_t i = 0; i < raw.size(); ++i) {
        auto const so_far = raw.substr(0, i + 1);
        if (raw[i] == ';' && ends_with_ignoring_case(so_far, "&nbsp;")) return true;
        if (raw[i] == '>' && (wrapper_tag(so_far) != 0 || line_break_tag(so_far) != 0)) return true;
    }
    return false;
}

std::string lower_ascii(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), lower);
    return out;
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && is_white(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_white(text.back())) text.remove_suffix(1);
    return text;
}

bool ends_with_ignoring_case(std::string_view text, std::string_view lower_case_end) {
    if (text.size() < lower_case_end.size()) return false;
    auto const end = text.substr(text.size() - lower_case_end.size());
    return std::ranges::equal(end, lower_case_end, {}, lower);
}

}  // namespace calbridge::domain
