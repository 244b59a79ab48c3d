#pragma once
// webhook-ingest put together.

#include "settings.h"

#include <string>

namespace calbridge::ingest {

// Tests name a topic of their own.
runtime::parts make_app(asio::any_io_executor executor, runtime::health& health, settings const& with,
                        std::string topic = "calendar-changed");

}  // namespace calbridge::ingest
