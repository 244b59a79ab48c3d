#pragma once
// Structured log lines: one JSON object a line on stdout. Fields are allow-listed by being written out at the call.

#include "common/base/ids.h"
#include "common/base/result.h"

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace calbridge::log {

enum class level { debug, info, warn, error };

// Name and value of one field. There is no constructor from secret.
struct field {
    field(std::string_view n, std::string_view v);
    field(std::string_view n, char const* v) : field(n, std::string_view(v)) {}
    field(std::string_view n, std::string const& v) : field(n, std::string_view(v)) {}
    field(std::string_view n, bool v);
    field(std::string_view n, std::int64_t v);
    field(std::string_view n, std::uint64_t v);
    field(std::string_view n, int v) : field(n, static_cast<std::int64_t>(v)) {}
    field(std::string_view n, unsigned v) : field(n, static_cast<std::uint64_t>(v)) {}
    field(std::string_view n, long long v) : field(n, static_cast<std::int64_t>(v)) {}
    field(std::string_view n, unsigned long long v) : field(n, static_cast<std::uint64_t>(v)) {}
    field(std::string_view n, double v);
    field(std::string_view n, std::chrono::microseconds v);  // written in milliseconds with fraction, name gets _ms
    template <class Tag> field(std::string_view n, text_id<Tag> const& v) : field(n, std::string_view(v.str())) {}
    template <class Tag> field(std::string_view n, uuid_id<Tag> const& v) : field(n, std::string_view(v.str())) {}
    std::string name;
    std::string json;  // already encoded
};

// Called once by main; may be called again to change the level. Lines carry ts (RFC 3339 UTC), level, service, version, event, then the
// fields.
void start(std::string service, level least);
// `event` is a stable dotted name: "pass.finished", "push.accepted". Any thread; a line is never split or mixed with another.
// Text beyond 4 KiB is cut, invalid UTF-8 becomes U+FFFD, a field named like one of the five above gets the prefix "field_".
void write(level l, std::string_view event, std::vector<field> fields);
inline void debug(std::string_view event, std::vector<field> fields = {}) { write(level::debug, event, std::move(fields)); }
inline void info(std::string_view event, std::vector<field> fields = {}) { write(level::info, event, std::move(fields)); }
inline void warn(std::string_view event, std::vector<field> fields = {}) { write(level::warn, event, std::move(fields)); }
inline void error(std::string_view event, std::vector<field> fields = {}) { write(level::error, event, std::move(fields)); }
// The two fields of a failure: err (code) and err_context.
std::vector<field> with(std::vector<field> fields, calbridge::error const& e);
// Tests: lines go to `sink` instead of stdout until reset with nullptr.
void capture(std::vector<std::string>* sink);

}  // namespace calbridge::log
