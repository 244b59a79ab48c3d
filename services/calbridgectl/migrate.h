#pragma once
// Brings a database up to the embedded migrations.

#include "migrations.h"

#include "common/pg/script.h"

#include <chrono>
#include <functional>

namespace calbridge::ctl {

using say = std::function<void(std::string const& line)>;

struct migrate_options {
    bool plan_only{false};
    std::chrono::milliseconds lock_time_max{10000};  // for the lock among migrators and for each table
};

// Each migration in a transaction of its own, under one advisory lock; stops at the first failure, keeping what was applied before it.
// Says what it did, line by line. errc::conflict: another migrator or a long transaction is in the way; errc::malformed: plan_migrations()
// found faults.
result<void> migrate(pg::script_session& on, std::vector<migration> const& known, migrate_options options, say const& tell);

}  // namespace calbridge::ctl
