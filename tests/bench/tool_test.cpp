#include "tests/bench/tool.h"

#include "domain/channel_token.h"
#include "wire/topics.h"

#include "common/base/encoding.h"
#include "common/crypto/crypto.h"

#include <gtest/gtest.h>

#include <sstream>

namespace calbridge::bench {
namespace {

secret const keys{"k1:" + base64(as_bytes(std::string(32, 'a')))};

std::string field_of(std::string_view request, std::string_view name) {
    auto const at = request.find(name) + name.size() + 2;
    return std::string(request.substr(at, request.find("\r\n", at) - at));
}

TEST(Mint, TheTokenIsOneTheServiceBelieves) {
    auto const one = mint_channel(keys, 7);
    auto const ring = crypto::key_ring::parse(keys).value().for_purpose(domain::channel_token_purpose);
    auto const token = field_of(one.request, "X-Goog-Channel-Token");
    auto const content = domain::verify_channel_token(ring, channel_id{parse_uuid(one.channel).value()}, token);
    ASSERT_TRUE(content);
    EXPECT_EQ(content->calendar.str(), one.calendar);
    EXPECT_EQ(content->connection.str(), one.connection);
    EXPECT_EQ(hex(crypto::sha256(token)), one.token_hash_hex);
    EXPECT_EQ(field_of(one.request, "X-Goog-Resource-ID"), one.resource);
}

TEST(Mint, TheNumberCanBeWrittenOver) {
    auto const one = mint_channel(keys, 0);
    auto const at = number_at(one.request);
    ASSERT_NE(at, std::string::npos);
    EXPECT_EQ(one.request.substr(at, number_digits), std::to_string(number_first));
    EXPECT_EQ(one.request.substr(at + number_digits, 2), "\r\n");
    EXPECT_EQ(number_at("GET / HTTP/1.1\r\n\r\n"), std::string::npos);
}

TEST(Requests, AreSplitByTheirSizes) {
    EXPECT_EQ(split_requests("3\nabc2\n\n\n"), (std::vector<std::string_view>{"abc", "\n\n"}));
    EXPECT_TRUE(split_requests("").empty());
    EXPECT_THROW(split_requests("4\nabc"), std::runtime_error);
    EXPECT_THROW(split_requests("x\nabc"), std::runtime_error);
    EXPECT_THROW(split_requests("3"), std::runtime_error);
}

TEST(Answers, AreReadWhenComplete) {
    std::string const whole = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Emulator-Time-Us: 41\r\n\r\nhi";
    answer out;
    for (std::size_t n = 0; n < whole.size(); ++n) EXPECT_FALSE(read_answer(std::string_view(whole).substr(0, n), out)) << n;
    ASSERT_TRUE(read_answer(whole, out));
    EXPECT_EQ(out.status, 200);
    EXPECT_EQ(out.bytes, whole.size());
    EXPECT_EQ(out.emulator_us, 41);
    EXPECT_FALSE(out.closes);
    ASSERT_TRUE(read_answer("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", out));
    EXPECT_EQ(out.status, 404);
    EXPECT_TRUE(out.closes);
}

TEST(Count, ARecordIsItsChannelAndNumber) {
    std::ostringstream topic;
    auto const put = [&](channel_id channel, std::int64_t number) {
        domain::calendar_changed message;
        message.connection = connection_id{random_uuid()};
        message.calendar = calendar_id{random_uuid()};
        message.channel = channel;
        message.message_number = number;
        message.resource_state = "exists";
        auto const value = wire::encode_calendar_changed(message);
        topic << value.size() << '\n' << value;
    };
    channel_id const a{random_uuid()}, b{random_uuid()};
    put(a, 1);
    put(b, 1);
    put(a, 2);
    put(a, 1);
    topic << "3\n\xff\xff\xff";
    std::istringstream in(topic.str());
    auto const n = count_records(in);
    EXPECT_EQ(n.records, 5U);
    EXPECT_EQ(n.distinct, 3U);
    EXPECT_EQ(n.unreadable, 1U);
}

TEST(Quantiles, AreTheNearestRank) {
    EXPECT_EQ(quantile({}, 0.5), 0);
    EXPECT_EQ(quantile({1, 2, 3, 4}, 0.5), 2);
    EXPECT_EQ(quantile({1, 2, 3, 4}, 0.99), 4);
    EXPECT_EQ(quantiles_json({3, 1, 2}), R"({"p50":2,"p99":3,"max":3,"n":3})");
}

}  // namespace
}  // namespace calbridge::bench
