#pragma once
// What a failure reported by PostgreSQL means to us: decided here once. Pure.

#include "common/base/result.h"

#include <string>
#include <string_view>

namespace calbridge::pg {

// The fields of an error report (https://www.postgresql.org/docs/15/protocol-error-fields.html) that decide or explain.
struct server_report {
    std::string_view sqlstate;
    std::string_view message;  // may quote data: used only where it cannot
    std::string_view constraint;
    std::string_view routine;  // the server function that reported it
};

struct verdict {
    errc code;
    bool discard;  // the connection must not be used again
};

verdict judge(server_report const& report);

// For error::context: the SQLSTATE and what helps an operator, never a row's data.
std::string describe(server_report const& report);

}  // namespace calbridge::pg
