#pragma once
// Identifiers that cannot be swapped by accident.

#include "common/base/result.h"

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace calbridge {

// A CRM's own identifier, taken as it is. 1 to 128 bytes of printable ASCII without space, quote, slash or control;
// parse() is the only gate and everything from outside passes it.
template <class Tag>
class text_id {
public:
    text_id() = default;
    explicit text_id(std::string value) : value_(std::move(value)) {}
    std::string const& str() const { return value_; }
    bool empty() const { return value_.empty(); }
    auto operator<=>(text_id const&) const = default;

private:
    std::string value_;
};

using tenant_id = text_id<struct tenant_tag>;
using user_id = text_id<struct user_tag>;
using task_id = text_id<struct task_tag>;

// True when `value` may be used as a text_id.
bool is_valid_text_id(std::string_view value);

struct uuid {
    std::array<std::uint8_t, 16> bytes{};
    auto operator<=>(uuid const&) const = default;
    bool is_nil() const { return *this == uuid{}; }
};

// Lower-case 8-4-4-4-12 form (RFC 9562).
std::string to_string(uuid const& id);
// Accepts exactly the 36-character form, either case; errc::malformed otherwise.
result<uuid> parse_uuid(std::string_view text);
// RFC 9562 version 4 and version 7 (time-ordered) from the operating system's random source.
uuid random_uuid();
uuid time_ordered_uuid();

template <class Tag>
struct uuid_id {
    uuid value;
    auto operator<=>(uuid_id const&) const = default;
    bool is_nil() const { return value.is_nil(); }
    std::string str() const { return to_string(value); }
};

using connection_id = uuid_id<struct connection_tag>;
using calendar_id = uuid_id<struct calendar_tag>;
using link_id = uuid_id<struct link_tag>;
using operation_id = uuid_id<struct operation_tag>;
using channel_id = uuid_id<struct channel_tag>;
using integration_id = uuid_id<struct integration_tag>;
using request_id = uuid_id<struct request_tag>;
using quarantine_id = uuid_id<struct quarantine_tag>;

}  // namespace calbridge

template <>
struct std::hash<calbridge::uuid> {
    std::size_t operator()(calbridge::uuid const& id) const noexcept;
};
template <class Tag>
struct std::hash<calbridge::uuid_id<Tag>> {
    std::size_t operator()(calbridge::uuid_id<Tag> const& id) const noexcept { return std::hash<calbridge::uuid>{}(id.value); }
};
template <class Tag>
struct std::hash<calbridge::text_id<Tag>> {
    std::size_t operator()(calbridge::text_id<Tag> const& id) const noexcept { return std::hash<std::string>{}(id.str()); }
};
