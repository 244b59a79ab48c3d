#include "launch.h"

#include "html.h"

#include "common/observe/log.h"

namespace calbridge::gateway {

namespace {

// The session's start is audited under an id made of the link's, so the same link finds its row taken, in every replica.
constexpr pg::statement start_session{
    "gateway_start_session",
    "INSERT INTO audit_log (tenant_id, audit_id, who, what, subject) VALUES ($1, $2, $3, 'session.started', $3) ON CONFLICT DO NOTHING"};

uuid id_of_link(launch const& link) {
    auto const hash = crypto::sha256("launch|" + link.who.tenant.str() + "|" + link.id);
    uuid out;
    std::copy_n(hash.begin(), out.bytes.size(), out.bytes.begin());
    return out;
}

http::response stale_link() {
    return page(
        401, "This link does not work any more",
        "<p>Links to this page work once and for a few minutes. Go back to your CRM and open the calendar settings there again.</p>");
}

}  // namespace

task<http::response> open_launch_link(deps const& d, http::server_request const& request) {
    auto const query = http::decode_form(request.query);
    auto const token = query ? http::find(*query, "token") : std::nullopt;
    if (!token || query->size() != 1) co_return stale_link();
    auto const link = read_launch(d.launch_key, *token, d.unix_now());
    if (!link) {
        log::warn("launch.refused", {{"reason", link.error().context}, {"request_id", request.request_id}});
        co_return stale_link();
    }
    pg::params with;
    with.add(link->who.tenant).add(id_of_link(*link)).add(link->who.user);
    auto const started = co_await pg::run_once(d.db, link->who.tenant, start_session, std::move(with));
    if (!started) co_return try_again_page("Your session could not be opened.");
    if (started->affected() == 0) {
        log::warn("launch.refused",
                  {{"reason", "used before"}, {"tenant", link->who.tenant}, {"user", link->who.user}, {"request_id", request.request_id}});
        co_return stale_link();
    }
    session const opened = d.sessions.open(link->who, d.unix_now());
    http::response out = see_other(std::string(settings_path));
    out.fields.emplace_back("Set-Cookie", d.sessions.cookie(opened, d.unix_now()));
    log::info("session.started", {{"tenant", link->who.tenant}, {"user", link->who.user}, {"request_id", request.request_id}});
    co_return out;
}

}  // namespace calbridge::gateway
