#include "deps.h"
#include "html.h"

#include <fmt/format.h>

namespace calbridge::gateway {

http::response page(int status, std::string_view title, std::string_view body_html) {
    return {.status = status, .fields = {{"Content-Type", "text/html; charset=utf-8"}}, .body = document(title, body_html)};
}

http::response see_other(std::string location) { return {.status = 303, .fields = {{"Location", std::move(location)}}, .body = {}}; }

http::response not_found_page() {
    return page(404, "Not found", fmt::format("<p>There is nothing here.</p><p><a href=\"{}\">Calendar settings</a></p>", settings_path));
}

http::response no_session_page() {
    return page(
        401, "Please open this page from your CRM",
        "<p>Your session has ended, or was opened in another browser. Go back to your CRM and open the calendar settings there.</p>");
}

http::response try_again_page(std::string_view what) {
    auto out =
        page(503, "Please try again",
             fmt::format("<p>{} This is on our side and usually passes within a minute.</p><p><a href=\"{}\">Calendar settings</a></p>",
                         escape(what), settings_path));
    out.fields.emplace_back("Retry-After", "10");
    return out;
}

}  // namespace calbridge::gateway
