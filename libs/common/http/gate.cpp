#include "common/http/gate.h"

#include "common/http/message.h"

#include <algorithm>
#include <cstring>

namespace calbridge::http {
namespace {

constexpr auto token_chars = [] {
    std::array<bool, 256> table{};
    for (auto const c : std::string_view("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")) {
        table[static_cast<unsigned char>(c)] = true;
    }
    return table;
}();

bool is_token(std::string_view text) {
    bool good = !text.empty();
    for (auto const c : text) good &= token_chars[static_cast<unsigned char>(c)];
    return good;
}

// Printable ASCII, space and tab; one pass without branches, so the compiler can vectorise it.
bool is_clean_value(std::string_view text) {
    unsigned bad = 0;
    for (auto const c : text) {
        auto const u = static_cast<unsigned char>(c);
        bad |= static_cast<unsigned>((u < 0x20) & (u != '\t')) | static_cast<unsigned>(u > 0x7e);
    }
    return bad == 0;
}

bool is_visible(std::string_view text) {
    unsigned bad = 0;
    for (auto const c : text) {
        auto const u = static_cast<unsigned char>(c);
        bad |= static_cast<unsigned>(u < 0x21) | static_cast<unsigned>(u > 0x7e);
    }
    return bad == 0;
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// The byte an escape at `at` stands for; -1 when it is not an escape.
int escaped_byte(std::string_view text, std::size_t at) {
    if (at + 2 >= text.size()) return -1;
    int const high = hex_value(text[at + 1]);
    int const low = hex_value(text[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool is_known_method(std::string_view method) {
    return method == "GET" || method == "POST" || method == "HEAD" || method == "PUT" || method == "PATCH" || method == "DELETE" ||
           method == "OPTIONS";
}

// Why a path is refused; empty when it is fine. A segment is judged as it would read after decoding.
std::string_view path_fault(std::string_view path) {
    std::size_t dots = 0;  // dots seen in a segment that so far consists of dots only
    bool only_dots = true;
    auto const is_dot_segment = [&] { return only_dots && (dots == 1 || dots == 2); };
    for (std::size_t i = 1; i < path.size(); ++i) {
        char c = path[i];
        if (c == '#' || c == '\\') return "target_form";
        if (c == '/') {
            if (is_dot_segment()) return "dot_segment";
            dots = 0;
            only_dots = true;
            continue;
        }
        if (c == '%') {
            int const byte = escaped_byte(path, i);
            if (byte < 0) return "target_escape";
            if (byte < 0x20 || byte == 0x7f || byte == '/' || byte == '\\') return "target_escape";
            c = static_cast<char>(byte);
            i += 2;
        }
        if (c == '.') ++dots;
        else only_dots = false;
    }
    return is_dot_segment() ? "dot_segment" : std::string_view{};
}

std::string_view query_fault(std::string_view query) {
    for (std::size_t i = 0; i < query.size(); ++i) {
        if (query[i] == '#') return "target_form";
        if (query[i] != '%') continue;
        if (escaped_byte(query, i) <= 0) return "target_escape";
        i += 2;
    }
    return {};
}

// "name", "name:port", "1.2.3.4:port", "[v6]:port"; no user info, no list, no space.
bool is_well_formed_host(std::string_view host) {
    if (host.empty() || host.size() > 255) return false;
    return std::ranges::all_of(host, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == ':' ||
               c == '[' || c == ']';
    });
}

std::string_view without_port(std::string_view host) {
    if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
    return host.substr(0, host.find(':'));
}

// Headers of which two would let two readers see two different requests.
bool must_be_single(std::string_view name) {
    switch (name.size()) {
    case 4: return equals_ignoring_case(name, "host");
    case 6: return equals_ignoring_case(name, "cookie") || equals_ignoring_case(name, "origin") || equals_ignoring_case(name, "expect");
    case 8: return equals_ignoring_case(name, "if-match");
    case 11: return equals_ignoring_case(name, "traceparent");
    case 12:
        return equals_ignoring_case(name, "content-type") || equals_ignoring_case(name, "x-request-id") ||
               equals_ignoring_case(name, "x-csrf-token");
    case 13: return equals_ignoring_case(name, "authorization");
    case 14: return equals_ignoring_case(name, "content-length") || equals_ignoring_case(name, "sec-fetch-site");
    case 15: return equals_ignoring_case(name, "idempotency-key");
    case 16: return equals_ignoring_case(name, "content-encoding");
    case 17: return equals_ignoring_case(name, "transfer-encoding");
    default: return false;
    }
}

bool is_goog(std::string_view name) { return name.size() > 7 && equals_ignoring_case(name.substr(0, 7), "x-goog-"); }

std::optional<refusal> read_request_line(std::string_view line, gate_rules const& rules, request_head& head) {
    if (line.size() > rules.request_line_bytes_max) return refusal{414, "request_line_too_long"};
    auto const first = line.find(' ');
    auto const second = first == line.npos ? line.npos : line.find(' ', first + 1);
    if (second == line.npos) return refusal{400, "request_line"};
    head.method = line.substr(0, first);
    head.target = line.substr(first + 1, second - first - 1);
    if (!is_known_method(head.method)) return refusal{400, "method"};
    if (line.substr(second + 1) != "HTTP/1.1") return refusal{400, "version"};
    if (head.target.empty() || head.target.front() != '/' || !is_visible(head.target)) return refusal{400, "target_form"};
    auto const question = std::min(head.target.find('?'), head.target.size());
    head.path = head.target.substr(0, question);
    head.query = head.target.substr(std::min(question + 1, head.target.size()));
    if (auto const fault = path_fault(head.path); !fault.empty()) return refusal{400, fault};
    if (auto const fault = query_fault(head.query); !fault.empty()) return refusal{400, fault};
    return std::nullopt;
}

std::optional<refusal> read_content_length(std::string_view value, request_head& head) {
    if (value.empty() || value.size() > 18) return refusal{400, "content_length"};
    std::uint64_t length = 0;
    for (auto const c : value) {
        if (c < '0' || c > '9') return refusal{400, "content_length"};
        length = length * 10 + static_cast<std::uint64_t>(c - '0');
    }
    head.content_length = length;
    return std::nullopt;
}

std::optional<refusal> read_host(std::string_view value, gate_rules const& rules, request_head& head) {
    if (!is_well_formed_host(value)) return refusal{400, "host"};
    head.host = value;
    if (rules.hosts.empty()) return std::nullopt;
    auto const name = without_port(value);
    bool const known = std::ranges::any_of(rules.hosts, [name](std::string const& host) { return equals_ignoring_case(host, name); });
    if (!known) return refusal{421, "host_unknown"};
    return std::nullopt;
}

// Connection options are a comma-separated list.
bool names_option(std::string_view list, std::string_view option) {
    while (!list.empty()) {
        auto const comma = std::min(list.find(','), list.size());
        if (equals_ignoring_case(trim(list.substr(0, comma)), option)) return true;
        list.remove_prefix(std::min(comma + 1, list.size()));
    }
    return false;
}

// What a framing or routing header changes. `single` names were checked for duplicates before.
std::optional<refusal> apply_field(header_view const& field, gate_rules const& rules, request_head& head) {
    switch (field.name.size()) {
    case 4:
        if (equals_ignoring_case(field.name, "host")) return read_host(field.value, rules, head);
        break;
    case 6:
        if (equals_ignoring_case(field.name, "expect")) {
            if (!equals_ignoring_case(field.value, "100-continue")) return refusal{417, "expect"};
            head.expects_continue = true;
        }
        break;
    case 7:
        if (equals_ignoring_case(field.name, "upgrade")) return refusal{400, "upgrade"};
        break;
    case 10:
        if (equals_ignoring_case(field.name, "connection") && names_option(field.value, "close")) head.keeps_alive = false;
        break;
    case 14:
        if (equals_ignoring_case(field.name, "content-length")) return read_content_length(field.value, head);
        break;
    case 17:
        if (equals_ignoring_case(field.name, "transfer-encoding")) {
            if (field.value != "chunked" || !rules.chunked_allowed) return refusal{400, "transfer_encoding"};
            head.chunked = true;
        }
        break;
    default: break;
    }
    return std::nullopt;
}

std::optional<refusal> read_field(std::string_view line, gate_rules const& rules, request_head& head) {
    if (line.front() == ' ' || line.front() == '\t') return refusal{400, "folded_header"};
    auto const colon = std::min(line.find(':'), line.size());
    header_view field{line.substr(0, colon), {}};
    if (colon == line.size() || !is_token(field.name)) return refusal{400, "header_name"};
    field.value = trim(line.substr(colon + 1));
    if (!is_clean_value(field.value)) return refusal{400, "header_value"};
    if (head.field_count == request_head::fields_max) return refusal{431, "too_many_headers"};
    if (is_goog(field.name) || must_be_single(field.name)) {
        for (auto const& earlier : head.fields()) {
            if (equals_ignoring_case(earlier.name, field.name)) return refusal{400, "duplicate_header"};
        }
    }
    head.slots[head.field_count++] = field;
    return apply_field(field, rules, head);
}

}  // namespace

std::optional<std::string_view> request_head::find(std::string_view name) const {
    for (auto const& field : fields()) {
        if (field.name.size() == name.size() && equals_ignoring_case(field.name, name)) return field.value;
    }
    return std::nullopt;
}

verdict read_head(std::string_view buffer, gate_rules const& rules, request_head& head, refusal& why) {
    auto const refuse = [&why](refusal reason) {
        why = reason;
        return verdict::refused;
    };
    head.field_count = 0;
    head.host = {};
    head.content_length.reset();
    head.chunked = false;
    head.expects_continue = false;
    head.keeps_alive = true;

    auto const limit = std::min(buffer.size(), rules.head_bytes_max);
    std::size_t at = 0;
    for (bool is_first = true;; is_first = false) {
        auto const* const found = at < limit ? static_cast<char const*>(std::memchr(buffer.data() + at, '\n', limit - at)) : nullptr;
        if (!found) {
            if (is_first && limit > rules.request_line_bytes_max) return refuse({414, "request_line_too_long"});
            if (buffer.size() >= rules.head_bytes_max) return refuse({431, "head_too_large"});
            return verdict::incomplete;
        }
        auto const end = static_cast<std::size_t>(found - buffer.data());
        if (end == at || buffer[end - 1] != '\r') return refuse({400, "line_end"});
        auto const line = buffer.substr(at, end - 1 - at);
        at = end + 1;
        if (is_first) {
            if (auto const fault = read_request_line(line, rules, head)) return refuse(*fault);
            continue;
        }
        if (line.empty()) break;
        if (auto const fault = read_field(line, rules, head)) return refuse(*fault);
    }
    if (head.host.empty()) return refuse({400, "host"});
    if (head.chunked && head.content_length) return refuse({400, "two_lengths"});
    head.bytes = at;
    return verdict::accepted;
}

bool may_be_complete(std::string_view buffer, std::size_t from) {
    // Also where a line ends without CR: read_head() refuses that, and need not wait for more to do so.
    from = from < 2 ? 0 : from - 2;
    return buffer.find("\n\r\n", from) != buffer.npos || buffer.find("\n\n", from) != buffer.npos;
}

}  // namespace calbridge::http
