#include "domain/render.h"

#include "domain/text.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

namespace calbridge::domain {
namespace {

struct piece {
    std::string text;
    bool literal{};
};

std::optional<std::string> value_of(std::string_view placeholder, task_changed const& task) {
    if (placeholder == "title") return task.title;
    if (placeholder == "customer") return task.customer;
    if (placeholder == "type") return task.type;
    if (placeholder == "contact") return task.contact;
    if (placeholder == "deal") return task.deal;
    if (placeholder == "priority") return task.priority;
    if (placeholder == "status") return task.status;
    return {};
}

std::vector<piece> take_apart(std::string_view pattern, task_changed const& task) {
    std::vector<piece> out;
    auto const add_literal = [&out](std::string_view text) {
        if (out.empty() || !out.back().literal) out.push_back({.literal = true});
        out.back().text.append(text);
    };
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        auto const rest = pattern.substr(i);
        if (rest.starts_with("{{") || rest.starts_with("}}")) {
            add_literal(rest.substr(0, 1));
            ++i;
            continue;
        }
        auto const end = rest.starts_with('{') ? rest.find('}') : std::string_view::npos;
        auto const value = end == std::string_view::npos ? std::nullopt : value_of(rest.substr(1, end - 1), task);
        if (!value) {
            add_literal(rest.substr(0, 1));
            continue;
        }
        out.push_back({.text = one_line(*value)});
        i += end;
    }
    return out;
}

constexpr std::array<std::string_view, 12> separators{"-", "\xE2\x80\x93", "\xE2\x80\x94", "|", ":", "/", ",", ";",
                                                      ">", "\xC2\xB7",     "\xE2\x80\xA2", "#"};

void drop_blanks_after(std::string& text) {
    while (text.ends_with(' ')) text.pop_back();
}
void drop_blanks_before(std::string& text) { text.erase(0, text.find_first_not_of(' ')); }

// Cuts separators with the blanks around them from the end; false, and nothing cut, when there is none.
bool cut_separators_at_end(std::string& text) {
    bool cut_any = false;
    for (auto rest = text; !rest.empty();) {
        drop_blanks_after(rest);
        auto const found = std::ranges::find_if(separators, [&](auto separator) { return rest.ends_with(separator); });
        if (found == separators.end()) break;
        rest.resize(rest.size() - found->size());
        drop_blanks_after(rest);
        text = rest;
        cut_any = true;
    }
    return cut_any;
}

void cut_separator_at_start(std::string& text) {
    drop_blanks_before(text);
    for (auto const separator : separators) {
        if (!text.starts_with(separator)) continue;
        text.erase(0, separator.size());
        drop_blanks_before(text);
        return;
    }
}

void cut_brackets(std::string& before, std::string& after) {
    auto left = before;
    auto right = after;
    drop_blanks_after(left);
    drop_blanks_before(right);
    bool const round = left.ends_with('(') && right.starts_with(')');
    bool const square = left.ends_with('[') && right.starts_with(']');
    if (!round && !square) return;
    left.pop_back();
    right.erase(0, 1);
    before = left;
    after = right;
}

// What stood around an empty value to set it off goes with it.
void close_gap(std::vector<piece>& pieces, std::size_t empty) {
    std::string none_before;
    std::string none_after;
    auto& before = empty > 0 && pieces[empty - 1].literal ? pieces[empty - 1].text : none_before;
    auto& after = empty + 1 < pieces.size() && pieces[empty + 1].literal ? pieces[empty + 1].text : none_after;
    cut_brackets(before, after);

    bool anything_before = false;
    for (std::size_t i = 0; i < empty; ++i) anything_before = anything_before || !trim(pieces[i].text).empty();
    if (!anything_before) {
        before.clear();
        cut_separator_at_start(after);
        return;
    }
    if (!cut_separators_at_end(before)) drop_blanks_after(before);
    // Words that stood on both sides of the gap stay apart.
    if (!after.empty() && after.front() != ' ' && after.front() != ')' && after.front() != ']' && after.front() != ',' &&
        after.front() != '.')
        after.insert(0, " ");
}

}  // namespace

std::string render_title(std::string_view pattern, task_changed const& task) {
    auto pieces = take_apart(pattern, task);
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        if (!pieces[i].literal && pieces[i].text.empty()) close_gap(pieces, i);
    }
    std::string out;
    for (auto const& one : pieces) out.append(one.text);
    auto title = one_line(out);
    return title.empty() ? one_line(task.title) : title;
}

}  // namespace calbridge::domain
