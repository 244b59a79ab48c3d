#pragma once
// The service put together.

#include "settings.h"

namespace calbridge::gateway {

runtime::parts make_app(asio::any_io_executor executor, runtime::health& health, settings const& with);

}  // namespace calbridge::gateway
