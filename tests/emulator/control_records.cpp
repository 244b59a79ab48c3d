// What was recorded.
#include "tests/emulator/control.h"

#include "tests/emulator/control_words.h"
#include "tests/emulator/times.h"

#include <algorithm>

namespace calbridge::emulator {

namespace {

bj::object to_json(http::headers const& fields) {
    bj::object out;
    for (auto const& [name, value] : fields) out[lower(name)] = value;
    return out;
}

}  // namespace

reply control::requests(params const& q) const {
    bj::array out;
    auto const limit = to_integer(value_of(q, "limit")).value_or(1000);
    auto const since = since_of(q);
    // Numbers grow, so the first wanted entry is found by halving.
    auto it = std::ranges::lower_bound(c_.requests, since + 1, {}, &log_entry::number);
    for (; it != c_.requests.end() && static_cast<std::int64_t>(out.size()) < limit; ++it)
        out.emplace_back(bj::object{{"number", it->number},
                                    {"at", format_utc(it->at)},
                                    {"at_us", unix_us(it->at)},
                                    {"method", it->method},
                                    {"path", it->path},
                                    {"query", it->query},
                                    {"call", it->method_id},
                                    {"user", it->user},
                                    {"headers", to_json(it->fields)},
                                    {"body", it->body},
                                    {"status", it->status},
                                    {"ns", it->nanoseconds},
                                    {"faulted", it->faulted}});
    return ok(bj::object{{"requests", std::move(out)}, {"last", c_.requests.empty() ? 0 : c_.requests.back().number}});
}

reply control::deliveries(params const& q) const {
    bj::array out;
    for (auto it = c_.deliveries.upper_bound(since_of(q)); it != c_.deliveries.end(); ++it) {
        auto const& d = it->second;
        bj::array answers;
        for (auto s : d.answers) answers.emplace_back(s);
        out.emplace_back(bj::object{{"id", it->first},
                                    {"channel", d.sent.channel},
                                    {"address", d.sent.address},
                                    {"state", d.sent.state},
                                    {"attempt", d.sent.attempt},
                                    {"made", format_utc(d.sent.made)},
                                    {"made_us", unix_us(d.sent.made)},
                                    {"finished_us", unix_us(d.finished)},
                                    {"due", format_utc(d.sent.due)},
                                    {"finished", format_utc(d.finished)},
                                    {"outcome", d.outcome},
                                    {"answers", std::move(answers)},
                                    {"message_number", header(d.sent.fields, "X-Goog-Message-Number").value_or("")}});
    }
    return ok(bj::object{{"deliveries", std::move(out)}});
}

reply control::channels() const {
    bj::array out;
    for (auto const& [_, ch] : c_.channels)
        out.emplace_back(bj::object{{"id", ch.id},
                                    {"address", ch.address},
                                    {"resource_id", ch.resource_id},
                                    {"resource_uri", ch.resource_uri},
                                    {"calendar", ch.calendar},
                                    {"user", ch.user},
                                    {"client", ch.client},
                                    {"created", format_utc(ch.created)},
                                    {"expires", format_utc(ch.expires)},
                                    {"stopped", ch.stopped.has_value()},
                                    {"live", !ch.stopped && ch.expires > c_.now()},
                                    {"messages", ch.messages}});
    return ok(bj::object{{"channels", std::move(out)}});
}

reply control::stats() const {
    bj::object calls;
    std::uint64_t all = 0;
    for (auto const& [id, by_status] : c_.calls) {
        bj::object one;
        std::uint64_t total = 0;
        for (auto const& [status, n] : by_status) {
            one[std::to_string(status)] = n;
            total += n;
        }
        one["total"] = total;
        all += total;
        calls[id] = std::move(one);
    }
    bj::object deliveries;
    for (auto const& [_, d] : c_.deliveries) {
        auto& n = deliveries[d.outcome];
        n = n.is_uint64() ? n.get_uint64() + 1 : std::uint64_t{1};
    }
    return ok(bj::object{{"requests", all},
                         {"calls", std::move(calls)},
                         {"deliveries", std::move(deliveries)},
                         {"violations", c_.violations.size()},
                         {"users", c_.users.size()},
                         {"calendars", c_.calendars.size()}});
}

}  // namespace calbridge::emulator
