#include "wire/topics.h"

#include "common/base/encoding.h"
#include "wire/task_codec.h"

#include "calbridge/alerts/v1/alerts.pb.h"
#include "calbridge/calendar/v1/calendar.pb.h"
#include "calbridge/tasks/v1/tasks.pb.h"

#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace calbridge::wire {
namespace {

namespace tasks = calbridge::tasks::v1;
namespace calendar = calbridge::calendar::v1;
namespace alerts = calbridge::alerts::v1;

constexpr std::size_t value_bytes_max = 1 << 20;
constexpr std::size_t account_id_bytes_max = 64;
constexpr int attendees_max = 500;
constexpr int reminders_max = 100;
constexpr int recurrence_lines_max = 2000;

// What a decoder passes up: the first thing that is wrong, named by topic and field.
struct checker {
    std::string_view topic;
    std::optional<error> first;

    void require(bool holds, errc code, std::string_view field, std::string_view what) {
        if (holds || first) return;
        first = fail(code, std::string(topic) + ": " + std::string(field) + " " + std::string(what));
    }
    void id(std::string_view value, std::string_view field, std::size_t bytes_max = 128) {
        require(is_valid_text_id(value), errc::malformed, field, "is missing or holds characters an id may not have");
        require(value.size() <= bytes_max, errc::malformed, field, "is too long");
    }
    template <class Id>
    Id uuid(std::string const& value, std::string_view field) {
        auto const parsed = parse_uuid(value);
        require(parsed.has_value(), errc::malformed, field, "is not a UUID");
        return Id{parsed ? *parsed : calbridge::uuid{}};
    }
};

// Only what a database and Google can hold: no NUL, no broken UTF-8.
std::string text(std::string const& value) {
    if (value.find('\0') == std::string::npos && is_valid_utf8(value)) return value;
    return scrub_text(value);
}

// Parse errors come back as values; protobuf would also write them to stderr, beside our log lines.
void silence_protobuf() { [[maybe_unused]] static bool const once = (google::protobuf::SetLogHandler(nullptr), true); }

// The field path in protobuf's message, "(attendees[0].email): invalid value …", as JSON spells it. The rest quotes the value and stays
// out.
std::string failed_path(std::string_view message) {
    auto const end = message.find("):");
    if (!message.starts_with('(') || end == std::string_view::npos) return {};
    std::string path;
    bool raise = false;
    for (char const c : message.substr(1, end - 1)) {
        if (c != '_') path.push_back(raise && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
        raise = c == '_';
    }
    return path;
}

result<void> parse_into(google::protobuf::Message& message, std::string_view value, encoding as, std::string_view topic,
                        std::size_t bytes_max = value_bytes_max) {
    silence_protobuf();
    if (value.size() > bytes_max)
        return fail(errc::too_large, std::string(topic) + ": value is over " + std::to_string(bytes_max >> 20) + " MiB");
    if (as == encoding::protobuf) {
        if (!message.ParseFromArray(value.data(), static_cast<int>(value.size())))
            return fail(errc::malformed, std::string(topic) + ": not a protobuf value of this topic");
        return {};
    }
    google::protobuf::util::JsonParseOptions options;
    options.ignore_unknown_fields = true;
    auto const status = google::protobuf::util::JsonStringToMessage({value.data(), value.size()}, &message, options);
    if (status.ok()) return {};
    std::string_view const said(status.message().data(), status.message().size());
    auto const path = failed_path(said);
    return fail(
        errc::malformed,
        std::string(topic) + ": " + (path.empty() ? std::string("not a JSON object of this topic") : path + " has the wrong type or form"));
}

std::string serialize(google::protobuf::Message const& message, encoding as) {
    if (as == encoding::protobuf) return message.SerializeAsString();
    std::string out;
    if (!google::protobuf::util::MessageToJsonString(message, &out).ok())
        throw std::logic_error("a message that was built field by field has no JSON form");
    return out;
}

constexpr std::int64_t earliest_second = -62135596800;  // 0001-01-01T00:00:00Z
constexpr std::int64_t latest_second = 253402300799;    // 9999-12-31T23:59:59Z

std::optional<instant> from_timestamp(google::protobuf::Timestamp const& from) {
    if (from.seconds() < earliest_second || from.seconds() > latest_second || from.nanos() < 0 || from.nanos() > 999'999'999) return {};
    return instant{std::chrono::seconds(from.seconds()) + std::chrono::microseconds(from.nanos() / 1000)};
}

void to_timestamp(instant from, google::protobuf::Timestamp& to) {
    auto const seconds = std::chrono::floor<std::chrono::seconds>(from);
    auto const bounded = std::clamp<std::int64_t>(seconds.time_since_epoch().count(), earliest_second, latest_second);
    to.set_seconds(bounded);
    to.set_nanos(static_cast<std::int32_t>((from - seconds).count() * 1000));
}

constexpr std::array causes{
    std::pair{domain::cause::push, calendar::CalendarChanged::PUSH},
    std::pair{domain::cause::poll, calendar::CalendarChanged::POLL},
    std::pair{domain::cause::manual, calendar::CalendarChanged::MANUAL},
    std::pair{domain::cause::initial, calendar::CalendarChanged::INITIAL},
    std::pair{domain::cause::resync, calendar::CalendarChanged::RESYNC},
    std::pair{domain::cause::retry, calendar::CalendarChanged::RETRY},
};

constexpr std::array scopes{
    std::pair{domain::edit_scope::all, tasks::TaskChanged::ALL},
    std::pair{domain::edit_scope::this_one, tasks::TaskChanged::THIS},
    std::pair{domain::edit_scope::this_and_following, tasks::TaskChanged::THIS_AND_FOLLOWING},
};

constexpr std::array kinds{
    std::pair{domain::update_kind::synced, tasks::TaskUpdate::SYNCED},
    std::pair{domain::update_kind::changed, tasks::TaskUpdate::CHANGED},
    std::pair{domain::update_kind::cancelled, tasks::TaskUpdate::CANCELLED},
    std::pair{domain::update_kind::conflict, tasks::TaskUpdate::CONFLICT},
    std::pair{domain::update_kind::imported, tasks::TaskUpdate::IMPORTED},
    std::pair{domain::update_kind::failed, tasks::TaskUpdate::FAILED},
    std::pair{domain::update_kind::occurrence_changed, tasks::TaskUpdate::OCCURRENCE_CHANGED},
};

}  // namespace

result<encoding> encoding_of(std::string_view content_type, std::string_view value) {
    if (content_type.empty()) return value.starts_with('{') ? encoding::json : encoding::protobuf;
    auto type = content_type.substr(0, content_type.find(';'));
    while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
    while (type.starts_with(' ') || type.starts_with('\t')) type.remove_prefix(1);
    std::string lower(type);
    for (auto& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (lower == "application/json") return encoding::json;
    if (lower == "application/protobuf" || lower == "application/x-protobuf" || lower == "application/vnd.google.protobuf")
        return encoding::protobuf;
    return fail(errc::malformed, "content-type is neither application/json nor application/protobuf");
}

std::string record_key(tenant_id const& tenant, user_id const& user) { return tenant.str() + "/" + user.str(); }

result<domain::task_changed> decode_task_changed(std::string_view value, encoding as) { return decode_task(value, as, value_bytes_max); }

result<domain::task_changed> decode_task(std::string_view value, encoding as, std::size_t bytes_max) {
    tasks::TaskChanged message;
    if (auto const parsed = parse_into(message, value, as, topic_task_changed, bytes_max); !parsed) return parsed.error();

    checker check{topic_task_changed, {}};
    check.id(message.tenant_id(), "tenantId", account_id_bytes_max);
    check.id(message.user_id(), "userId", account_id_bytes_max);
    check.id(message.task_id(), "taskId");
    check.require(message.version() > 0, errc::malformed, "version", "is missing or not positive");
    check.require(message.applied_update_seq() >= 0, errc::malformed, "appliedUpdateSeq", "is negative");
    check.require(message.attendees_size() <= attendees_max, errc::too_large, "attendees", "has more than 500 entries");
    check.require(message.reminders().overrides_size() <= reminders_max, errc::too_large, "reminders", "has more than 100 entries");
    check.require(message.recurrence_size() <= recurrence_lines_max, errc::too_large, "recurrence", "has more than 2000 lines");
    auto const scope = std::ranges::find(scopes, message.scope(), [](auto const& p) { return p.second; });
    check.require(scope != scopes.end(), errc::malformed, "scope", "is unknown to this version");
    check.require(message.scope() == tasks::TaskChanged::ALL || !message.occurrence().empty(), errc::malformed, "occurrence",
                  "is missing: a scope other than ALL needs it");
    // A scope this version does not know reads as ALL in JSON: an edit of one occurrence must not become one of all.
    check.require(message.scope() != tasks::TaskChanged::ALL || message.occurrence().empty(), errc::malformed, "scope",
                  "must be THIS or THIS_AND_FOLLOWING where occurrence is set");
    check.require(message.scope() != tasks::TaskChanged::THIS_AND_FOLLOWING || !message.following_task_id().empty(), errc::malformed,
                  "followingTaskId", "is missing: THIS_AND_FOLLOWING needs it");
    if (!message.following_task_id().empty()) check.id(message.following_task_id(), "followingTaskId");
    check.require(message.occurrence().size() <= 64, errc::too_large, "occurrence", "is too long");
    check.require(!message.has_changed_at() || from_timestamp(message.changed_at()).has_value(), errc::malformed, "changedAt",
                  "is outside the years 1 to 9999");
    auto const& mail = message.send_updates();
    check.require(mail.empty() || mail == "none" || mail == "all" || mail == "externalOnly", errc::malformed, "sendUpdates",
                  "is none of none, all, externalOnly");
    if (check.first) return *check.first;

    domain::task_changed out;
    out.tenant = tenant_id(message.tenant_id());
    out.user = user_id(message.user_id());
    out.task = task_id(message.task_id());
    out.version = message.version();
    out.deleted = message.deleted();
    out.type = text(message.type());
    out.title = text(message.title());
    out.customer = text(message.customer());
    out.description = text(message.description());
    out.notes = text(message.notes());
    out.location = text(message.location());
    out.priority = text(message.priority());
    out.status = text(message.status());
    out.contact = text(message.contact());
    out.deal = text(message.deal());
    out.video_link = text(message.video_link());
    out.start = text(message.start());
    out.end = text(message.end());
    out.time_zone = text(message.time_zone());
    for (auto const& from : message.attendees())
        out.attendees.push_back({.email = text(from.email()), .name = text(from.name()), .optional = from.optional()});
    if (message.has_reminders()) {
        auto& reminders = out.reminders.emplace();
        for (auto const& from : message.reminders().overrides())
            reminders.push_back({.method = text(from.method()), .minutes = from.minutes()});
    }
    out.google_meet = message.google_meet();
    out.color = text(message.color());
    out.calendar = text(message.calendar());
    out.sync_to_calendar = !message.has_sync_to_calendar() || message.sync_to_calendar();
    out.send_updates = message.send_updates();
    out.applied_update_seq = message.applied_update_seq();
    for (auto const& line : message.recurrence()) out.recurrence.push_back(text(line));
    out.scope = scope->first;
    out.occurrence = text(message.occurrence());
    out.following_task = task_id(message.following_task_id());
    out.zoom_meeting = message.zoom_meeting();
    if (message.has_changed_at()) out.changed_at = from_timestamp(message.changed_at());
    return out;
}

std::string encode_task_changed(domain::task_changed const& from, encoding as) {
    tasks::TaskChanged message;
    message.set_tenant_id(from.tenant.str());
    message.set_user_id(from.user.str());
    message.set_task_id(from.task.str());
    message.set_version(from.version);
    message.set_deleted(from.deleted);
    message.set_type(text(from.type));
    message.set_title(text(from.title));
    message.set_customer(text(from.customer));
    message.set_description(text(from.description));
    message.set_notes(text(from.notes));
    message.set_location(text(from.location));
    message.set_priority(text(from.priority));
    message.set_status(text(from.status));
    message.set_contact(text(from.contact));
    message.set_deal(text(from.deal));
    message.set_video_link(text(from.video_link));
    message.set_start(text(from.start));
    message.set_end(text(from.end));
    message.set_time_zone(text(from.time_zone));
    for (auto const& attendee : from.attendees) {
        auto& to = *message.add_attendees();
        to.set_email(text(attendee.email));
        to.set_name(text(attendee.name));
        to.set_optional(attendee.optional);
    }
    if (from.reminders) {
        auto& reminders = *message.mutable_reminders();
        for (auto const& one : *from.reminders) {
            auto& to = *reminders.add_overrides();
            to.set_method(text(one.method));
            to.set_minutes(one.minutes);
        }
    }
    message.set_google_meet(from.google_meet);
    message.set_color(text(from.color));
    message.set_calendar(text(from.calendar));
    if (!from.sync_to_calendar) message.set_sync_to_calendar(false);
    message.set_send_updates(text(from.send_updates));
    message.set_applied_update_seq(from.applied_update_seq);
    for (auto const& line : from.recurrence) message.add_recurrence(text(line));
    message.set_scope(std::ranges::find(scopes, from.scope, [](auto const& p) { return p.first; })->second);
    message.set_occurrence(text(from.occurrence));
    message.set_following_task_id(from.following_task.str());
    message.set_zoom_meeting(from.zoom_meeting);
    if (from.changed_at) to_timestamp(*from.changed_at, *message.mutable_changed_at());
    return serialize(message, as);
}

result<domain::calendar_changed> decode_calendar_changed(std::string_view value, encoding as) {
    calendar::CalendarChanged message;
    if (auto const parsed = parse_into(message, value, as, topic_calendar_changed); !parsed) return parsed.error();

    checker check{topic_calendar_changed, {}};
    domain::calendar_changed out;
    if (!message.tenant_id().empty()) check.id(message.tenant_id(), "tenantId", account_id_bytes_max);
    if (!message.user_id().empty()) check.id(message.user_id(), "userId", account_id_bytes_max);
    out.connection = check.uuid<connection_id>(message.connection_id(), "connectionId");
    // A push on the calendar list names its channel and no calendar.
    if (!message.calendar_id().empty() || message.channel_id().empty())
        out.calendar = check.uuid<calendar_id>(message.calendar_id(), "calendarId");
    if (!message.channel_id().empty()) out.channel = check.uuid<channel_id>(message.channel_id(), "channelId");
    check.require(message.message_number() >= 0, errc::malformed, "messageNumber", "is negative");
    if (message.has_received_at()) {
        out.received_at = from_timestamp(message.received_at());
        check.require(out.received_at.has_value(), errc::malformed, "receivedAt", "is outside the years 1 to 9999");
    }
    if (check.first) return *check.first;

    out.tenant = tenant_id(message.tenant_id());
    out.user = user_id(message.user_id());
    out.message_number = message.message_number();
    out.resource_state = text(message.resource_state());
    // A cause from a newer sender still means "look at this calendar", which is what a poll does.
    auto const known = std::ranges::find(causes, message.cause(), [](auto const& p) { return p.second; });
    out.why = known == causes.end() ? domain::cause::poll : known->first;
    return out;
}

std::string encode_calendar_changed(domain::calendar_changed const& from, encoding as) {
    calendar::CalendarChanged message;
    message.set_tenant_id(from.tenant.str());
    message.set_user_id(from.user.str());
    message.set_connection_id(from.connection.str());
    if (!from.calendar.is_nil()) message.set_calendar_id(from.calendar.str());
    message.set_cause(std::ranges::find(causes, from.why, [](auto const& p) { return p.first; })->second);
    if (from.channel) message.set_channel_id(from.channel->str());
    message.set_message_number(from.message_number);
    message.set_resource_state(text(from.resource_state));
    if (from.received_at) to_timestamp(*from.received_at, *message.mutable_received_at());
    return serialize(message, as);
}

result<domain::task_update> decode_task_update(std::string_view value, encoding as) {
    tasks::TaskUpdate message;
    if (auto const parsed = parse_into(message, value, as, topic_task_updates); !parsed) return parsed.error();

    checker check{topic_task_updates, {}};
    domain::task_update out;
    check.id(message.tenant_id(), "tenantId", account_id_bytes_max);
    check.id(message.user_id(), "userId", account_id_bytes_max);
    check.id(message.task_id(), "taskId");
    check.require(message.sequence() > 0, errc::malformed, "sequence", "is missing or not positive");
    auto const known = std::ranges::find(kinds, message.kind(), [](auto const& p) { return p.second; });
    check.require(known != kinds.end(), errc::malformed, "kind", "is missing or unknown to this version");
    if (!message.connection_id().empty()) out.connection = check.uuid<connection_id>(message.connection_id(), "connectionId");
    if (check.first) return *check.first;

    out.tenant = tenant_id(message.tenant_id());
    out.user = user_id(message.user_id());
    out.task = task_id(message.task_id());
    out.sequence = message.sequence();
    out.task_version = message.task_version();
    out.kind = known->first;
    out.google_calendar_id = text(message.google_calendar_id());
    out.google_event_id = text(message.google_event_id());
    out.etag = text(message.etag());
    out.html_link = text(message.html_link());
    out.meet_link = text(message.meet_link());
    for (auto const& one : message.changed()) out.changed.push_back(text(one));
    out.title = text(message.title());
    out.description = text(message.description());
    out.location = text(message.location());
    out.start = text(message.start());
    out.end = text(message.end());
    out.time_zone = text(message.time_zone());
    out.all_day = message.all_day();
    for (auto const& from : message.attendees())
        out.attendees.push_back(
            {.email = text(from.email()), .name = text(from.name()), .response = text(from.response()), .optional = from.optional()});
    for (auto const& from : message.conflicts())
        out.conflicts.push_back(
            {.field = text(from.field()), .base = text(from.base()), .crm = text(from.crm()), .google = text(from.google())});
    out.reason = text(message.reason());
    out.explanation = text(message.explanation());
    out.operation_id = text(message.operation_id());
    out.occurrence = text(message.occurrence());
    out.split_from_task = text(message.split_from_task_id());
    for (auto const& line : message.recurrence()) out.recurrence.push_back(text(line));
    out.zoom_link = text(message.zoom_link());
    out.organizer_email = text(message.organizer_email());
    return out;
}

std::string encode_task_update(domain::task_update const& from, encoding as) {
    tasks::TaskUpdate message;
    message.set_tenant_id(from.tenant.str());
    message.set_user_id(from.user.str());
    message.set_task_id(from.task.str());
    message.set_sequence(from.sequence);
    message.set_task_version(from.task_version);
    message.set_kind(std::ranges::find(kinds, from.kind, [](auto const& p) { return p.first; })->second);
    if (!from.connection.is_nil()) message.set_connection_id(from.connection.str());
    message.set_google_calendar_id(text(from.google_calendar_id));
    message.set_google_event_id(text(from.google_event_id));
    message.set_etag(text(from.etag));
    message.set_html_link(text(from.html_link));
    message.set_meet_link(text(from.meet_link));
    for (auto const& one : from.changed) message.add_changed(text(one));
    message.set_title(text(from.title));
    message.set_description(text(from.description));
    message.set_location(text(from.location));
    message.set_start(text(from.start));
    message.set_end(text(from.end));
    message.set_time_zone(text(from.time_zone));
    message.set_all_day(from.all_day);
    for (auto const& guest : from.attendees) {
        auto& to = *message.add_attendees();
        to.set_email(text(guest.email));
        to.set_name(text(guest.name));
        to.set_response(text(guest.response));
        to.set_optional(guest.optional);
    }
    for (auto const& one : from.conflicts) {
        auto& to = *message.add_conflicts();
        to.set_field(text(one.field));
        to.set_base(text(one.base));
        to.set_crm(text(one.crm));
        to.set_google(text(one.google));
    }
    message.set_reason(text(from.reason));
    message.set_explanation(text(from.explanation));
    message.set_operation_id(text(from.operation_id));
    message.set_occurrence(text(from.occurrence));
    message.set_split_from_task_id(text(from.split_from_task));
    for (auto const& line : from.recurrence) message.add_recurrence(text(line));
    message.set_zoom_link(text(from.zoom_link));
    message.set_organizer_email(text(from.organizer_email));
    return serialize(message, as);
}

std::string encode_sync_alert(domain::sync_alert const& from, encoding as) {
    alerts::SyncAlert message;
    message.set_tenant_id(from.tenant.str());
    message.set_kind(text(from.kind));
    message.set_subject(text(from.subject));
    message.set_explanation(text(from.explanation));
    message.set_resolved(from.resolved);
    to_timestamp(from.at, *message.mutable_at());
    return serialize(message, as);
}

}  // namespace calbridge::wire
