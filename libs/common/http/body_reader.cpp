#include "common/http/body_reader.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <zlib.h>

#include <algorithm>
#include <optional>

namespace calbridge::http {
namespace {

namespace beast_http = boost::beast::http;
using boost::beast::error_code;

error translate(error_code const& ec, std::string_view what) {
    bool const too_large =
        ec == beast_http::error::body_limit || ec == beast_http::error::header_limit || ec == beast_http::error::buffer_overflow;
    return fail(too_large ? errc::too_large : errc::malformed, std::string(what) + ": " + ec.message());
}

// Feeds all of `buffer` it can (a parser that is not eager stops at the end of the head); true when the message is complete.
template <class Parser>
result<bool> feed_parser(Parser& parser, std::string& buffer, std::string_view what) {
    std::size_t used = 0;
    while (used < buffer.size() && !parser.is_done()) {
        error_code ec;
        auto const ate = parser.put(boost::asio::buffer(buffer.data() + used, buffer.size() - used), ec);
        used += ate;
        if (ec == beast_http::error::need_more) break;
        if (ec) return translate(ec, what);
        if (ate == 0 || !parser.eager()) break;
    }
    buffer.erase(0, used);
    return parser.is_done();
}

}  // namespace

// ---- chunked_reader

struct chunked_reader::impl {
    beast_http::request_parser<beast_http::string_body> parser;
    std::size_t bytes_left;
    std::optional<error> broken;
};

chunked_reader::chunked_reader(std::string_view head, std::size_t body_bytes_max) : impl_(std::make_unique<impl>()) {
    // Limits before the first byte: set later they are not enforced (Beast issue 1770).
    impl_->parser.header_limit(static_cast<std::uint32_t>(head.size() + 1024));
    impl_->parser.body_limit(body_bytes_max);
    impl_->parser.eager(true);
    impl_->bytes_left = body_bytes_max * 2 + 1024;
    std::string bytes(head);
    auto const fed = feed_parser(impl_->parser, bytes, "request head");
    if (!fed) impl_->broken = fed.error();
}
chunked_reader::~chunked_reader() = default;

result<bool> chunked_reader::feed(std::string& buffer) {
    if (impl_->broken) return *impl_->broken;
    auto const before = buffer.size();
    auto const done = feed_parser(impl_->parser, buffer, "request body");
    if (!done) return done;
    auto const ate = before - buffer.size();
    // Chunk extensions and trailers have no limit of their own in this version of the parser. What it left in the buffer counts too.
    auto const held = *done ? ate : before;
    if (held > impl_->bytes_left) return fail(errc::too_large, "request body: too much around the chunks");
    impl_->bytes_left -= ate;
    return done;
}

std::string& chunked_reader::body() { return impl_->parser.get().body(); }

// ---- answer_reader

struct answer_reader::impl {
    using parser_type = beast_http::response_parser<beast_http::string_body>;
    bool to_head;
    std::size_t body_max;
    std::size_t bytes_left;
    bool started{false};
    bool head_checked{false};
    headers fields;  // as they were at the end of the head: the parser would add trailers to its own
    std::optional<parser_type> parser;

    void next() {
        parser.emplace();
        parser->header_limit(32 * 1024);
        parser->body_limit(body_max);
        parser->eager(false);
        parser->skip(to_head);
        head_checked = false;
    }

