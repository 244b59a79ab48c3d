#include "common/http/client.h"

#include "common/async/with_deadline.h"
#include "common/http/body_reader.h"
#include "common/http/client_link.h"
#include "common/observe/metrics.h"

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>

#include <algorithm>
#include <map>

namespace calbridge::http {
namespace {

using steady = std::chrono::steady_clock;

// Connections of one origin: those in use hold a permit, those idle wait here, newest first.
struct pool {
    pool(asio::any_io_executor executor, std::size_t connections_max) : permits(std::move(executor), connections_max) {}
    semaphore permits;
    std::vector<std::unique_ptr<client_link>> idle;
};

struct permit {
    explicit permit(std::shared_ptr<pool> p) : of(std::move(p)) {}
    permit(permit const&) = delete;
    permit& operator=(permit const&) = delete;
    ~permit() { of->permits.release(); }
    std::shared_ptr<pool> of;
};

// How far an attempt came; decides whether repeating is safe.
struct progress {
    bool may_have_been_sent{false};
    bool answer_started{false};
    bool reused{false};
};

bool is_idempotent(std::string_view method) {
    return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" || method == "OPTIONS";
}

bool is_sendable(client_request const& request) {
    auto const clean = [](std::string_view text) {
        return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    };
    if (request.method.empty() || !std::ranges::all_of(request.method, [](char c) { return c >= 'A' && c <= 'Z'; })) return false;
    return std::ranges::all_of(request.fields, [clean](auto const& field) {
        static constexpr std::string_view ours[] = {"Host", "Content-Length", "Transfer-Encoding", "Connection"};
        bool const is_ours = std::ranges::any_of(ours, [&field](std::string_view name) { return equals_ignoring_case(name, field.first); });
        return !is_ours && !field.first.empty() && field.first.find(':') == std::string::npos && clean(field.first) && clean(field.second);
    });
}

std::string serialize(client_request const& request, target_url const& to, std::string const& user_agent) {
    std::string out;
    out.reserve(1024 + request.body.size());
    auto const line = [&out](std::string_view name, std::string_view value) { out.append(name).append(": ").append(value).append("\r\n"); };
    out.append(request.method).append(" ").append(to.target).append(" HTTP/1.1\r\n");
    line("Host", to.authority);
    if (!find(request.fields, "User-Agent")) line("User-Agent", user_agent);
    if (!find(request.fields, "Accept-Encoding")) line("Accept-Encoding", "gzip");
    for (auto const& [name, value] : request.fields) line(name, value);
    bool const has_length = !request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
    if (has_length) line("Content-Length", std::to_string(request.body.size()));
    out.append("\r\n").append(request.body);
    return out;
}

result<response> decoded(response answer, std::size_t bytes_max, bool has_body) {
    auto const encoding = find(answer.fields, "Content-Encoding");
    if (!encoding || equals_ignoring_case(*encoding, "identity") || !has_body || answer.body.empty()) return answer;
    if (!equals_ignoring_case(*encoding, "gzip") && !equals_ignoring_case(*encoding, "x-gzip")) {
        return fail(errc::malformed, "answer: content encoding that was not asked for");
    }
    auto body = gunzip(answer.body, bytes_max);
    if (!body) return body.error();
    answer.body = std::move(*body);
    std::erase_if(answer.fields, [](auto const& field) {
        return equals_ignoring_case(field.first, "Content-Encoding") || equals_ignoring_case(field.first, "Content-Length");
    });
    return answer;
}

class net_client final : public client {
public:
    net_client(asio::any_io_executor executor, client_options options)
        : executor_(std::move(executor)), options_(std::move(options)), tls_(make_tls_context(options_.ca_file)) {}

