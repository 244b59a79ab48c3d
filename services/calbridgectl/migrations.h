#pragma once
// Which migrations there are, and which must be applied. Deciding is pure; migrate.h does it.

#include <string>
#include <vector>

namespace calbridge::ctl {

struct migration {
    int version{};
    std::string name;
    std::string sql;
    std::string label() const;     // "0001_foundation"
    std::string checksum() const;  // SHA-256 of sql, hex
};

// In order of version; generated from libs/store/migrations at build time.
std::vector<migration> embedded_migrations();

struct applied_migration {
    int version{};
    std::string name, checksum;
};

struct migration_plan {
    std::vector<migration> to_apply;  // in order
    std::vector<std::string> faults;  // not empty: nothing may be applied; each says what is wrong and what to do
};

// Forward only: an applied file must not have changed or vanished, and a new one must come after all applied ones.
migration_plan plan_migrations(std::vector<migration> const& known, std::vector<applied_migration> const& applied);

}  // namespace calbridge::ctl
