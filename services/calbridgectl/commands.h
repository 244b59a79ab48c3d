#pragma once
// calbridgectl's commands. Exit codes: 0 done, 1 wrong usage or settings, 2 it failed.

#include "common/config/config.h"

#include <iosfwd>
#include <string>
#include <vector>

namespace calbridge::ctl {

inline constexpr int done = 0, wrong_usage = 1, failed = 2;

struct surroundings {
    config::environment const& env;
    std::ostream& out;
    std::ostream& err;
};

int run_command(std::vector<std::string> const& arguments, surroundings const& with);

int migrate_command(std::vector<std::string> const& arguments, surroundings const& with);  // [--plan]
int topics_command(std::vector<std::string> const& arguments, surroundings const& with);   // apply
int keys_command(std::vector<std::string> const& arguments, surroundings const& with);     // new [ID]

// Loads `settings`, naming every fault on `err`; variables of the services are tolerated, since this program is run in their surroundings.
bool load_settings(config::table const& settings, surroundings const& with);

}  // namespace calbridge::ctl
