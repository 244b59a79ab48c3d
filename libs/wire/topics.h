#pragma once
// Topic values: protobuf, or the same message in proto3 JSON (told apart by content-type; JSON when it is absent and the value starts with
// '{').

#include "domain/topics.h"

#include "common/base/result.h"

#include <string>
#include <string_view>

namespace calbridge::wire {

inline constexpr std::string_view topic_task_changed = "task-changed";
inline constexpr std::string_view topic_calendar_changed = "calendar-changed";
inline constexpr std::string_view topic_task_updates = "task-updates";
inline constexpr std::string_view topic_sync_alerts = "sync-alerts";

enum class encoding { protobuf, json };
// From the content-type header (empty when absent) and the first byte of the value. errc::malformed for a type nobody knows.
result<encoding> encoding_of(std::string_view content_type, std::string_view value);

// The record key both topics share: "<tenant>/<user>".
std::string record_key(tenant_id const& tenant, user_id const& user);

// Decoders check everything a later step relies on: ids, version > 0, sizes. errc::malformed names the field; unknown JSON members are
// ignored (schemas grow).
result<domain::task_changed> decode_task_changed(std::string_view value, encoding as);
result<domain::calendar_changed> decode_calendar_changed(std::string_view value, encoding as);
result<domain::task_update> decode_task_update(std::string_view value, encoding as);

std::string encode_task_changed(domain::task_changed const& message, encoding as);
std::string encode_calendar_changed(domain::calendar_changed const& message, encoding as = encoding::protobuf);
std::string encode_task_update(domain::task_update const& message, encoding as);
std::string encode_sync_alert(domain::sync_alert const& message, encoding as);

}  // namespace calbridge::wire
