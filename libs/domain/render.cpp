#include "domain/render.h"

#include "domain/footer.h"
#include "domain/recurrence.h"
#include "domain/template.h"
#include "domain/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

namespace calbridge::domain {
namespace {

// Google publishes no limits for these; longer texts have been seen cut, and a cut text would come back as an edit.
constexpr std::size_t title_chars_max = 1024;
constexpr std::size_t location_chars_max = 1024;
constexpr std::size_t description_chars_max = 8000;  // with the footer
constexpr std::size_t attendees_max = 200;           // beyond this Google no longer passes answers on
constexpr std::size_t reminders_max = 5;
constexpr std::int64_t reminder_minutes_max = 40320;

std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// "Follow up", "follow-up" and "FOLLOW_UP" are one type.
std::string type_key(std::string_view type) {
    auto key = lower_ascii(trim(type));
    std::ranges::replace_if(key, [](char c) { return c == ' ' || c == '-'; }, '_');
    return key;
}

std::string const* find_by_type(std::map<std::string, std::string, std::less<>> const& in, std::string_view type) {
    if (auto const exact = in.find(type); exact != in.end()) return &exact->second;
    auto const key = type_key(type);
    if (key.empty()) return nullptr;
    auto const same = std::ranges::find_if(in, [&](auto const& entry) { return type_key(entry.first) == key; });
    return same == in.end() ? nullptr : &same->second;
}

std::string_view title_pattern(task_changed const& task, render_settings const& settings) {
    if (settings.plain) return "{title}";
    if (auto const* const by_type = find_by_type(settings.title_templates, task.type)) return *by_type;
    auto const general = settings.title_templates.find("");
    return general == settings.title_templates.end() ? std::string_view("{title}") : std::string_view(general->second);
}

// Empty: the task's own description.
std::string_view text_pattern(task_changed const& task, render_settings const& settings) {
    if (settings.plain) return {};
    if (auto const* const by_type = find_by_type(settings.description_templates, task.type)) return *by_type;
    auto const general = settings.description_templates.find("");
    return general == settings.description_templates.end() ? std::string_view() : std::string_view(general->second);
}

bool is_ticked(task_changed const& task, render_settings const& settings) {
    return settings.completed == when_completed::tick && is_completed(task);
}

void add_line(std::string& out, std::string_view label, std::string_view value) {
    auto const text = one_line(value);
    if (text.empty()) return;
    if (!out.empty()) out.push_back('\n');
    out.append(label).append(": ").append(text);
}

std::string render_footer(task_changed const& task, render_settings const& settings) {
    std::string out;
    if (settings.plain) return out;
    add_line(out, "Video", task.video_link);
    add_line(out, "Zoom", settings.zoom_link);
    if (auto const notes = canonical_text(task.notes); !notes.empty()) out.append(out.empty() ? "" : "\n").append("Notes:\n").append(notes);
    add_line(out, "Type", task.type);
    add_line(out, "Priority", task.priority);
    add_line(out, "Status", task.status);
    add_line(out, "Customer", task.customer);
    add_line(out, "Contact", task.contact);
    add_line(out, "Deal", task.deal);
    out.append(out.empty() ? "" : "\n").append("Managed by calbridge");
    return out;
}

struct rgb {
    int red, green, blue;
};

std::optional<rgb> read_hex(std::string_view text) {
    if (text.size() != 7 || text.front() != '#') return {};
    std::array<int, 6> digits{};
    for (std::size_t i = 0; i < digits.size(); ++i) {
        char const c = text[i + 1];
        if (c >= '0' && c <= '9') digits[i] = c - '0';
        else if (c >= 'a' && c <= 'f') digits[i] = c - 'a' + 10;
        else if (c >= 'A' && c <= 'F') digits[i] = c - 'A' + 10;
        else return {};
    }
    return rgb{digits[0] * 16 + digits[1], digits[2] * 16 + digits[3], digits[4] * 16 + digits[5]};
}

// colors.get's event palette, ids 1 to 11.
constexpr std::array<rgb, 11> event_palette{{{0xa4, 0xbd, 0xfc},
                                             {0x7a, 0xe7, 0xbf},
                                             {0xdb, 0xad, 0xff},
                                             {0xff, 0x88, 0x7c},
                                             {0xfb, 0xd7, 0x5b},
                                             {0xff, 0xb8, 0x78},
                                             {0x46, 0xd6, 0xdb},
                                             {0xe1, 0xe1, 0xe1},
                                             {0x54, 0x84, 0xed},
                                             {0x51, 0xb7, 0x49},
                                             {0xdc, 0x21, 0x27}}};

// A user's own colour for a type, even a broken one, is preferred to the default: broken means the calendar's colour.
std::string color_by_type(std::string_view type, render_settings const& settings) {
    if (settings.plain) return {};
    if (auto const* const own = find_by_type(settings.type_colors, type)) return nearest_color_id(*own);
    auto const* const usual = find_by_type(default_type_colors(), type);
    return usual ? nearest_color_id(*usual) : std::string();
}

// Only what certainly is no address: Google decides about the rest.
bool could_be_email(std::string_view email) {
    auto const at = email.find('@');
    if (email.size() > 254 || at == 0 || at == std::string_view::npos || at + 1 == email.size() ||
        email.find('@', at + 1) != std::string_view::npos)
        return false;
    return std::ranges::none_of(
        email, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7F || c == ',' || c == ';' || c == '<' || c == '>'; });
}

std::variant<std::vector<guest>, refusal> render_guests(task_changed const& task, std::string_view owner_email) {
    if (task.attendees.size() > attendees_max)
        return refusal{"too_many_attendees",
                       fmt::format("The task has {} attendees; a calendar event takes at most {}. Remove some, or invite a group address.",
                                   task.attendees.size(), attendees_max)};
    auto const owner = lower_ascii(trim(owner_email));
    std::vector<guest> out;
    for (std::size_t i = 0; i < task.attendees.size(); ++i) {
        auto const& from = task.attendees[i];
        auto email = lower_ascii(trim(from.email));
        if (!could_be_email(email))
            return refusal{"bad_attendee", fmt::format("Attendee number {} has no valid e-mail address. Correct or remove it.", i + 1)};
        if (email != owner) out.push_back({.email = std::move(email), .name = from.name, .optional = from.optional});
    }
    return out;
}

std::variant<reminder_list, refusal> render_reminders(task_changed const& task) {
    if (!task.reminders) return reminder_list{};
    if (task.reminders->size() > reminders_max)
        return refusal{"too_many_reminders", fmt::format("The task has {} reminders; a calendar event takes at most {}. Remove some.",
                                                         task.reminders->size(), reminders_max)};
    reminder_list out{.use_default = false};
    for (auto const& from : *task.reminders) {
        auto method = lower_ascii(trim(from.method));
        if ((method != "popup" && method != "email") || from.minutes < 0 || from.minutes > reminder_minutes_max)
            return refusal{
                "bad_reminder",
                "A reminder is \"popup\" or \"email\", 0 to 40320 minutes (four weeks) before the start. Correct the task's reminders."};
        out.overrides.push_back({.method = std::move(method), .minutes = static_cast<int>(from.minutes)});
    }
    return out;
}

// One occurrence does not repeat, whatever its snapshot says of the series.
std::variant<std::vector<std::string>, refusal> render_recurrence(task_changed const& task, time_range const& time) {
    if (task.scope == edit_scope::this_one) return std::vector<std::string>{};
    return canonical_recurrence(task.recurrence, time);
}

std::optional<refusal> too_long(std::string_view what, std::string_view text, std::size_t chars_max) {
    auto const size = characters(text);
    if (size <= chars_max) return {};
    return refusal{"too_long",
                   fmt::format("The {} has {} characters; a calendar event takes at most {}. Shorten it.", what, size, chars_max)};
}

}  // namespace

