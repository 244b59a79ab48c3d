#include "clients/google/oauth_json.h"

#include "common/json/json.h"
#include "common/retry/backoff.h"

#include <fmt/format.h>

#include <algorithm>

namespace calbridge::google {

namespace {

constexpr std::size_t body_bytes_max = 256 * 1024;

std::vector<std::string> split_words(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        auto const end = std::min(text.find(' '), text.size());
        if (end > 0) out.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

errc code_of(std::string_view said) {
    if (said == "invalid_grant" || said == "admin_policy_enforced") return errc::grant_revoked;
    if (said == "invalid_client" || said == "deleted_client" || said == "unauthorized_client" || said == "disabled_client")
        return errc::client_rejected;
    if (said == "unsupported_grant_type" || said == "invalid_request" || said == "invalid_scope") return errc::internal;
    if (said == "invalid_token") return errc::gone;
    return errc::unavailable;
}

}  // namespace

result<grant> read_grant(std::string_view body) {
    auto const document = json::parse(body, "token answer", {.bytes_max = body_bytes_max, .depth_max = 8}, true);
    if (!document) return document.error();
    if (!document->is_object()) return fail(errc::malformed, "token answer: not an object");
    auto const& from = document->get_object();
    auto const access = json::text_or(from, "access_token");
    if (access.empty() || from.contains("error")) return fail(errc::malformed, "token answer: no access token");
    grant out;
    out.access_token = secret(std::string(access));
    if (auto const refresh = json::text_or(from, "refresh_token"); !refresh.empty()) out.refresh_token = secret(std::string(refresh));
    // A life that is missing or absurd must neither make every call refresh nor keep a token for ever.
    out.life =
        std::clamp(std::chrono::seconds{json::integer_or(from, "expires_in", 60)}, std::chrono::seconds{60}, std::chrono::seconds{86400});
    out.scopes = split_words(json::text_or(from, "scope"));
    out.id_token = secret(std::string(json::text_or(from, "id_token")));
    return out;
}

call_error classify_token_error(int status, std::string_view body, std::optional<std::string_view> retry_after, std::int64_t now_unix) {
    call_error out = classify(status, body, retry_after, now_unix);
    out.calendar_gone = out.cursor_dead = out.scope_missing = false;
    if (status >= 500 || status == 429 || status == 408) return out;
    out.code = code_of(out.reason);
    out.outcome_unknown = false;
    return out;
}

}  // namespace calbridge::google
