#include "common/observe/trace.h"

#include "common/base/encoding.h"
#include "common/base/random.h"

#include <algorithm>
#include <array>

namespace calbridge::observe {

namespace {

constexpr std::size_t version_00_size = 55;

bool is_lower_hex(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_id(std::string_view text) { return is_lower_hex(text) && text.find_first_not_of('0') != std::string_view::npos; }

// The specification forbids the all-zero id.
template <std::size_t Size>
std::string random_id() {
    std::array<std::uint8_t, Size> raw{};
    do random_bytes(raw);
    while (std::ranges::all_of(raw, [](std::uint8_t b) { return b == 0; }));
    return hex(raw);
}

}  // namespace

std::optional<trace_context> parse_traceparent(std::string_view header) {
    if (header.size() < version_00_size || header[2] != '-' || header[35] != '-' || header[52] != '-') return std::nullopt;
    std::string_view const version = header.substr(0, 2), trace = header.substr(3, 32), parent = header.substr(36, 16),
                           flags = header.substr(53, 2);
    if (!is_lower_hex(version) || version == "ff") return std::nullopt;
    // A later version may append fields after another dash; this version may not.
    if (header.size() > version_00_size && (version == "00" || header[version_00_size] != '-')) return std::nullopt;
    if (!is_id(trace) || !is_id(parent) || !is_lower_hex(flags)) return std::nullopt;
    bool const sampled = std::string_view("13579bdf").find(flags[1]) != std::string_view::npos;
    return trace_context{.trace_id = std::string(trace), .parent_id = std::string(parent), .sampled = sampled};
}

std::string to_traceparent(trace_context const& context) {
    return "00-" + context.trace_id + "-" + context.parent_id + (context.sampled ? "-01" : "-00");
}

trace_context new_trace() { return {.trace_id = random_id<16>(), .parent_id = random_id<8>(), .sampled = true}; }

trace_context child_of(trace_context const& parent) {
    return {.trace_id = parent.trace_id, .parent_id = random_id<8>(), .sampled = parent.sampled};
}

}  // namespace calbridge::observe
