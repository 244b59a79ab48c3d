#include "account/tokens.h"

namespace calbridge::account {

namespace {

store::calendar_findings findings_of(google::calendar_listing listing, bool whole, store::list_state began) {
    store::calendar_findings f;
    f.whole = whole;
    f.began = std::move(began);
    f.sync_token = std::move(listing.sync_token);
    f.found.reserve(listing.entries.size());
    for (auto const& entry : listing.entries) {
        f.found.push_back({.google_id = entry.id,
                           .summary = entry.summary,
                           .time_zone = entry.time_zone,
                           .access_role = entry.access_role,
                           .is_primary = entry.primary,
                           .deleted = entry.deleted,
                           .hidden = entry.hidden});
    }
    return f;
}

}  // namespace

task<result<std::vector<store::wake>>> discover_calendars(pg::database& db, google::calendar_api& api, secret token, tenant_id tenant,
                                                          connection_id connection, bool whole, deadline at) {
    auto began = co_await store::read_list_state(db, tenant, connection);
    if (!began) co_return began.error();
    whole = whole || !began->sync_token;
    std::optional<std::string> const since = whole ? std::optional<std::string>() : began->sync_token;
    auto listed = co_await api.calendar_list(token, since, at);
    if (!listed && listed.error().cursor_dead && !whole) {
        whole = true;
        std::optional<std::string> const nothing;
        listed = co_await api.calendar_list(token, nothing, at);
    }
    if (!listed) co_return fail(listed.error().code, listed.error().context);
    store::calendar_findings const findings = findings_of(std::move(*listed), whole, std::move(*began));
    auto tx = co_await db.begin(tenant);
    if (!tx) co_return tx.error();
    auto wakes = co_await store::save_calendars(**tx, tenant, connection, findings);
    if (!wakes) co_return wakes.error();
    auto const done = co_await (*tx)->commit();
    if (!done) co_return done.error();
    co_return std::move(*wakes);
}

}  // namespace calbridge::account