std::variant<fields, refusal> render(task_changed const& task, render_settings const& settings) {
    auto time = understand_time(task.start, task.end, task.time_zone, settings.calendar_zone, settings.default_duration);
    if (auto const* const why = std::get_if<refusal>(&time)) return *why;
    auto recurrence = render_recurrence(task, std::get<time_range>(time));
    if (auto const* const why = std::get_if<refusal>(&recurrence)) return *why;
    auto guests = render_guests(task, settings.owner_email);
    if (auto const* const why = std::get_if<refusal>(&guests)) return *why;
    auto reminders = render_reminders(task);
    if (auto const* const why = std::get_if<refusal>(&reminders)) return *why;
    if (!task.color.empty() && !read_hex(task.color))
        return refusal{"bad_color", "The colour is not written like \"#1a73e8\". Correct it, or leave it out."};

    auto title = render_title(title_pattern(task, settings), task);
    auto const pattern = text_pattern(task, settings);
    auto out = normalise(fields{
        .title = is_ticked(task, settings) ? with_tick(title) : std::move(title),
        .description = pattern.empty() ? task.description : render_text(pattern, task),
        .footer = render_footer(task, settings),
        .location = trim(task.location).empty() ? settings.zoom_link : task.location,
        .time = std::get<time_range>(std::move(time)),
        .color_id = task.color.empty() ? color_by_type(task.type, settings) : nearest_color_id(task.color),
        .reminders = std::get<reminder_list>(std::move(reminders)),
        .guests = std::get<std::vector<guest>>(std::move(guests)),
        .meet = task.google_meet,
        .recurrence = std::get<std::vector<std::string>>(std::move(recurrence)),
    });
    if (auto why = too_long("title", out.title, title_chars_max)) return *why;
    if (auto why = too_long("location", out.location, location_chars_max)) return *why;
    if (auto why = too_long("description with notes", join_description(out.description, out.footer), description_chars_max)) return *why;
    return out;
}

