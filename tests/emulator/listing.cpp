#include "tests/emulator/listing.h"

#include "common/base/encoding.h"
#include "tests/emulator/calendars.h"
#include "tests/emulator/events.h"
#include "tests/emulator/times.h"

#include <algorithm>
#include <array>

namespace calbridge::emulator {

namespace {

std::uint64_t checksum(std::string_view text, std::uint64_t seed) {
    std::uint64_t h = 1469598103934665603ULL ^ (seed * 0x9E3779B97F4A7C15ULL);
    for (char ch : text) h = (h ^ static_cast<unsigned char>(ch)) * 1099511628211ULL;
    return h;
}

reply bad_token() { return refuse(400, "global", "invalid", "Invalid sync token value.", "parameter", "syncToken"); }
reply full_sync() {
    return refuse(410, "calendar", "fullSyncRequired", "Sync token is no longer valid, a full sync is required.", "parameter", "syncToken");
}
reply bad_page() { return refuse(400, "global", "invalid", "Invalid page token value.", "parameter", "pageToken"); }

// The parameters of a query as one text, in one order.
std::string fingerprint(params const& query, std::span<char const* const> leave_out) {
    std::vector<std::string> parts;
    for (auto const& [name, value] : query)
        if (std::ranges::find(leave_out, name) == leave_out.end()) parts.push_back(name + "=" + value);
    std::ranges::sort(parts);
    std::string all;
    for (auto const& p : parts) all += p + "\n";
    return std::to_string(checksum(all, 0));
}

std::uint64_t number(std::string const& text) { return static_cast<std::uint64_t>(to_integer(text).value_or(0)); }

// Where one listing stands: which part of the log or of the calendar it covers, and how far it has come.
struct cursor {
    bool delta{false};
    std::uint64_t since{0};     // delta: changes after this
    std::uint64_t snapshot{0};  // the token at the end starts here
    std::string position;       // full: last id seen; delta: last change seen; ordered: count seen
    bool empty_page_sent{false};
};

constexpr std::array not_with_token{"iCalUID", "orderBy",   "privateExtendedProperty", "q", "sharedExtendedProperty", "timeMin",
                                    "timeMax", "updatedMin"};
constexpr std::array not_in_sync_print{"syncToken",  "pageToken", "maxResults",  "prettyPrint", "fields",  "quotaUser",
                                       "alt",        "key",       "showDeleted", "timeMin",     "timeMax", "alwaysIncludeEmail",
                                       "oauth_token"};
constexpr std::array not_in_page_print{"pageToken", "prettyPrint", "quotaUser", "alt", "key", "oauth_token"};

struct filter {
    std::optional<instant> from, to, updated_from;
    std::string_view text;
    std::vector<std::string_view> types, private_properties, shared_properties;
    std::string_view uid;
    bool deleted{false};
    bool delta{false};
    std::string_view zone;

    bool has_property(event const& e, char const* kind, std::string_view wanted) const {
        auto const eq = wanted.find('=');
        auto const* all = object_at(e.body, "extendedProperties");
        auto const* some = all != nullptr ? object_at(*all, kind) : nullptr;
        return some != nullptr && eq != std::string_view::npos && some->contains(wanted.substr(0, eq)) &&
               text_at(*some, wanted.substr(0, eq)) == wanted.substr(eq + 1);
    }

    bool holds(event const& e) const {
        if (!types.empty() && !(e.cancelled && e.bare) && std::ranges::find(types, text_at(e.body, "eventType", "default")) == types.end())
            return false;
        if (delta) return true;
        bool const exception = e.body.contains("recurringEventId");
        if (e.cancelled && !deleted && !exception && !updated_from) return false;
        if (updated_from && e.updated < *updated_from) return false;
        if (!uid.empty() && text_at(e.body, "iCalUID") != uid) return false;
        if (from || to) {
            auto const starts = e.all_day ? midnight_in(e.starts, zone) : e.starts;
            auto const ends = e.all_day ? midnight_in(e.ends, zone) : e.ends;
            // A series reaches past its first instance; without expansion its master is always of interest.
            bool const master = e.body.contains("recurrence");
            if (from && ends <= *from && !master) return false;
            if (to && starts >= *to) return false;
        }
        for (auto p : private_properties)
            if (!has_property(e, "private", p)) return false;
        for (auto p : shared_properties)
            if (!has_property(e, "shared", p)) return false;
        return text.empty() || speaks_of(e);
    }

