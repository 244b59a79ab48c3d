#pragma once

#include "settings.h"

namespace calbridge::renewer {

// Settings were checked: keys parse.
runtime::parts make_app(asio::any_io_executor executor, runtime::health& health, settings const& with);

}  // namespace calbridge::renewer
