#include "account/tokens.h"

namespace calbridge::account {

task<result<std::vector<store::wake>>> discover_calendars(pg::database& db, google::calendar_api& api, secret token, tenant_id tenant,
                                                          connection_id connection, deadline at) {
    auto const listed = co_await api.calendar_list(token, at);
    if (!listed) co_return fail(listed.error().code, listed.error().context);
    std::vector<store::discovered_calendar> found;
    found.reserve(listed->size());
    for (auto const& entry : *listed) {
        found.push_back({.google_id = entry.id,
                         .summary = entry.summary,
                         .time_zone = entry.time_zone,
                         .access_role = entry.access_role,
                         .is_primary = entry.primary,
                         .deleted = entry.deleted});
    }
    auto tx = co_await db.begin(tenant);
    if (!tx) co_return tx.error();
    auto wakes = co_await store::save_calendars(**tx, tenant, connection, std::move(found));
    if (!wakes) co_return wakes.error();
    auto const done = co_await (*tx)->commit();
    if (!done) co_return done.error();
    co_return std::move(*wakes);
}

}  // namespace calbridge::account
