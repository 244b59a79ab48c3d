#include "html.h"

#include <fmt/format.h>

namespace calbridge::gateway {

std::string escape(std::string_view text) {
    std::string out;
    out.reserve(text.size() + text.size() / 8);
    for (char const c : text) {
        switch (c) {
        case '&': out += "&amp;"; break;
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        case '"': out += "&quot;"; break;
        case '\'': out += "&#39;"; break;
        default: out += c;
        }
    }
    return out;
}

std::string document(std::string_view title, std::string_view body) {
    return fmt::format(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, "
        "initial-scale=1\">"
        "<title>{0}</title><link rel=\"stylesheet\" href=\"{1}\"></head>\n<body><main><h1>{0}</h1>\n{2}</main></body></html>\n",
        escape(title), style_path, body);
}

std::string whose(std::string_view user, std::string_view tenant) {
    return fmt::format("<p class=\"soft\">For {} of {}</p>\n", escape(user), escape(tenant));
}

std::string_view const style_sheet =
    R"(:root{color-scheme:light dark;--line:#d5dbe3;--soft:#5c6773;--go:#1b66c9;--bad:#b3261e;--good:#1d7a3c}
body{margin:0;font:16px/1.5 system-ui,sans-serif;background:Canvas;color:CanvasText}
main{max-width:44rem;margin:0 auto;padding:2.5rem 1.25rem}
h1{font-size:1.5rem;margin:0 0 1.5rem}h2{font-size:1.05rem;margin:0}
.card{border:1px solid var(--line);border-radius:12px;padding:1.1rem 1.25rem;margin:0 0 1rem}
.row{display:flex;gap:.75rem;align-items:center;justify-content:space-between;flex-wrap:wrap}
.soft{color:var(--soft);margin:.35rem 0}
.tag{font-size:.8rem;border:1px solid currentColor;border-radius:999px;padding:.05rem .6rem}
.good{color:var(--good)}.bad{color:var(--bad)}
ul{padding-left:1.2rem;margin:.5rem 0}
button,.button{font:inherit;border:0;border-radius:8px;padding:.5rem 1rem;background:var(--go);color:#fff;cursor:pointer;text-decoration:none;display:inline-block}
button.quiet{background:transparent;color:var(--bad);border:1px solid currentColor}
button:focus-visible,a:focus-visible{outline:3px solid var(--go);outline-offset:2px}
form{margin:.75rem 0 0;display:inline-block}
)";

std::string content_security_policy(std::string_view authorize_url) {
    auto const host = authorize_url.find("://");
    auto const end = host == std::string_view::npos ? host : authorize_url.find('/', host + 3);
    return fmt::format(
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' {}; frame-ancestors 'none'; base-uri 'none'",
        authorize_url.substr(0, end));
}

}  // namespace calbridge::gateway
