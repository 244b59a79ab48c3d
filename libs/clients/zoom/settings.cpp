#include "clients/zoom/settings.h"

namespace calbridge::zoom {

config::table& declare_zoom(config::table& settings, endpoints& target) {
    endpoints const usual;
    return settings
        .url({"CALBRIDGE_ZOOM_OAUTH", "Where Zoom gives out access tokens; another base for an emulator."}, target.oauth, usual.oauth)
        .url({"CALBRIDGE_ZOOM_API", "Base of Zoom's API; another one for an emulator."}, target.api, usual.api);
}

}  // namespace calbridge::zoom
