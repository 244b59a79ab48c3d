#include "settings_page.h"

#include "html.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

namespace calbridge::gateway {

namespace {

using store::connection_status;

struct shown_state {
    std::string_view text, style, advice;
};

shown_state state_of(store::connection_row const& c) {
    switch (c.status) {
    case connection_status::active: return {"Connected", "good", ""};
    case connection_status::paused: return {"Paused", "bad", "Google keeps refusing our requests; we try again by ourselves."};
    case connection_status::revoked:
        return {"Access withdrawn", "bad", "Google no longer accepts our access. Connect the account again to go on."};
    case connection_status::disconnected: return {"Disconnected", "soft", ""};
    }
    return {"Unknown", "soft", ""};
}

std::string when(std::optional<instant> const& at) {
    if (!at) return "not yet";
    return fmt::format("{:%Y-%m-%d %H:%M} UTC",
                       fmt::gmtime(std::chrono::duration_cast<std::chrono::seconds>(at->time_since_epoch()).count()));
}

std::string_view words(domain::sync_mode mode) {
    switch (mode) {
    case domain::sync_mode::two_way: return "Both ways";
    case domain::sync_mode::crm_to_google: return "From the CRM to Google";
    case domain::sync_mode::google_to_crm: return "From Google to the CRM";
    case domain::sync_mode::busy_only: return "Busy times only";
    }
    return "";
}

std::string calendar_line(store::calendar_row const& c, std::optional<calendar_id> const& default_calendar) {
    std::string_view const role = default_calendar == c.id ? ", new tasks go here" : "";
    std::string const state =
        c.selected ? fmt::format("synchronised, last {}{}", when(c.last_synced_at), role) : std::string("not synchronised");
    return fmt::format("<li>{} <span class=\"soft\">({})</span></li>", escape(c.summary.empty() ? c.google_id : c.summary), state);
}

std::string form(std::string_view action, std::string_view csrf, std::string_view hidden, std::string_view label, std::string_view style) {
    return fmt::format(
        "<form method=\"post\" action=\"{}\"><input type=\"hidden\" name=\"csrf\" value=\"{}\">{}<button class=\"{}\">{}</button></form>",
        action, escape(csrf), hidden, style, label);
}

std::string card(connection_card const& of, bool client_configured, std::string_view csrf) {
    auto const& c = of.connection;
    auto const state = state_of(c);
    std::string out = fmt::format(
        "<section class=\"card\"><div class=\"row\"><h2>{}</h2><span class=\"tag {}\">{}</span></div><p class=\"soft\">{} · last "
        "synchronised {}</p>",
        escape(c.connected_email), state.style, state.text, words(c.mode), when(c.last_synced_at));
    if (!state.advice.empty()) out += fmt::format("<p class=\"bad\">{}</p>", state.advice);
    bool const short_of = !google::missing_scopes(c.granted_scopes, google::scopes_for(c.mode)).empty();
    if (c.status == connection_status::active && short_of)
        out +=
            "<p class=\"bad\">Google has not been allowed everything this needs. Connect the account again and leave every box ticked.</p>";
    if (c.status == connection_status::active && !c.calendars_read_at) out += "<p class=\"soft\">Your calendars are being read.</p>";
    if (!of.calendars.empty() && c.status != connection_status::disconnected) {
        out += "<ul>";
        for (auto const& calendar : of.calendars) out += calendar_line(calendar, c.default_calendar);
        out += "</ul>";
    }
    bool const again = c.status == connection_status::revoked || c.status == connection_status::disconnected || short_of;
    std::string const target = c.integration ? c.integration->str() : std::string("default");
    std::string const hidden =
        fmt::format("<input type=\"hidden\" name=\"connection\" value=\"{}\"><input type=\"hidden\" name=\"mode\" value=\"{}\">",
                    c.id.str(), domain::name(c.mode));
    if (again && (client_configured || c.integration))
        out += form(fmt::format("{}/connect/{}", settings_path, target), csrf, hidden, "Connect again", "");
    if (c.status != connection_status::disconnected)
        out += form(fmt::format("{}/disconnect/{}", settings_path, c.id.str()), csrf, "", "Disconnect", "quiet");
    return out + "</section>";
}

}  // namespace

std::string render_settings(std::vector<connection_card> const& cards, bool client_configured, std::string_view csrf_token) {
    std::string out;
    for (auto const& one : cards) out += card(one, client_configured, csrf_token);
    if (!client_configured) {
        out +=
            "<section class=\"card\"><p>Google Calendar sync is being set up.</p><p class=\"soft\">Your administrator has to enter the "
            "Google client first. Nothing is needed from you.</p></section>";
    } else {
        std::string_view const words = cards.empty() ? "Connect your Google Calendar" : "Connect another Google account";
        out += fmt::format("<p><a class=\"button\" href=\"{}/connect/default\">{}</a></p>", settings_path, words);
    }
    return out;
}

task<http::response> show_settings(deps const& d, http::server_request const& request) {
    auto const who = d.sessions.find(request.fields, d.unix_now());
    if (!who) co_return no_session_page();
    auto connections = co_await store::connections_of(d.db, who->who.tenant, who->who.user);
    if (!connections) co_return try_again_page("Your connections could not be read.");
    std::vector<connection_card> cards;
    for (auto& connection : *connections) {
        auto calendars = co_await store::calendars_of(d.db, who->who.tenant, connection.id);
        if (!calendars) co_return try_again_page("Your calendars could not be read.");
        cards.push_back({.connection = std::move(connection), .calendars = std::move(*calendars)});
    }
    std::string const body =
        whose(who->who.user.str(), who->who.tenant.str()) + render_settings(cards, d.default_client, d.sessions.csrf_token(*who));
    co_return page(200, "Google Calendar", body);
}

}  // namespace calbridge::gateway
