#include "clients/google/calls.h"
#include "clients/google/id_token.h"
#include "clients/google/oauth_json.h"

#include <fmt/format.h>

namespace calbridge::google {

namespace {

constexpr std::size_t answer_bytes_max = 256 * 1024;
constexpr std::chrono::seconds refetch_least{60};

http::client_request form_post(std::string url, http::form const& fields) {
    http::client_request out{.method = "POST", .url = std::move(url)};
    out.fields.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    out.fields.emplace_back("Accept", "application/json");
    out.body = http::encode_form(fields);
    out.answer_bytes_max = answer_bytes_max;
    return out;
}

std::int64_t unix_now(clock const& now) { return std::chrono::duration_cast<std::chrono::seconds>(now.now().time_since_epoch()).count(); }

class http_oauth_api final : public oauth_api {
public:
    http_oauth_api(http::client& over, endpoints at, clock const& now) : over_(over), at_(std::move(at)), now_(now) {}

    task<answer<grant>> exchange(oauth_client const& client, secret const& code, secret const& code_verifier, deadline at) override {
        http::form const fields{{"code", std::string(code.reveal())},
                                {"client_id", client.client_id},
                                {"client_secret", std::string(client.client_secret.reveal())},
                                {"redirect_uri", client.redirect_uri},
                                {"grant_type", "authorization_code"},
                                {"code_verifier", std::string(code_verifier.reveal())}};
        return ask_for_grant("exchange code", form_post(at_.token, fields), at);
    }

    task<answer<grant>> refresh(oauth_client const& client, secret const& refresh_token, deadline at) override {
        http::form const fields{{"client_id", client.client_id},
                                {"client_secret", std::string(client.client_secret.reveal())},
                                {"refresh_token", std::string(refresh_token.reveal())},
                                {"grant_type", "refresh_token"}};
        return ask_for_grant("refresh token", form_post(at_.token, fields), at);
    }

    task<answer<void>> revoke(secret const& token, deadline at) override {
        http::form const fields{{"token", std::string(token.reveal())}};
        call const what{.what = "revoke grant", .writes = true};
        http::client_request request = form_post(at_.revoke, fields);
        auto const got = co_await over_.send(std::move(request), at);
        if (!got) co_return from_transport(got.error(), what);
        if (got->status >= 200 && got->status <= 299) co_return answer<void>();
        call_error failed = classify_token_error(got->status, got->body, http::find(got->fields, "retry-after"), unix_now(now_));
        if (got->status == 400 && failed.reason == "invalid_token") co_return answer<void>();
        failed.context = "revoke grant: " + failed.context;
        co_return failed;
    }

    task<answer<identity>> verify_id_token(secret const& id_token, std::string client_id, std::string nonce, deadline at) override {
        auto const opened = open_id_token(id_token);
        if (!opened) co_return refused(opened.error());
        auto const key = co_await key_named(opened->kid, at);
        if (!key) co_return key.error();
        if (!signature_holds(*opened, *key)) co_return refused(fail(errc::malformed, "id token: the signature does not hold"));
        auto who = check_claims(*opened, client_id, nonce, unix_now(now_));
        if (!who) co_return refused(who.error());
        co_return std::move(*who);
    }

private:
    static call_error refused(error const& e) { return call_error{.code = errc::malformed, .reason = "badIdToken", .context = e.context}; }

    task<answer<grant>> ask_for_grant(std::string what, http::client_request request, deadline at) {
        call const about{.what = std::move(what), .writes = true};
        auto const got = co_await over_.send(std::move(request), at);
        if (!got) co_return from_transport(got.error(), about);
        if (got->status != 200) {
            call_error failed = classify_token_error(got->status, got->body, http::find(got->fields, "retry-after"), unix_now(now_));
            failed.context = fmt::format("{}: {}", about.what, failed.context);
            co_return failed;
        }
        auto read = read_grant(got->body);
        if (!read) co_return unreadable_answer(read.error(), about, got->status);
        co_return std::move(*read);
    }

    task<answer<rsa_public_key>> key_named(std::string kid, deadline at) {
        bool const fresh = keys_until_ && now_.now() < *keys_until_;
        if (auto const found = keys_.find(kid); fresh && found != keys_.end()) co_return found->second;
        // A stranger can make up key ids; each must not cost Google a request.
        bool const may_ask = !fetched_at_ || now_.now() - *fetched_at_ >= refetch_least || !fresh;
        if (may_ask) {
            auto const fetched = co_await fetch_keys(at);
            if (!fetched) co_return fetched.error();
        }
        auto const found = keys_.find(kid);
        if (found == keys_.end()) co_return refused(fail(errc::malformed, "id token: signed with a key Google does not publish"));
        co_return found->second;
    }

    task<answer<void>> fetch_keys(deadline at) {
        call const what{.what = "fetch signing keys"};
        http::client_request request{
            .method = "GET", .url = at_.jwks, .fields = {{"Accept", "application/json"}}, .answer_bytes_max = answer_bytes_max};
        auto const got = co_await over_.send(std::move(request), at);
        if (!got) co_return from_transport(got.error(), what);
        if (got->status != 200) {
            call_error failed = classify(got->status, got->body, http::find(got->fields, "retry-after"), unix_now(now_));
            failed.code = errc::unavailable;
            failed.context = fmt::format("{}: {}", what.what, failed.context);
            co_return failed;
        }
        auto keys = read_jwks(got->body);
        if (!keys) {
            call_error failed = unreadable_answer(keys.error(), what, got->status);
            failed.code = errc::unavailable;
            co_return failed;
        }
        keys_ = std::move(*keys);
        fetched_at_ = now_.now();
        keys_until_ = *fetched_at_ + cache_life(http::find(got->fields, "cache-control"));
        co_return answer<void>();
    }

    http::client& over_;
    endpoints at_;
    clock const& now_;
    key_set keys_;
    std::optional<instant> fetched_at_, keys_until_;
};

}  // namespace

std::unique_ptr<oauth_api> make_oauth_api(http::client& over, endpoints at, clock const& now) {
    return std::make_unique<http_oauth_api>(over, std::move(at), now);
}

}  // namespace calbridge::google
