#pragma once
// Sync and page tokens, and what every listing needs of them. Inside this folder only.

#include "tests/emulator/core.h"

#include <span>

namespace calbridge::emulator {

// Opaque tokens: text fields, a checksum keyed by the seed, base64url. Read back only by the world that wrote them.
std::string write_token(core const& c, std::vector<std::string> const& parts);
std::optional<std::vector<std::string>> read_token(core const& c, std::string_view token);

// The parameters of a query as one text, in one order.
std::string fingerprint(params const& query, std::span<char const* const> leave_out);
std::uint64_t number(std::string_view text);

reply bad_token();
reply full_sync();

// Where one listing stands: which part of the log or of the calendar it covers, and how far it has come.
struct cursor {
    bool delta{false};
    std::uint64_t since{0};     // delta: changes after this
    std::uint64_t snapshot{0};  // the token at the end starts here
    std::string position;       // the last row seen, in words of the listing
    bool empty_page_sent{false};
};

// The page token of a query; `of` names what is listed. Empty: usable.
std::optional<reply> open_page(core& c, call const& k, std::string_view of, std::string_view token, cursor& at);
std::string page_token(core const& c, call const& k, std::string_view of, cursor const& at);
std::size_t page_size(core const& c, call const& k, std::int64_t fallback, std::int64_t cap);

}  // namespace calbridge::emulator
