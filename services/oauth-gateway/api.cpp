#include "api.h"

#include "store/selection.h"

#include "common/base/rfc3339.h"
#include "common/observe/log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace calbridge::gateway {

namespace {

// The caller's own connection, or the answer that ends the request.
struct addressed {
    std::optional<store::connection_row> connection;
    http::response refusal;
    principal who;
};

task<addressed> address(deps const& d, http::server_request const& request) {
    auto const who = bearer_of(d, request);
    if (!who) co_return addressed{.connection = {}, .refusal = unauthorized_problem(), .who = {}};
    auto const id = parse_uuid(request.param("connection"));
    if (!id) co_return addressed{.connection = {}, .refusal = not_found_problem(), .who = *who};
    connection_id const named{*id};
    auto const found = co_await store::find_connection(d.db, who->tenant, named);
    if (!found) co_return addressed{.connection = {}, .refusal = unavailable_problem(), .who = *who};
    if (!*found || (**found).user != who->user) co_return addressed{.connection = {}, .refusal = not_found_problem(), .who = *who};
    co_return addressed{.connection = **found, .refusal = {}, .who = *who};
}

http::response bad_choice(std::string_view what) { return http::problem(400, "bad_choice", "Not understood", what); }

// Both members are optional, one must be there; anything else in the body is a mistake worth telling.
std::optional<store::calendar_choice> read_choice(std::string_view body) {
    auto const parsed = json::parse(body, "choice");
    if (!parsed || !parsed->is_object() || parsed->get_object().empty()) return std::nullopt;
    store::calendar_choice choice;
    for (auto const& [name, value] : parsed->get_object()) {
        if (!value.is_bool()) return std::nullopt;
        if (name == "selected") choice.selected = value.get_bool();
        else if (name == "default" && value.get_bool()) choice.make_default = true;
        else return std::nullopt;
    }
    return choice;
}

http::response refusal_of(error const& e) {
    switch (e.code) {
    case errc::not_found: return not_found_problem();
    case errc::conflict:
        return http::problem(409, "calendar_missing", "The calendar is not there",
                             "It was hidden, deleted, or is not shared with this account any more. Show it in Google Calendar first.");
    case errc::forbidden:
        return http::problem(409, "calendar_read_only", "The calendar can only be read",
                             "Tasks need a calendar this account may write to. Choose another one, or ask its owner for write access.");
    default: return unavailable_problem();
    }
}

http::response answer(json::object const& body) { return http::json_response(200, json::serialize(body)); }

}  // namespace

std::optional<principal> bearer_of(deps const& d, http::server_request const& request) {
    constexpr std::string_view scheme = "Bearer ";
    auto const header = http::find(request.fields, "Authorization");
    if (!header || !header->starts_with(scheme)) return std::nullopt;
    auto who = read_bearer(d.launch_key, header->substr(scheme.size()), d.unix_now());
    if (!who) {
        log::warn("api.refused", {{"reason", who.error().context}, {"request_id", request.request_id}});
        return std::nullopt;
    }
    return std::move(*who);
}

http::response unauthorized_problem() {
    auto out = http::problem(401, "unauthorized", "Not authenticated", "Send a valid bearer token of the audience calbridge-api.");
    out.fields.emplace_back("WWW-Authenticate", "Bearer");
    return out;
}
http::response not_found_problem() { return http::problem(404, "not_found", "Not found", "There is nothing here, or it is not yours."); }
http::response unavailable_problem() {
    auto out = http::problem(503, "unavailable", "Try again", "The database did not answer. Repeat the request in a few seconds.");
    out.fields.emplace_back("Retry-After", "5");
    return out;
}

json::value time_or_null(std::optional<instant> const& at) {
    if (!at) return nullptr;
    return json::value(rfc3339(*at));
}

json::object to_json(store::connection_row const& c) {
    json::array scopes(c.granted_scopes.begin(), c.granted_scopes.end());
    auto const missing = google::missing_scopes(c.granted_scopes, google::scopes_for(c.mode));
    return {{"id", c.id.str()},
            {"email", c.connected_email},
            {"status", store::name(c.status)},
            {"statusReason", c.status_reason},
            {"mode", domain::name(c.mode)},
            {"conflictPolicy", domain::name(c.policy)},
            {"isDefault", c.is_default},
            {"autoSyncTasks", c.auto_sync_tasks},
            {"importExternalEvents", c.import_external_events},
            {"grantedScopes", std::move(scopes)},
            {"missingScopes", json::array(missing.begin(), missing.end())},
            {"integration", c.integration ? json::value(c.integration->str()) : json::value(nullptr)},
            {"defaultCalendar", c.default_calendar ? json::value(c.default_calendar->str()) : json::value(nullptr)},
            {"lastSyncedAt", time_or_null(c.last_synced_at)},
            {"calendarsReadAt", time_or_null(c.calendars_read_at)},
            {"failures", c.failures},
            {"revision", c.revision}};
}

