#pragma once
// webhook-ingest put together.

#include "settings.h"

namespace calbridge::ingest {

runtime::parts make_app(asio::any_io_executor executor, runtime::health& health, settings const& with);

}  // namespace calbridge::ingest
