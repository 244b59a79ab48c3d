#include "tests/emulator/oauth.h"

#include "common/base/encoding.h"
#include "tests/emulator/oauth_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace calbridge::emulator {

namespace {

bool has_word(std::string_view text, std::string_view word) {
    auto const words = split(text, ' ');
    return std::ranges::find(words, word) != words.end();
}

answer html(int status, std::string body) {
    answer out;
    out.status = status;
    out.fields.emplace_back("Content-Type", "text/html; charset=utf-8");
    out.fields.emplace_back("Cache-Control", "no-store");
    out.body = std::move(body);
    return out;
}

constexpr std::string_view page_head =
    R"(<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Sign in - Google emulator</title><style>
:root{color-scheme:light dark;--bg:#f3f5f8;--card:#fff;--ink:#1c2530;--soft:#5b6775;--line:#d9dfe7;--go:#1a62d6}
@media(prefers-color-scheme:dark){:root{--bg:#11161d;--card:#1a212b;--ink:#e7ecf2;--soft:#9aa7b6;--line:#2d3744;--go:#6fa4ff}}
body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:2rem;max-width:30rem;width:calc(100% - 2rem);box-sizing:border-box}
h1{font-size:1.35rem;margin:0 0 .25rem}p{color:var(--soft);margin:.25rem 0 1rem}fieldset{border:1px solid var(--line);border-radius:10px;margin:0 0 1rem;padding:.5rem 1rem 1rem}
legend{color:var(--soft);padding:0 .4rem}label{display:block;padding:.35rem 0;overflow-wrap:anywhere}.row{display:flex;gap:.75rem;justify-content:flex-end}
button{font:inherit;padding:.55rem 1.4rem;border-radius:999px;border:1px solid var(--line);background:none;color:inherit;cursor:pointer}
button.go{background:var(--go);border-color:var(--go);color:var(--card);font-weight:600}code{overflow-wrap:anywhere}</style></head><body><main>)";

answer error_page(std::string_view code, std::string_view detail) {
    return html(400, std::string(page_head) + "<h1>Access blocked</h1><p>" + html_escape(detail) + "</p><p>Error 400: <code>" +
                         html_escape(code) + "</code></p></main></body></html>");
}

std::string redirect_to(std::string_view uri, params const& fields) {
    std::string out(uri);
    char at = uri.find('?') == std::string_view::npos ? '?' : '&';
    for (auto const& [name, value] : fields) {
        out += at + percent_encode(name) + "=" + percent_encode(value);
        at = '&';
    }
    return out;
}

}  // namespace

// What Google shows on its own page instead of redirecting; empty: the request is in order.
std::string oauth::problem_with(params const& q, oauth_client const** client) const {
    auto const it = c_.clients.find(value_of(q, "client_id"));
    if (it == c_.clients.end()) return "invalid_client";
    if (it->second.deleted) return "deleted_client";
    auto const uri = value_of(q, "redirect_uri");
    if (std::ranges::find(it->second.redirect_uris, uri) == it->second.redirect_uris.end()) return "redirect_uri_mismatch";
    if (value_of(q, "response_type") != "code" || scopes_of(value_of(q, "scope")).empty()) return "invalid_request";
    auto const prompt = value_of(q, "prompt");
    if (has_word(prompt, "none") && prompt != "none") return "invalid_request";
    auto const how = value_of(q, "code_challenge_method", "plain");
    if (how != "plain" && how != "S256") return "invalid_request";
    auto const access = value_of(q, "access_type", "online");
    if (access != "online" && access != "offline") return "invalid_request";
    static constexpr std::array known{"client_id",      "redirect_uri",           "response_type", "scope", "access_type",
                                      "prompt",         "include_granted_scopes", "login_hint",    "state", "enable_granular_consent",
                                      "code_challenge", "code_challenge_method",  "nonce",         "hd"};
    for (auto const& [name, _] : q)
        if (std::ranges::find(known, name) == known.end()) return "invalid_request";
    *client = &it->second;
    return {};
}

oauth::approval oauth::approve(std::string_view authorization_query, consent const& choice) {
    auto const q = parse_params(authorization_query);
    oauth_client const* client = nullptr;
    if (!q) return {{}, "invalid_request"};
    if (auto problem = problem_with(*q, &client); !problem.empty()) return {{}, problem};
    auto const uri = value_of(*q, "redirect_uri");
    auto const back = [&](params fields) {
        if (auto const* state = find_value(*q, "state")) fields.emplace_back("state", *state);
        return approval{redirect_to(uri, fields), {}};
    };
    if (choice.deny) return back({{"error", "access_denied"}});
    if (c_.knob.admin_block) return back({{"error", "admin_policy_enforced"}});
    auto* who = c_.find_user(choice.account);
    if (who == nullptr) return {{}, "no such account"};

    auto const asked = scopes_of(value_of(*q, "scope"));
    scope_set granted;
    for (auto const& s : asked) {
        bool const ticked = !choice.granted || is_identity(s) || choice.granted->contains(s);
        bool const allowed =
            c_.knob.grant_subset.empty() || is_identity(s) || std::ranges::find(c_.knob.grant_subset, s) != c_.knob.grant_subset.end();
        if (ticked && allowed) granted.insert(s);
    }
    if (granted.empty()) return back({{"error", "access_denied"}});

    auto const project = std::pair(who->email, client->project);
    auto const prior = c_.grants.find(project);
    bool const first_time = prior == c_.grants.end();
    auto const prompt = value_of(*q, "prompt");
    bool const consents_now = has_word(prompt, "consent") || first_time || !std::ranges::includes(prior->second, granted);
    auth_code code;
    code.client = client->id;
    code.user = who->email;
    code.redirect_uri = std::string(uri);
    code.challenge = std::string(value_of(*q, "code_challenge"));
    code.challenge_method = std::string(value_of(*q, "code_challenge_method", "plain"));
    code.nonce = std::string(value_of(*q, "nonce"));
    code.wants_refresh = value_of(*q, "access_type") == "offline" && consents_now && !c_.knob.omit_refresh_token;
    code.issued = c_.now();
    code.scopes = granted;
    if (value_of(*q, "include_granted_scopes") == "true" && !first_time) code.scopes.insert(prior->second.begin(), prior->second.end());
    c_.grants[project].insert(granted.begin(), granted.end());

    auto const text = "4/0A" + c_.random_text(60, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
    auto const shown = joined(code.scopes);
    c_.codes.emplace(text, std::move(code));
    params fields;
    if (auto const* state = find_value(*q, "state")) fields.emplace_back("state", *state);
    fields.emplace_back("code", text);
    fields.emplace_back("scope", shown);
    fields.emplace_back("authuser", "0");
    if (!who->hd.empty()) fields.emplace_back("hd", who->hd);
    fields.emplace_back("prompt", prompt.empty() ? "none" : std::string(prompt));
    return {redirect_to(uri, fields), {}};
}

std::string oauth::consent_page(params const& q, oauth_client const& client, std::string_view note) const {
    std::string out(page_head);
    out += "<h1>" + html_escape(client.project) + " wants access to your Google Account</h1><p>This is the emulator's consent page. " +
           html_escape(note) + "</p><form method=\"post\" action=\"/o/oauth2/v2/auth\"><fieldset><legend>Choose an account</legend>";
    auto const hint = value_of(q, "login_hint");
    bool first = true;
    for (auto const& [email, u] : c_.users) {
        bool const chosen = hint.empty() ? first : (hint == email || hint == u.sub);
        first = false;
        out += fmt::format("<label><input type=\"radio\" name=\"account\" value=\"{0}\"{1}> {0}</label>", html_escape(email),
                           chosen ? " checked" : "");
    }
    out += "</fieldset><fieldset><legend>It asks for</legend>";
    auto const scopes = scopes_of(value_of(q, "scope"));
    for (auto const& s : scopes) {
        if (is_identity(s)) out += "<label>Your identity: " + html_escape(s) + "</label>";
        else out += fmt::format("<label><input type=\"checkbox\" name=\"grant\" value=\"{0}\" checked> {0}</label>", html_escape(s));
    }
    out += "</fieldset>";
    for (auto const& [name, value] : q)
        out += fmt::format("<input type=\"hidden\" name=\"q.{}\" value=\"{}\">", html_escape(name), html_escape(value));
    out +=
        "<div class=\"row\"><button name=\"decision\" value=\"deny\">Deny</button><button class=\"go\" name=\"decision\" "
        "value=\"allow\">Allow</button></div></form></main></body></html>";
    return out;
}

answer oauth::authorize(request const& r) {
    auto const redirect = [](std::string location) {
        answer out = html(302, {});
        out.fields.emplace_back("Location", std::move(location));
        return out;
    };
    if (r.method == "GET") {
        auto const q = parse_params(r.query);
        if (!q) return error_page("invalid_request", "The request is malformed.");
        oauth_client const* client = nullptr;
        if (auto const problem = problem_with(*q, &client); !problem.empty()) {
            c_.violate(r.method, r.path, "authorization request: " + problem);
            return error_page(problem, "The application's sign-in request does not comply with the rules.");
        }
        if (value_of(*q, "prompt") == "none") {
            // No page may be shown: only what was already granted can be given again.
            auto const hint = value_of(*q, "login_hint");
            auto const* who = hint.empty() ? nullptr : c_.find_user(hint);
            auto const prior = who != nullptr ? c_.grants.find(std::pair(who->email, client->project)) : c_.grants.end();
            bool const covered = prior != c_.grants.end() && std::ranges::includes(prior->second, scopes_of(value_of(*q, "scope")));
            if (covered) return redirect(approve(r.query, {.account = who->email}).location);
            params fields{{"error", who == nullptr ? "login_required" : "interaction_required"}};
            if (auto const* state = find_value(*q, "state")) fields.emplace_back("state", *state);
            return redirect(redirect_to(value_of(*q, "redirect_uri"), fields));
        }
        return html(200, consent_page(*q, *client, "Untick what the application should not get."));
    }
    auto const form = parse_params(r.body);
    if (!form) return error_page("invalid_request", "The form is malformed.");
    params original;
    consent choice{
        .account = std::string(value_of(*form, "account")), .granted = scope_set{}, .deny = value_of(*form, "decision") != "allow"};
    for (auto const& [name, value] : *form) {
        if (name.starts_with("q.")) original.emplace_back(name.substr(2), value);
        else if (name == "grant") choice.granted->insert(value);
    }
    std::string query;
    for (auto const& [name, value] : original) query += (query.empty() ? "" : "&") + percent_encode(name) + "=" + percent_encode(value);
    auto const done = approve(query, choice);
    if (!done.refused.empty()) return error_page(done.refused, "Nothing was granted.");
    return redirect(done.location);
}

}  // namespace calbridge::emulator
