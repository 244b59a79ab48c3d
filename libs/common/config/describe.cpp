#include "common/config/config.h"
#include "common/config/values.h"

#include <fmt/format.h>

namespace calbridge::config {

namespace {

bool is_given(environment const& env, std::string const& name) {
    auto const found = env.find(name);
    return found != env.end() && !found->second.empty();
}

std::string on_one_line(std::string text) {
    for (char& c : text) {
        if (has_control({&c, 1})) c = '?';
    }
    return text;
}

std::string cell(std::string_view text) {
    std::string escaped;
    for (char c : text) {
        if (c == '|') escaped += '\\';
        escaped += c == '\n' ? ' ' : c;
    }
    return escaped;
}

std::string code(std::string_view text) { return text.empty() ? std::string() : fmt::format("`{}`", cell(text)); }

}  // namespace

std::vector<std::string> summary(table const& settings, environment const& env) {
    std::vector<std::string> lines;
    for (auto const& s : settings.settings()) {
        if (s.is_secret) {
            bool const set = is_given(env, s.name) || is_given(env, s.name + "_FILE");
            lines.push_back(fmt::format("{}={}", s.name, set ? "set" : "unset"));
        } else {
            lines.push_back(fmt::format("{}={}", s.name, on_one_line(is_given(env, s.name) ? env.find(s.name)->second : s.fallback)));
        }
    }
    return lines;
}

std::string markdown(table const& settings) {
    std::string out =
        fmt::format("## {}\n\n| name | type | default | allowed | meaning |\n| --- | --- | --- | --- | --- |\n", settings.service());
    for (auto const& s : settings.settings()) {
        std::string const fallback = s.required ? std::string("**required**") : code(s.fallback);
        std::string const file = s.is_secret ? fmt::format(" May be given as `{}_FILE`, the path of a file.", s.name) : std::string();
        out += fmt::format("| {} | {} | {} | {} | {}{} |\n", code(s.name), s.type, fallback, cell(s.bounds), cell(s.meaning), file);
    }
    return out;
}

}  // namespace calbridge::config
