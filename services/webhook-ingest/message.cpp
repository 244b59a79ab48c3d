#include "message.h"

#include "wire/topics.h"

#include "common/base/encoding.h"
#include "common/observe/trace.h"

#include <fmt/format.h>

#include <chrono>

namespace calbridge::ingest {
namespace {

// RFC 3339 with milliseconds. The part up to the second changes once a second.
std::string rfc3339(instant at) {
    static std::chrono::sys_seconds made_for{};
    static std::string prefix;
    auto const second = std::chrono::floor<std::chrono::seconds>(at);
    if (second != made_for || prefix.empty()) {
        auto const day = std::chrono::floor<std::chrono::days>(second);
        std::chrono::year_month_day const date(day);
        std::chrono::hh_mm_ss const time(second - day);
        prefix = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                             static_cast<unsigned>(date.day()), time.hours().count(), time.minutes().count(), time.seconds().count());
        made_for = second;
    }
    auto const ms = std::chrono::duration_cast<std::chrono::milliseconds>(at - second).count();
    std::string out = prefix;
    out.push_back('.');
    out.push_back(static_cast<char>('0' + ms / 100));
    out.push_back(static_cast<char>('0' + ms / 10 % 10));
    out.push_back(static_cast<char>('0' + ms % 10));
    out.push_back('Z');
    return out;
}

// A child of the caller's trace, or a new one. Trace ids are not secrets: the same pool of randomness as ids is good enough.
std::string traceparent_from(std::string_view received) {
    auto const fresh = random_uuid();
    auto const span_id = random_uuid();
    auto const parent_id = hex(std::span(span_id.bytes).first(8));
    auto const parent = received.empty() ? std::nullopt : observe::parse_traceparent(received);
    return "00-" + (parent ? parent->trace_id : hex(fresh.bytes)) + "-" + parent_id + (!parent || parent->sampled ? "-01" : "-00");
}

}  // namespace

kafka::record make_record(std::string_view topic, push const& what, domain::channel_token_content const& token,
                          known_channel const* channel, std::string_view traceparent, instant received_at) {
    domain::calendar_changed message;
    message.connection = token.connection;
    message.calendar = token.calendar;
    message.why = domain::cause::push;
    message.channel = what.channel;
    message.message_number = what.message_number;
    message.received_at = received_at;
    message.resource_state = what.resource_state;
    kafka::record out;
    if (channel) {
        message.tenant = channel->tenant;
        message.user = channel->user;
        out.key = wire::record_key(channel->tenant, channel->user);
    } else {
        out.key = token.calendar.is_nil() ? token.connection.str() : token.calendar.str();
    }
    out.topic = topic;
    out.value = wire::encode_calendar_changed(message);
    out.fields.reserve(7);
    out.fields.emplace_back("ce_id", to_string(time_ordered_uuid()));
    out.fields.emplace_back("ce_source", "/calbridge/webhook-ingest");
    out.fields.emplace_back("ce_type", "calbridge.calendar.changed.v1");
    out.fields.emplace_back("ce_specversion", "1.0");
    out.fields.emplace_back("ce_time", rfc3339(received_at));
    out.fields.emplace_back("traceparent", traceparent_from(traceparent));
    out.fields.emplace_back("content-type", "application/protobuf");
    return out;
}

}  // namespace calbridge::ingest
