#include "wire/requests.h"

#include "common/base/encoding.h"

#include <fmt/format.h>

namespace calbridge::wire {
namespace {

constexpr std::size_t text_bytes_max = 8192;
constexpr std::size_t lines_max = 2000;

error wrong(std::string what) { return fail(errc::malformed, std::move(what)); }

bool is_text_field(domain::field f) { return f == domain::field::title || f == domain::field::description || f == domain::field::location; }

result<domain::field_choice> read_value(domain::field f, json::value const& value) {
    domain::field_choice out{.from = domain::field_choice::source::value};
    auto const said = fmt::format("choices.{}.value", domain::name(f));
    if (is_text_field(f)) {
        if (!value.is_string() || value.get_string().size() > text_bytes_max)
            return wrong(said + ": a text of at most 8192 bytes is expected");
        out.text = scrub_text(std::string_view(value.get_string()));
        return out;
    }
    if (f == domain::field::time) {
        auto const* const time = value.if_object();
        if (!time || json::text_or(*time, "start").empty()) return wrong(said + ": an object with start, end and timeZone is expected");
        out.start = std::string(json::text_or(*time, "start"));
        out.end = std::string(json::text_or(*time, "end"));
        out.time_zone = std::string(json::text_or(*time, "timeZone"));
        return out;
    }
    auto const* const lines = value.if_array();
    if (f != domain::field::recurrence || !lines || lines->size() > lines_max)
        return wrong(said + ": this field takes no value of its own");
    for (auto const& line : *lines) {
        if (!line.is_string() || line.get_string().size() > text_bytes_max) return wrong(said + ": a list of texts is expected");
        out.lines.push_back(scrub_text(std::string_view(line.get_string())));
    }
    return out;
}

result<domain::field_choice> read_choice(domain::field f, json::value const& choice) {
    if (choice.is_string() && choice.get_string() == "crm") return domain::field_choice{.from = domain::field_choice::source::crm};
    if (choice.is_string() && choice.get_string() == "google") return domain::field_choice{.from = domain::field_choice::source::google};
    if (auto const* const own = choice.if_object(); own && own->contains("value")) return read_value(f, own->at("value"));
    return wrong(fmt::format("choices.{}: \"crm\", \"google\" or {{\"value\": …}} is expected", domain::name(f)));
}

result<uuid> read_id(json::object const& from, std::string_view member) {
    auto const id = parse_uuid(json::text_or(from, member));
    if (!id) return wrong(std::string(member) + ": an id is expected");
    return *id;
}

error read_task(json::object const& from, request_body& into, bool& good) {
    auto const named = json::text_or(from, "task");
    good = is_valid_text_id(named);
    if (!good) return wrong("task: a task's id is expected");
    into.task = task_id(std::string(named));
    into.occurrence = std::string(json::text_or(from, "occurrence"));
    good = into.occurrence.size() <= 64;
    return wrong("occurrence: an original start is expected");
}

}  // namespace

std::string store_choice(domain::conflict_choice const& c) {
    json::object out{{"version", c.version}};
    if (c.whole) out["choice"] = domain::name(*c.whole);
    json::object choices;
    for (auto const& [which, one] : c.fields) {
        auto& to = choices[domain::name(which)];
        switch (one.from) {
        case domain::field_choice::source::crm: to = "crm"; break;
        case domain::field_choice::source::google: to = "google"; break;
        case domain::field_choice::source::value:
            if (which == domain::field::time)
                to = json::object{{"value", json::object{{"start", one.start}, {"end", one.end}, {"timeZone", one.time_zone}}}};
            else if (which == domain::field::recurrence) to = json::object{{"value", json::array(one.lines.begin(), one.lines.end())}};
            else to = json::object{{"value", one.text}};
            break;
        }
    }
    if (!choices.empty()) out["choices"] = std::move(choices);
    return json::serialize(out);
}

result<domain::conflict_choice> load_choice(json::object const& detail) {
    domain::conflict_choice out;
    out.version = std::string(json::text_or(detail, "version"));
    if (out.version.empty()) return wrong("version: the version of the conflict as it was shown is expected");
    if (auto const whole = json::text_or(detail, "choice"); !whole.empty()) {
        out.whole = domain::whole_choice_named(whole);
        if (!out.whole) return wrong("choice: put_back, cancel_task, remove_event or keep_event is expected");
    }
    if (auto const* const choices = json::object_at(detail, "choices")) {
        for (auto const& member : *choices) {
            auto const f = domain::field_named(member.key());
            if (!f) return wrong("choices: there is no field of that name");
            auto one = read_choice(*f, member.value());
            if (!one) return one.error();
            out.fields.emplace(*f, std::move(*one));
        }
    }
    if (out.whole.has_value() != out.fields.empty()) return wrong("choices, or one choice for the whole task, is expected, and not both");
    return out;
}

result<request_body> read_request(std::string_view body) {
    auto const parsed = json::parse(body, "request", {.bytes_max = 64 << 10, .depth_max = 8}, true);
    if (!parsed) return parsed.error();
    auto const* const from = parsed->if_object();
    if (!from) return wrong("an object is expected");
    request_body out;
    auto const kind = domain::request_kind_named(json::text_or(*from, "kind"));
    if (!kind)
        return wrong(
            "kind: resolve_conflict, undo, bulk_sync, deletions, retry, retry_quarantine, drop_quarantine or full_resync is expected");
    out.kind = *kind;
    bool good = true;
    switch (*kind) {
    case domain::request_kind::resolve_conflict: {
        if (auto bad = read_task(*from, out, good); !good) return bad;
        auto choice = load_choice(*from);
        if (!choice) return choice.error();
        out.choice = std::move(*choice);
        break;
    }
    case domain::request_kind::retry:
        if (auto bad = read_task(*from, out, good); !good) return bad;
        break;
    case domain::request_kind::undo: {
        auto const id = read_id(*from, "operation");
        if (!id) return id.error();
        out.operation = operation_id{*id};
        break;
    }
    case domain::request_kind::bulk_sync: {
        auto const id = read_id(*from, "connection");
        if (!id) return id.error();
        out.connection = connection_id{*id};
        out.dry_run = json::boolean_or(*from, "dryRun");
        break;
    }
    case domain::request_kind::deletions: {
        auto const decision = json::text_or(*from, "decision");
        if (decision != "confirm" && decision != "put_back") return wrong("decision: confirm or put_back is expected");
        out.confirm = decision == "confirm";
        if (from->contains("missing")) out.missing = json::integer_or(*from, "missing", -1);
        [[fallthrough]];
    }
    case domain::request_kind::full_resync: {
        auto const id = read_id(*from, "calendar");
        if (!id) return id.error();
        out.calendar = calendar_id{*id};
        break;
    }
    case domain::request_kind::retry_quarantine:
    case domain::request_kind::drop_quarantine: {
        auto const id = read_id(*from, "item");
        if (!id) return id.error();
        out.item = quarantine_id{*id};
        break;
    }
    }
    return out;
}

}  // namespace calbridge::wire