json::object to_json(store::calendar_row const& c) {
    json::value held_back = nullptr;
    if (c.brake)
        held_back = json::object{{"since", rfc3339(c.brake->since)},
                                 {"missing", c.brake->missing},
                                 {"known", c.brake->known},
                                 {"answer", c.brake->answer}};
    return {{"id", c.id.str()},
            {"googleId", c.google_id},
            {"summary", c.summary},
            {"timeZone", c.time_zone},
            {"accessRole", c.access_role},
            {"primary", c.is_primary},
            {"selected", c.selected},
            {"pushable", c.pushable},
            {"pending", c.synced_seq < c.dirty_seq},
            {"failures", c.failures},
            {"deletionsHeldBack", std::move(held_back)},
            {"retryAt", time_or_null(c.retry_at)},
            {"lastSyncedAt", time_or_null(c.last_synced_at)}};
}

task<http::response> list_connections(deps const& d, http::server_request const& request) {
    auto const who = bearer_of(d, request);
    if (!who) co_return unauthorized_problem();
    auto const found = co_await store::connections_of(d.db, who->tenant, who->user);
    if (!found) co_return unavailable_problem();
    json::array all;
    for (auto const& one : *found) all.push_back(to_json(one));
    co_return answer({{"connections", std::move(all)}});
}

task<http::response> show_connection(deps const& d, http::server_request const& request) {
    auto const at = co_await address(d, request);
    if (!at.connection) co_return at.refusal;
    co_return answer(to_json(*at.connection));
}

task<http::response> list_calendars(deps const& d, http::server_request const& request) {
    auto const at = co_await address(d, request);
    if (!at.connection) co_return at.refusal;
    auto const found = co_await store::calendars_of(d.db, at.who.tenant, at.connection->id);
    if (!found) co_return unavailable_problem();
    json::array all;
    for (auto const& one : *found) all.push_back(to_json(one));
    co_return answer({{"calendars", std::move(all)}});
}

task<http::response> choose_calendar(deps const& d, http::server_request const& request) {
    auto const at = co_await address(d, request);
    if (!at.connection) co_return at.refusal;
    auto const id = parse_uuid(request.param("calendar"));
    if (!id) co_return not_found_problem();
    auto const choice = read_choice(request.body);
    if (!choice)
        co_return bad_choice(
            "Send {\"selected\": true or false, \"default\": true}, either or both. To take the default away, make another "
            "calendar the default.");
    calendar_id const calendar{*id};
    auto chosen = co_await store::choose_calendar(d.db, at.who.tenant, at.connection->id, calendar, *choice, at.who.user.str());
    if (!chosen) co_return refusal_of(chosen.error());
    // The rows say what is to be done already; a wake-up that fails is made up for by the sweep.
    auto const woken = co_await d.wake.wake(at.connection->id, std::move(chosen->wakes), domain::cause::retry);
    if (!woken) log::warn("choice.wake_later", log::with({{"connection", at.connection->id}, {"calendar", calendar}}, woken.error()));
    log::info("calendar.chosen", {{"tenant", at.who.tenant},
                                  {"user", at.who.user},
                                  {"connection", at.connection->id},
                                  {"calendar", calendar},
                                  {"selected", chosen->calendar.selected},
                                  {"default", choice->make_default},
                                  {"request_id", request.request_id}});
    co_return answer(to_json(chosen->calendar));
}

task<http::response> sync_connection(deps const& d, http::server_request const& request) {
    auto const at = co_await address(d, request);
    if (!at.connection) co_return at.refusal;
    if (at.connection->status == store::connection_status::revoked || at.connection->status == store::connection_status::disconnected) {
        co_return http::problem(
            409, "not_connected", "Not connected",
            "This connection is " + std::string(store::name(at.connection->status)) + ". Its user has to connect the account again.");
    }
    auto const found = co_await store::calendars_of(d.db, at.who.tenant, at.connection->id);
    if (!found) co_return unavailable_problem();
    std::vector<store::wake> where;
    for (auto const& calendar : *found) {
        if (calendar.selected) where.push_back({.tenant = at.who.tenant, .user = at.connection->user, .calendar = calendar.id});
    }
    std::size_t const count = where.size();
    auto const woken = co_await d.wake.wake(at.connection->id, std::move(where), domain::cause::manual);
    if (!woken) co_return unavailable_problem();
    log::info("sync.asked", {{"tenant", at.who.tenant},
                             {"user", at.who.user},
                             {"connection", at.connection->id},
                             {"calendars", count},
                             {"request_id", request.request_id}});
    json::object const body{{"calendars", count}};
    co_return http::json_response(202, json::serialize(body));
}

}  // namespace calbridge::gateway
