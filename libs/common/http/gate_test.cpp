#include "common/http/gate.h"

#include <gtest/gtest.h>

#include <vector>

namespace calbridge::http {
namespace {

struct outcome {
    verdict said;
    int status{0};
    std::string reason;
};

outcome ask(std::string const& bytes, gate_rules const& rules = {}) {
    request_head head;
    refusal why;
    auto const said = read_head(bytes, rules, head, why);
    if (said != verdict::refused) return {said};
    return {said, why.status, std::string(why.reason)};
}

std::string get(std::string const& target) { return "GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n"; }
std::string with_lines(std::string const& lines) { return "POST /x HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n"; }

#define EXPECT_REFUSED(bytes, status_wanted, reason_wanted) \
    do {                                                    \
        auto const got = ask(bytes);                        \
        EXPECT_EQ(got.said, verdict::refused);              \
        EXPECT_EQ(got.status, status_wanted);               \
        EXPECT_EQ(got.reason, reason_wanted);               \
    } while (false)

TEST(Gate, AcceptsAnOrdinaryRequestAndShowsItsParts) {
    std::string const bytes =
        "POST /webhooks/google?a=b%2Fc HTTP/1.1\r\nHost: sync.example:8443\r\nContent-Length: 12\r\nX-Goog-Channel-ID:  abc \t\r\n"
        "Accept: */*\r\nEmpty:\r\n\r\nhello world!GET /next";
    request_head head;
    refusal why;

    ASSERT_EQ(read_head(bytes, {}, head, why), verdict::accepted);

    EXPECT_EQ(head.method, "POST");
    EXPECT_EQ(head.target, "/webhooks/google?a=b%2Fc");
    EXPECT_EQ(head.path, "/webhooks/google");
    EXPECT_EQ(head.query, "a=b%2Fc");
    EXPECT_EQ(head.host, "sync.example:8443");
    EXPECT_EQ(head.content_length, 12u);
    EXPECT_FALSE(head.chunked);
    EXPECT_TRUE(head.keeps_alive);
    EXPECT_EQ(head.field_count, 5u);
    EXPECT_EQ(head.find("x-goog-channel-id"), "abc");
    EXPECT_EQ(head.find("empty"), "");
    EXPECT_FALSE(head.find("absent").has_value());
    EXPECT_EQ(bytes.substr(head.bytes), "hello world!GET /next");
}

TEST(Gate, ReusedHeadKeepsNothingOfTheLastRequest) {
    request_head head;
    refusal why;
    ASSERT_EQ(
        read_head("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n", {}, head, why),
        verdict::accepted);
    EXPECT_FALSE(head.keeps_alive);
    EXPECT_TRUE(head.expects_continue);

    ASSERT_EQ(read_head("GET / HTTP/1.1\r\nHost: h\r\n\r\n", {}, head, why), verdict::accepted);

    EXPECT_FALSE(head.content_length.has_value());
    EXPECT_TRUE(head.keeps_alive);
    EXPECT_FALSE(head.expects_continue);
    EXPECT_EQ(head.field_count, 1u);
}

TEST(Gate, EveryProperPrefixIsIncomplete) {
    auto const whole = with_lines("Content-Length: 5\r\nX-Goog-Channel-ID: x\r\n");
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_EQ(ask(whole.substr(0, size)).said, verdict::incomplete) << size;
    }
    EXPECT_EQ(ask(whole).said, verdict::accepted);
}

TEST(Gate, RequestLineForm) {
    EXPECT_REFUSED("GET /\r\nHost: h\r\n\r\n", 400, "request_line");
    EXPECT_REFUSED("GET\r\nHost: h\r\n\r\n", 400, "request_line");
    EXPECT_REFUSED("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400, "request_line");
    EXPECT_REFUSED("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400, "version");
    EXPECT_REFUSED("GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 400, "version");
    EXPECT_REFUSED("GET / HTTP/1.0\r\nHost: h\r\n\r\n", 400, "version");
    EXPECT_REFUSED("GET / HTTP/2.0\r\nHost: h\r\n\r\n", 400, "version");
    EXPECT_REFUSED("GET / http/1.1\r\nHost: h\r\n\r\n", 400, "version");
    EXPECT_REFUSED("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "method");
    for (std::string const method : {"get", "Get", "TRACE", "CONNECT", "PROPFIND", "G ET", "", "GET\t"}) {
        EXPECT_EQ(ask(method + " / HTTP/1.1\r\nHost: h\r\n\r\n").said, verdict::refused) << method;
    }
    for (std::string const method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
        EXPECT_EQ(ask(method + " / HTTP/1.1\r\nHost: h\r\n\r\n").said, verdict::accepted) << method;
    }
}

TEST(Gate, TargetMustBeOriginForm) {
    EXPECT_REFUSED(get("http://h/"), 400, "target_form");
    EXPECT_REFUSED(get("h:443"), 400, "target_form");
    EXPECT_REFUSED(get("*"), 400, "target_form");
    EXPECT_REFUSED(get("/a#b"), 400, "target_form");
    EXPECT_REFUSED(get("/a?b#c"), 400, "target_form");
    EXPECT_REFUSED(get("/a\\b"), 400, "target_form");
    EXPECT_REFUSED(get("/\xC3\xBC"), 400, "target_form");
    EXPECT_REFUSED(get("/a\tb"), 400, "target_form");
    EXPECT_REFUSED(get("/a\x7f"), 400, "target_form");
    EXPECT_REFUSED(get(std::string("/a\0b", 4)), 400, "target_form");
    EXPECT_EQ(ask(get("/")).said, verdict::accepted);
    EXPECT_EQ(ask(get("/a/b.c/..d/e..?x=/../y&z=http://h/")).said, verdict::accepted);
    EXPECT_EQ(ask(get("/...")).said, verdict::accepted);
}

TEST(Gate, PathEscapesThatHideStructure) {
    for (std::string const path : {"/a%2Fb", "/a%2fb", "/a%5Cb", "/a%00b", "/a%0Ab", "/a%0d", "/a%7F", "/a%", "/a%2", "/a%zz"}) {
        EXPECT_REFUSED(get(path), 400, "target_escape");
    }
    EXPECT_REFUSED(get("/a?b=%00"), 400, "target_escape");
    EXPECT_REFUSED(get("/a?b=%"), 400, "target_escape");
    EXPECT_REFUSED(get("/a?b=%4"), 400, "target_escape");
    EXPECT_EQ(ask(get("/a%20b%C3%BC?b=%2F%0A")).said, verdict::accepted);
}

TEST(Gate, DotSegmentsInEverySpelling) {
    for (std::string const path :
         {"/.", "/..", "/./a", "/a/./b", "/a/../b", "/a/..", "/a/.", "/%2e", "/%2E%2e/a", "/a/.%2e/b", "/a/%2e./b", "/..?x"}) {
        EXPECT_REFUSED(get(path), 400, "dot_segment");
    }
}

TEST(Gate, HostExactlyOnceAndWellFormed) {
    EXPECT_REFUSED("GET / HTTP/1.1\r\n\r\n", 400, "host");
    EXPECT_REFUSED("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "host");
    EXPECT_REFUSED("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "duplicate_header");
    EXPECT_REFUSED("GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n", 400, "duplicate_header");
    for (std::string const host : {"a b", "user@h", "a,b", "h/x", "h?x", "\"h\""}) {
        EXPECT_REFUSED("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n", 400, "host");
    }
}

TEST(Gate, HostAllowList) {
    std::vector<std::string> const hosts{"sync.example", "[::1]"};
    gate_rules const rules{.hosts = hosts};
    auto const say = [&rules](std::string const& host) { return ask("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n", rules); };

    EXPECT_EQ(say("sync.example").said, verdict::accepted);
    EXPECT_EQ(say("SYNC.example:8443").said, verdict::accepted);
    EXPECT_EQ(say("[::1]:80").said, verdict::accepted);
    for (std::string const other : {"evil", "sync.example.evil", "xsync.example", "127.0.0.1"}) {
        EXPECT_EQ(say(other).status, 421) << other;
    }
}

TEST(Gate, ContentLengthOnceAndPureDigits) {
    EXPECT_REFUSED(with_lines("Content-Length: 5\r\nContent-Length: 5\r\n"), 400, "duplicate_header");
    EXPECT_REFUSED(with_lines("Content-Length: 5\r\ncontent-length: 6\r\n"), 400, "duplicate_header");
    for (std::string const value : {"", "+5", "-5", "5,5", "5, 5", "0x5", "5a", " 5 5", "1e3", "9999999999999999999", "5;"}) {
        EXPECT_REFUSED(with_lines("Content-Length: " + value + "\r\n"), 400, "content_length");
    }
    EXPECT_EQ(ask(with_lines("Content-Length: 0\r\n")).said, verdict::accepted);
    EXPECT_EQ(ask(with_lines("Content-Length: 007\r\n")).said, verdict::accepted);
}

TEST(Gate, TransferEncodingOnlyASingleChunked) {
    for (std::string const value :
         {"gzip", "xchunked", "chunked, gzip", "gzip, chunked", "identity", "chunked,", "", "\"chunked\"", "chunked;q=1", "Chunked"}) {
        EXPECT_REFUSED(with_lines("Transfer-Encoding: " + value + "\r\n"), 400, "transfer_encoding");
    }
    EXPECT_REFUSED(with_lines("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400, "duplicate_header");
    EXPECT_REFUSED(with_lines("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400, "two_lengths");
    EXPECT_REFUSED(with_lines("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400, "two_lengths");
    EXPECT_REFUSED(with_lines("Transfer-Encoding : chunked\r\n"), 400, "header_name");
    EXPECT_REFUSED(with_lines("Transfer-Encoding: \x0b"
                              "chunked\r\n"),
                   400, "header_value");
    EXPECT_EQ(ask(with_lines("Transfer-Encoding: chunked\r\n")).said, verdict::accepted);

    gate_rules const webhook{.chunked_allowed = false};
    EXPECT_EQ(ask(with_lines("Transfer-Encoding: chunked\r\n"), webhook).reason, "transfer_encoding");
}

TEST(Gate, FoldingBareLineEndsAndControlBytes) {
    EXPECT_REFUSED(with_lines("A: b\r\n c\r\n"), 400, "folded_header");
    EXPECT_REFUSED(with_lines("A: b\r\n\tc\r\n"), 400, "folded_header");
    EXPECT_REFUSED("GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400, "folded_header");
    EXPECT_REFUSED("GET / HTTP/1.1\nHost: h\n\n", 400, "line_end");
    EXPECT_REFUSED("GET / HTTP/1.1\r\nHost: h\n\r\n", 400, "line_end");
    EXPECT_REFUSED("GET / HTTP/1.1\r\nHost: h\r\n\n", 400, "line_end");
    EXPECT_REFUSED("\n", 400, "line_end");
    EXPECT_REFUSED(with_lines("A: b\rc\r\n"), 400, "header_value");
    for (int c = 0; c < 256; ++c) {
        if (c == '\n') continue;
        auto const line = std::string("A: x") + static_cast<char>(c) + "y\r\n";
        bool const fine = c == '\t' || (c >= 0x20 && c <= 0x7e);
        EXPECT_EQ(ask(with_lines(line)).said, fine ? verdict::accepted : verdict::refused) << c;
    }
}

TEST(Gate, HeaderNamesAreTokens) {
    for (std::string const line : {"A : b", ": b", "no colon", "A\tB: c", "A(B): c", "A\"B: c", "A/B: c", "\xC3\xBC: c", "A[: c"}) {
        EXPECT_REFUSED(with_lines(line + "\r\n"), 400, "header_name");
    }
    EXPECT_EQ(ask(with_lines("x_y-Z.0!#$%&'*+^`|~: c\r\n")).said, verdict::accepted);
}

TEST(Gate, SecurityHeadersMayNotRepeat) {
    for (std::string const name :
         {"X-Goog-Channel-ID", "x-goog-channel-token", "X-Goog-Anything-New", "Authorization", "Cookie", "Content-Type", "Origin",
          "X-Request-Id", "traceparent", "Idempotency-Key", "If-Match", "Sec-Fetch-Site", "X-CSRF-Token"}) {
        EXPECT_REFUSED(with_lines(name + ": a\r\n" + name + ": a\r\n"), 400, "duplicate_header");
    }
    EXPECT_EQ(ask(with_lines("Accept: a\r\nAccept: b\r\nX-Forwarded-For: a\r\nX-Forwarded-For: b\r\n")).said, verdict::accepted);
    EXPECT_EQ(ask(with_lines("X-Goog-Channel-ID: a\r\nX-Goog-Channel-Token: a\r\n")).said, verdict::accepted);
}

TEST(Gate, ExpectAndUpgrade) {
    EXPECT_REFUSED(with_lines("Expect: 200-ok\r\n"), 417, "expect");
    EXPECT_REFUSED(with_lines("Expect:\r\n"), 417, "expect");
    EXPECT_REFUSED(with_lines("Expect: 100-continue\r\nExpect: 100-continue\r\n"), 400, "duplicate_header");
    EXPECT_REFUSED(with_lines("Upgrade: h2c\r\n"), 400, "upgrade");
    EXPECT_REFUSED(with_lines("Upgrade: websocket\r\nConnection: upgrade\r\n"), 400, "upgrade");
    EXPECT_EQ(ask(with_lines("Upgrade-Insecure-Requests: 1\r\n")).said, verdict::accepted);
}

TEST(Gate, ConnectionCloseIsSeenInAList) {
    request_head head;
    refusal why;
    for (std::string const value : {"close", "Close", "keep-alive, close", "close ,x"}) {
        auto const bytes = with_lines("Connection: " + value + "\r\n");
        ASSERT_EQ(read_head(bytes, {}, head, why), verdict::accepted);
        EXPECT_FALSE(head.keeps_alive) << value;
    }
    auto const bytes = with_lines("Connection: keep-alive, closed\r\n");
    ASSERT_EQ(read_head(bytes, {}, head, why), verdict::accepted);
    EXPECT_TRUE(head.keeps_alive);
}

TEST(Gate, CapsOnLineHeadAndFields) {
    EXPECT_REFUSED(get("/" + std::string(2048, 'a')), 414, "request_line_too_long");
    EXPECT_REFUSED("GET /" + std::string(3000, 'a'), 414, "request_line_too_long");
    EXPECT_EQ(ask(get("/" + std::string(2000, 'a'))).said, verdict::accepted);
    EXPECT_REFUSED(with_lines("A: " + std::string(8200, 'b') + "\r\n"), 431, "head_too_large");
    EXPECT_REFUSED("GET / HTTP/1.1\r\nA: " + std::string(9000, 'b'), 431, "head_too_large");
    std::string many;
    for (int i = 0; i < 63; ++i) many += "A: b\r\n";
    EXPECT_EQ(ask(with_lines(many)).said, verdict::accepted);
    EXPECT_REFUSED(with_lines(many + "A: b\r\n"), 431, "too_many_headers");
}

TEST(Gate, HeadMustEndWithinItsCapAlthoughMoreBytesAreThere) {
    auto const head = with_lines("A: " + std::string(8000, 'b') + "\r\n");
    ASSERT_LT(head.size(), 8192u);
    EXPECT_EQ(ask(head + std::string(100000, 'x')).said, verdict::accepted);
    EXPECT_REFUSED(with_lines("A: " + std::string(8160, 'b') + "\r\nB: c\r\n") + std::string(100000, 'x'), 431, "head_too_large");
}

TEST(Gate, MayBeCompleteSeesAnEndAcrossReads) {
    auto const whole = get("/");
    for (std::size_t from = 0; from < whole.size(); ++from) EXPECT_TRUE(may_be_complete(whole, from));
    EXPECT_FALSE(may_be_complete(whole.substr(0, whole.size() - 1), 0));
    EXPECT_TRUE(may_be_complete("GET / HTTP/1.1\n\n", 3));
    EXPECT_TRUE(may_be_complete("A\n\r\n", 3));
}

TEST(Gate, NoSingleChangedByteLetsTwoLengthsThrough) {
    auto const whole = with_lines("Content-Length: 5\r\nX-Goog-Channel-ID: x\r\nTransfer-Encoding: chunked\r\n");
    request_head head;
    refusal why;
    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (int c = 0; c < 256; ++c) {
            auto changed = whole;
            changed[at] = static_cast<char>(c);
            if (read_head(changed, {}, head, why) != verdict::accepted) continue;
            EXPECT_FALSE(head.chunked && head.content_length) << at << " " << c;
            EXPECT_LE(head.bytes, changed.size());
        }
    }
}

}  // namespace
}  // namespace calbridge::http
