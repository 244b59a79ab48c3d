#pragma once
// Sample values and a seeded source of odd ones. For this folder's tests only.

#include "domain/fields.h"

#include <random>
#include <string>
#include <vector>

namespace calbridge::domain::testing_world {

inline std::chrono::sys_days day(int y, unsigned m, unsigned d) {
    return std::chrono::sys_days{std::chrono::year(y) / std::chrono::month(m) / std::chrono::day(d)};
}

// Normalised; any two differ in every field.
inline fields sample(int which) {
    auto const n = std::to_string(which);
    instant const start = instant{day(2026, 11, 25)} + std::chrono::hours(9 + which);
    return {.title = "title " + n,
            .description = "description " + n,
            .footer = "footer " + n,
            .location = "location " + n,
            .time = {.start = start, .end = start + std::chrono::hours(1), .zone = "Europe/Zurich"},
            .color_id = std::to_string(which % 11 + 1),
            .reminders = {.use_default = false, .overrides = {{"popup", which + 1}}},
            .guests = {{"guest" + n + "@example.com", "Guest " + n, false}},
            .meet = which % 2 == 1,
            .recurrence = {"RRULE:FREQ=DAILY;COUNT=" + std::to_string(which + 2)}};
}

class dice {
public:
    explicit dice(unsigned seed) : engine_(seed) {}
    int below(int n) { return static_cast<int>(engine_() % static_cast<unsigned>(n)); }
    std::string pick(std::vector<std::string> const& from) { return from[static_cast<std::size_t>(below(static_cast<int>(from.size())))]; }

    std::string text(int pieces_max) {
        static std::vector<std::string> const pieces{"word",
                                                     "R&D",
                                                     "a < b > c",
                                                     " ",
                                                     "  ",
                                                     "\t",
                                                     "\n",
                                                     "\r\n",
                                                     "\r",
                                                     "\n\n",
                                                     "<br>",
                                                     "<BR/>",
                                                     "<br />",
                                                     "<br  ",
                                                     "&nbsp;",
                                                     "&amp;",
                                                     "&lt;",
                                                     "&amp;nbsp;",
                                                     "&lt;br&gt;",
                                                     "<html-blob>",
                                                     "</html-blob>",
                                                     "<html-",
                                                     "blob>",
                                                     "<b>",
                                                     "</b>",
                                                     "<p>",
                                                     "</p>",
                                                     "<i>x</i>",
                                                     "\xC2\xA0",
                                                     "\xF0\x9F\x91\x8B",
                                                     "é",
                                                     "日本",
                                                     "\xFF",
                                                     "\xC2",
                                                     "\x01",
                                                     "\x7F",
                                                     std::string(1, '\0'),
                                                     "-",
                                                     "--",
                                                     "----",
                                                     "———",
                                                     "────",
                                                     "──── calbridge: please write above this line ────",
                                                     "\\",
                                                     "\\\\",
                                                     "calbridge",
                                                     "Managed by calbridge",
                                                     ";",
                                                     "&",
                                                     "<",
                                                     ">",
                                                     "/",
                                                     "'",
                                                     "\"",
                                                     "{",
                                                     "}"};
        std::string out;
        for (int n = below(pieces_max + 1); n > 0; --n) out += pick(pieces);
        return out;
    }

    time_range range() {
        if (below(3) == 0) {
            auto const first = day(2026, 1, 1) + std::chrono::days(below(400));
            return {.all_day = true, .first_day = first, .end_day = first + std::chrono::days(below(5) - 1), .zone = below(2) ? "UTC" : ""};
        }
        instant const start = instant{day(2026, 1, 1)} + std::chrono::microseconds(static_cast<std::int64_t>(engine_()) * 1000);
        return {.start = start,
                .end = start + std::chrono::microseconds(static_cast<std::int64_t>(engine_()) - (1 << 30)),
                .zone = below(2) ? "Europe/Zurich" : ""};
    }

    std::mt19937& engine() { return engine_; }

private:
    std::mt19937 engine_;
};

}  // namespace calbridge::domain::testing_world
