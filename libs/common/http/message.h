#pragma once
// Plain HTTP messages: no library types, so business code compiles without Beast.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace calbridge::http {

using headers = std::vector<std::pair<std::string, std::string>>;

// First value of a header, name compared without case; empty optional when absent.
std::optional<std::string_view> find(headers const& fields, std::string_view name);

// ASCII letters compared without case.
bool equals_ignoring_case(std::string_view a, std::string_view b);

struct response {
    int status{200};
    headers fields;
    std::string body;
};

// A small JSON or text answer.
response json_response(int status, std::string body);
response text_response(int status, std::string body);
// RFC 9457. `detail` says what to do next; `code` is stable; the server adds request_id as `instance`.
response problem(int status, std::string_view code, std::string_view title, std::string_view detail);

// application/x-www-form-urlencoded, both ways. Duplicate names are kept; callers that care refuse them. A type of its own, because
// form names are compared exactly and header names are not.
struct form : std::vector<std::pair<std::string, std::string>> {
    using std::vector<std::pair<std::string, std::string>>::vector;
};
std::string encode_form(form const& fields);
// Nothing when an escape is bad or a decoded name or value is not UTF-8 or holds NUL.
std::optional<form> decode_form(std::string_view text);
// First value of that exact name.
std::optional<std::string_view> find(form const& fields, std::string_view name);

}  // namespace calbridge::http
