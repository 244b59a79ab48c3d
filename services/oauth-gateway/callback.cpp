#include "callback.h"

#include "connect.h"
#include "html.h"

#include "common/observe/log.h"
#include "common/observe/metrics.h"

#include <fmt/format.h>

#include <variant>

namespace calbridge::gateway {

namespace {

using namespace std::chrono_literals;

constexpr auto google_time_max = 20s;

struct connected {
    store::connected saved;
    secret access_token;
};
using outcome = std::variant<connected, consent_fault>;

// Stored under the id the same account has already, so that sealed values and links fit; a row that appears meanwhile is found at the
// second try.
task<result<store::connected>> store_connection(deps const& d, store::new_attempt const& attempt, std::string const& client_id,
                                                google::identity const& who, google::grant const& granted,
                                                std::vector<std::string> const& scopes) {
    for (int attempt_number = 1;; ++attempt_number) {
        auto const known = co_await store::find_connection_of(d.db, attempt.tenant, attempt.user, who.sub);
        if (!known) co_return known.error();
        store::connection_row row =
            *known ? **known
                   : store::connection_row{
                         .tenant = attempt.tenant, .id = connection_id{random_uuid()}, .user = attempt.user, .auto_sync_tasks = true};
        row.integration = attempt.integration;
        row.client_id = client_id;
        row.google_sub = who.sub;
        row.connected_email = who.email;
        row.granted_scopes = scopes;
        row.mode = attempt.mode;
        auto sealed = account::seal_grant(d.ring, row.tenant, row.id, granted.access_token, *granted.refresh_token);
        store::new_connection const what{.row = std::move(row),
                                         .data_key = std::move(sealed.data_key),
                                         .access_token = std::move(sealed.access_token),
                                         .refresh_token = std::move(sealed.refresh_token),
                                         .token_expires_at = d.now.now() + granted.life};
        auto tx = co_await d.db.begin(attempt.tenant);
        if (!tx) co_return tx.error();
        auto const saved = co_await store::save_connection(**tx, what);
        if (!saved && saved.error().code == errc::conflict && attempt_number < 3) continue;
        if (!saved) co_return saved.error();
        auto const committed = co_await (*tx)->commit();
        if (!committed) co_return committed.error();
        co_return *saved;
    }
}

task<outcome> exchange_and_store(deps const& d, store::new_attempt attempt, secret code, deadline at) {
    auto const client = co_await d.clients.find(attempt.tenant, attempt.integration);
    if (!client) co_return client.error().code == errc::not_found ? consent_fault::client_wrong : consent_fault::unavailable;
    auto const verifier =
        crypto::open(d.ring.for_purpose("consent-attempts"), attempt.code_verifier, verifier_place(attempt.tenant, attempt.state_hash));
    if (!verifier) co_return consent_fault::stale;
    auto const granted = co_await d.oauth.exchange(*client, code, *verifier, at);
    if (!granted) {
        log::warn("connect.exchange_failed", {{"tenant", attempt.tenant}, {"user", attempt.user}, {"reason", granted.error().reason}});
        co_return fault_of_exchange(granted.error());
    }
    // Google may leave the scopes out when all were granted.
    std::vector<std::string> const scopes = granted->scopes.empty() ? attempt.scopes : granted->scopes;
    if (!google::missing_scopes(scopes, attempt.scopes).empty()) co_return consent_fault::partial;
    if (!granted->refresh_token) co_return consent_fault::no_refresh_token;
    auto const who = co_await d.oauth.verify_id_token(granted->id_token, client->client_id, attempt.nonce, at);
    if (!who) {
        log::warn("connect.identity_refused", {{"tenant", attempt.tenant}, {"user", attempt.user}, {"reason", who.error().context}});
        co_return who.error().code == errc::malformed ? consent_fault::bad_identity : consent_fault::unavailable;
    }
    if (attempt.reconnect) {
        auto const before = co_await store::find_connection(d.db, attempt.tenant, *attempt.reconnect);
        if (!before) co_return consent_fault::unavailable;
        if (!*before || (**before).google_sub != who->sub) co_return consent_fault::other_account;
    }
    auto const saved = co_await store_connection(d, attempt, client->client_id, *who, *granted, scopes);
    if (!saved) {
        log::error("connect.not_stored", log::with({{"tenant", attempt.tenant}, {"user", attempt.user}}, saved.error()));
        co_return consent_fault::unavailable;
    }
    co_return connected{.saved = *saved, .access_token = granted->access_token};
}

// The connection stands whatever happens here: channel-renewer reads the calendars when this did not.
task<void> discover(deps const& d, tenant_id tenant, connected what, deadline at) {
    auto wakes = co_await account::discover_calendars(d.db, d.calendars, what.access_token, tenant, what.saved.id, true, at);
    if (!wakes) {
        log::warn("connect.calendars_later", log::with({{"tenant", tenant}, {"connection", what.saved.id}}, wakes.error()));
        co_return;
    }
    auto const woken = co_await d.wake.wake(what.saved.id, std::move(*wakes), domain::cause::initial);
    if (!woken) log::warn("connect.wake_later", log::with({{"tenant", tenant}, {"connection", what.saved.id}}, woken.error()));
}

http::response say(consent_fault fault, std::string_view request_id) {
    auto const e = explain(fault);
    metrics::get_counter("calbridge_consents_total", "Consents that came back, by outcome.", {{"outcome", std::string(e.code)}}).add();
    log::warn("connect.failed", {{"outcome", e.code}, {"request_id", request_id}});
    return page(e.status, e.title,
                fmt::format("<p>{}</p><p>Nothing was stored.</p><p><a class=\"button\" href=\"{}\">Calendar settings</a></p>",
                            escape(e.what_to_do), settings_path));
}

}  // namespace

std::optional<returned> read_return(std::string_view query) {
    auto const fields = http::decode_form(query);
    if (!fields) return std::nullopt;
    returned out;
    bool state = false, code = false, error = false, issuer = false;
    for (auto const& [name, value] : *fields) {
        if (name == "state") {
            if (std::exchange(state, true)) return std::nullopt;
            out.state = value;
        } else if (name == "code") {
            if (std::exchange(code, true)) return std::nullopt;
            out.code = secret(value);
        } else if (name == "error") {
            if (std::exchange(error, true)) return std::nullopt;
            out.error = value;
        } else if (name == "iss") {
            // RFC 9207: an answer of another authorization server is a mix-up.
            if (std::exchange(issuer, true) || (value != "https://accounts.google.com" && value != "accounts.google.com"))
                return std::nullopt;
        }
    }
    if (out.state.empty() || out.state.size() > 256 || (code && error)) return std::nullopt;
    return out;
}

explanation explain(consent_fault fault) {
    switch (fault) {
    case consent_fault::not_ours:
        return {400, "not_ours", "That is not an answer we asked for", "Start from the calendar settings, please."};
    case consent_fault::wrong_session:
        return {401, "wrong_session", "This browser did not start the connection",
                "Your session has ended, or was opened in another browser. Open the calendar settings from your CRM and connect again."};
    case consent_fault::stale:
        return {400, "stale", "This attempt is over",
                "It took longer than ten minutes, was finished already, or was started in another session. Connect again."};
    case consent_fault::denied:
        return {403, "denied", "You did not allow access",
                "Without it your calendar cannot be synchronised. If that was a mistake, connect again."};
    case consent_fault::admin_blocked:
        return {403, "admin_blocked", "Your administrator has blocked this app",
                "Your organisation's Google Workspace administrator has to allow it (Admin console, Security, API controls). Connect again "
                "afterwards."};
    case consent_fault::google_error:
        return {400, "google_error", "Google could not finish the connection",
                "Connect again. If it happens again, tell your administrator."};
    case consent_fault::partial:
        return {403, "partial", "Not everything was allowed",
                "Reading your list of calendars and working with events are both needed. Connect again and leave every box ticked."};
    case consent_fault::no_refresh_token:
        return {403, "no_refresh_token", "Google gave access for one hour only",
                "Remove this app under myaccount.google.com, Security, Third-party access, and connect again."};
    case consent_fault::code_refused:
        return {400, "code_refused", "Google did not accept the answer", "It was used before or is too old. Connect again."};
    case consent_fault::client_wrong:
        return {502, "client_wrong", "The Google client is not set up rightly",
                "Your administrator has to check its id, secret and redirect address. Your account is not affected."};
    case consent_fault::bad_identity:
        return {400, "bad_identity", "Google's answer could not be verified",
                "Connect again. If it happens again, tell your administrator."};
    case consent_fault::other_account:
        return {403, "other_account", "That was another Google account",
                "To connect it too, choose “Connect another Google account”. To renew this connection, choose the account it belongs to."};
    case consent_fault::unavailable:
        return {503, "unavailable", "Please try again", "Google or our storage did not answer in time. Connect again in a minute."};
    }
    return {500, "internal", "Something went wrong", "Connect again."};
}

consent_fault fault_of_exchange(google::call_error const& e) {
    if (e.reason == "admin_policy_enforced") return consent_fault::admin_blocked;
    switch (e.code) {
    case errc::grant_revoked: return consent_fault::code_refused;
    case errc::client_rejected:
    case errc::internal: return consent_fault::client_wrong;
    default: return consent_fault::unavailable;
    }
}

task<http::response> finish_connect(deps const& d, http::server_request const& request) {
    auto const back = read_return(request.query);
    if (!back) co_return say(consent_fault::not_ours, request.request_id);
    auto const who = d.sessions.find(request.fields, d.unix_now());
    if (!who) co_return say(consent_fault::wrong_session, request.request_id);
    auto const consumed = co_await store::consume_attempt(d.db, who->who.tenant, state_hash(back->state), session_hash(*who));
    if (!consumed) co_return say(consent_fault::unavailable, request.request_id);
    if (!*consumed || (**consumed).user != who->who.user) co_return say(consent_fault::stale, request.request_id);
    if (back->error == "access_denied") co_return say(consent_fault::denied, request.request_id);
    if (back->error == "admin_policy_enforced") co_return say(consent_fault::admin_blocked, request.request_id);
    if (!back->error.empty() || back->code.empty()) co_return say(consent_fault::google_error, request.request_id);

    deadline const at = in(google_time_max);
    store::new_attempt attempt = **consumed;
    outcome const done = co_await exchange_and_store(d, std::move(attempt), back->code, at);
    if (auto const* const fault = std::get_if<consent_fault>(&done)) co_return say(*fault, request.request_id);
    auto const& connection = std::get<connected>(done);
    metrics::get_counter("calbridge_consents_total", "Consents that came back, by outcome.", {{"outcome", "connected"}}).add();
    log::info("connection.connected", {{"tenant", who->who.tenant},
                                       {"user", who->who.user},
                                       {"connection", connection.saved.id},
                                       {"again", connection.saved.existed},
                                       {"request_id", request.request_id}});
    co_await discover(d, who->who.tenant, connection, at);
    co_return see_other(std::string(settings_path));
}

}  // namespace calbridge::gateway
