#include "clients/google/settings.h"

namespace calbridge::google {

endpoints google_settings::where() const { return base_url.empty() ? endpoints{} : endpoints_at(base_url); }

std::optional<oauth_client> google_settings::client() const {
    if (client_id.empty() || client_secret.empty() || redirect_uri.empty()) return std::nullopt;
    return oauth_client{.client_id = client_id, .client_secret = client_secret, .redirect_uri = redirect_uri};
}

std::string fault_of_client(google_settings const& given) {
    int const count = !given.client_id.empty() + !given.client_secret.empty() + !given.redirect_uri.empty();
    if (count != 0 && count != 3) {
        return "GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET and GOOGLE_REDIRECT_URI belong together: set all three, or none";
    }
    bool const absolute = given.redirect_uri.starts_with("https://") || given.redirect_uri.starts_with("http://");
    if (count == 3 && (!absolute || given.redirect_uri.find('#') != std::string::npos)) {
        return "GOOGLE_REDIRECT_URI must be an absolute http(s) URL without a fragment";
    }
    return {};
}

config::table& declare_google(config::table& settings, google_settings& target) {
    settings
        .text({"GOOGLE_CLIENT_ID",
               "OAuth client of this installation at Google; given together with its secret and redirect URI, or not at all."},
              target.client_id, {}, 512)
        .optional_secret({"GOOGLE_CLIENT_SECRET", "Secret of that OAuth client."}, target.client_secret)
        .text({"GOOGLE_REDIRECT_URI",
               "Where Google sends the browser back, exactly as registered: CALBRIDGE_PUBLIC_URL and /settings/calendar/callback."},
              target.redirect_uri, {}, 2048)
        .url({"CALBRIDGE_GOOGLE_URL", "Base under which all of Google's endpoints are found, for an emulator; empty: Google's own."},
             target.base_url, {})
        .require("GOOGLE_CLIENT_ID", [&target] { return fault_of_client(target); });
    return settings;
}

}  // namespace calbridge::google
