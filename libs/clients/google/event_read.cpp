#include "clients/google/event_json.h"
#include "clients/google/times.h"

#include <algorithm>
#include <limits>

namespace calbridge::google {

namespace {

constexpr std::size_t item_bytes_max = 256u << 10;
constexpr std::size_t item_depth_max = 64;
constexpr std::size_t line_bytes_max = 8u << 10;
constexpr std::size_t word_bytes_max = 1024;
constexpr std::size_t description_bytes_max = 64u << 10;
constexpr std::size_t attendees_max = 2000;

error unreadable(std::string what) { return fail(errc::malformed, std::move(what)); }

domain::event_attendee read_attendee(json::object const& from) {
    domain::event_attendee out;
    out.email = json::text_or(from, "email");
    out.name = json::text_or(from, "displayName");
    out.response = json::text_or(from, "responseStatus");
    out.optional = json::boolean_or(from, "optional");
    out.organizer = json::boolean_or(from, "organizer");
    out.self = json::boolean_or(from, "self");
    out.resource = json::boolean_or(from, "resource");
    out.raw = json::serialize(from);
    return out;
}

domain::reminder_list read_reminders(json::object const& item) {
    domain::reminder_list out;
    json::object const* const from = json::object_at(item, "reminders");
    if (!from) return out;
    out.use_default = json::boolean_or(*from, "useDefault");
    if (json::array const* const overrides = json::array_at(*from, "overrides")) {
        for (auto const& one : *overrides) {
            if (!one.is_object()) continue;
            auto const minutes = json::integer_or(one.get_object(), "minutes", -1);
            if (minutes < 0 || minutes > std::numeric_limits<int>::max()) continue;
            out.overrides.push_back(
                {.method = std::string(json::text_or(one.get_object(), "method")), .minutes = static_cast<int>(minutes)});
        }
    }
    std::ranges::sort(out.overrides);
    return out;
}

void read_conference(json::object const& item, domain::calendar_event& out) {
    out.hangout_link = json::text_or(item, "hangoutLink");
    json::object const* const conference = json::object_at(item, "conferenceData");
    if (!conference) return;
    out.conference_id = json::text_or(*conference, "conferenceId");
    if (json::object const* const request = json::object_at(*conference, "createRequest")) {
        if (json::object const* const status = json::object_at(*request, "status"))
            out.conference_status = json::text_or(*status, "statusCode");
    }
}

void read_stamps(json::object const& item, domain::calendar_event& out) {
    json::object const* const properties = json::object_at(item, "extendedProperties");
    json::object const* const own = properties ? json::object_at(*properties, "private") : nullptr;
    if (!own) return;
    out.stamp = json::text_or(*own, domain::stamp_property);
    out.operation = json::text_or(*own, domain::operation_property);
}

std::string text(json::object const& from, std::string_view name) { return std::string(json::text_or(from, name)); }

void read_texts(json::object const& item, domain::calendar_event& out) {
    out.etag = text(item, "etag");
    out.status = text(item, "status");
    if (out.status.empty()) out.status = "confirmed";
    out.ical_uid = text(item, "iCalUID");
    out.summary = text(item, "summary");
    out.description = text(item, "description");
    out.location = text(item, "location");
    out.color_id = text(item, "colorId");
    out.html_link = text(item, "htmlLink");
    out.recurring_event_id = text(item, "recurringEventId");
    out.event_type = text(item, "eventType");
    if (out.event_type.empty()) out.event_type = "default";
    out.transparency = text(item, "transparency");
    out.visibility = text(item, "visibility");
    out.updated = parse_rfc3339(json::text_or(item, "updated"));
    if (json::object const* const organizer = json::object_at(item, "organizer")) {
        out.organizer_email = text(*organizer, "email");
        out.organizer_self = json::boolean_or(*organizer, "self");
    }
    out.guests_can_modify = json::boolean_or(item, "guestsCanModify");
    out.locked = json::boolean_or(item, "locked");
}

result<void> read_times(json::object const& item, std::string_view calendar_zone, domain::calendar_event& out) {
    json::object const* const start = json::object_at(item, "start");
    json::object const* const end = json::object_at(item, "end");
    if (start && end) {
        auto range = read_range(*start, *end, calendar_zone);
        if (!range && !out.is_cancelled()) return range.error();
        if (range) out.time = std::move(*range);
    }
    if (json::object const* const original = json::object_at(item, "originalStartTime")) {
        auto const range = read_range(*original, *original, calendar_zone);
        if (!range) return range.error();
        out.original_start = *range;
    }
    return {};
}

std::string id_of(json::value const& item) { return item.is_object() ? text(item.get_object(), "id") : std::string(); }

// Cut at a character's beginning.
void cut(std::string& text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return;
    std::size_t end = bytes_max;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text.resize(end);
}

void bound(domain::calendar_event& e) {
    for (std::string* each : {&e.summary, &e.location, &e.ical_uid, &e.html_link, &e.hangout_link, &e.conference_id})
        cut(*each, line_bytes_max);
    for (std::string* each : {&e.status, &e.etag, &e.color_id, &e.event_type, &e.transparency, &e.visibility, &e.conference_status,
                              &e.stamp, &e.operation, &e.organizer_email, &e.recurring_event_id})
        cut(*each, word_bytes_max);
    cut(e.description, description_bytes_max);
    if (e.attendees.size() > attendees_max) {
        e.attendees.resize(attendees_max);
        e.attendees_omitted = true;
    }
}

std::optional<std::string> token_at(json::object const& page, std::string_view name) {
    auto const found = json::text_or(page, name);
    if (found.empty()) return std::nullopt;
    return std::string(found);
}

// An answer of status 200 that is not what was asked for must not pass as an empty page.
result<json::object const*> page_of(json::value const& document, std::string_view kind, bool has_items = false) {
    if (!document.is_object()) return unreadable("the answer is not an object");
    auto const& page = document.get_object();
    if (json::text_or(page, "kind") != kind && !has_items && !json::array_at(page, "items")) return unreadable("the answer is not a page");
    auto const* const items = page.if_contains("items");
    if (items && !items->is_array()) return unreadable("the page's items are not a list");
    return &page;
}

}  // namespace

namespace {

// Everything but `raw`.
result<domain::calendar_event> read_event_members(json::object const& item, std::string_view calendar_zone) {
    domain::calendar_event out;
    out.id = text(item, "id");
    if (out.id.empty() || out.id.size() > 1024) return unreadable("event without a usable id");
    read_texts(item, out);
    if (auto const times = read_times(item, calendar_zone, out); !times) return times.error();
    out.reminders = read_reminders(item);
    if (json::array const* const attendees = json::array_at(item, "attendees")) {
        for (auto const& one : *attendees) {
            if (one.is_object()) out.attendees.push_back(read_attendee(one.get_object()));
        }
    }
    out.attendees_omitted = json::boolean_or(item, "attendeesOmitted");
    if (json::array const* const lines = json::array_at(item, "recurrence")) {
        for (auto const& line : *lines) {
            if (line.is_string()) out.recurrence.emplace_back(line.get_string());
        }
    }
    read_conference(item, out);
    read_stamps(item, out);
    bound(out);
    return out;
}

// The id of an item that could not be read, where it can be told.
std::string id_in(std::string const& item) {
    auto const parsed = json::parse(item, "item", {.bytes_max = item_bytes_max, .depth_max = item_depth_max}, true);
    return parsed ? id_of(*parsed) : std::string();
}

}  // namespace

result<domain::calendar_event> read_event_item(json::object const& item, std::string_view calendar_zone) {
    auto out = read_event_members(item, calendar_zone);
    if (out) out->raw = json::serialize(item);
    return out;
}

result<domain::calendar_event> read_event_text(std::string raw, std::string_view calendar_zone) {
    if (raw.size() > item_bytes_max) return unreadable("the event is larger than is kept");
    auto const parsed = json::parse(raw, "event", {.bytes_max = item_bytes_max, .depth_max = item_depth_max}, true);
    if (!parsed) return parsed.error();
    if (!parsed->is_object()) return unreadable("item that is not an object");
    auto event = read_event_members(parsed->get_object(), calendar_zone);
    if (event) event->raw = std::move(raw);
    return event;
}

result<event_page> read_page(json::taken_apart document) {
    auto const found = page_of(document.rest, "calendar#events", document.has_array);
    if (!found) return found.error();
    json::object const& from = **found;
    event_page out;
    out.time_zone = text(from, "timeZone");
    out.access_role = text(from, "accessRole");
    out.next_page_token = token_at(from, "nextPageToken");
    // Never both; if both came, the listing is not at its end.
    if (!out.next_page_token) out.next_sync_token = token_at(from, "nextSyncToken");
    out.items.reserve(document.elements.size());
    for (std::string& item : document.elements) {
        auto read = read_event_text(item, out.time_zone);
        if (read) {
            out.items.push_back(std::move(*read));
            continue;
        }
        out.odd.emplace_back(id_in(item), std::move(item));
        out.odd_reasons.push_back(read.error().context);
    }
    return out;
}

result<calendar_listing> read_calendar_entries(json::value const& document, std::optional<std::string>& next_page_token) {
    auto const found = page_of(document, "calendar#calendarList");
    if (!found) return found.error();
    next_page_token = token_at(**found, "nextPageToken");
    calendar_listing out{.entries = {}, .sync_token = token_at(**found, "nextSyncToken")};
    json::array const* const items = json::array_at(**found, "items");
    if (!items) return out;
    for (auto const& item : *items) {
        if (!item.is_object() || id_of(item).empty()) continue;
        auto const& one = item.get_object();
        calendar_entry entry{.id = text(one, "id"),
                             .summary = text(one, "summaryOverride"),
                             .time_zone = text(one, "timeZone"),
                             .access_role = text(one, "accessRole"),
                             .primary = json::boolean_or(one, "primary"),
                             .deleted = json::boolean_or(one, "deleted"),
                             .hidden = json::boolean_or(one, "hidden")};
        if (entry.summary.empty()) entry.summary = text(one, "summary");
        out.entries.push_back(std::move(entry));
    }
    return out;
}

result<watch_answer> read_watch_answer(json::value const& document) {
    if (!document.is_object()) return unreadable("the answer is not an object");
    auto const& from = document.get_object();
    watch_answer out{.resource_id = text(from, "resourceId"), .expires_at = {}};
    auto const expiration = json::integer_or(from, "expiration");
    // Milliseconds; beyond the year 9999 it is not a time.
    if (out.resource_id.empty() || expiration <= 0 || expiration > 253402300799999)
        return unreadable("channel without resource id or expiration");
    out.expires_at = instant{std::chrono::milliseconds{expiration}};
    return out;
}

}  // namespace calbridge::google
