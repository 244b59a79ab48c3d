#pragma once
// The strict request gate: decides on the raw bytes of a request head, before any parser that is lenient. Pure.
// Framing by RFC 9112; everything ambiguous is refused rather than interpreted.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace calbridge::http {

struct gate_rules {
    std::size_t request_line_bytes_max{2048};
    std::size_t head_bytes_max{8192};
    bool chunked_allowed{true};
    std::span<std::string const> hosts;  // lower case, without port; empty: any well-formed host
};

struct header_view {
    std::string_view name;
    std::string_view value;  // optional white space around it removed
};

// An accepted head. All views point into the bytes that were given.
struct request_head {
    static constexpr std::size_t fields_max = 64;

    std::string_view method;
    std::string_view target;
    std::string_view path;   // before '?'
    std::string_view query;  // after '?'
    std::string_view host;   // as received, with port
    std::array<header_view, fields_max> slots;
    std::size_t field_count{0};
    std::optional<std::uint64_t> content_length;
    bool chunked{false};
    bool expects_continue{false};
    bool keeps_alive{true};
    std::size_t bytes{0};  // of the head, its closing empty line included

    std::span<header_view const> fields() const { return {slots.data(), field_count}; }
    // First value of a header, name compared without case.
    std::optional<std::string_view> find(std::string_view name) const;
};

struct refusal {
    int status{400};
    std::string_view reason;  // stable, bounded: fit for a metric label; static storage
};

enum class verdict { accepted, incomplete, refused };

// Reads the head at the start of `buffer`. accepted: `head` is filled. refused: `why` is filled, and the connection must be closed after
// the answer, because where the next request would start is not known. incomplete: give more bytes.
verdict read_head(std::string_view buffer, gate_rules const& rules, request_head& head, refusal& why);

// True when bytes from `from` on can complete a head: spares reading a head that drips in byte by byte again and again.
bool may_be_complete(std::string_view buffer, std::size_t from);

}  // namespace calbridge::http
