#pragma once
// How one bound parameter travels. Inside this folder only.

#include "common/pg/database.h"

#include <cstdint>
#include <string>

namespace calbridge::pg {

struct params::value {
    std::uint32_t type{0};  // OID of the type; 0: the server infers it
    bool binary{false};     // else the server reads `data` as text
    bool null{false};
    bool refused{false};  // text that PostgreSQL would cut or reject
    std::string data;
};

}  // namespace calbridge::pg
