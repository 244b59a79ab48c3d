#include "store/alerts.h"

#include "store/work.h"

#include "wire/topics.h"

#include <fmt/chrono.h>

namespace calbridge::store {

namespace {

constexpr pg::statement open_alert{"open_alert", R"(
    INSERT INTO alerts (tenant_id, alert_id, kind, subject, explanation)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (tenant_id, kind, subject)
    WHERE resolved_at IS NULL DO NOTHING
    RETURNING raised_at)"};
constexpr pg::statement close_alert{"close_alert", R"(
    UPDATE alerts SET resolved_at = now()
    WHERE tenant_id = $1 AND kind = $2 AND subject = $3 AND resolved_at IS NULL
    RETURNING resolved_at)"};
constexpr pg::statement release{"release_outbox", "UPDATE outbox SET claimed_until = '-infinity' WHERE tenant_id = $1 AND outbox_id = $2"};

outbox_message message_of(alert const& what, bool resolved, instant at) {
    domain::sync_alert const value{
        .tenant = what.tenant, .kind = what.kind, .subject = what.subject, .explanation = what.explanation, .resolved = resolved, .at = at};
    outbox_message m;
    m.tenant = what.tenant;
    m.message_id = time_ordered_uuid();
    m.topic = wire::topic_sync_alerts;
    m.key = what.tenant.str();
    m.headers = {{"ce_specversion", "1.0"},
                 {"ce_id", to_string(m.message_id)},
                 {"ce_source", "/calbridge/store"},
                 {"ce_type", "calbridge.alerts.raised.v1"},
                 {"ce_time", fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", std::chrono::floor<std::chrono::seconds>(at))},
                 {"content-type", "application/json"}};
    m.value = wire::encode_sync_alert(value, wire::encoding::json);
    return m;
}

task<result<bool>> tell(pg::transaction& tx, alert const& what, bool resolved, pg::rows const& changed) {
    if (changed.empty()) co_return false;
    std::vector<outbox_message> messages{message_of(what, resolved, changed.time(0, 0))};
    auto const written = co_await write_outbox(tx, messages);
    if (!written) co_return written.error();
    // Nobody publishes it after this commit, so the sweep need not wait for anybody.
    pg::params with;
    with.add(what.tenant).add(messages.front().id);
    auto const released = co_await tx.query(release, std::move(with));
    if (!released) co_return released.error();
    co_return true;
}

}  // namespace

task<result<bool>> raise_alert(pg::transaction& tx, alert const& what) {
    pg::params with;
    with.add(what.tenant).add(time_ordered_uuid()).add(what.kind).add(what.subject).add(scrub_text(what.explanation));
    auto const rows = co_await tx.query(open_alert, std::move(with));
    if (!rows) co_return rows.error();
    co_return co_await tell(tx, what, false, *rows);
}

task<result<bool>> resolve_alert(pg::transaction& tx, alert const& what) {
    pg::params with;
    with.add(what.tenant).add(what.kind).add(what.subject);
    auto const rows = co_await tx.query(close_alert, std::move(with));
    if (!rows) co_return rows.error();
    co_return co_await tell(tx, what, true, *rows);
}

}  // namespace calbridge::store
