#include "jwt.h"
#include "jwt_make.h"

#include <gtest/gtest.h>

namespace calbridge::gateway {
namespace {

secret const key("0123456789abcdef0123456789abcdef");
constexpr std::int64_t now = 1795600000;

json::object good() {
    return {{"tenant", "t1"}, {"user", "u1"}, {"role", "admin"}, {"iat", now}, {"exp", now + 300}, {"jti", "link-0001"}};
}
json::object but(json::object claims, std::string_view name, json::value value) {
    claims[name] = std::move(value);
    return claims;
}
bool opens(json::object const& claims) { return read_launch(key, make_jwt(key, claims), now).has_value(); }

TEST(LaunchLink, SaysWhoAndWorksOnceByItsId) {
    auto const got = read_launch(key, make_jwt(key, good()), now);

    ASSERT_TRUE(got) << got.error().context;
    EXPECT_EQ(got->who.tenant.str(), "t1");
    EXPECT_EQ(got->who.user.str(), "u1");
    EXPECT_EQ(got->who.role, "admin");
    EXPECT_EQ(got->id, "link-0001");
    EXPECT_EQ(read_launch(key, make_jwt(key, but(good(), "role", nullptr)), now)->who.role, "user");
}

TEST(LaunchLink, LivesFiveMinutesAtMost) {
    EXPECT_TRUE(opens(good()));
    EXPECT_FALSE(opens(but(good(), "exp", now + 301)));
    EXPECT_FALSE(opens(but(good(), "exp", now)));
    EXPECT_FALSE(opens(but(good(), "iat", now + 120)));
    EXPECT_FALSE(opens(but(good(), "nbf", now + 120)));
    for (auto const* name : {"iat", "exp"}) {
        auto claims = good();
        claims.erase(name);
        EXPECT_FALSE(opens(claims)) << name;
    }
}

TEST(LaunchLink, NeedsUsableNamesAndAnId) {
    EXPECT_FALSE(opens(but(good(), "tenant", "")));
    EXPECT_FALSE(opens(but(good(), "tenant", "a b")));
    EXPECT_FALSE(opens(but(good(), "user", "x/y")));
    EXPECT_FALSE(opens(but(good(), "user", 7)));
    EXPECT_FALSE(opens(but(good(), "role", "root")));
    EXPECT_FALSE(opens(but(good(), "jti", "short")));
    EXPECT_FALSE(opens(but(good(), "jti", nullptr)));
}

TEST(LaunchLink, AnotherKeyAlgorithmOrAChangedByteIsRefused) {
    std::string const token = make_jwt(key, good());

    EXPECT_FALSE(read_launch(secret("another key of at least 32 bytes."), token, now));
    EXPECT_FALSE(read_launch(key, make_jwt(key, good(), R"({"alg":"none"})"), now));
    EXPECT_FALSE(read_launch(key, make_jwt(key, good(), R"({"alg":"HS512"})"), now));
    EXPECT_FALSE(read_launch(key, make_jwt(key, good(), R"({"alg":"HS256","crit":["x"]})"), now));
    for (std::size_t i = 0; i < token.size(); ++i) {
        std::string changed = token;
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        if (changed == token) continue;
        auto const got = read_launch(key, changed, now);
        // The last character of base64url may carry unused bits; the strict decoder refuses those too.
        EXPECT_FALSE(got) << i;
    }
    for (auto const* text : {"", ".", "..", "a.b", "a.b.c.d", "a.b.c"}) EXPECT_FALSE(read_launch(key, text, now)) << text;
    EXPECT_FALSE(read_launch(key, token.substr(0, token.rfind('.') + 1), now));
    EXPECT_FALSE(read_launch(key, std::string(10000, 'a'), now));
}

TEST(Tokens, OfOneUseDoNotServeAnother) {
    auto const api = but(good(), "aud", "calbridge-api");

    EXPECT_TRUE(read_bearer(key, make_jwt(key, api), now));
    EXPECT_FALSE(read_launch(key, make_jwt(key, api), now));
    EXPECT_FALSE(read_bearer(key, make_jwt(key, good()), now));
    EXPECT_TRUE(opens(but(good(), "aud", "calbridge-launch")));
    EXPECT_FALSE(read_bearer(key, make_jwt(key, but(good(), "aud", "calbridge-launch")), now));
    EXPECT_TRUE(read_bearer(key, make_jwt(key, but(api, "exp", now + 3600)), now));
    EXPECT_FALSE(read_bearer(key, make_jwt(key, but(api, "exp", now + 3601)), now));
}

}  // namespace
}  // namespace calbridge::gateway
