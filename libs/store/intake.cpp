#include "store/intake.h"

#include "store/row_reader.h"

#include "common/crypto/crypto.h"
#include "wire/stored.h"

#include <set>

namespace calbridge::store {

namespace {

constexpr pg::statement take_tasks{"take_in_tasks",
                                   "SELECT tenant_id, user_id, calendar_id FROM take_in_tasks($1, $2, $3, $4, $5, $6, $7, $8, $9)"};
constexpr pg::statement take_hints{"take_in_hints", "SELECT tenant_id, user_id, calendar_id FROM take_in_hints($1, $2, $3, $4, $5, $6)"};
constexpr pg::statement set_aside{"set_aside", "SELECT set_aside($1, $2, $3, $4::bigint::integer, $5, $6, $7, $8, $9, $10, $11)"};
constexpr pg::statement find_due{"due_work", R"(
    SELECT tenant_id, user_id, calendar_id FROM due_work($1::bigint::integer)
    UNION ALL SELECT tenant_id, user_id, calendar_id FROM due_requests($1::bigint::integer))"};

pg::params of_tasks(std::vector<task_intake> const& tasks) {
    std::vector<std::string> tenants, users, ids, snapshots, series, occurrences, splits;
    std::vector<std::int64_t> versions;
    std::vector<bool> deletions;
    for (task_intake const& each : tasks) {
        tenants.push_back(each.message.tenant.str());
        users.push_back(each.message.user.str());
        ids.push_back(each.place.row.str());
        series.push_back(each.place.series.str());
        occurrences.push_back(each.place.occurrence);
        splits.push_back(each.place.split_from_task.str());
        versions.push_back(each.message.version);
        deletions.push_back(each.message.deleted);
        snapshots.push_back(wire::store_task(each.message));
    }
    pg::params with;
    with.add_array(tenants).add_array(users).add_array(ids).add_array(versions).add_array(deletions).add_array(snapshots);
    with.add_array(series).add_array(occurrences).add_array(splits);
    return with;
}

pg::params of_hints(std::vector<hint_intake> const& hints) {
    std::vector<uuid> calendars;
    std::vector<std::string> sources, messages;
    std::vector<bool> raises;
    std::vector<std::optional<uuid>> channels;
    std::vector<std::int64_t> numbers;
    for (hint_intake const& each : hints) {
        calendars.push_back(each.calendar.value);
        sources.push_back(scrub_text(each.source));
        messages.push_back(scrub_text(each.message_id));
        raises.push_back(each.raises);
        channels.push_back(each.channel ? std::optional(each.channel->value) : std::nullopt);
        numbers.push_back(each.message_number);
    }
    pg::params with;
    with.add_array(calendars).add_array(sources).add_array(messages).add_array(raises).add_array(channels).add_array(numbers);
    return with;
}

pg::params of_poison(poison const& what) {
    std::optional<std::int64_t> const partition = what.partition;
    auto const digest = crypto::sha256(what.value);
    bytes const hash(digest.begin(), digest.end());
    bytes const value(what.value.begin(), what.value.end());
    pg::params with;
    with.add(what.tenant).add(random_uuid()).add(scrub_text(what.source)).add(partition).add(what.offset).add(scrub_text(what.subject));
    with.add(scrub_text(what.reason)).add(scrub_text(what.detail)).add(hash).add(value).add(store_headers(what.headers));
    return with;
}

void collect(std::vector<wake>& into, std::set<calendar_id>& seen, pg::rows const& rows) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
        row_reader r(rows, i);
        wake one;
        one.tenant = r.tenant();
        one.user = user_id(r.text());
        one.calendar = calendar_id{r.id()};
        if (seen.insert(one.calendar).second) into.push_back(std::move(one));
    }
}

}  // namespace

task<result<std::vector<wake>>> intake::take_in(std::vector<task_intake> tasks, std::vector<hint_intake> hints,
                                                std::vector<poison> poisons) {
    // Hints lock calendars and tasks lock tasks: calendars come first everywhere.
    std::vector<pg::transaction::step> steps;
    if (!hints.empty()) steps.push_back({&take_hints, of_hints(hints)});
    if (!tasks.empty()) steps.push_back({&take_tasks, of_tasks(tasks)});
    std::size_t const answers = steps.size();
    for (poison const& each : poisons) steps.push_back({&set_aside, of_poison(each)});
    if (steps.empty()) co_return std::vector<wake>{};

    auto tx = co_await db_.begin_untenanted();
    if (!tx) co_return tx.error();
    auto const done = co_await (*tx)->batch_and_commit(std::move(steps));
    if (!done) co_return done.error();
    std::vector<wake> wakes;
    std::set<calendar_id> seen;
    for (std::size_t i = 0; i < answers; ++i) collect(wakes, seen, (*done)[i]);
    co_return wakes;
}

task<result<std::vector<wake>>> intake::due_work(int most) {
    pg::params with;
    with.add(most);
    auto const rows = co_await pg::run_once_untenanted(db_, find_due, std::move(with));
    if (!rows) co_return rows.error();
    std::vector<wake> wakes;
    std::set<calendar_id> seen;
    collect(wakes, seen, *rows);
    co_return wakes;
}

}  // namespace calbridge::store
