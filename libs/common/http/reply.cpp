#include "common/http/reply.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace calbridge::http {
namespace {

bool is_safe(headers const& fields) {
    return std::ranges::all_of(fields, [](auto const& field) {
        auto const clean = [](std::string const& text) {
            return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\t'; });
        };
        return !field.first.empty() && field.first.find(':') == std::string::npos && clean(field.first) && clean(field.second);
    });
}

void add_instance(response& what, std::string_view request_id) {
    auto const type = find(what.fields, "Content-Type");
    if (!type || !type->starts_with("application/problem+json") || !what.body.ends_with('}')) return;
    if (what.body.find("\"instance\":") != std::string::npos) return;
    what.body.pop_back();
    what.body += fmt::format(R"(,"instance":"{}"}})", request_id);
}

}  // namespace

std::string_view reason_phrase(int status) {
    switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "Status";
    }
}

std::string imf_fixdate(std::time_t at) {
    constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm utc{};
    gmtime_r(&at, &utc);
    return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", days[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                       months[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

bool is_well_formed_request_id(std::string_view id) {
    if (id.empty() || id.size() > 64) return false;
    return std::ranges::all_of(id, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    });
}

std::string render(response what, reply_context const& context) {
    if (what.status < 200 || what.status > 599 || !is_safe(what.fields)) {
        what = problem(500, "internal", "Internal error", "The answer could not be made. Report the instance id.");
    }
    add_instance(what, context.request_id);
    bool const has_body = what.status != 204 && what.status != 304;
    std::string out;
    out.reserve(512 + what.body.size());
    auto const line = [&out](std::string_view name, std::string_view value) { out.append(name).append(": ").append(value).append("\r\n"); };
    out.append("HTTP/1.1 ").append(std::to_string(what.status)).append(" ").append(reason_phrase(what.status)).append("\r\n");
    for (auto const& [name, value] : what.fields) {
        if (equals_ignoring_case(name, "Content-Length") || equals_ignoring_case(name, "Connection") ||
            equals_ignoring_case(name, "Transfer-Encoding"))
            continue;
        line(name, value);
    }
    if (context.always) {
        for (auto const& [name, value] : *context.always) {
            if (!find(what.fields, name)) line(name, value);
        }
    }
    line("X-Request-Id", context.request_id);
    line("Date", context.date);
    if (has_body) line("Content-Length", std::to_string(what.body.size()));
    line("Connection", context.closes ? "close" : "keep-alive");
    out.append("\r\n");
    if (has_body && !context.to_head) out.append(what.body);
    return out;
}

}  // namespace calbridge::http
