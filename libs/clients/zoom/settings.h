#pragma once
// Where Zoom is.

#include "clients/zoom/zoom.h"

#include "common/config/config.h"

namespace calbridge::zoom {

// Declares CALBRIDGE_ZOOM_OAUTH and CALBRIDGE_ZOOM_API with `target` as their place; it must outlive the table.
config::table& declare_zoom(config::table& settings, endpoints& target);

}  // namespace calbridge::zoom
