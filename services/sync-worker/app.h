#pragma once
// Puts sync-worker together.

#include "settings.h"

#include "common/runtime/service.h"

namespace calbridge::worker {

runtime::parts make_app(asio::any_io_executor executor, runtime::health& health, settings const& with);

}  // namespace calbridge::worker
