#include "push.h"

#include "common/base/encoding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace calbridge::ingest {
namespace {

using namespace std::chrono_literals;

std::string request(std::string const& lines) { return "POST /webhooks/google HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n"; }

std::string const channel_text = "0195d7e0-1234-4abc-8def-0123456789ab";
std::string const good_lines = "X-Goog-Channel-ID: " + channel_text +
                               "\r\nX-Goog-Channel-Token: v1.k.a.b\r\nX-Goog-Resource-ID: res-1\r\nX-Goog-Resource-State: exists\r\n"
                               "X-Goog-Resource-URI: https://www.googleapis.com/calendar/v3/x\r\nX-Goog-Message-Number: 10\r\n";

std::optional<push> read(std::string const& bytes) {
    static http::request_head head;
    http::refusal why;
    EXPECT_EQ(http::read_head(bytes, {}, head, why), http::verdict::accepted) << why.reason;
    return read_push(head);
}

std::string replaced(std::string text, std::string const& from, std::string const& to) {
    auto const at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
}

TEST(ReadPush, TakesGooglesHeaders) {
    auto const bytes = request(good_lines);
    auto const what = read(bytes);

    ASSERT_TRUE(what.has_value());
    EXPECT_EQ(what->channel.str(), channel_text);
    EXPECT_EQ(what->token, "v1.k.a.b");
    EXPECT_EQ(what->resource_id, "res-1");
    EXPECT_EQ(what->resource_state, "exists");
    EXPECT_EQ(what->message_number, 10);
}

TEST(ReadPush, HeaderNamesInAnyCase) {
    auto lower = good_lines;
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    auto const bytes = request(lower);

    EXPECT_TRUE(read(bytes).has_value());
}

TEST(ReadPush, EveryHeaderIsNeeded) {
    for (std::string const name :
         {"X-Goog-Channel-ID", "X-Goog-Channel-Token", "X-Goog-Resource-ID", "X-Goog-Resource-State", "X-Goog-Message-Number"}) {
        auto const without = request(replaced(good_lines, name, "X-Other-Header"));
        EXPECT_FALSE(read(without).has_value()) << name;
    }
}

TEST(ReadPush, ValuesInGooglesFormOnly) {
    for (auto const& [from, to] : std::vector<std::pair<std::string, std::string>>{{channel_text, "not-a-uuid"},
                                                                                   {channel_text, channel_text + "0"},
                                                                                   {"v1.k.a.b", ""},
                                                                                   {"res-1", ""},
                                                                                   {"res-1", std::string(257, 'r')},
                                                                                   {"exists", "EXISTS"},
                                                                                   {"exists", "deleted"},
                                                                                   {"exists", ""},
                                                                                   {"Number: 10", "Number: 0"},
                                                                                   {"Number: 10", "Number: -1"},
                                                                                   {"Number: 10", "Number: 1e3"},
                                                                                   {"Number: 10", "Number: +1"},
                                                                                   {"Number: 10", "Number: 1234567890123456789"},
                                                                                   {"Number: 10", "Number:"}}) {
        auto const bytes = request(replaced(good_lines, from, to));
        EXPECT_FALSE(read(bytes).has_value()) << to;
    }
    for (std::string const state : {"sync", "exists", "not_exists", "update"}) {
        auto const bytes = request(replaced(good_lines, "exists", state));
        EXPECT_TRUE(read(bytes).has_value()) << state;
    }
}

struct Decide : testing::Test {
    Decide() {
        channel.tenant = tenant_id("t");
        channel.user = user_id("u");
        channel.resource_id = "res-1";
        channel.state = channel_state::active;
        channel.expires_at = now + 24h;
        channel.connection = token.connection;
        channel.calendar = token.calendar;
        std::ranges::fill(channel.token_hash, std::uint8_t{7});
        what.resource_id = "res-1";
        what.resource_state = "exists";
        what.message_number = 10;
    }
    outcome ask(evidence::look_up said = evidence::look_up::found) const {
        return decide(what, {.token = token, .said = said, .channel = &channel, .token_hash = hash, .delivered = delivered, .now = now});
    }
    instant now = std::chrono::sys_days{std::chrono::year{2026} / 11 / 20};
    domain::channel_token_content token{connection_id{random_uuid()}, calendar_id{random_uuid()}, now - 24h};
    known_channel channel;
    push what;
    std::string hash = std::string(32, '\7');
    std::int64_t delivered = 9;
};

TEST_F(Decide, KnownChannelIsAccepted) { EXPECT_EQ(ask(), outcome::accepted); }

TEST_F(Decide, TokenThatDidNotVerifyIsForgedWhateverElseIsKnown) {
    for (auto const said : {evidence::look_up::found, evidence::look_up::absent, evidence::look_up::away}) {
        EXPECT_EQ(decide(what, {.token = std::nullopt, .said = said, .channel = &channel, .token_hash = hash, .now = now}),
                  outcome::forged);
    }
}

TEST_F(Decide, GoodTokenOfAChannelThatIsNoMoreIsUnknown) { EXPECT_EQ(ask(evidence::look_up::absent), outcome::unknown); }

TEST_F(Decide, NumberUpToTheLastDeliveredIsAReplay) {
    delivered = 10;
    EXPECT_EQ(ask(), outcome::replayed);
    EXPECT_EQ(ask(evidence::look_up::away), outcome::replayed);
    delivered = 11;
    EXPECT_EQ(ask(), outcome::replayed);
    what.message_number = 12;
    EXPECT_EQ(ask(), outcome::accepted);
}

TEST_F(Decide, FirstSyncMessageIsLikeAnyOther) {
    what.message_number = 1;
    what.resource_state = "sync";
    delivered = 0;
    EXPECT_EQ(ask(), outcome::accepted);
    delivered = 1;
    EXPECT_EQ(ask(), outcome::replayed);
}

TEST_F(Decide, PendingChannelIsAcceptedBeforeItsResourceIsKnown) {
    channel.state = channel_state::pending;
    channel.resource_id.reset();
    channel.expires_at.reset();
    what.resource_id = "anything";
    EXPECT_EQ(ask(), outcome::accepted);
}

TEST_F(Decide, SupersededOverlapsStoppedDoesNot) {
    channel.state = channel_state::superseded;
    EXPECT_EQ(ask(), outcome::accepted);
    channel.state = channel_state::stopped;
    EXPECT_EQ(ask(), outcome::stale);
}

TEST_F(Decide, ExpiredIsStaleFromThatMomentOn) {
    channel.expires_at = now + 1us;
    EXPECT_EQ(ask(), outcome::accepted);
    channel.expires_at = now;
    EXPECT_EQ(ask(), outcome::stale);
}

TEST_F(Decide, OtherResourceIsRefusedOnceItIsKnown) {
    what.resource_id = "res-2";
    EXPECT_EQ(ask(), outcome::wrong_resource);
}

TEST_F(Decide, TokenOfAnotherLifeOfTheChannelIsStale) {
    hash = std::string(32, '\6');
    EXPECT_EQ(ask(), outcome::stale);
    hash = std::string(32, '\7');
    channel.calendar = calendar_id{random_uuid()};
    EXPECT_EQ(ask(), outcome::stale);
    channel.calendar = token.calendar;
    channel.connection = connection_id{random_uuid()};
    EXPECT_EQ(ask(), outcome::stale);
}

TEST_F(Decide, WithoutPostgresTheTokenDecidesAsLongAsItIsYoung) {
    EXPECT_EQ(ask(evidence::look_up::away), outcome::accepted_unchecked);
    token.created = now - std::chrono::days(31);
    EXPECT_EQ(ask(evidence::look_up::away), outcome::accepted_unchecked);
    token.created -= 1min;
    EXPECT_EQ(ask(evidence::look_up::away), outcome::stale);
}

TEST(Outcome, EveryOneHasItsOwnName) {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < outcome_count; ++i) names.insert(name(static_cast<outcome>(i)));
    EXPECT_EQ(names.size(), outcome_count);
}

TEST(ChannelState, OnlyTheFourWordsOfTheTable) {
    EXPECT_EQ(parse_channel_state("pending"), channel_state::pending);
    EXPECT_EQ(parse_channel_state("stopped"), channel_state::stopped);
    EXPECT_FALSE(parse_channel_state("ACTIVE").has_value());
    EXPECT_FALSE(parse_channel_state("").has_value());
}

}  // namespace
}  // namespace calbridge::ingest
