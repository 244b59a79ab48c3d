#include "common/http/url.h"

#include <algorithm>
#include <charconv>

namespace calbridge::http {
namespace {

bool is_host_char(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == ':'; }

}  // namespace

result<target_url> parse_url(std::string_view text) {
    auto const bad = [](char const* why) { return fail(errc::malformed, std::string("url: ") + why); };
    if (!std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; })) return bad("a character that must be escaped");
    if (text.find('#') != text.npos) return bad("a fragment");
    target_url out;
    if (text.starts_with("https://")) out.tls = true;
    else if (!text.starts_with("http://")) return bad("neither http nor https");
    text.remove_prefix(out.tls ? 8 : 7);
    auto const slash = std::min(text.find_first_of("/?"), text.size());
    auto authority = text.substr(0, slash);
    out.target = text.substr(slash);
    if (!out.target.starts_with('/')) out.target.insert(0, 1, '/');
    if (authority.find('@') != authority.npos) return bad("user information");

    out.port = out.tls ? 443 : 80;
    auto const bracket = authority.rfind(']');
    auto const colon = authority.rfind(':');
    if (colon != authority.npos && (bracket == authority.npos || colon > bracket)) {
        auto const digits = authority.substr(colon + 1);
        unsigned port = 0;
        auto const [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
        if (ec != std::errc{} || end != digits.data() + digits.size() || port == 0 || port > 65535) return bad("a port out of range");
        out.port = static_cast<std::uint16_t>(port);
        authority = authority.substr(0, colon);
    }
    bool const is_v6 = authority.starts_with('[') && authority.ends_with(']');
    out.host = is_v6 ? authority.substr(1, authority.size() - 2) : authority;
    std::ranges::transform(out.host, out.host.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (out.host.empty() || !std::ranges::all_of(out.host, is_host_char)) return bad("no usable host");
    if (!is_v6 && out.host.find(':') != std::string::npos) return bad("no usable host");
    out.authority = is_v6 ? "[" + out.host + "]" : out.host;
    if (out.port != (out.tls ? 443 : 80)) out.authority += ":" + std::to_string(out.port);
    return out;
}

}  // namespace calbridge::http
