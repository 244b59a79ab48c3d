#include "account/grant_breaker.h"

#include "account/tokens.h"

#include <gtest/gtest.h>

namespace calbridge::account {
namespace {

using namespace std::chrono_literals;

instant const start{1795600000s};

TEST(GrantBreaker, FiveDifferentConnectionsAreMarkedTheSixthIsNot) {
    grant_breaker breaker;

    for (int i = 0; i < 5; ++i) EXPECT_TRUE(breaker.may_mark(connection_id{random_uuid()}, start + i * 1s)) << i;

    EXPECT_FALSE(breaker.may_mark(connection_id{random_uuid()}, start + 6s));
    EXPECT_FALSE(breaker.may_mark(connection_id{random_uuid()}, start + 60s));
}

TEST(GrantBreaker, OneConnectionFailingOftenIsOneConnection) {
    grant_breaker breaker;
    connection_id const one{random_uuid()};

    for (int i = 0; i < 100; ++i) EXPECT_TRUE(breaker.may_mark(one, start + i * 1s));
}

TEST(GrantBreaker, FailuresSpreadOverTimeAreOrdinaryRevocations) {
    grant_breaker breaker;

    for (int i = 0; i < 50; ++i) EXPECT_TRUE(breaker.may_mark(connection_id{random_uuid()}, start + i * 30s)) << i;
}

TEST(GrantBreaker, ClosesAgainWhenTheFailuresStop) {
    grant_breaker breaker;
    for (int i = 0; i < 1000; ++i) breaker.may_mark(connection_id{random_uuid()}, start);

    EXPECT_FALSE(breaker.may_mark(connection_id{random_uuid()}, start + 119s));
    EXPECT_TRUE(breaker.may_mark(connection_id{random_uuid()}, start + 300s));
}

crypto::key_ring ring(std::string_view text) { return crypto::key_ring::parse(secret(std::string(text))).value(); }
std::string const key_a = "a:" + base64(bytes(32, 1)), key_b = "b:" + base64(bytes(32, 2));

store::sealed_tokens stored(sealed_grant const& g) {
    return {.data_key = g.data_key, .access_token = g.access_token, .refresh_token = g.refresh_token};
}

TEST(SealedGrant, OpensInItsOwnPlaceOnly) {
    auto const keys = ring(key_a);
    connection_id const one{random_uuid()}, other{random_uuid()};
    auto const sealed = seal_grant(keys, tenant_id("t"), one, secret("access"), secret("refresh"));

    auto const opened = open_grant(keys, tenant_id("t"), one, stored(sealed));

    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->access_token.reveal(), "access");
    EXPECT_EQ(opened->refresh_token.reveal(), "refresh");
    EXPECT_FALSE(open_grant(keys, tenant_id("u"), one, stored(sealed)));
    EXPECT_FALSE(open_grant(keys, tenant_id("t"), other, stored(sealed)));
    auto swapped = stored(sealed);
    std::swap(swapped.access_token, swapped.refresh_token);
    EXPECT_FALSE(open_grant(keys, tenant_id("t"), one, swapped));
}

TEST(SealedGrant, OpensAfterTheRingRotatedAndNeverWithoutItsDataKey) {
    connection_id const one{random_uuid()};
    auto const sealed = seal_grant(ring(key_a), tenant_id("t"), one, secret("access"), secret("refresh"));

    EXPECT_TRUE(open_grant(ring(key_b + "," + key_a), tenant_id("t"), one, stored(sealed)));
    EXPECT_EQ(open_grant(ring(key_b), tenant_id("t"), one, stored(sealed)).error().code, errc::not_found);
    auto destroyed = stored(sealed);
    destroyed.data_key.reset();
    EXPECT_EQ(open_grant(ring(key_a), tenant_id("t"), one, destroyed).error().code, errc::not_found);
}

TEST(SealedGrant, UsesAFreshDataKeyEachTime) {
    connection_id const one{random_uuid()};
    auto const a = seal_grant(ring(key_a), tenant_id("t"), one, secret("access"), secret("refresh"));
    auto const b = seal_grant(ring(key_a), tenant_id("t"), one, secret("access"), secret("refresh"));

    EXPECT_NE(a.data_key, b.data_key);
    auto mixed = stored(a);
    mixed.data_key = b.data_key;
    EXPECT_FALSE(open_grant(ring(key_a), tenant_id("t"), one, mixed));
}

}  // namespace
}  // namespace calbridge::account
