#include "common/http/server_connection.h"

#include "common/async/with_deadline.h"
#include "common/base/ids.h"
#include "common/http/body_reader.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>

#include <array>
#include <ctime>

namespace calbridge::http {
namespace {

using tcp = asio::ip::tcp;
using steady = std::chrono::steady_clock;

constexpr std::size_t read_size = 4096;

std::string const& date_now() {
    static std::time_t made_for = 0;
    static std::string text;
    if (auto const now = std::time(nullptr); now != made_for) {
        made_for = now;
        text = imf_fixdate(now);
    }
    return text;
}

response problem_for(int status, std::string_view reason) {
    switch (status) {
    case 404: return problem(404, "not_found", "Not found", "There is nothing at this address.");
    case 405: return problem(405, "method_not_allowed", "Method not allowed", "The Allow header names the methods of this address.");
    case 408: return problem(408, "too_slow", "Request timeout", "Send the whole request sooner.");
    case 413: return problem(413, "too_large", "Content too large", "Send a smaller body.");
    case 503: return problem(503, reason, "Service unavailable", "Try again in a moment.");
    case 500: return problem(500, reason, "Internal error", "Report the instance id.");
    default: return problem(status, reason, reason_phrase(status), "The request breaks a rule of HTTP this server insists on.");
    }
}

void count_refusal(std::string_view reason) {
    metrics::get_counter("calbridge_http_server_refused_total", "Requests refused before a handler saw them, by reason.",
                         {{"reason", std::string(reason)}})
        .add();
}

metrics::gauge& open_connections() {
    static auto& open = metrics::get_gauge("calbridge_http_server_connections", "Connections open now.");
    return open;
}

task<result<response>> call(handler const& handle, server_request const& request) { co_return co_await handle(request); }

class connection {
public:
    connection(server_shared& shared, tcp::socket socket) : shared_(shared), socket_(std::move(socket)), watch_(shared.watched, socket_) {
        boost::system::error_code ec;
        auto const peer = socket_.remote_endpoint(ec);
        if (!ec) peer_ = peer.address().to_string();
        open_connections().add(1);
    }
    connection(connection const&) = delete;
    connection& operator=(connection const&) = delete;
    ~connection() { open_connections().add(-1); }

    task<void> run() {
        while (co_await wait_for_request()) {
            bool const goes_on = co_await serve_one();
            if (!goes_on) co_return;
        }
    }

private:
    // False: closed, idle for too long, or draining.
    task<bool> wait_for_request() {
        if (!buffer_.empty()) co_return true;
        buffer_.shrink_to_fit();  // An idle connection holds no buffer.
        if (shared_.draining) co_return false;
        watch_.set(steady::now() + shared_.options.idle_max);
        watch_.idle = true;
        boost::system::error_code ec;
        co_await socket_.async_wait(tcp::socket::wait_read, asio::redirect_error(asio::use_awaitable, ec));
        watch_.idle = false;
        co_return !ec;
    }

    // False at the end of the stream, on a broken connection and when the time is over.
    task<bool> read_more() {
        if (watch_.timed_out()) co_return false;
        auto const had = buffer_.size();
        buffer_.resize(had + read_size);
        boost::system::error_code ec;
        auto const got =
            co_await socket_.async_read_some(asio::buffer(buffer_.data() + had, read_size), asio::redirect_error(asio::use_awaitable, ec));
        buffer_.resize(had + (ec ? 0 : got));
        co_return !ec;
    }

    task<void> write(std::string const& bytes) {
        boost::system::error_code ec;
        co_await asio::async_write(socket_, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, ec));
        broken_ = broken_ || ec.failed();
    }

    // Says why and closes; what the peer still sends is read and dropped for a moment, because closing at once would
    // reset the connection and could take the answer with it.
    task<bool> refuse(int status, std::string_view reason) {
        count_refusal(reason);
        auto answer = problem_for(status, reason);
        if (request_.request_id.empty()) request_.request_id = to_string(time_ordered_uuid());
        co_await reply(std::move(answer), true);
        co_await close_gently();
        co_return false;
    }

