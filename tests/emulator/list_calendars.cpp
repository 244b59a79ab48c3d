#include "tests/emulator/calendars.h"
#include "tests/emulator/listing.h"
#include "tests/emulator/tokens.h"

#include <array>

namespace calbridge::emulator {

bj::array default_reminders(user const& u, std::string_view calendar) {
    auto const it = u.list.find(calendar);
    return it != u.list.end() ? it->second.default_reminders : bj::array{};
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
        bool const gone = cal == nullptr || e.deleted;
        if ((gone && !deleted) || (e.hidden && !hidden) || (cal != nullptr && role_of(*cal, who.email) < least)) continue;
        if (since && e.change <= *since) continue;
        if (items.size() == size) {
            more = true;
            break;
        }
        items.emplace_back(gone ? render_gone_entry(e) : render_entry(*cal, who, e));
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
