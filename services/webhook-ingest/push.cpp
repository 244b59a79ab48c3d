#include "push.h"

#include "common/base/encoding.h"
#include "common/http/message.h"

#include <algorithm>

namespace calbridge::ingest {
namespace {

// Channels live days. An older token that PostgreSQL cannot be asked about is not worth believing.
constexpr std::chrono::days token_age_max{31};

constexpr std::size_t resource_id_bytes_max = 256;

std::optional<std::int64_t> read_number(std::string_view text) {
    if (text.empty() || text.size() > 18) return std::nullopt;
    std::int64_t number = 0;
    for (char const c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        number = number * 10 + (c - '0');
    }
    if (number == 0) return std::nullopt;
    return number;
}

// `update` is not documented for events; another API of Google's sends it, and as a hint it is as good as any.
bool is_known_state(std::string_view state) { return state == "exists" || state == "sync" || state == "not_exists" || state == "update"; }

}  // namespace

std::optional<push> read_push(http::request_head const& head) {
    std::string_view channel;
    std::string_view number;
    push out;
    // The gate has refused a second one of any of these.
    for (auto const& field : head.fields()) {
        auto const is = [&field](std::string_view wanted) { return http::equals_ignoring_case(field.name, wanted); };
        switch (field.name.size()) {
        case 17:
            if (is("x-goog-channel-id")) channel = field.value;
            break;
        case 18:
            if (is("x-goog-resource-id")) out.resource_id = field.value;
            break;
        case 20:
            if (is("x-goog-channel-token")) out.token = field.value;
            break;
        case 21:
            if (is("x-goog-message-number")) number = field.value;
            else if (is("x-goog-resource-state")) out.resource_state = field.value;
            break;
        default: break;
        }
    }
    auto const id = parse_uuid(channel);
    auto const value = read_number(number);
    if (!id || !value || out.token.empty() || out.resource_id.empty() || out.resource_id.size() > resource_id_bytes_max ||
        !is_known_state(out.resource_state)) {
        return std::nullopt;
    }
    out.channel = channel_id{*id};
    out.message_number = *value;
    return out;
}

std::optional<channel_state> parse_channel_state(std::string_view text) {
    if (text == "pending") return channel_state::pending;
    if (text == "active") return channel_state::active;
    if (text == "superseded") return channel_state::superseded;
    if (text == "stopped") return channel_state::stopped;
    return std::nullopt;
}

std::string_view name(outcome what) {
    switch (what) {
    case outcome::accepted: return "accepted";
    case outcome::accepted_unchecked: return "accepted_unchecked";
    case outcome::malformed: return "malformed";
    case outcome::forged: return "forged";
    case outcome::unknown: return "unknown";
    case outcome::stale: return "stale";
    case outcome::wrong_resource: return "wrong_resource";
    case outcome::replayed: return "replayed";
    case outcome::busy: return "busy";
    case outcome::undelivered: return "undelivered";
    }
    return "unknown";
}

outcome decide(push const& what, evidence const& with) {
    if (!with.token) return outcome::forged;
    if (with.said == evidence::look_up::absent) return outcome::unknown;
    if (what.message_number <= with.delivered) return outcome::replayed;
    if (with.said == evidence::look_up::away) {
        return with.now > with.token->created + token_age_max ? outcome::stale : outcome::accepted_unchecked;
    }
    auto const& channel = *with.channel;
    // The newest renewal overlaps the channel it replaces, so a superseded one still counts.
    if (channel.state == channel_state::stopped) return outcome::stale;
    if (channel.expires_at && *channel.expires_at <= with.now) return outcome::stale;
    if (with.token->connection != channel.connection || with.token->calendar != channel.calendar) return outcome::stale;
    if (with.token_hash != as_text(channel.token_hash)) return outcome::stale;
    if (channel.resource_id && *channel.resource_id != what.resource_id) return outcome::wrong_resource;
    return outcome::accepted;
}

}  // namespace calbridge::ingest
