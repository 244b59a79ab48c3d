#pragma once
// The mass-delete brake of a calendar: pulled by a pass, decided about by a person, shown from calendar_row::brake.

#include "store/work.h"

namespace calbridge::store {

// The calendar pulls no more until somebody decides; `since` of an earlier pull of the brake stays.
task<result<void>> pull_brake(pg::transaction& tx, held_lease const& held, std::int64_t missing, std::int64_t known, std::string pass);
// A pass went through: nothing is held back any more.
task<result<void>> release_brake(pg::transaction& tx, held_lease const& held);

enum class brake_answer { confirm, put_back };
// What a person decided: up to `most` deletions are taken in (confirm), or undone in Google (put_back), by passes that begin within `life`.
// The calendar becomes due. errc::not_found when its brake is not pulled.
task<result<void>> answer_brake(pg::transaction& tx, tenant_id tenant, calendar_id calendar, brake_answer answer, std::int64_t most,
                                std::chrono::milliseconds life);

}  // namespace calbridge::store
