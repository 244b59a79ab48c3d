#include "domain/channel_token.h"

#include "common/base/encoding.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace calbridge::domain {
namespace {

crypto::key_ring ring_of(std::string const& text) {
    return crypto::key_ring::parse(secret(text)).value().for_purpose(channel_token_purpose);
}

std::string key_text(std::string const& id, char fill) { return id + ":" + base64(as_bytes(std::string(32, fill))); }

struct ChannelToken : testing::Test {
    crypto::key_ring ring = ring_of(key_text("k1", 'a'));
    channel_id channel{random_uuid()};
    connection_id connection{random_uuid()};
    calendar_id calendar{random_uuid()};
    instant created = std::chrono::sys_days{std::chrono::year{2026} / 11 / 20} + std::chrono::hours{9} + std::chrono::seconds{59};
    std::string token{make_channel_token(ring, channel, connection, calendar, created).reveal()};
};

TEST_F(ChannelToken, ContentComesBackToTheMinute) {
    auto const content = verify_channel_token(ring, channel, token);

    ASSERT_TRUE(content.has_value());
    EXPECT_EQ(content->connection, connection);
    EXPECT_EQ(content->calendar, calendar);
    EXPECT_EQ(content->created, std::chrono::floor<std::chrono::minutes>(created));
}

TEST_F(ChannelToken, OfACalendarListNamesNoCalendarAndIsNotACalendars) {
    std::string const of_list{make_channel_token(ring, channel, connection, calendar_id{}, created).reveal()};
    auto const content = verify_channel_token(ring, channel, of_list);

    ASSERT_TRUE(content.has_value());
    EXPECT_TRUE(content->calendar.is_nil());
    EXPECT_EQ(content->connection, connection);
    EXPECT_NE(of_list, token);
}

TEST_F(ChannelToken, IsShortHeaderSafeAndStatesItsKey) {
    EXPECT_LE(token.size(), channel_token_bytes_max);
    EXPECT_TRUE(token.starts_with("v1.k1."));
    EXPECT_EQ(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."), std::string::npos);
}

TEST_F(ChannelToken, BelongsToOneChannel) { EXPECT_FALSE(verify_channel_token(ring, channel_id{random_uuid()}, token).has_value()); }

TEST_F(ChannelToken, AnyChangedCharacterIsRefused) {
    for (std::size_t at = 0; at < token.size(); ++at) {
        for (char const c : std::string_view("Av1.0-_ =")) {
            if (token[at] == c) continue;
            auto changed = token;
            changed[at] = c;
            EXPECT_FALSE(verify_channel_token(ring, channel, changed).has_value()) << at << c;
        }
    }
}

TEST_F(ChannelToken, CutLongerAndEmptyAreRefused) {
    for (std::size_t size = 0; size < token.size(); ++size)
        EXPECT_FALSE(verify_channel_token(ring, channel, token.substr(0, size)).has_value());
    for (std::string const& tail : std::vector<std::string>{"A", "=", ".", " ", std::string(300, 'x')})
        EXPECT_FALSE(verify_channel_token(ring, channel, token + tail).has_value());
}

TEST_F(ChannelToken, OldKeyOpensUntilItLeavesTheRing) {
    auto const rotated = ring_of(key_text("k2", 'b') + "," + key_text("k1", 'a'));
    auto const without = ring_of(key_text("k2", 'b'));
    auto const impostor = ring_of(key_text("k1", 'c'));

    EXPECT_TRUE(verify_channel_token(rotated, channel, token).has_value());
    EXPECT_FALSE(verify_channel_token(without, channel, token).has_value());
    EXPECT_FALSE(verify_channel_token(impostor, channel, token).has_value());
    EXPECT_TRUE(make_channel_token(rotated, channel, connection, calendar, created).reveal().starts_with("v1.k2."));
}

TEST_F(ChannelToken, RawRingAndPurposeRingDoNotMix) {
    auto const raw = crypto::key_ring::parse(secret(key_text("k1", 'a'))).value();

    EXPECT_FALSE(verify_channel_token(raw, channel, token).has_value());
}

}  // namespace
}  // namespace calbridge::domain
