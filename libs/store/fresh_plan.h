#pragma once
// For statements that name thousands of ids: a plan made while a table was small, and kept for the life of the session, would read the
// whole table by another index each time. Inside this folder only.

#include "common/pg/database.h"

namespace calbridge::store {

// Around such a statement, and around nothing else: checks of foreign keys would be planned anew for each row, too.
inline constexpr pg::statement plan_anew{"plan_anew", "SELECT set_config('plan_cache_mode', 'force_custom_plan', true)"};
inline constexpr pg::statement plan_as_usual{"plan_as_usual", "SELECT set_config('plan_cache_mode', 'auto', true)"};

}  // namespace calbridge::store