    task<void> close_gently() {
        if (broken_) co_return;
        boost::system::error_code ec;
        socket_.shutdown(tcp::socket::shutdown_send, ec);
        watch_.set(steady::now() + std::chrono::seconds(1));
        buffer_.clear();
        for (std::size_t dropped = 0; dropped < 256 * 1024; dropped += read_size) {
            bool const more = co_await read_more();
            if (!more) break;
            buffer_.clear();
        }
    }

    task<void> reply(response answer, bool closes) {
        reply_context const context{.request_id = request_.request_id,
                                    .always = &shared_.options.always,
                                    .date = date_now(),
                                    .to_head = request_.method == "HEAD",
                                    .closes = closes};
        auto const bytes = render(std::move(answer), context);
        watch_.set(steady::now() + shared_.options.total_time_max);
        co_await write(bytes);
    }

    // True: the connection can take another request.
    task<bool> serve_one() {
        auto const started = steady::now();
        request_ = {};
        watch_.set(started + shared_.options.header_time_max);
        refusal why;
        auto said = verdict::incomplete;
        for (std::size_t seen = 0;;) {
            if (seen == 0 || may_be_complete(buffer_, seen) || buffer_.size() >= shared_.rules.request_line_bytes_max) {
                said = read_head(buffer_, shared_.rules, head_, why);
            }
            if (said != verdict::incomplete) break;
            seen = buffer_.size();
            bool const more = co_await read_more();
            if (more) continue;
            if (watch_.timed_out()) co_return co_await refuse(408, "header_time");
            co_return false;
        }
        if (said == verdict::refused) co_return co_await refuse(why.status, why.reason);

        take_head();
        auto route = shared_.routes.find(request_.method, request_.path);
        if (!route.found && route.allowed.empty()) co_return co_await refuse(404, "unknown_path");
        if (!route.found) co_return co_await refuse_method(std::move(route.allowed));
        request_.path_params = std::move(route.params);

        auto const body = co_await read_body(route.found->body_bytes_max, started);
        if (body.status != 0) co_return co_await refuse(body.status, body.reason);
        if (broken_) co_return false;
        co_return co_await answer(*route.found, started);
    }

    task<bool> refuse_method(std::string allowed) {
        count_refusal("method_not_allowed");
        auto answer = problem_for(405, "method_not_allowed");
        answer.fields.emplace_back("Allow", std::move(allowed));
        co_await reply(std::move(answer), true);
        co_await close_gently();
        co_return false;
    }

    // Copies what the handler may see, at the end of the head: trailers come later and are never looked at.
    void take_head() {
        request_.method = head_.method;
        request_.target = head_.target;
        request_.path = head_.path;
        request_.query = head_.query;
        request_.peer = peer_;
        request_.fields.reserve(head_.field_count);
        for (auto const& field : head_.fields()) request_.fields.emplace_back(field.name, field.value);
        auto const id = head_.find("X-Request-Id");
        request_.request_id = id && is_well_formed_request_id(*id) ? std::string(*id) : to_string(time_ordered_uuid());
        if (head_.chunked) raw_head_ = buffer_.substr(0, head_.bytes);
        buffer_.erase(0, head_.bytes);
    }

    // Status 0: the body is in request_.body, or the connection is broken.
    task<refusal> read_body(std::size_t bytes_max, deadline started) {
        auto const length = head_.content_length.value_or(0);
        if (length > bytes_max) co_return refusal{413, "body_too_large"};
        if (length == 0 && !head_.chunked) co_return refusal{0, {}};
        if (head_.expects_continue && buffer_.empty()) {
            static std::string const go_on = "HTTP/1.1 100 Continue\r\n\r\n";
            co_await write(go_on);
        }
        watch_.set(started + std::min<steady::duration>(2 * shared_.options.header_time_max, shared_.options.total_time_max));
        if (head_.chunked) co_return co_await read_chunked(bytes_max);
        while (buffer_.size() < length) {
            bool const more = co_await read_more();
            if (!more) co_return stopped();
        }
        request_.body = buffer_.substr(0, length);
        buffer_.erase(0, length);
        co_return refusal{0, {}};
    }

