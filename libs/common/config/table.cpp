#include "common/base/encoding.h"
#include "common/config/config.h"
#include "common/config/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace calbridge::config {

namespace {

constexpr std::size_t secret_bytes_max = 64 * 1024;
constexpr std::size_t url_bytes_max = 2048;
constexpr std::size_t list_bytes_max = 16 * 1024;
constexpr std::size_t list_items_max = 256;

// Two settings of one name would silently shadow each other: a bug in the settings struct.
void append(std::vector<setting>& to, setting one) {
    auto const same = [&](setting const& s) { return s.name == one.name; };
    if (std::ranges::any_of(to, same)) throw std::logic_error("setting declared twice: " + one.name);
    to.push_back(std::move(one));
}

std::string assign_text(std::string const& value, std::string& target, std::size_t length_max) {
    if (value.size() > length_max) return fmt::format("must be at most {} bytes long", length_max);
    if (!is_valid_utf8(value) || has_control(value)) return "must be plain UTF-8 text without control characters";
    target = value;
    return {};
}

std::string assign_secret(std::string const& value, secret& target) {
    if (value.size() > secret_bytes_max) return fmt::format("must be at most {} bytes long", secret_bytes_max);
    if (value.find('\0') != std::string::npos) return "must not hold NUL bytes";
    target = secret(value);
    return {};
}

std::string assign_url(std::string const& value, std::string& target) {
    if (value.size() > url_bytes_max) return fmt::format("must be at most {} bytes long", url_bytes_max);
    std::string normalised;
    std::string const fault = check_url(value, normalised);
    if (fault.empty()) target = std::move(normalised);
    return fault;
}

std::string assign_list(std::string const& value, std::vector<std::string>& target) {
    if (value.size() > list_bytes_max) return fmt::format("must be at most {} bytes long", list_bytes_max);
    if (!is_valid_utf8(value) || has_control(value)) return "must be plain UTF-8 text without control characters";
    std::vector<std::string> items = split_list(value);
    if (items.size() > list_items_max) return fmt::format("must have at most {} items", list_items_max);
    if (std::ranges::any_of(items, &std::string::empty)) return "must not have empty items between its commas";
    target = std::move(items);
    return {};
}

}  // namespace

table& table::text(doc what, std::string& target, std::string fallback, std::size_t length_max) {
    append(settings_, {.name = std::move(what.name),
                       .type = "text",
                       .fallback = std::move(fallback),
                       .bounds = fmt::format("at most {} bytes", length_max),
                       .meaning = std::move(what.meaning),
                       .assign = [&target, length_max](std::string const& v) { return assign_text(v, target, length_max); }});
    return *this;
}

table& table::required_text(doc what, std::string& target, std::size_t length_max) {
    text(std::move(what), target, {}, length_max);
    settings_.back().required = true;
    return *this;
}

table& table::optional_secret(doc what, secret& target) {
    append(settings_, {.name = std::move(what.name),
                       .type = "secret",
                       .fallback = {},
                       .is_secret = true,
                       .bounds = fmt::format("at most {} bytes", secret_bytes_max),
                       .meaning = std::move(what.meaning),
                       .assign = [&target](std::string const& v) { return assign_secret(v, target); }});
    return *this;
}

table& table::required_secret(doc what, secret& target) {
    optional_secret(std::move(what), target);
    settings_.back().required = true;
    return *this;
}

table& table::integer(doc what, std::int64_t& target, std::int64_t fallback, std::int64_t min, std::int64_t max) {
    auto assign = [&target, min, max](std::string const& v) -> std::string {
        auto const number = parse_integer(v);
        if (!number || *number < min || *number > max) return fmt::format("must be a whole number from {} to {}", min, max);
        target = *number;
        return {};
    };
    append(settings_, {.name = std::move(what.name),
                       .type = "integer",
                       .fallback = fmt::to_string(fallback),
                       .bounds = fmt::format("{} to {}", min, max),
                       .meaning = std::move(what.meaning),
                       .assign = std::move(assign)});
    return *this;
}

table& table::boolean(doc what, bool& target, bool fallback) {
    auto assign = [&target](std::string const& v) -> std::string {
        auto const truth = parse_boolean(v);
        if (!truth) return "must be true or false";
        target = *truth;
        return {};
    };
    append(settings_, {.name = std::move(what.name),
                       .type = "boolean",
                       .fallback = fallback ? "true" : "false",
                       .bounds = "true or false",
                       .meaning = std::move(what.meaning),
                       .assign = std::move(assign)});
    return *this;
}

table& table::duration(doc what, std::chrono::milliseconds& target, std::chrono::milliseconds fallback, std::chrono::milliseconds min,
                       std::chrono::milliseconds max) {
    auto assign = [&target, min, max](std::string const& v) -> std::string {
        auto const length = parse_duration(v);
        if (!length || *length < min || *length > max) {
            return fmt::format("must be a duration from {} to {}, spelled like 250ms, 5s, 2m, 6h or 7d", spell_duration(min),
                               spell_duration(max));
        }
        target = *length;
        return {};
    };
    append(settings_, {.name = std::move(what.name),
                       .type = "duration",
                       .fallback = spell_duration(fallback),
                       .bounds = fmt::format("{} to {}", spell_duration(min), spell_duration(max)),
                       .meaning = std::move(what.meaning),
                       .assign = std::move(assign)});
    return *this;
}

table& table::url(doc what, std::string& target, std::string fallback) {
    append(settings_, {.name = std::move(what.name),
                       .type = "url",
                       .fallback = std::move(fallback),
                       .bounds = "http or https, no user info, no fragment",
                       .meaning = std::move(what.meaning),
                       .assign = [&target](std::string const& v) { return assign_url(v, target); }});
    return *this;
}

table& table::required_url(doc what, std::string& target) {
    url(std::move(what), target, {});
    settings_.back().required = true;
    return *this;
}

table& table::list(doc what, std::vector<std::string>& target, std::string fallback) {
    append(settings_, {.name = std::move(what.name),
                       .type = "list",
                       .fallback = std::move(fallback),
                       .bounds = fmt::format("comma-separated, at most {} items", list_items_max),
                       .meaning = std::move(what.meaning),
                       .assign = [&target](std::string const& v) { return assign_list(v, target); }});
    return *this;
}

}  // namespace calbridge::config
