#include "clients/google/calls.h"

#include <fmt/format.h>

namespace calbridge::google {

namespace {

std::int64_t unix_now(clock const& now) { return std::chrono::duration_cast<std::chrono::seconds>(now.now().time_since_epoch()).count(); }

bool says_error(json::value const& document) { return document.is_object() && document.get_object().contains("error"); }

call_error failed_status(http::response const& got, call const& what, clock const& now) {
    call_error out = classify(got.status, got.body, http::find(got.fields, "retry-after"), unix_now(now));
    out.outcome_unknown = out.outcome_unknown && what.writes;
    out.context = fmt::format("{}: {}", what.what, out.context);
    return out;
}

}  // namespace

http::client_request api_request(std::string method, std::string url, secret const& token) {
    http::client_request out{.method = std::move(method), .url = std::move(url)};
    out.fields.emplace_back("Authorization", fmt::format("Bearer {}", token.reveal()));
    // Google compresses only when the agent says gzip too.
    out.fields.emplace_back("Accept-Encoding", "gzip");
    out.fields.emplace_back("User-Agent", "calbridge/" CALBRIDGE_VERSION " (gzip)");
    out.fields.emplace_back("Accept", "application/json");
    return out;
}

void set_json_body(http::client_request& request, json::object const& body) {
    request.fields.emplace_back("Content-Type", "application/json; charset=utf-8");
    request.body = json::serialize(body);
}

call_error from_transport(error const& e, call const& what) {
    bool const sent = !e.context.starts_with("not sent:");
    return call_error{.code = e.code,
                      .reason = std::string(name(e.code)),
                      .context = fmt::format("{}: {}", what.what, e.context),
                      .outcome_unknown = sent && what.writes};
}

call_error unreadable_answer(error const& e, call const& what, int status) {
    return call_error{.code = errc::malformed,
                      .status = status,
                      .reason = "unreadableAnswer",
                      .context = fmt::format("{}: {}", what.what, e.context),
                      .outcome_unknown = what.writes};
}

namespace {

// An object with `error`: a refusal in the clothes of a success; its own code says what it is, when it has one.
std::optional<call_error> said_error(json::value const& document, http::response const& got, call const& what, clock const& now) {
    if (!says_error(document)) return {};
    call_error out = failed_status(got, what, now);
    json::object const* const inner = json::object_at(document.get_object(), "error");
    auto const code = inner ? json::integer_or(*inner, "code") : 0;
    if (code >= 400 && code <= 599) {
        http::response as_said = got;
        as_said.status = static_cast<int>(code);
        out = failed_status(as_said, what, now);
    } else {
        out.code = errc::malformed;
    }
    out.status = got.status;
    out.outcome_unknown = what.writes;
    return out;
}

task<answer<http::response>> send_for_success(http::client& over, clock const& now, call& what, deadline at) {
    what.request.answer_bytes_max = what.bytes_max;
    http::client_request request = std::move(what.request);
    auto got = co_await over.send(std::move(request), at);
    if (!got) co_return from_transport(got.error(), what);
    if (got->status < 200 || got->status > 299) co_return failed_status(*got, what, now);
    co_return std::move(*got);
}

}  // namespace

task<answer<json::value>> perform(http::client& over, clock const& now, call what, deadline at) {
    auto const got = co_await send_for_success(over, now, what, at);
    if (!got) co_return got.error();
    if (got->body.empty() && (got->status == 204 || got->status == 205)) co_return json::value(json::object{});
    json::limits const within{.bytes_max = what.bytes_max, .depth_max = 32};
    auto document = json::parse(got->body, "answer", within, true);
    if (!document) co_return unreadable_answer(document.error(), what, got->status);
    if (auto refused = said_error(*document, *got, what, now)) co_return std::move(*refused);
    co_return std::move(*document);
}

task<answer<json::taken_apart>> perform_listing(http::client& over, clock const& now, call what, deadline at) {
    auto got = co_await send_for_success(over, now, what, at);
    if (!got) co_return got.error();
    json::limits const within{.bytes_max = what.bytes_max, .depth_max = 32};
    std::string body = std::move(got->body);
    auto parts = json::take_apart(std::move(body), "items", "answer", within);
    if (!parts) co_return unreadable_answer(parts.error(), what, got->status);
    if (says_error(parts->rest)) {
        got->body = json::serialize(parts->rest);
        if (auto refused = said_error(parts->rest, *got, what, now)) co_return std::move(*refused);
    }
    co_return std::move(*parts);
}

}  // namespace calbridge::google
