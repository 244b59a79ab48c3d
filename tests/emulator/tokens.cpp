#include "tests/emulator/tokens.h"

#include "common/base/encoding.h"

#include <algorithm>
#include <array>

namespace calbridge::emulator {

namespace {

std::uint64_t checksum(std::string_view text, std::uint64_t seed) {
    std::uint64_t h = 1469598103934665603ULL ^ (seed * 0x9E3779B97F4A7C15ULL);
    for (char ch : text) h = (h ^ static_cast<unsigned char>(ch)) * 1099511628211ULL;
    return h;
}

reply bad_page() { return refuse(400, "global", "invalid", "Invalid page token value.", "parameter", "pageToken"); }

constexpr std::array not_in_page_print{"pageToken", "prettyPrint", "quotaUser", "alt", "key", "oauth_token"};

}  // namespace

reply bad_token() { return refuse(400, "global", "invalid", "Invalid sync token value.", "parameter", "syncToken"); }
reply full_sync() {
    return refuse(410, "calendar", "fullSyncRequired", "Sync token is no longer valid, a full sync is required.", "parameter", "syncToken");
}
std::string fingerprint(params const& query, std::span<char const* const> leave_out) {
    std::vector<std::string> parts;
    for (auto const& [name, value] : query)
        if (std::ranges::find(leave_out, name) == leave_out.end()) parts.push_back(name + "=" + value);
    std::ranges::sort(parts);
    std::string all;
    for (auto const& p : parts) all += p + "\n";
    return std::to_string(checksum(all, 0));
}

std::uint64_t number(std::string_view text) { return static_cast<std::uint64_t>(to_integer(text).value_or(0)); }

std::string write_token(core const& c, std::vector<std::string> const& parts) {
    std::string text;
    for (auto const& p : parts) text += p + "\n";
    text += std::to_string(checksum(text, c.options.seed));
    // The real tokens end in "=" as often as not, which has to be percent-encoded.
    return base64url(as_bytes(text)) + "=";
}

std::optional<std::vector<std::string>> read_token(core const& c, std::string_view token) {
    if (!token.ends_with('=')) return std::nullopt;
    auto const raw = from_base64url(token.substr(0, token.size() - 1));
    if (!raw) return std::nullopt;
    auto const text = as_text(*raw);
    auto const last = text.rfind('\n');
    if (last == std::string_view::npos || text.substr(last + 1) != std::to_string(checksum(text.substr(0, last + 1), c.options.seed)))
        return std::nullopt;
    std::vector<std::string> out;
    for (auto part : split(text.substr(0, last), '\n')) out.emplace_back(part);
    return out;
}

std::optional<reply> open_page(core& c, call const& k, std::string_view of, std::string_view token, cursor& at) {
    auto const parts = read_token(c, token);
    if (!parts || parts->size() != 9 || (*parts)[0] != "P" || (*parts)[1] != of || (*parts)[2] != k.who.email) return bad_page();
    if ((*parts)[3] != fingerprint(k.query, not_in_page_print)) {
        c.violate("GET", k.method.id, "a page token was used with another query than it was made with");
        return bad_page();
    }
    at.delta = (*parts)[4] == "d";
    at.since = number((*parts)[5]);
    at.snapshot = number((*parts)[6]);
    at.position = (*parts)[7];
    at.empty_page_sent = (*parts)[8] == "e";
    return std::nullopt;
}

std::string page_token(core const& c, call const& k, std::string_view of, cursor const& at) {
    return write_token(c, {"P", std::string(of), k.who.email, fingerprint(k.query, not_in_page_print), at.delta ? "d" : "f",
                           std::to_string(at.since), std::to_string(at.snapshot), at.position, at.empty_page_sent ? "e" : "-"});
}

std::size_t page_size(core const& c, call const& k, std::int64_t fallback, std::int64_t cap) {
    auto const asked = to_integer(value_of(k.query, "maxResults")).value_or(fallback);
    return static_cast<std::size_t>(std::max<std::int64_t>(1, std::min({asked, cap, c.knob.page_max})));
}

}  // namespace calbridge::emulator
