#pragma once
// W3C Trace Context (https://www.w3.org/TR/trace-context/): carried, continued, logged.

#include <optional>
#include <string>
#include <string_view>

namespace calbridge::observe {

struct trace_context {
    std::string trace_id;   // 32 lower-case hex digits
    std::string parent_id;  // 16 lower-case hex digits
    bool sampled{true};
};

std::optional<trace_context> parse_traceparent(std::string_view header);
std::string to_traceparent(trace_context const& context);
// A new root, or a child of `parent` (same trace id, new parent id).
trace_context new_trace();
trace_context child_of(trace_context const& parent);

}  // namespace calbridge::observe