fields in_crm_words(fields values, task_changed const& task, render_settings const& settings) {
    if (is_ticked(task, settings)) values.title = without_tick(values.title);
    if (auto own = unrender(title_pattern(task, settings), "title", task, values.title)) values.title = std::move(*own);
    if (auto const pattern = text_pattern(task, settings); !pattern.empty()) {
        if (auto own = unrender(pattern, "description", task, values.description)) values.description = std::move(*own);
    }
    if (trim(task.location).empty() && !settings.zoom_link.empty() && values.location == settings.zoom_link) values.location.clear();
    return values;
}

fields said_back(fields values, task_changed const& task, render_settings const& settings) {
    auto const words = in_crm_words(values, task, settings);
    auto said = task;
    said.title = words.title;
    said.description = words.description;
    said.location = words.location;
    auto const rendered = render(said, settings);
    if (auto const* const back = std::get_if<fields>(&rendered)) {
        values.title = back->title;
        values.description = back->description;
        values.location = back->location;
    }
    return values;
}

bool wants_event(task_changed const& task, when_completed completed) {
    return wants_event(task) && !(completed == when_completed::remove && is_completed(task));
}

bool wants_event(task_changed const& task) {
    auto const status = lower_ascii(trim(task.status));
    return !task.deleted && task.sync_to_calendar && status != "cancelled" && status != "canceled";
}

bool is_completed(task_changed const& task) { return lower_ascii(trim(task.status)) == "completed"; }

std::string nearest_color_id(std::string_view hex) {
    auto const wanted = read_hex(hex);
    if (!wanted) return {};
    std::size_t best = 0;
    int best_distance = std::numeric_limits<int>::max();
    for (std::size_t i = 0; i < event_palette.size(); ++i) {
        int const red = wanted->red - event_palette[i].red;
        int const green = wanted->green - event_palette[i].green;
        int const blue = wanted->blue - event_palette[i].blue;
        int const distance = red * red + green * green + blue * blue;
        if (distance < best_distance) {
            best = i;
            best_distance = distance;
        }
    }
    return std::to_string(best + 1);
}

std::map<std::string, std::string, std::less<>> const& default_type_colors() {
    static std::map<std::string, std::string, std::less<>> const colors{
        {"call", "#51b749"}, {"meeting", "#5484ed"}, {"email", "#46d6db"}, {"deadline", "#dc2127"}, {"follow_up", "#fbd75b"}};
    return colors;
}

}  // namespace calbridge::domain
