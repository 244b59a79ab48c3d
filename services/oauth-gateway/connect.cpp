#include "connect.h"

#include "html.h"

#include "common/base/random.h"
#include "common/observe/log.h"

#include <fmt/format.h>

#include <array>

namespace calbridge::gateway {

namespace {

constexpr pg::statement trim_attempts{"gateway_trim_attempts",
                                      "DELETE FROM consent_attempts a WHERE a.tenant_id = $1 AND a.user_id = $2 AND a.state_hash NOT IN "
                                      "(SELECT b.state_hash FROM consent_attempts b WHERE b.tenant_id = $1 AND b.user_id = $2 ORDER BY "
                                      "b.created_at DESC, b.state_hash LIMIT $3::bigint)"};

std::string random_text() {
    std::array<std::uint8_t, 32> bytes{};
    random_bytes(bytes);
    return base64url(bytes);
}

struct wanted {
    domain::sync_mode mode{domain::sync_mode::two_way};
    std::optional<connection_id> reconnect;
};

// Only the fields we know, each at most once.
std::optional<wanted> read_form(http::form const& fields) {
    wanted out;
    bool csrf = false, mode = false, connection = false;
    for (auto const& [name, value] : fields) {
        if (name == "csrf" && !csrf) {
            csrf = true;
        } else if (name == "mode" && !mode) {
            mode = true;
            auto const named = domain::mode_named(value);
            if (!named) return std::nullopt;
            out.mode = *named;
        } else if (name == "connection" && !connection) {
            connection = true;
            auto const id = parse_uuid(value);
            if (!id) return std::nullopt;
            out.reconnect = connection_id{*id};
        } else {
            return std::nullopt;
        }
    }
    return out;
}

http::response bad_form() {
    return page(400, "That did not work",
                fmt::format("<p>The form was incomplete. Open <a href=\"{}\">Calendar settings</a> and try again.</p>", settings_path));
}

http::response foreign_post() {
    return page(
        403, "That did not come from this page",
        fmt::format("<p>For your safety nothing was done. Open <a href=\"{}\">Calendar settings</a> and try again.</p>", settings_path));
}

http::response being_set_up() {
    return page(404, "Google Calendar sync is being set up",
                "<p>Your administrator has to enter the Google client first. Nothing is needed from you.</p>");
}

}  // namespace

std::optional<std::optional<integration_id>> integration_named(std::string_view text) {
    if (text == "default") return std::optional<integration_id>();
    auto const id = parse_uuid(text);
    if (!id) return std::nullopt;
    return integration_id{*id};
}

attempt_secrets attempt_secrets::make() { return {.state = random_text(), .nonce = random_text(), .verifier = secret(random_text())}; }

std::string code_challenge(secret const& verifier) { return base64url(crypto::sha256(verifier.reveal())); }

bytes state_hash(std::string_view state) {
    auto const hash = crypto::sha256(state);
    return bytes(hash.begin(), hash.end());
}

std::string verifier_place(tenant_id const& tenant, bytes const& hash) {
    return fmt::format("consent_attempts|{}|{}|code_verifier", tenant.str(), hex(hash));
}

task<http::response> show_connect(deps const& d, http::server_request const& request) {
    auto const who = d.sessions.find(request.fields, d.unix_now());
    if (!who) co_return no_session_page();
    auto const integration = integration_named(request.param("integration"));
    if (!integration) co_return not_found_page();
    auto const client = co_await d.clients.find(who->who.tenant, *integration);
    if (!client && client.error().code != errc::not_found) co_return try_again_page("The Google client could not be read.");
    if (!client) co_return being_set_up();
    co_return page(
        200, "Connect your Google Calendar",
        whose(who->who.user.str(), who->who.tenant.str()) +
            fmt::format(
                "<p>You go to Google now, choose an account and allow access. We ask for your list of calendars and for reading and "
                "writing events, nothing else. "
                "Please leave both boxes ticked.</p><form method=\"post\" action=\"{0}/connect/{1}\"><input type=\"hidden\" "
                "name=\"csrf\" value=\"{2}\">"
                "<input type=\"hidden\" name=\"mode\" value=\"two_way\"><button>Continue to Google</button></form><p><a "
                "href=\"{0}\">Back</a></p>",
                settings_path, *integration ? (**integration).str() : std::string("default"), escape(d.sessions.csrf_token(*who))));
}

task<http::response> start_connect(deps const& d, http::server_request const& request) {
    auto const who = d.sessions.find(request.fields, d.unix_now());
    if (!who) co_return no_session_page();
    auto const fields = http::decode_form(request.body);
    if (!fields) co_return bad_form();
    std::string const fault = d.sessions.fault_of_post(*who, request.fields, http::find(*fields, "csrf"));
    if (!fault.empty()) {
        log::warn("connect.refused",
                  {{"reason", fault}, {"tenant", who->who.tenant}, {"user", who->who.user}, {"request_id", request.request_id}});
        co_return foreign_post();
    }
    auto const form = read_form(*fields);
    if (!form) co_return bad_form();
    auto const integration = integration_named(request.param("integration"));
    if (!integration) co_return not_found_page();
    auto const client = co_await d.clients.find(who->who.tenant, *integration);
    if (!client && client.error().code != errc::not_found) co_return try_again_page("The Google client could not be read.");
    if (!client) co_return being_set_up();

    std::string login_hint;
    if (form->reconnect) {
        auto const known = co_await store::find_connection(d.db, who->who.tenant, *form->reconnect);
        if (!known) co_return try_again_page("Your connection could not be read.");
        if (!*known || (**known).user != who->who.user) co_return not_found_page();
        login_hint = (**known).connected_email;
    }
    auto const made = attempt_secrets::make();
    bytes const hash = state_hash(made.state);
    store::new_attempt attempt{.tenant = who->who.tenant,
                               .state_hash = hash,
                               .session_hash = session_hash(*who),
                               .user = who->who.user,
                               .integration = *integration,
                               .mode = form->mode,
                               .scopes = google::scopes_for(form->mode),
                               .nonce = made.nonce,
                               .code_verifier = crypto::seal(d.ring.for_purpose("consent-attempts"), made.verifier.reveal(),
                                                             verifier_place(who->who.tenant, hash)),
                               .reconnect = form->reconnect};
    auto const opened = co_await store::open_attempt(d.db, attempt);
    if (!opened) co_return try_again_page("The connection could not be prepared.");
    // The newest ones stay: somebody who clicks often is not locked out, and the rows stay few.
    pg::params with;
    with.add(who->who.tenant).add(who->who.user).add(open_attempts_max);
    auto const trimmed = co_await pg::run_once(d.db, who->who.tenant, trim_attempts, std::move(with));
    if (!trimmed) co_return try_again_page("The connection could not be prepared.");

    google::authorization const ask{.client_id = client->client_id,
                                    .redirect_uri = client->redirect_uri,
                                    .state = made.state,
                                    .nonce = made.nonce,
                                    .code_challenge = code_challenge(made.verifier),
                                    .login_hint = std::move(login_hint),
                                    .scopes = attempt.scopes};
    log::info("connect.started", {{"tenant", who->who.tenant}, {"user", who->who.user}, {"request_id", request.request_id}});
    co_return see_other(google::authorization_url(d.google_at, ask));
}

}  // namespace calbridge::gateway
