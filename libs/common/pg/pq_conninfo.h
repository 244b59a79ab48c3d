#pragma once
// What to connect to, and how each session is set up. Inside this folder only.

#include "common/pg/database.h"

#include <map>
#include <string>
#include <vector>

namespace calbridge::pg {

using keywords = std::map<std::string, std::string>;

// The caller's conninfo with our session settings added. Throws std::invalid_argument when it cannot be read (the text is not repeated).
keywords session_keywords(database_options const& options);

// One way to reach a server: `host` may be a name, an address, a socket folder, or empty (libpq's default).
struct endpoint {
    std::string host;
    std::string hostaddr;
    std::string port;
};
std::vector<endpoint> endpoints_of(keywords const& pairs);

// libpq looks names up with a blocking call; this resolves them first, each name to all its addresses.
task<std::vector<endpoint>> resolve(std::vector<endpoint> wanted, deadline at);

// The same keywords with `targets` as lists.
keywords with_endpoints(keywords pairs, std::vector<endpoint> const& targets);

}  // namespace calbridge::pg
