#include "migrations.h"

#include "common/base/encoding.h"
#include "common/crypto/crypto.h"

#include <fmt/format.h>

#include <algorithm>

namespace calbridge::ctl {

namespace {

std::string label_of(int version, std::string const& name) { return fmt::format("{:04}_{}", version, name); }

}  // namespace

std::string migration::label() const { return label_of(version, name); }
std::string migration::checksum() const { return hex(crypto::sha256(sql)); }

migration_plan plan_migrations(std::vector<migration> const& known, std::vector<applied_migration> const& applied) {
    migration_plan plan;
    int newest = 0;
    for (applied_migration const& done : applied) {
        newest = std::max(newest, done.version);
        auto const file = std::ranges::find(known, done.version, &migration::version);
        std::string const label = label_of(done.version, done.name);
        if (file == known.end()) {
            plan.faults.push_back(label + " was applied and is unknown here: this program is older than the database; use the newer one");
        } else if (file->name != done.name || file->checksum() != done.checksum) {
            plan.faults.push_back(label + " was applied and has changed since: put the file back as it was and write a new migration");
        }
    }
    for (migration const& each : known) {
        if (std::ranges::find(applied, each.version, &applied_migration::version) != applied.end()) continue;
        if (each.version < newest) {
            plan.faults.push_back(
                fmt::format("{} was never applied, and {:04} already is: give it a number after it", each.label(), newest));
        } else {
            plan.to_apply.push_back(each);
        }
    }
    if (!plan.faults.empty()) plan.to_apply.clear();
    return plan;
}

}  // namespace calbridge::ctl
