#include "store/brake.h"

namespace calbridge::store {

namespace {

constexpr pg::statement pull{"pull_brake", R"(
    UPDATE calendars SET brake = jsonb_build_object('since', coalesce(brake -> 'since', to_jsonb(now())), 'missing', $4::bigint,
    'known', $5::bigint, 'pass', $6::text)
    WHERE tenant_id = $1 AND calendar_id = $2 AND lease_epoch = $3)"};
constexpr pg::statement release{"release_brake", R"(
    UPDATE calendars SET brake = NULL
    WHERE tenant_id = $1 AND calendar_id = $2 AND lease_epoch = $3 AND brake IS NOT NULL)"};
constexpr pg::statement answer{"answer_brake", R"(
    UPDATE calendars SET brake = brake || jsonb_build_object('answer', $3::text, 'most', $4::bigint, 'until',
    now() + $5 * interval '1 millisecond'), retry_at = NULL, dirty_seq = dirty_seq + 1, dirty_at = coalesce(dirty_at, now())
    WHERE tenant_id = $1 AND calendar_id = $2 AND brake IS NOT NULL)"};

pg::params of(held_lease const& held) {
    pg::params with;
    with.add(held.tenant).add(held.calendar).add(held.epoch);
    return with;
}

}  // namespace

bool is_answered(brake_state const& brake, std::size_t missing, instant now) {
    return !brake.answer.empty() && static_cast<std::int64_t>(missing) <= brake.most && brake.until && now < *brake.until;
}

task<result<void>> pull_brake(pg::transaction& tx, held_lease const& held, std::int64_t missing, std::int64_t known, std::string pass) {
    pg::params with = of(held);
    with.add(missing).add(known).add(pass);
    auto const rows = co_await tx.query(pull, std::move(with));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<void>> release_brake(pg::transaction& tx, held_lease const& held) {
    auto const rows = co_await tx.query(release, of(held));
    if (!rows) co_return rows.error();
    co_return result<void>{};
}

task<result<void>> answer_brake(pg::transaction& tx, tenant_id tenant, calendar_id calendar, brake_answer decided, std::int64_t most,
                                std::chrono::milliseconds life) {
    pg::params with;
    with.add(tenant).add(calendar).add(decided == brake_answer::confirm ? "confirm" : "put_back").add(most);
    with.add(static_cast<std::int64_t>(life.count()));
    auto const rows = co_await tx.query(answer, std::move(with));
    if (!rows) co_return rows.error();
    if (rows->affected() == 0) co_return fail(errc::not_found, "answer brake: the calendar's brake is not pulled");
    co_return result<void>{};
}

}  // namespace calbridge::store
