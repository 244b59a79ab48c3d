#include "tests/emulator/push.h"

#include "common/base/encoding.h"
#include "tests/emulator/times.h"

#include <algorithm>

namespace calbridge::emulator {

namespace {

constexpr std::size_t deliveries_max = 20000;

std::string opaque(std::string_view kind, std::string_view of) {
    std::uint64_t h = 1469598103934665603ULL;
    for (auto part : {kind, of})
        for (char ch : part) h = (h ^ static_cast<unsigned char>(ch)) * 1099511628211ULL;
    std::array<std::uint8_t, 16> raw{};
    for (auto& b : raw) {
        h = h * 6364136223846793005ULL + 1442695040888963407ULL;
        b = static_cast<std::uint8_t>(h >> 56U);
    }
    return base32hex(raw);
}

// Messages stop at expiry, and some time after a stop when a test wants stragglers.
bool still_delivers(core const& c, channel const& ch, instant at) {
    if (at >= ch.expires) return false;
    return !ch.stopped || at < *ch.stopped + std::chrono::seconds(c.knob.push_after_stop_s);
}

delivery message_for(core& c, channel& ch, std::string_view state) {
    ch.messages += ch.messages == 0 ? 1 : static_cast<std::uint64_t>(1 + c.roll(c.knob.push_number_gap_max + 1));
    delivery d;
    d.channel = ch.id;
    d.address = ch.address;
    d.state = std::string(state);
    d.made = c.now();
    d.due = d.made;
    d.fields = {{"Content-Type", "application/json; utf-8"},
                {"User-Agent", "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)"},
                {"X-Goog-Channel-ID", ch.id},
                {"X-Goog-Channel-Expiration", format_http_date(ch.expires)},
                {"X-Goog-Resource-ID", ch.resource_id},
                {"X-Goog-Resource-URI", ch.resource_uri},
                {"X-Goog-Resource-State", std::string(state)},
                {"X-Goog-Message-Number", std::to_string(ch.messages)}};
    if (!ch.token.empty())
        d.fields.emplace_back("X-Goog-Channel-Token", c.knob.push_wrong_token && state != "sync" ? ch.token + "x" : ch.token);
    return d;
}

std::uint64_t enqueue(core& c, delivery d) {
    d.id = ++c.counter;
    auto const id = d.id;
    c.queue.emplace(d.due, id);
    delivery_record record;
    record.sent = std::move(d);
    c.deliveries.emplace(id, std::move(record));
    while (c.deliveries.size() > deliveries_max && c.deliveries.begin()->second.outcome != "pending" &&
           c.deliveries.begin()->second.outcome != "retrying")
        c.deliveries.erase(c.deliveries.begin());
    return id;
}

void send(core& c, channel& ch, std::string_view state) {
    for (std::int64_t n = 0; n < std::max<std::int64_t>(1, c.knob.push_burst); ++n) {
        auto d = message_for(c, ch, state);
        d.due += std::chrono::milliseconds(c.knob.push_delay_ms + c.roll(c.knob.push_reorder_ms));
        bool const dropped = c.roll(100) < c.knob.push_drop_percent;
        bool const twice = c.roll(100) < c.knob.push_duplicate_percent;
        if (dropped) {
            delivery_record lost;
            lost.outcome = "dropped";
            lost.finished = c.now();
            d.id = ++c.counter;
            lost.sent = d;
            c.deliveries.emplace(d.id, std::move(lost));
            continue;
        }
        if (twice) enqueue(c, d);
        enqueue(c, std::move(d));
    }
}

}  // namespace

std::string events_resource(std::string_view calendar) { return opaque("events", calendar); }
std::string list_resource(std::string_view user) { return opaque("calendarList", user); }

reply watch(core& c, call const& k, calendar* on) {
    std::string const id(text_at(k.body, "id"));
    std::string const address(text_at(k.body, "address"));
    auto const type = text_at(k.body, "type");
    if (id.empty()) return refuse(400, "global", "required", "Required", "parameter", "resource.id");
    if (id.size() > 64 || !std::ranges::all_of(id, [](char ch) {
            return std::isalnum(static_cast<unsigned char>(ch)) != 0 || std::string_view("-_+/=").contains(ch);
        }))
        return refuse(400, "global", "invalid", "Invalid channel id " + id);
    if (type != "web_hook" && type != "webhook") return refuse(400, "global", "invalid", "Unknown channel type: " + std::string(type));
    if (!address.starts_with("https://")) return refuse(400, "push", "webhookUrlNotHttps", "WebHook callback must be HTTPS: " + address);
    std::string const token(text_at(k.body, "token"));
    if (token.size() > 256) return refuse(400, "global", "invalid", "Channel token is too long");
    auto const key = std::pair(k.token.project, id);
    if (c.channels.contains(key)) return refuse(400, "global", "channelIdNotUnique", "Channel id " + id + " not unique");
    if (on != nullptr && !on->watchable)
        return refuse(400, "calendar", "pushNotSupportedForRequestedResource", "Push notifications are not supported by this resource.");

    auto const now = c.now();
    auto life = std::chrono::milliseconds(std::chrono::hours(7 * 24));
    if (auto const* p = object_at(k.body, "params")) {
        if (auto const text = text_at(*p, "ttl"); !text.empty()) {
            auto const ttl = to_integer(text);
            if (!ttl || *ttl <= 0) return refuse(400, "global", "invalid", "Invalid ttl value for channel " + id);
            life = std::chrono::seconds(*ttl);
        }
    }
    if (auto const* e = k.body.if_contains("expiration"); e != nullptr && !e->is_null()) {
        auto const at = e->is_int64() ? e->get_int64() : to_integer(std::string_view(e->get_string())).value_or(0);
        auto const until = std::chrono::milliseconds(at - unix_ms(now));
        if (until <= std::chrono::milliseconds(0)) return refuse(400, "global", "invalid", "Invalid ttl value for channel " + id);
        life = k.body.contains("params") ? std::min(life, until) : until;
    }
    life = std::min<std::chrono::milliseconds>(life, std::chrono::seconds(c.knob.channel_ttl_max_s));

    channel ch;
    ch.id = id;
    ch.token = token;
    ch.address = address;
    ch.user = k.who.email;
    ch.client = k.token.client;
    ch.project = k.token.project;
    ch.created = now;
    ch.expires = now + life;
    ch.calendar = on != nullptr ? on->id : "";
    ch.resource_id = on != nullptr ? events_resource(on->id) : list_resource(k.who.email);
    // The address echoes the calendar as it was asked for, "primary" included.
    ch.resource_uri =
        on != nullptr ? "https://www.googleapis.com/calendar/v3/calendars/" + percent_encode(k.in_path("calendarId")) + "/events?alt=json"
                      : "https://www.googleapis.com/calendar/v3/users/me/calendarList?alt=json";
    auto& stored = c.channels.emplace(key, std::move(ch)).first->second;
    c.channels_of[stored.resource_id].push_back(&stored);

    reply out;
    bj::object body{{"kind", "api#channel"}, {"id", stored.id}, {"resourceId", stored.resource_id}, {"resourceUri", stored.resource_uri}};
    if (!token.empty()) body["token"] = token;
    body["expiration"] = std::to_string(unix_ms(stored.expires));
    out.body = std::move(body);
    if (c.knob.sync_message != "never") {
        auto const sync = enqueue(c, message_for(c, stored, "sync"));
        if (c.knob.sync_message == "before") out.deliver_first = sync;
    }
    return out;
}

reply stop_channel(core& c, call const& k) {
    std::string const id(text_at(k.body, "id"));
    if (id.empty()) return refuse(400, "global", "required", "Required", "parameter", "resource.id");
    if (text_at(k.body, "resourceId").empty()) return refuse(400, "global", "required", "Required", "parameter", "resource.resourceId");
    auto const it = c.channels.find(std::pair(k.token.project, id));
    auto const missing = [&] {
        return refuse(404, "global", "notFound", "Channel '" + id + "' not found for project '" + k.token.project + "'");
    };
    if (it == c.channels.end()) return missing();
    auto& ch = it->second;
    if (ch.resource_id != text_at(k.body, "resourceId") || ch.user != k.who.email || ch.client != k.token.client || c.now() >= ch.expires)
        return missing();
    if (!ch.stopped) ch.stopped = c.now();
    reply out;
    out.status = 204;
    return out;
}

void notify(core& c, std::string const& resource) {
    auto const it = c.channels_of.find(resource);
    if (it == c.channels_of.end()) return;
    auto const now = c.now();
    std::erase_if(it->second, [&](channel const* ch) { return !still_delivers(c, *ch, now); });
    for (auto* ch : it->second) {
        // Who lost the calendar hears no more of it.
        auto const* cal = ch->calendar.empty() ? nullptr : c.find_calendar(ch->calendar);
        if (cal != nullptr && role_of(*cal, ch->user) == role::none) continue;
        send(c, *ch, "exists");
    }
}

std::uint64_t queue_raw(core& c, delivery d) {
    d.made = c.now();
    if (d.due < d.made) d.due = d.made;
    return enqueue(c, std::move(d));
}

std::vector<delivery> take_due(core& c, instant now) {
    std::vector<delivery> out;
    while (!c.queue.empty() && c.queue.begin()->first <= now) {
        auto const id = c.queue.begin()->second;
        c.queue.erase(c.queue.begin());
        if (auto const it = c.deliveries.find(id); it != c.deliveries.end()) out.push_back(it->second.sent);
    }
    return out;
}

std::optional<delivery> take_one(core& c, std::uint64_t id) {
    auto const at = std::ranges::find(c.queue, id, [](auto const& entry) { return entry.second; });
    if (at == c.queue.end()) return std::nullopt;
    c.queue.erase(at);
    return c.deliveries.at(id).sent;
}

void answered(core& c, std::uint64_t id, int status) {
    auto const it = c.deliveries.find(id);
    if (it == c.deliveries.end()) return;
    auto& record = it->second;
    record.answers.push_back(status);
    record.finished = c.now();
    bool const good = status == 102 || status == 200 || status == 201 || status == 202 || status == 204;
    bool const again = status == 500 || status == 502 || status == 503 || status == 504;
    if (good) {
        record.outcome = "delivered";
    } else if (again && record.sent.attempt < c.knob.push_attempts_max) {
        // The real schedule is not published: one second, doubling.
        record.sent.due = c.now() + std::chrono::seconds(1LL << std::min(record.sent.attempt - 1, 10));
        ++record.sent.attempt;
        record.outcome = "retrying";
        c.queue.emplace(record.sent.due, id);
    } else {
        record.outcome = "failed";
    }
}

}  // namespace calbridge::emulator
