#include "session.h"

#include <gtest/gtest.h>

namespace calbridge::gateway {
namespace {

constexpr std::int64_t now = 1795600000;
std::string const key_a = "a:" + base64(bytes(32, 1)), key_b = "b:" + base64(bytes(32, 2));

crypto::key_ring ring(std::string_view text) { return crypto::key_ring::parse(secret(std::string(text))).value(); }
principal anna() { return {.tenant = tenant_id("t1"), .user = user_id("anna-of-the-crm-1"), .role = "user"}; }
// "name=value" of a Set-Cookie, as a browser sends it back.
http::headers sent_back(std::string const& set_cookie) {
    return {{"Cookie", "other=1; " + set_cookie.substr(0, set_cookie.find(';')) + "; more=2"}};
}

class Session : public ::testing::Test {
protected:
    session_keeper keeper_{ring(key_a), "https://crm.example"};
    session session_{keeper_.open(anna(), now)};
    std::string cookie_{keeper_.cookie(session_, now)};
    http::headers with_origin(std::string origin) { return {{"Origin", std::move(origin)}}; }
    std::string fault(http::headers const& request) { return keeper_.fault_of_post(session_, request, keeper_.csrf_token(session_)); }
};

TEST_F(Session, TheCookieIsClosedToScriptsAndOtherSites) {
    EXPECT_TRUE(cookie_.starts_with("__Host-calbridge="));
    EXPECT_NE(cookie_.find("; Path=/; HttpOnly; SameSite=Lax; Max-Age=28800; Secure"), std::string::npos) << cookie_;
    EXPECT_EQ(cookie_.find("anna-of-the-crm-1"), std::string::npos);

    session_keeper const plain(ring(key_a), "http://127.0.0.1:8080");
    std::string const local = plain.cookie(session_, now);
    EXPECT_TRUE(local.starts_with("calbridge="));
    EXPECT_EQ(local.find("Secure"), std::string::npos);
}

TEST_F(Session, ComesBackAsItWent) {
    auto const found = keeper_.find(sent_back(cookie_), now + 60);

    ASSERT_TRUE(found);
    EXPECT_EQ(found->who.tenant.str() + found->who.user.str() + found->who.role, "t1anna-of-the-crm-1user");
    EXPECT_EQ(found->id, session_.id);
    EXPECT_EQ(session_hash(*found), session_hash(session_));
}

TEST_F(Session, EndsAfterEightHours) {
    EXPECT_TRUE(keeper_.find(sent_back(cookie_), now + 8 * 3600 - 1));
    EXPECT_FALSE(keeper_.find(sent_back(cookie_), now + 8 * 3600));
}

TEST_F(Session, AChangedForeignOrDoubledCookieIsNone) {
    std::string value = cookie_.substr(0, cookie_.find(';'));
    std::string changed = value;
    changed[30] = changed[30] == 'A' ? 'B' : 'A';

    EXPECT_FALSE(keeper_.find({{"Cookie", changed}}, now));
    EXPECT_FALSE(keeper_.find({{"Cookie", value + "; " + value}}, now));
    EXPECT_FALSE(keeper_.find({{"Cookie", "__Host-calbridge="}}, now));
    EXPECT_FALSE(keeper_.find({}, now));
    EXPECT_FALSE(session_keeper(ring(key_b), "https://crm.example").find(sent_back(cookie_), now));
    EXPECT_TRUE(session_keeper(ring(key_b + "," + key_a), "https://crm.example").find(sent_back(cookie_), now));
}

TEST_F(Session, OurOwnFormsMayPost) {
    EXPECT_EQ(fault({{"Origin", "https://crm.example"}, {"Sec-Fetch-Site", "same-origin"}}), "");
    EXPECT_EQ(fault(with_origin("https://crm.example")), "");
    // What browsers send under Referrer-Policy: no-referrer.
    EXPECT_EQ(fault({{"Origin", "null"}, {"Sec-Fetch-Site", "same-origin"}}), "");
    EXPECT_EQ(fault({{"Sec-Fetch-Site", "same-origin"}}), "");
}

TEST_F(Session, NobodyElsesFormsMay) {
    EXPECT_NE(fault({}), "");
    EXPECT_NE(fault(with_origin("null")), "");
    EXPECT_NE(fault(with_origin("https://evil.example")), "");
    EXPECT_NE(fault(with_origin("http://crm.example")), "");
    EXPECT_NE(fault(with_origin("https://crm.example.evil.example")), "");
    for (auto const* site : {"cross-site", "same-site", "none"})
        EXPECT_NE(fault({{"Origin", "https://crm.example"}, {"Sec-Fetch-Site", site}}), "") << site;
}

TEST_F(Session, TheCsrfTokenBelongsToTheSession) {
    http::headers const ours = with_origin("https://crm.example");
    session const other = keeper_.open(anna(), now);

    EXPECT_NE(keeper_.fault_of_post(session_, ours, std::nullopt), "");
    EXPECT_NE(keeper_.fault_of_post(session_, ours, ""), "");
    EXPECT_NE(keeper_.fault_of_post(session_, ours, keeper_.csrf_token(other)), "");
    session_keeper const rotated(ring(key_b + "," + key_a), "https://crm.example");
    EXPECT_EQ(rotated.fault_of_post(session_, ours, keeper_.csrf_token(session_)), "");
}

}  // namespace
}  // namespace calbridge::gateway
