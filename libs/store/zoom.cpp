#include "store/zoom.h"

namespace calbridge::store {

namespace {

constexpr pg::statement find_account{"find_zoom_account", R"(
    SELECT account_id, client_id, client_secret FROM zoom_accounts WHERE tenant_id = $1 AND status = 'active')"};
constexpr pg::statement save{"save_zoom", R"(
    WITH marked AS (UPDATE tasks SET has_zoom = true WHERE tenant_id = $1 AND task_id = $2)
    INSERT INTO zoom_meetings AS z (tenant_id, task_id, link_id, meeting_id, join_url, said, doing, operation_id, reason, failures, retry_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::bigint::integer, $11)
    ON CONFLICT (tenant_id, task_id) DO UPDATE SET link_id = excluded.link_id, meeting_id = excluded.meeting_id,
    join_url = excluded.join_url, said = excluded.said, doing = excluded.doing, operation_id = excluded.operation_id,
    reason = excluded.reason, failures = excluded.failures, retry_at = excluded.retry_at)"};
constexpr pg::statement drop{"drop_zoom", R"(
    WITH marked AS (UPDATE tasks SET has_zoom = false WHERE tenant_id = $1 AND task_id = $2)
    DELETE FROM zoom_meetings WHERE tenant_id = $1 AND task_id = $2)"};

}  // namespace

task<result<std::optional<sealed_zoom_account>>> find_zoom_account(pg::database& db, tenant_id tenant) {
    pg::params with;
    with.add(tenant);
    auto const rows = co_await pg::run_once(db, tenant, find_account, std::move(with));
    if (!rows) co_return rows.error();
    if (rows->empty()) co_return std::optional<sealed_zoom_account>{};
    sealed_zoom_account found{std::string(rows->text(0, 0)), std::string(rows->text(0, 1)), rows->blob(0, 2)};
    co_return std::optional<sealed_zoom_account>(std::move(found));
}

task<result<void>> save_zoom(pg::transaction& tx, tenant_id tenant, task_id task, zoom_row const& row) {
    pg::params with;
    with.add(tenant).add(task).add(row.link).add(row.meeting).add(row.url).add(row.said).add(row.doing).add(row.operation);
    with.add(row.reason).add(row.failures).add(row.retry_at);
    auto const rows = co_await tx.query(save, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<void>> drop_zoom(pg::transaction& tx, tenant_id tenant, task_id task) {
    pg::params with;
    with.add(tenant).add(task);
    auto const rows = co_await tx.query(drop, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

}  // namespace calbridge::store
