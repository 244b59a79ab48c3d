#pragma once
// For command-line tools only: one blocking session that may run scripts of several statements. Services use database.h.

#include "common/base/result.h"
#include "common/base/secret.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace calbridge::pg {

class script_session {
public:
    virtual ~script_session() = default;
    // Statements separated by semicolons, as psql would send them. Errors carry the server's message: what runs here is our own text, not
    // data. conflict: lock_timeout passed (55P03) or a serialisation failure.
    virtual result<void> run(std::string const& script) = 0;
    // One statement with bound text parameters; its rows.
    using table = std::vector<std::vector<std::optional<std::string>>>;
    virtual result<table> query(std::string const& statement, std::vector<std::string> const& params = {}) = 0;
};

// errc::unavailable when the server cannot be reached or refuses the login; errc::malformed when `conninfo` is not one.
result<std::unique_ptr<script_session>> open_script_session(std::string const& conninfo, secret const& password,
                                                            std::string const& application_name);

}  // namespace calbridge::pg
