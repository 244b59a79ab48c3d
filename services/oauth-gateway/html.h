#pragma once
// Text into HTML, and the frame of every page. Pure.

#include <string>
#include <string_view>

namespace calbridge::gateway {

// Safe in text and in quoted attributes.
std::string escape(std::string_view text);

// A whole document. `title` is text, `body` is HTML already.
std::string document(std::string_view title, std::string_view body);

// Whose page this is: somebody lured into another person's session can see it before connecting an account to it.
std::string whose(std::string_view user, std::string_view tenant);

extern std::string_view const style_sheet;
inline constexpr std::string_view style_path = "/settings/calendar/style.css";

// Content-Security-Policy of every answer: nothing but our own style sheet; forms go to us and, by redirect, to `authorize_url`.
std::string content_security_policy(std::string_view authorize_url);

}  // namespace calbridge::gateway