    bool speaks_of(event const& e) const {
        auto const wanted = lower(text);
        auto const in = [&](std::string_view t) { return lower(t).find(wanted) != std::string::npos; };
        if (in(text_at(e.body, "summary")) || in(text_at(e.body, "description")) || in(text_at(e.body, "location"))) return true;
        auto const* all = array_at(e.body, "attendees");
        return all != nullptr && std::ranges::any_of(*all, [&](bj::value const& a) {
                   return in(text_at(a.get_object(), "email")) || in(text_at(a.get_object(), "displayName"));
               });
    }
};

filter filter_from(params const& query, calendar const& cal, bool delta) {
    filter f;
    f.delta = delta;
    f.zone = cal.time_zone;
    for (auto const& [name, value] : query) {
        if (name == "eventTypes") f.types.emplace_back(value);
        else if (name == "privateExtendedProperty") f.private_properties.emplace_back(value);
        else if (name == "sharedExtendedProperty") f.shared_properties.emplace_back(value);
        else if (name == "timeMin") f.from = parse_with_offset(value);
        else if (name == "timeMax") f.to = parse_with_offset(value);
        else if (name == "updatedMin") f.updated_from = parse_with_offset(value);
        else if (name == "q") f.text = value;
        else if (name == "iCalUID") f.uid = value;
        else if (name == "showDeleted") f.deleted = value == "true";
    }
    // The service ignores fractions of a second here.
    if (f.from) f.from = std::chrono::floor<std::chrono::seconds>(*f.from);
    if (f.to) f.to = std::chrono::floor<std::chrono::seconds>(*f.to);
    return f;
}

std::uint64_t epoch_of(calendar const& cal, std::string_view user) {
    auto const it = cal.epochs.find(user);
    return it != cal.epochs.end() ? it->second : 0;
}

// Reads the sync token of a request. Empty: usable, and `at` says from where.
std::optional<reply> open_sync(core& c, call const& k, calendar const& cal, std::string_view token, cursor& at) {
    auto const parts = read_token(c, token);
    if (!parts || parts->size() != 7 || (*parts)[0] != "S" || (*parts)[1] != cal.id || (*parts)[2] != k.who.email) return bad_token();
    if ((*parts)[3] != fingerprint(k.query, not_in_sync_print)) {
        c.violate("GET", "events.list", "a sync token was used with other parameters than it was made with");
        return refuse(400, "global", "badRequest", "The sync token was made with other parameters.", "parameter", "syncToken");
    }
    at.delta = true;
    at.since = number((*parts)[4]);
    if (number((*parts)[5]) != epoch_of(cal, k.who.email) || at.since < cal.purged_through || at.since > cal.change) return full_sync();
    auto const made = instant(std::chrono::milliseconds(to_integer((*parts)[6]).value_or(0)));
    if (c.knob.sync_token_days > 0 && c.now() - made > std::chrono::days(c.knob.sync_token_days)) return full_sync();
    at.position = (*parts)[4];
    at.snapshot = cal.change;
    return std::nullopt;
}

std::optional<reply> open_page(core& c, call const& k, std::string_view of, std::string_view token, cursor& at) {
    auto const parts = read_token(c, token);
    if (!parts || parts->size() != 9 || (*parts)[0] != "P" || (*parts)[1] != of || (*parts)[2] != k.who.email) return bad_page();
    if ((*parts)[3] != fingerprint(k.query, not_in_page_print)) {
        c.violate("GET", k.method.id, "a page token was used with another query than it was made with");
        return bad_page();
    }
    at.delta = (*parts)[4] == "d";
    at.since = number((*parts)[5]);
    at.snapshot = number((*parts)[6]);
    at.position = (*parts)[7];
    at.empty_page_sent = (*parts)[8] == "e";
    return std::nullopt;
}

std::string page_token(core const& c, call const& k, std::string_view of, cursor const& at) {
    return write_token(c, {"P", std::string(of), k.who.email, fingerprint(k.query, not_in_page_print), at.delta ? "d" : "f",
                           std::to_string(at.since), std::to_string(at.snapshot), at.position, at.empty_page_sent ? "e" : "-"});
}

std::size_t page_size(core const& c, call const& k, std::int64_t fallback, std::int64_t cap) {
    auto const asked = to_integer(value_of(k.query, "maxResults")).value_or(fallback);
    return static_cast<std::size_t>(std::max<std::int64_t>(1, std::min({asked, cap, c.knob.page_max})));
}

std::optional<reply> check_list(core& c, call const& k, calendar const& cal) {
    bool const has_token = find_value(k.query, "syncToken") != nullptr;
    if (has_token) {
        for (auto const* name : not_with_token) {
            if (find_value(k.query, name) == nullptr) continue;
            c.violate("GET", k.method.id, std::string("syncToken together with ") + name);
            return refuse(400, "global", "badRequest", std::string("Sync token cannot be combined with ") + name + ".", "parameter", name);
        }
        if (value_of(k.query, "showDeleted") == "false") {
            c.violate("GET", k.method.id, "syncToken together with showDeleted=false");
            return refuse(400, "global", "badRequest", "Sync token cannot be combined with showDeleted=false.", "parameter", "showDeleted");
        }
    }
    if (auto const zone = value_of(k.query, "timeZone"); !zone.empty() && !is_zone(zone))
        return refuse(400, "global", "invalid", "Invalid time zone.", "parameter", "timeZone");
    if (value_of(k.query, "orderBy") == "startTime" && !is_true(k.query, "singleEvents"))
        return refuse(400, "global", "badRequest", "The requested ordering is not available for the particular query.", "parameter",
                      "orderBy");
    auto const from = parse_with_offset(value_of(k.query, "timeMin")), to = parse_with_offset(value_of(k.query, "timeMax"));
    if (from && to && *from >= *to)
        return refuse(400, "calendar", "timeRangeEmpty", "The specified time range is empty.", "parameter", "timeMax");
    if (auto const since = parse_with_offset(value_of(k.query, "updatedMin"));
        since && *since < c.now() - std::chrono::days(c.knob.tombstone_days))
        return refuse(410, "calendar", "updatedMinTooLongAgo", "The requested minimum modification time lies too far in the past.",
                      "parameter", "updatedMin");
    if (is_true(k.query, "singleEvents") && cal.masters > 0) {
        c.violate("GET", k.method.id, "singleEvents=true on a calendar with recurring events: expansion is not part of this emulator yet");
        return refuse(501, "global", "notImplemented", "Expansion of recurring events is not emulated.");
    }
    return std::nullopt;
}

struct page {
    std::vector<event const*> items;
    bool more{false};
};

page delta_page(calendar const& cal, filter const& f, cursor& at, std::size_t size) {
    page out;
    for (auto it = cal.log.upper_bound(number(at.position)); it != cal.log.end() && it->first <= at.snapshot; ++it) {
        if (!f.holds(*it->second)) continue;
        if (out.items.size() == size) {
            out.more = true;
            return out;
        }
        out.items.push_back(it->second);
        at.position = std::to_string(it->first);
    }
    return out;
}

page full_page(calendar const& cal, filter const& f, cursor& at, std::size_t size) {
    page out;
    if (!f.uid.empty()) {
        for (auto [it, end] = cal.by_ical_uid.equal_range(f.uid); it != end; ++it)
            if (auto const e = cal.events.find(it->second); e != cal.events.end() && f.holds(e->second)) out.items.push_back(&e->second);
        return out;
    }
    for (auto it = cal.events.upper_bound(at.position); it != cal.events.end(); ++it) {
        if (!f.holds(it->second)) continue;
        if (out.items.size() == size) {
            out.more = true;
            return out;
        }
        out.items.push_back(&it->second);
        at.position = it->first;
    }
    return out;
}

page ordered_page(calendar const& cal, filter const& f, cursor& at, std::size_t size, bool by_update) {
    std::vector<event const*> all;
    for (auto const& [_, e] : cal.events)
        if (f.holds(e)) all.push_back(&e);
    std::ranges::sort(all, {}, [&](event const* e) { return std::pair(by_update ? e->updated : e->starts, std::string_view(e->id)); });
    page out;
    std::size_t const from = std::min<std::size_t>(number(at.position), all.size());
    std::size_t const to = std::min(from + size, all.size());
    out.items.assign(all.begin() + static_cast<std::ptrdiff_t>(from), all.begin() + static_cast<std::ptrdiff_t>(to));
    out.more = to < all.size();
    at.position = std::to_string(to);
    return out;
}

}  // namespace

std::string write_token(core const& c, std::vector<std::string> const& parts) {
    std::string text;
    for (auto const& p : parts) text += p + "\n";
    text += std::to_string(checksum(text, c.options.seed));
    // The real tokens end in "=" as often as not, which has to be percent-encoded.
    return base64url(as_bytes(text)) + "=";
}

std::optional<std::vector<std::string>> read_token(core const& c, std::string_view token) {
    if (!token.ends_with('=')) return std::nullopt;
    auto const raw = from_base64url(token.substr(0, token.size() - 1));
    if (!raw) return std::nullopt;
    auto const text = as_text(*raw);
    auto const last = text.rfind('\n');
    if (last == std::string_view::npos || text.substr(last + 1) != std::to_string(checksum(text.substr(0, last + 1), c.options.seed)))
        return std::nullopt;
    std::vector<std::string> out;
    for (auto part : split(text.substr(0, last), '\n')) out.emplace_back(part);
    return out;
}

bj::array default_reminders(user const& u, std::string_view calendar) {
    auto const it = u.list.find(calendar);
    return it != u.list.end() ? it->second.default_reminders : bj::array{};
}

reply list_events(core& c, call const& k, calendar& cal, role access) {
    age(c, cal);
    if (auto no = check_list(c, k, cal)) return *no;
    cursor at;
    at.snapshot = cal.change;
    if (auto const* token = find_value(k.query, "syncToken"))
        if (auto no = open_sync(c, k, cal, *token, at)) return *no;
    if (auto const* token = find_value(k.query, "pageToken"))
        if (auto no = open_page(c, k, cal.id, *token, at)) return *no;

    auto const f = filter_from(k.query, cal, at.delta);
    auto const order = value_of(k.query, "orderBy");
    page found;
    bool const hollow = c.knob.empty_pages && !at.empty_page_sent;
    if (hollow) {
        found.more = true;
        at.empty_page_sent = true;
    } else {
        auto const size = page_size(c, k, 250, 2500);
        at.empty_page_sent = false;
        found = at.delta        ? delta_page(cal, f, at, size)
                : order.empty() ? full_page(cal, f, at, size)
                                : ordered_page(cal, f, at, size, order == "updated");
    }

    view v{.user = k.who.email, .zone = std::string(value_of(k.query, "timeZone")), .access = access, .in_list = true};
    v.attendees_max = to_integer(value_of(k.query, "maxAttendees")).value_or(0);
    bj::array items;
    items.reserve(found.items.size());
    instant updated = instant{};
    for (auto const* e : found.items) {
        updated = std::max(updated, e->updated);
        auto const visibility = text_at(e->body, "visibility");
        if (access == role::writer_without_private_access && (visibility == "private" || visibility == "confidential")) continue;
        items.emplace_back(render(c, cal, *e, v));
    }
    bj::object body;
    body["kind"] = "calendar#events";
    body["etag"] = "\"p33" + std::to_string(cal.etag * 1000003 + cal.change) + "\"";
    body["summary"] = cal.summary;
    body["description"] = cal.description;
    body["updated"] = format_utc(updated == instant{} ? c.now() : updated);
    body["timeZone"] = v.zone.empty() ? cal.time_zone : v.zone;
    body["accessRole"] = name_of(access);
    body["defaultReminders"] = default_reminders(k.who, cal.id);
    if (found.more) {
        body["nextPageToken"] = page_token(c, k, cal.id, at);
    } else if (std::ranges::none_of(
                   std::array{"iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty", "updatedMin"},
                   [&](char const* n) { return find_value(k.query, n) != nullptr; })) {
        body["nextSyncToken"] =
            write_token(c, {"S", cal.id, k.who.email, fingerprint(k.query, not_in_sync_print), std::to_string(at.snapshot),
                            std::to_string(epoch_of(cal, k.who.email)), std::to_string(unix_ms(c.now()))});
    }
    body["items"] = std::move(items);
    reply out;
    out.fields.emplace_back("ETag", std::string(text_at(body, "etag")));
    out.body = std::move(body);
    return out;
}

reply list_calendars(core& c, call const& k) {
    auto& who = k.who;
    constexpr std::array in_print{"syncToken", "pageToken", "maxResults",  "prettyPrint", "fields",     "quotaUser",
                                  "alt",       "key",       "showDeleted", "showHidden",  "oauth_token"};
    std::uint64_t snapshot = who.list_change;
    std::optional<std::uint64_t> since;
    if (auto const* token = find_value(k.query, "syncToken")) {
        for (auto const* name : {"minAccessRole", "showOwnOrganizationOnly"}) {
            if (find_value(k.query, name) == nullptr) continue;
            c.violate("GET", k.method.id, std::string("syncToken together with ") + name);
            return refuse(400, "global", "badRequest", std::string("Sync token cannot be combined with ") + name + ".", "parameter", name);
        }
        for (auto const* name : {"showDeleted", "showHidden"}) {
            if (value_of(k.query, name) != "false") continue;
            c.violate("GET", k.method.id, std::string("syncToken together with ") + name + "=false");
            return refuse(400, "global", "badRequest", std::string("Sync token cannot be combined with ") + name + "=false.", "parameter",
                          name);
        }
        auto const parts = read_token(c, *token);
        if (!parts || parts->size() != 5 || (*parts)[0] != "L" || (*parts)[1] != who.email || (*parts)[2] != fingerprint(k.query, in_print))
            return bad_token();
        if (number((*parts)[4]) != who.list_epoch) return full_sync();
        since = number((*parts)[3]);
    }
    std::string position;
    if (auto const* token = find_value(k.query, "pageToken")) {
        cursor at;
        if (auto no = open_page(c, k, "calendarList", *token, at)) return *no;
        position = at.position;
        snapshot = at.snapshot;
    }
    auto const least = role_named(value_of(k.query, "minAccessRole"));
    bool const deleted = since.has_value() || is_true(k.query, "showDeleted"), hidden = since.has_value() || is_true(k.query, "showHidden");
    auto const size = page_size(c, k, 100, 250);
    bj::array items;
    bool more = false;
    for (auto it = who.list.upper_bound(position); it != who.list.end(); ++it) {
        auto const& e = it->second;
        auto const* cal = c.find_calendar(e.calendar);
        if (cal == nullptr || (e.deleted && !deleted) || (e.hidden && !hidden) || role_of(*cal, who.email) < least) continue;
        if (since && e.change <= *since) continue;
        if (items.size() == size) {
            more = true;
            break;
        }
        items.emplace_back(render_entry(*cal, who, e));
        position = it->first;
    }
    bj::object body{{"kind", "calendar#calendarList"}};
    body["etag"] = "\"p32" + std::to_string(who.list_change) + "\"";
    if (more) {
        cursor at;
        at.delta = since.has_value();
        at.snapshot = snapshot;
        at.position = position;
        body["nextPageToken"] = page_token(c, k, "calendarList", at);
    } else if (find_value(k.query, "minAccessRole") == nullptr && find_value(k.query, "showOwnOrganizationOnly") == nullptr) {
        body["nextSyncToken"] =
            write_token(c, {"L", who.email, fingerprint(k.query, in_print), std::to_string(snapshot), std::to_string(who.list_epoch)});
    }
    body["items"] = std::move(items);
    reply out;
    out.body = std::move(body);
    return out;
}

}  // namespace calbridge::emulator