    task<result<response>> send(client_request request, deadline at) override {
        auto const to = parse_url(request.url);
        if (!to) co_return fail(errc::malformed, "not sent: " + to.error().context);
        if (!is_sendable(request)) co_return fail(errc::malformed, "not sent: method or header that cannot be sent");
        auto const started = steady::now();
        auto const what = request.method + " " + to->origin();
        auto const host = to->host;
        // Lives here, because the deadline may end the exchange before it can tell how far it came.
        progress done;
        auto outcome = co_await with_deadline(at, what + ": deadline", exchange(std::move(request), *to, &done));
        if (!outcome && !done.may_have_been_sent) outcome = fail(outcome.error().code, "not sent: " + outcome.error().context);
        observe(host, outcome, steady::now() - started);
        co_return outcome;
    }

private:
    // The pointer stays valid: with_deadline() returns only after this has unwound.
    task<result<response>> exchange(client_request request, target_url to, progress* done) {
        auto const origin = pool_of(to);
        co_await origin->permits.acquire();
        permit const held(origin);
        auto const bytes = serialize(request, to, options_.user_agent);
        for (int tries = 1;; ++tries) {
            *done = {};
            auto link = tries == 1 ? take_idle(*origin) : nullptr;
            done->reused = link != nullptr;
            if (!link) {
                auto opened = co_await open_link(to, *tls_);
                if (!opened) co_return opened.error();
                link = std::move(*opened);
            }
            auto outcome = co_await attempt(*link, request, bytes, done);
            if (outcome) {
                if (outcome->reusable) give_back(*origin, std::move(link));
                co_return decoded(std::move(outcome->answer), request.answer_bytes_max, request.method != "HEAD");
            }
            // A connection that went stale while idle is nobody's failure, as long as repeating cannot do anything twice.
            bool const repeatable = done->reused && !done->answer_started && (!done->may_have_been_sent || is_idempotent(request.method));
            if (!repeatable || outcome.error().code != errc::unavailable)
                co_return fail(outcome.error().code, request.method + " " + to.origin() + ": " + outcome.error().context);
        }
    }

    struct received {
        response answer;
        bool reusable{false};
    };

    static task<result<received>> attempt(client_link& link, client_request const& request, std::string const& bytes, progress* done) {
        done->may_have_been_sent = true;
        auto const wrote = co_await link.write(bytes);
        if (wrote.ec && wrote.bytes == 0) done->may_have_been_sent = false;
        answer_reader reader(request.method == "HEAD", request.answer_bytes_max);
        std::string buffer;
        // Also after a failed write: a peer that refuses early may have answered already. Reading then ends soon, because the connection is
        // broken.
        for (;;) {
            auto const ec = co_await link.read(buffer);
            done->answer_started = done->answer_started || !buffer.empty();
            auto const complete = reader.feed(buffer);
            if (!complete) co_return complete.error();
            if (*complete) {
                bool const reusable = !ec && !wrote.ec && reader.keeps_alive() && buffer.empty();
                co_return received{reader.take(), reusable};
            }
            if (!ec) continue;
            if (ec == asio::ssl::error::stream_truncated && done->answer_started)
                co_return fail(errc::malformed, "TLS stream cut within the answer");
            if (ec != asio::error::eof) co_return fail(errc::unavailable, ec.message());
            auto const ended = reader.end();
            if (!ended) co_return ended.error();
            if (*ended) co_return received{reader.take(), false};
            co_return fail(errc::unavailable, "closed before the whole answer");
        }
    }

    std::shared_ptr<pool> pool_of(target_url const& to) {
        auto& place = pools_[to.origin()];
        if (!place) place = std::make_shared<pool>(executor_, options_.connections_per_origin_max);
        return place;
    }

    std::unique_ptr<client_link> take_idle(pool& origin) const {
        auto const oldest = steady::now() - options_.idle_max;
        std::erase_if(origin.idle, [oldest](auto const& link) { return link->idle_since < oldest; });
        while (!origin.idle.empty()) {
            auto link = std::move(origin.idle.back());
            origin.idle.pop_back();
            if (link->is_usable()) return link;
        }
        return nullptr;
    }

    static void give_back(pool& origin, std::unique_ptr<client_link> link) {
        link->idle_since = steady::now();
        origin.idle.push_back(std::move(link));
    }

    static void observe(std::string const& host, result<response> const& outcome, steady::duration took) {
        auto const said = outcome ? std::to_string(outcome->status) : std::string(name(outcome.error().code));
        metrics::get_counter("calbridge_http_client_requests_total", "Requests sent, by the answer's status or the failure.",
                             {{"host", host}, {"outcome", said}})
            .add();
        metrics::get_histogram("calbridge_http_client_request_seconds", "Time from a request to the end of its answer.", {{"host", host}})
            .observe(std::chrono::duration<double>(took).count());
    }

    asio::any_io_executor executor_;
    client_options options_;
    std::unique_ptr<asio::ssl::context> tls_;
    std::map<std::string, std::shared_ptr<pool>> pools_;
};

}  // namespace

std::unique_ptr<client> make_client(asio::any_io_executor executor, client_options options) {
    return std::make_unique<net_client>(std::move(executor), std::move(options));
}

}  // namespace calbridge::http
