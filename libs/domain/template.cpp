#include "domain/template.h"

#include "domain/render.h"
#include "domain/text.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>
#include <vector>

namespace calbridge::domain {
namespace {

constexpr std::string_view tick = "\xE2\x9C\x93";

enum class kind { title, text };

struct piece {
    std::string text;
    bool literal{};
    std::string_view name;  // the placeholder's
};

std::optional<std::string> value_of(std::string_view placeholder, task_changed const& task, kind of) {
    if (placeholder == "title") return task.title;
    if (placeholder == "customer") return task.customer;
    if (placeholder == "type") return task.type;
    if (placeholder == "contact") return task.contact;
    if (placeholder == "deal") return task.deal;
    if (placeholder == "priority") return task.priority;
    if (placeholder == "status") return task.status;
    if (of == kind::title) return {};
    if (placeholder == "description") return task.description;
    if (placeholder == "notes") return task.notes;
    if (placeholder == "location") return task.location;
    if (placeholder == "video_link") return task.video_link;
    return {};
}

std::string tidy(std::string_view text, kind of) { return of == kind::title ? one_line(text) : canonical_text(text); }

std::vector<piece> take_apart(std::string_view pattern, task_changed const& task, kind of) {
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
        auto const name = end == std::string_view::npos ? std::string_view() : rest.substr(1, end - 1);
        auto const value = value_of(name, task, of);
        if (!value) {
            add_literal(rest.substr(0, 1));
            continue;
        }
        out.push_back({.text = tidy(*value, of), .name = name});
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

void close_gaps(std::vector<piece>& pieces) {
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        if (!pieces[i].literal && pieces[i].text.empty()) close_gap(pieces, i);
    }
}

bool is_blank_line(std::vector<piece> const& line) {
    return std::ranges::all_of(line, [](piece const& p) { return trim(p.text).empty(); });
}

bool lost_its_values(std::vector<piece> const& line) {
    auto const is_value = [](piece const& p) { return !p.literal; };
    return std::ranges::any_of(line, is_value) && std::ranges::all_of(line, [&](piece const& p) { return !is_value(p) || p.text.empty(); });
}

std::vector<piece> compose_lines(std::string_view pattern, task_changed const& task) {
    std::vector<piece> out;
    bool blank_before = true;
    bool lost_line = false;
    for (bool more = true; more;) {
        auto const end = pattern.find('\n');
        auto line = take_apart(pattern.substr(0, end), task, kind::text);
        more = end != std::string_view::npos;
        if (more) pattern.remove_prefix(end + 1);

        bool const lost = lost_its_values(line);
        lost_line = lost_line || lost;
        bool const blank = is_blank_line(line);
        if (lost || (blank && lost_line && blank_before)) continue;
        close_gaps(line);
        blank_before = blank;
        lost_line = false;
        if (!out.empty()) out.push_back({.text = "\n", .literal = true});
        std::ranges::move(line, std::back_inserter(out));
    }
    return out;
}

std::vector<piece> compose(std::string_view pattern, task_changed const& task, kind of) {
    if (of == kind::text) return compose_lines(pattern, task);
    auto pieces = take_apart(pattern, task, of);
    close_gaps(pieces);
    return pieces;
}

std::string joined(std::vector<piece> const& pieces) {
    std::string out;
    for (auto const& one : pieces) out.append(one.text);
    return out;
}

struct surroundings {
    std::string before, after;
};

// What stands around the placeholder when it has a value; nothing unless it is there exactly once.
std::optional<surroundings> around(std::string_view pattern, std::string_view placeholder, task_changed task, kind of) {
    constexpr std::string_view stand_in = "x";
    (of == kind::title ? task.title : task.description) = stand_in;
    auto const pieces = compose(pattern, task, of);
    auto const is_it = [&](piece const& p) { return p.name == placeholder; };
    if (std::ranges::count_if(pieces, is_it) != 1) return {};
    auto const at = std::ranges::find_if(pieces, is_it);
    auto before = tidy(joined({pieces.begin(), at}) + std::string(stand_in), of);
    auto const whole = tidy(joined(pieces), of);
    surroundings out{.before = before.substr(0, before.size() - stand_in.size()), .after = whole.substr(before.size())};
    return out;
}

}  // namespace

std::string render_title(std::string_view pattern, task_changed const& task) {
    auto title = one_line(joined(compose(pattern, task, kind::title)));
    return title.empty() ? one_line(task.title) : title;
}

std::string render_text(std::string_view pattern, task_changed const& task) {
    return canonical_text(joined(compose(pattern, task, kind::text)));
}

std::optional<std::string> unrender(std::string_view pattern, std::string_view placeholder, task_changed const& task,
                                    std::string_view text) {
    if (placeholder != "title" && placeholder != "description") return {};
    auto const of = placeholder == "title" ? kind::title : kind::text;
    auto const there = around(pattern, placeholder, task, of);
    if (!there) return {};
    auto const said = tidy(text, of);
    if (of == kind::text) {
        task_changed without = task;
        without.description.clear();
        if (said == render_text(pattern, without)) return std::string();
    }
    auto const& [before, after] = *there;
    if (said.size() <= before.size() + after.size() || !said.starts_with(before) || !said.ends_with(after)) return {};
    auto middle = tidy(std::string_view(said).substr(before.size(), said.size() - before.size() - after.size()), of);
    if (middle.empty()) return {};
    return middle;
}

std::string without_tick(std::string_view title) {
    while (title.starts_with(tick)) {
        auto const rest = title.substr(tick.size());
        if (!rest.empty() && rest.front() != ' ') break;
        title = trim(rest);
    }
    return std::string(title);
}

std::string with_tick(std::string_view title) {
    if (title == tick || title.starts_with(std::string(tick) + " ")) return std::string(title);
    return title.empty() ? std::string(tick) : std::string(tick) + " " + std::string(title);
}

}  // namespace calbridge::domain
