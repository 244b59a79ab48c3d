#include "store/place.h"

namespace calbridge::store {

namespace {

constexpr pg::statement place_task{"place_task", R"(
    WITH placed AS ( SELECT t.tenant_id, t.task_id, place_of_task(t.tenant_id, t.task_id, t.user_id, coalesce(t.snapshot ->>
    'calendar', '')) AS place FROM tasks t WHERE t.tenant_id = $1 AND t.task_id = $2) UPDATE tasks t SET calendar_id = p.place,
    dirty_seq = t.dirty_seq + 1, retry_at = NULL, state = CASE WHEN p.place IS NULL THEN 'waiting' ELSE 'pending' END FROM placed p
    WHERE t.tenant_id = p.tenant_id AND t.task_id = p.task_id)"};

}  // namespace

task<result<void>> place_again(pg::transaction& tx, tenant_id tenant, task_id task) {
    pg::params with;
    with.add(tenant).add(task);
    auto rows = co_await tx.query(place_task, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

}  // namespace calbridge::store
