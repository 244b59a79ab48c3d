#include "store/history.h"

#include "store/row_reader.h"

namespace calbridge::store {

namespace {

// Ids are ordered by time, so the last one shown is where the next page begins.
constexpr pg::statement list{"item_history", "SELECT " CALBRIDGE_OPERATION_COLUMNS R"(, o.created_at, o.finished_at
    FROM task_links l JOIN operations o ON (o.tenant_id, o.link_id) = (l.tenant_id, l.link_id)
    WHERE l.tenant_id = $1 AND l.task_id = $2
    AND ($3::uuid IS NULL OR (o.created_at, o.operation_id) < (
        SELECT n.created_at, n.operation_id FROM operations n WHERE n.tenant_id = $1 AND n.operation_id = $3))
    ORDER BY o.created_at DESC, o.operation_id DESC LIMIT $4)"};

}  // namespace

domain::history_item history_of(operation_row const& row, instant created_at, std::optional<instant> finished_at) {
    return {.id = row.id,
            .kind = row.kind,
            .state = row.state,
            .pushed = row.pushed,
            .before = row.before,
            .expected = row.expected,
            .who = row.who,
            .why = row.why,
            .send_updates = row.send_updates,
            .answer_status = row.answer_status,
            .answer_reason = row.answer_reason,
            .conflicts = row.conflicts,
            .at = created_at,
            .finished_at = finished_at};
}

task<result<std::vector<domain::history_item>>> item_history(pg::database& db, tenant_id tenant, task_id task,
                                                             std::optional<operation_id> before, int most) {
    std::optional<uuid> from;
    if (before) from = before->value;
    pg::params with;
    with.add(tenant).add(task).add(from).add(most);
    auto const rows = co_await pg::run_once(db, tenant, list, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<domain::history_item> all;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        operation_row const row = r.operation(tenant);
        instant const created = r.time();
        std::optional<instant> const finished = r.time_or_null();
        if (r.problem()) co_return *r.problem();
        all.push_back(history_of(row, created, finished));
    }
    co_return all;
}

}  // namespace calbridge::store