    // The parser is lenient about framing (Transfer-Encoding it does not know, several of it): be exact here.
    result<void> check_head() {
        auto const& head = parser->get();
        int encodings = 0;
        int lengths = 0;
        fields.clear();
        for (auto const& field : head) {
            fields.emplace_back(std::string(field.name_string()), std::string(field.value()));
            if (field.name() == beast_http::field::transfer_encoding) {
                ++encodings;
                if (!equals_ignoring_case(std::string_view(field.value().data(), field.value().size()), "chunked")) ++encodings;
            }
            if (field.name() == beast_http::field::content_length) ++lengths;
        }
        if (encodings > 1 || lengths > 1 || (encodings > 0 && lengths > 0)) return fail(errc::malformed, "answer: ambiguous framing");
        int const status = static_cast<int>(head.result_int());
        bool const has_no_body = to_head || status == 204 || status == 304 || status / 100 == 1;
        if (status / 100 == 2 && !has_no_body && encodings == 0 && lengths == 0) {
            return fail(errc::malformed, "answer: neither Content-Length nor chunked");
        }
        if (status == 101) return fail(errc::malformed, "answer: switching protocols was not asked for");
        head_checked = true;
        parser->eager(true);
        return {};
    }
};

answer_reader::answer_reader(bool to_head_request, std::size_t body_bytes_max) : impl_(std::make_unique<impl>()) {
    impl_->to_head = to_head_request;
    impl_->body_max = body_bytes_max;
    impl_->bytes_left = body_bytes_max * 2 + 128 * 1024;
    impl_->next();
}
answer_reader::~answer_reader() = default;

result<bool> answer_reader::feed(std::string& buffer) {
    impl_->started = impl_->started || !buffer.empty();
    for (;;) {
        auto const before = buffer.size();
        auto const done = feed_parser(*impl_->parser, buffer, "answer");
        if (!done) return done;
        auto const ate = before - buffer.size();
        if (ate > impl_->bytes_left || (!*done && buffer.size() > 64 * 1024))
            return fail(errc::too_large, "answer: too much around its body");
        impl_->bytes_left -= ate;
        if (impl_->parser->is_header_done() && !impl_->head_checked) {
            if (auto const fine = impl_->check_head(); !fine) return fine.error();
            if (!*done && !buffer.empty()) continue;
        }
        if (*done && impl_->parser->get().result_int() / 100 == 1) {
            impl_->next();
            if (!buffer.empty()) continue;
            return false;
        }
        return done;
    }
}

result<bool> answer_reader::end() {
    if (!impl_->parser->is_header_done() || !impl_->parser->need_eof()) return false;
    error_code ec;
    impl_->parser->put_eof(ec);
    if (ec) return translate(ec, "answer");
    return true;
}

bool answer_reader::has_started() const { return impl_->started; }
bool answer_reader::keeps_alive() const { return impl_->parser->get().keep_alive() && !impl_->parser->need_eof(); }

response answer_reader::take() {
    auto message = impl_->parser->release();
    response out;
    out.status = static_cast<int>(message.result_int());
    out.fields = std::move(impl_->fields);
    out.body = std::move(message.body());
    return out;
}

// ---- gzip

result<std::string> gunzip(std::string_view packed, std::size_t bytes_max) {
    struct stream {
        z_stream z{};
        bool ready{false};
        ~stream() {
            if (ready) inflateEnd(&z);
        }
    } inflater;
    if (inflateInit2(&inflater.z, 15 + 16) != Z_OK) return fail(errc::internal, "gzip: cannot start");
    inflater.ready = true;
    inflater.z.next_in = const_cast<Bytef*>(reinterpret_cast<Bytef const*>(packed.data()));
    inflater.z.avail_in = static_cast<uInt>(packed.size());
    std::string out;
    for (;;) {
        auto const had = out.size();
        // One byte over the maximum is enough to know.
        auto const room = std::min<std::size_t>(std::max<std::size_t>(had, 16 * 1024), bytes_max + 1 - had);
        if (room == 0) return fail(errc::too_large, "gzip: body over its maximum after decompression");
        out.resize(had + room);
        inflater.z.next_out = reinterpret_cast<Bytef*>(out.data() + had);
        inflater.z.avail_out = static_cast<uInt>(room);
        int const said = inflate(&inflater.z, Z_NO_FLUSH);
        out.resize(had + room - inflater.z.avail_out);
        if (out.size() > bytes_max) return fail(errc::too_large, "gzip: body over its maximum after decompression");
        if (said == Z_STREAM_END) {
            if (inflater.z.avail_in == 0) return out;
            if (inflateReset(&inflater.z) != Z_OK) return fail(errc::internal, "gzip: cannot restart");
            continue;
        }
        if (said != Z_OK || (inflater.z.avail_in == 0 && inflater.z.avail_out > 0)) return fail(errc::malformed, "gzip: damaged or cut");
    }
}

}  // namespace calbridge::http
