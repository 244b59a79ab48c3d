#include "tests/emulator/listing.h"

#include "tests/emulator/event_filter.h"
#include "tests/emulator/event_rules.h"
#include "tests/emulator/rows.h"
#include "tests/emulator/times.h"
#include "tests/emulator/tokens.h"

#include <algorithm>
#include <array>

namespace calbridge::emulator {

namespace {

constexpr std::array not_with_token{"iCalUID", "orderBy",   "privateExtendedProperty", "q", "sharedExtendedProperty", "timeMin",
                                    "timeMax", "updatedMin"};
constexpr std::array not_in_sync_print{"syncToken",  "pageToken", "maxResults",  "prettyPrint", "fields",  "quotaUser",
                                       "alt",        "key",       "showDeleted", "timeMin",     "timeMax", "alwaysIncludeEmail",
                                       "oauth_token"};
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

std::optional<reply> check_list(core& c, call const& k) {
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
    return std::nullopt;
}

// Puts events into the items of a page until it is full.
class page_maker {
public:
    page_maker(core const& c, calendar const& cal, view v, std::size_t size, bool delta)
        : c_(c), cal_(cal), view_(std::move(v)), size_(size), delta_(delta) {}

    // False when the page is full: the event belongs on the next one.
    bool add(event const& e) {
        if (items.size() == size_) {
            more = true;
            return false;
        }
        if (view_.access == role::writer_without_private_access && is_private(e)) return true;
        updated = std::max(updated, e.updated);
        if (view_.access == role::free_busy_reader && text_at(e.body, "transparency") == "transparent") {
            // Free time is nothing to somebody who sees busy times only; what became free is gone for them.
            if (!delta_) return true;
            event gone = e;
            gone.cancelled = true;
            items.emplace_back(render(c_, cal_, gone, view_));
            return true;
        }
        items.emplace_back(render(c_, cal_, e, view_));
        return true;
    }

    bj::array items;
    bool more{false};
    instant updated{};

private:
    core const& c_;
    calendar const& cal_;
    view view_;
    std::size_t size_;
    bool delta_;
};

view view_of(call const& k, role access) {
    view v{.user = k.who.email, .zone = std::string(value_of(k.query, "timeZone")), .access = access, .in_list = true};
    v.attendees_max = to_integer(value_of(k.query, "maxAttendees")).value_or(0);
    return v;
}

bj::object collection(core const& c, call const& k, calendar const& cal, role access, page_maker const& page) {
    auto const zone = value_of(k.query, "timeZone");
    bj::object body;
    body["kind"] = "calendar#events";
    body["etag"] = "\"p33" + std::to_string(cal.etag * 1000003 + cal.change) + "\"";
    body["summary"] = cal.summary;
    body["description"] = cal.description;
    body["updated"] = format_utc(page.updated == instant{} ? c.now() : page.updated);
    body["timeZone"] = zone.empty() ? std::string_view(cal.time_zone) : zone;
    body["accessRole"] = name_of(access);
    body["defaultReminders"] = default_reminders(k.who, cal.id);
    return body;
}

reply shown(bj::object body) {
    reply out;
    out.fields.emplace_back("ETag", std::string(text_at(body, "etag")));
    out.body = std::move(body);
    return out;
}

std::size_t expansion_limit(core const& c, event_filter const& f) {
    return static_cast<std::size_t>(std::max<std::int64_t>(1, f.to ? c.knob.expansion_window_max : c.knob.expansion_max));
}

}  // namespace

reply list_events(core& c, call const& k, calendar& cal, role access) {
    age(c, cal);
    if (auto no = check_list(c, k)) return *no;
    cursor at;
    at.snapshot = cal.change;
    if (auto const* token = find_value(k.query, "syncToken"))
        if (auto no = open_sync(c, k, cal, *token, at)) return *no;
    if (auto const* token = find_value(k.query, "pageToken"))
        if (auto no = open_page(c, k, cal.id, *token, at)) return *no;

    // Who sees busy times only has no use for rules.
    bool const single = is_true(k.query, "singleEvents") || access == role::free_busy_reader;
    auto const f = filter_from(k.query, at.delta, single);
    page_maker page(c, cal, view_of(k, access), page_size(c, k, 250, 2500), at.delta);
    if (c.knob.empty_pages && !at.empty_page_sent) {
        page.more = true;
        at.empty_page_sent = true;
    } else {
        at.empty_page_sent = false;
        rows_wanted const wanted{.filter = f,
                                 .order = value_of(k.query, "orderBy"),
                                 .exceptions_first = c.knob.exceptions_first,
                                 .expansion_max = expansion_limit(c, f)};
        each_row(cal, wanted, at, [&](event const& e) { return page.add(e); });
    }

    auto body = collection(c, k, cal, access, page);
    if (page.more) {
        body["nextPageToken"] = page_token(c, k, cal.id, at);
    } else if (std::ranges::none_of(
                   std::array{"iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty", "updatedMin"},
                   [&](char const* n) { return find_value(k.query, n) != nullptr; })) {
        body["nextSyncToken"] =
            write_token(c, {"S", cal.id, k.who.email, fingerprint(k.query, not_in_sync_print), std::to_string(at.snapshot),
                            std::to_string(epoch_of(cal, k.who.email)), std::to_string(unix_ms(c.now()))});
    }
    body["items"] = std::move(page.items);
    return shown(std::move(body));
}

reply list_instances(core& c, call const& k, calendar& cal, role access) {
    age(c, cal);
    auto const* master = find_event(cal, k.in_path("eventId"));
    if (master == nullptr) return refuse(404, "global", "notFound", "Not Found");
    if (!master->body.contains("recurrence")) return refuse(400, "global", "invalid", "The event is not a recurring event.");
    std::optional<instant> original;
    if (auto const* text = find_value(k.query, "originalStart")) {
        original = master->all_day ? parse_date(*text) : parse_with_offset(*text);
        if (!original) return refuse(400, "global", "invalid", "Invalid original start.", "parameter", "originalStart");
    }
    auto const of = "instances " + cal.id + " " + master->id;
    cursor at;
    if (auto const* token = find_value(k.query, "pageToken"))
        if (auto no = open_page(c, k, of, *token, at)) return *no;
    auto const f = filter_from(k.query, false, true);
    if (f.from && f.to && *f.from >= *f.to)
        return refuse(400, "calendar", "timeRangeEmpty", "The specified time range is empty.", "parameter", "timeMax");
    page_maker page(c, cal, view_of(k, access), page_size(c, k, 250, 2500), false);
    for (auto& e :
         expand(cal, *master, f.from, f.to, original ? static_cast<std::size_t>(c.knob.expansion_window_max) : expansion_limit(c, f))) {
        if (e.id <= at.position || (original && e.original != *original)) continue;
        e.cancelled = e.cancelled || master->cancelled;
        if (!f.holds(cal, e)) continue;
        if (!page.add(e)) break;
        at.position = e.id;
    }
    auto body = collection(c, k, cal, access, page);
    if (page.more) body["nextPageToken"] = page_token(c, k, of, at);
    body["items"] = std::move(page.items);
    return shown(std::move(body));
}

}  // namespace calbridge::emulator
