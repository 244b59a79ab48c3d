#pragma once
// Canonical spellings of text, shared by normalise and the footer.

#include <string>
#include <string_view>

namespace calbridge::domain {

// Line ends become LF (so do <br> tags), no-break spaces become spaces, <html-blob> wrappers and trailing blanks go, both ends are trimmed,
// broken UTF-8 and control characters are replaced. Idempotent, one pass.
std::string canonical_text(std::string_view raw);
// The same without HTML: for places that are never rendered as HTML.
std::string plain_text(std::string_view raw);
// plain_text on one line.
std::string one_line(std::string_view raw);
// True when the text holds what canonical_text() would turn into something else because of HTML: <br>, <html-blob>, &nbsp;.
bool was_html(std::string_view raw);

std::string lower_ascii(std::string_view text);
std::string_view trim(std::string_view text);
bool ends_with_ignoring_case(std::string_view text, std::string_view lower_case_end);

}  // namespace calbridge::domain