    task<refusal> read_chunked(std::size_t bytes_max) {
        chunked_reader reader(raw_head_, bytes_max);
        for (;;) {
            auto const done = reader.feed(buffer_);
            if (!done && done.error().code == errc::too_large) co_return refusal{413, "body_too_large"};
            if (!done) co_return refusal{400, "chunks"};
            if (*done) break;
            bool const more = co_await read_more();
            if (!more) co_return stopped();
        }
        request_.body = std::move(reader.body());
        co_return refusal{0, {}};
    }

    refusal stopped() {
        if (watch_.timed_out()) return {408, "body_time"};
        broken_ = true;
        return {0, {}};
    }

    task<bool> answer(route const& to, deadline started) {
        watch_.set(deadline::max());
        ++served_;
        auto const outcome = co_await handle(to, started);
        bool const closes =
            !head_.keeps_alive || shared_.draining || outcome.status >= 400 || served_ >= shared_.options.requests_per_connection_max;
        auto const status = outcome.status;
        co_await reply(outcome, closes);
        observe(to, status, steady::now() - started);
        if (broken_) co_return false;
        if (closes) co_await close_gently();
        co_return !closes;
    }

    task<response> handle(route const& to, deadline started) {
        std::exception_ptr failure;
        try {
            auto outcome = co_await with_deadline(started + shared_.options.total_time_max, to.pattern, call(to.handle, request_));
            if (outcome) co_return std::move(*outcome);
            log::warn("http.handler_late", {{"route", to.pattern}, {"request_id", request_.request_id}});
        } catch (...) {
            failure = std::current_exception();
        }
        if (!failure) co_return problem_for(503, "handler_time");
        if (is_cancellation(failure)) {
            auto const state = co_await asio::this_coro::cancellation_state;
            if (state.cancelled() != asio::cancellation_type::none) std::rethrow_exception(failure);
        }
        std::string what = "unknown exception";
        try {
            std::rethrow_exception(failure);
        } catch (std::exception const& e) {
            what = e.what();
        } catch (...) {}
        log::error("http.handler_failed", {{"route", to.pattern}, {"request_id", request_.request_id}, {"what", what}});
        co_return problem_for(500, "internal");
    }

    void observe(route const& to, int status, steady::duration took) const {
        metrics::get_counter("calbridge_http_server_requests_total", "Requests answered by a handler.",
                             {{"method", to.method}, {"route", to.pattern}, {"status", std::to_string(status)}})
            .add();
        metrics::get_histogram("calbridge_http_server_request_seconds", "Time from the first byte of a request to its answer.",
                               {{"method", to.method}, {"route", to.pattern}})
            .observe(std::chrono::duration<double>(took).count());
        log::debug("http.request", {{"method", to.method},
                                    {"route", to.pattern},
                                    {"status", status},
                                    {"request_id", request_.request_id},
                                    {"duration", std::chrono::duration_cast<std::chrono::microseconds>(took)}});
    }

    server_shared& shared_;
    tcp::socket socket_;
    socket_watch watch_;
    std::string peer_;
    std::string buffer_;
    std::string raw_head_;
    request_head head_;
    server_request request_;
    std::size_t served_{0};
    bool broken_{false};
};

}  // namespace

task<void> serve_connection(server_shared& shared, tcp::socket socket) {
    auto const one = std::make_unique<connection>(shared, std::move(socket));
    co_await one->run();
}

}  // namespace calbridge::http
