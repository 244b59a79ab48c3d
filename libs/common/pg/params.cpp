#include "common/pg/params_value.h"

#include <bit>
#include <concepts>
#include <limits>
#include <type_traits>

namespace calbridge::pg {

namespace {

// OIDs of PostgreSQL's built-in types (src/include/catalog/pg_type.dat); they never change.
enum oid : std::uint32_t {
    inferred = 0,
    bool_type = 16,
    bytea_type = 17,
    int8_type = 20,
    text_type = 25,
    float8_type = 701,
    bool_array = 1000,
    bytea_array = 1001,
    text_array = 1009,
    int8_array = 1016,
    timestamptz_type = 1184,
    timestamptz_array = 1185,
    uuid_type = 2950,
    uuid_array = 2951,
};

template <std::integral T>
void append(std::string& out, T value) {
    auto bits = static_cast<std::make_unsigned_t<T>>(value);
    for (int shift = (static_cast<int>(sizeof(T)) - 1) * 8; shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>((bits >> shift) & 0xffU));
    }
}

// timestamptz is microseconds since 2000-01-01 00:00 UTC.
constexpr std::int64_t microseconds_1970_to_2000 = 946'684'800LL * 1'000'000LL;

std::string wire(std::int64_t value) {
    std::string out;
    append(out, value);
    return out;
}
std::string wire(bool value) { return std::string(1, value ? '\1' : '\0'); }
std::string wire(instant value) { return wire(static_cast<std::int64_t>(value.time_since_epoch().count()) - microseconds_1970_to_2000); }
std::string wire(uuid const& value) { return {reinterpret_cast<char const*>(value.bytes.data()), value.bytes.size()}; }
std::string wire(bytes const& value) { return {reinterpret_cast<char const*>(value.data()), value.size()}; }
std::string wire(std::string const& value) { return value; }

bool is_storable(std::string_view text) { return text.find('\0') == std::string_view::npos && is_valid_utf8(text); }

template <class T>
T const* present(T const& value) {
    return &value;
}
template <class T>
T const* present(std::optional<T> const& value) {
    return value ? &*value : nullptr;
}

// The binary form of array_recv: dimensions, NULL flag, element type, then length, lower bound 1, then sized elements.
template <class Elements>
params::value array(oid type, oid element, Elements const& elements) {
    std::string body;
    bool has_null = false;
    bool refused = elements.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());
    for (auto const& each : elements) {
        auto const* const there = present(each);
        if (there == nullptr) {
            has_null = true;
            append(body, std::int32_t{-1});
            continue;
        }
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(*there)>, std::string>) refused = refused || !is_storable(*there);
        std::string const bits = wire(*there);
        append(body, static_cast<std::int32_t>(bits.size()));
        body += bits;
    }
    std::string data;
    append(data, std::int32_t{elements.empty() ? 0 : 1});
    append(data, std::int32_t{has_null ? 1 : 0});
    append(data, static_cast<std::uint32_t>(element));
    if (!elements.empty()) {
        append(data, static_cast<std::int32_t>(elements.size()));
        append(data, std::int32_t{1});
    }
    return {.type = type, .binary = true, .refused = refused, .data = data + body};
}

params::value scalar(oid type, std::string data) { return {.type = type, .binary = true, .data = std::move(data)}; }

}  // namespace

params::params() = default;
params::~params() = default;
params::params(params const&) = default;
params::params(params&&) noexcept = default;
params& params::operator=(params const&) = default;
params& params::operator=(params&&) noexcept = default;

params& params::add(std::string_view text) {
    value v{.type = inferred, .refused = !is_storable(text), .data = std::string(text)};
    values_.push_back(std::move(v));
    return *this;
}
params& params::add(std::int64_t value) {
    values_.push_back(scalar(int8_type, wire(value)));
    return *this;
}
params& params::add(bool value) {
    values_.push_back(scalar(bool_type, wire(value)));
    return *this;
}
params& params::add(double value) {
    values_.push_back(scalar(float8_type, wire(std::bit_cast<std::int64_t>(value))));
    return *this;
}
params& params::add(instant value) {
    values_.push_back(scalar(timestamptz_type, wire(value)));
    return *this;
}
params& params::add(uuid const& value) {
    values_.push_back(scalar(uuid_type, wire(value)));
    return *this;
}
params& params::add(bytes const& value) {
    values_.push_back(scalar(bytea_type, wire(value)));
    return *this;
}
params& params::add_null() {
    values_.push_back({.null = true});
    return *this;
}
params& params::forget_last() {
    values_.back().null = true;
    values_.back().refused = false;
    values_.back().data.clear();
    return *this;
}

params& params::add_array(std::vector<std::optional<std::string>> const& values) {
    values_.push_back(array(text_array, text_type, values));
    return *this;
}
params& params::add_array(std::vector<std::string> const& values) {
    values_.push_back(array(text_array, text_type, values));
    return *this;
}
params& params::add_array(std::vector<std::int64_t> const& values) {
    values_.push_back(array(int8_array, int8_type, values));
    return *this;
}
params& params::add_array(std::vector<uuid> const& values) {
    values_.push_back(array(uuid_array, uuid_type, values));
    return *this;
}
params& params::add_array(std::vector<std::optional<uuid>> const& values) {
    values_.push_back(array(uuid_array, uuid_type, values));
    return *this;
}
params& params::add_array(std::vector<std::optional<instant>> const& values) {
    values_.push_back(array(timestamptz_array, timestamptz_type, values));
    return *this;
}
params& params::add_array(std::vector<bool> const& values) {
    // vector<bool> yields proxies; the elements are copied out first.
    std::vector<std::optional<bool>> plain(values.begin(), values.end());
    values_.push_back(array(bool_array, bool_type, plain));
    return *this;
}
params& params::add_array(std::vector<bytes> const& values) {
    values_.push_back(array(bytea_array, bytea_type, values));
    return *this;
}

}  // namespace calbridge::pg
