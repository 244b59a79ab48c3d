#include "store/conflicts.h"

#include "store/row_reader.h"

#include "domain/requests.h"

#include <algorithm>

namespace calbridge::store {

namespace {

constexpr pg::statement list{"open_conflicts", "SELECT " CALBRIDGE_TASK_COLUMNS ", " CALBRIDGE_LINK_COLUMNS R"(
    FROM tasks t LEFT JOIN task_links l ON (l.tenant_id, l.task_id) = (t.tenant_id, t.task_id) AND l.state <> 'ended'
    WHERE t.tenant_id = $1 AND ($2::text IS NULL OR t.user_id = $2) AND t.state = 'conflict'
    ORDER BY t.task_id LIMIT $3)"};

constexpr pg::statement one{"find_item", "SELECT " CALBRIDGE_TASK_COLUMNS ", " CALBRIDGE_LINK_COLUMNS R"(
    FROM tasks t LEFT JOIN task_links l ON (l.tenant_id, l.task_id) = (t.tenant_id, t.task_id) AND l.state <> 'ended'
    WHERE t.tenant_id = $1 AND t.task_id = $2)"};

std::string whole_conflict(task_row const& task, std::optional<link_row> const& link) {
    if (!link) return task.state == "conflict" && task.reason == "deleted_in_google" ? "edited_after_delete" : "";
    if (!link->frozen) return {};
    return link->state_reason == "cancelled_in_crm" ? "cancelled_and_edited" : "edited_and_deleted";
}

}  // namespace

std::optional<open_conflict> conflict_of(task_row const& task, std::optional<link_row> const& link) {
    open_conflict out;
    out.whole = whole_conflict(task, link);
    if (link)
        std::copy_if(link->conflicts.begin(), link->conflicts.end(), std::back_inserter(out.fields),
                     [](auto const& c) { return !c.winner; });
    if (out.whole.empty() && out.fields.empty()) return {};
    // Without a link the newest message is what the user decides about.
    std::string const subject =
        link ? link->id.str() + "." + std::to_string(link->generation) : task.id.str() + "." + std::to_string(task.absorbed_version);
    out.version = domain::conflict_version(subject, out.whole, out.fields);
    out.task = task;
    out.link = link;
    return out;
}

task<result<std::optional<item_row>>> find_item(pg::database& db, tenant_id tenant, task_id task) {
    pg::params with;
    with.add(tenant).add(task);
    auto const rows = co_await pg::run_once(db, tenant, one, std::move(with));
    if (!rows) co_return rows.error();
    if (rows->empty()) co_return std::optional<item_row>{};
    row_reader r(*rows, 0);
    item_row found;
    found.task = r.task(tenant);
    if (!r.is_null()) found.link = r.link(tenant);
    if (r.problem()) co_return *r.problem();
    co_return std::optional<item_row>(std::move(found));
}

task<result<std::vector<open_conflict>>> open_conflicts(pg::database& db, tenant_id tenant, std::optional<user_id> user, int most) {
    std::optional<std::string> whose;
    if (user) whose = user->str();
    pg::params with;
    with.add(tenant).add(whose).add(most);
    auto const rows = co_await pg::run_once(db, tenant, list, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<open_conflict> all;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        row_reader r(*rows, i);
        task_row task = r.task(tenant);
        std::optional<link_row> link;
        if (!r.is_null()) link = r.link(tenant);
        if (r.problem()) co_return *r.problem();
        if (auto found = conflict_of(task, link)) all.push_back(std::move(*found));
    }
    co_return all;
}

}  // namespace calbridge::store
