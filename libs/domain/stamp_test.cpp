#include "domain/stamp.h"

#include <gtest/gtest.h>

#include <set>

namespace calbridge::domain {
namespace {

// 32 bytes each, in base64.
std::string const key_one = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
std::string const key_two = "k2:/v79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=";

crypto::key_ring ring(std::string const& text) { return *crypto::key_ring::parse(secret(text)); }

link_id const link{uuid{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}}};
stamp_place place() { return {tenant_id("acme"), connection_id{uuid{{9}}}, "anna@example.com", "event1"}; }

TEST(Stamp, ProvesItsLinkInItsPlace) {
    auto const keys = ring(key_one);
    auto const stamp = make_stamp(keys, place(), link);
    EXPECT_TRUE(stamp.starts_with("1.k1.0102030405060708090a0b0c0d0e0f10."));
    EXPECT_LT(stamp.size(), 100u);
    EXPECT_EQ(verify_stamp(keys, place(), stamp), link);
}

TEST(Stamp, ACopyElsewhereIsForeign) {
    auto const keys = ring(key_one);
    auto const stamp = make_stamp(keys, place(), link);
    auto elsewhere = place();
    elsewhere.event_id = "event2";
    EXPECT_FALSE(verify_stamp(keys, elsewhere, stamp).has_value());
    elsewhere = place();
    elsewhere.google_calendar_id = "other@example.com";
    EXPECT_FALSE(verify_stamp(keys, elsewhere, stamp).has_value());
    elsewhere = place();
    elsewhere.tenant = tenant_id("acm");
    EXPECT_FALSE(verify_stamp(keys, elsewhere, stamp).has_value());
    elsewhere = place();
    elsewhere.connection = connection_id{uuid{{8}}};
    EXPECT_FALSE(verify_stamp(keys, elsewhere, stamp).has_value());
}

TEST(Stamp, TextCannotMoveFromOnePartToTheNext) {
    auto const keys = ring(key_one);
    auto a = place();
    a.google_calendar_id = "ab";
    a.event_id = "c";
    auto b = place();
    b.google_calendar_id = "a";
    b.event_id = "bc";
    EXPECT_NE(make_stamp(keys, a, link), make_stamp(keys, b, link));
}

TEST(Stamp, AnyChangedCharacterBreaksIt) {
    auto const keys = ring(key_one);
    auto const stamp = make_stamp(keys, place(), link);
    for (std::size_t i = 0; i < stamp.size(); ++i) {
        for (char const c : std::string("A0.z")) {
            auto forged = stamp;
            if (forged[i] == c) continue;
            forged[i] = c;
            EXPECT_FALSE(verify_stamp(keys, place(), forged).has_value()) << forged;
        }
        EXPECT_FALSE(verify_stamp(keys, place(), stamp.substr(0, i)).has_value());
    }
    EXPECT_FALSE(verify_stamp(keys, place(), stamp + "A").has_value());
    EXPECT_FALSE(verify_stamp(keys, place(), stamp + ".").has_value());
    EXPECT_FALSE(verify_stamp(keys, place(), stamp + std::string(200, 'A')).has_value());
    EXPECT_FALSE(verify_stamp(keys, place(), "").has_value());
    EXPECT_FALSE(verify_stamp(keys, place(), "1.k1.0102.AAAA").has_value());
}

TEST(Stamp, SurvivesKeyRotation) {
    auto const old_stamp = make_stamp(ring(key_one), place(), link);
    auto const both = ring(key_two + "," + key_one);
    EXPECT_EQ(verify_stamp(both, place(), old_stamp), link);
    auto const new_stamp = make_stamp(both, place(), link);
    EXPECT_TRUE(new_stamp.starts_with("1.k2."));
    EXPECT_FALSE(verify_stamp(ring(key_one), place(), new_stamp).has_value());
}

TEST(EventId, IsDeterministicAndInGooglesAlphabet) {
    auto const id = event_id_for(tenant_id("acme"), connection_id{uuid{{9}}}, link, 1);
    EXPECT_EQ(id, event_id_for(tenant_id("acme"), connection_id{uuid{{9}}}, link, 1));
    EXPECT_EQ(id.size(), 52u);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdefghijklmnopqrstuv"), std::string::npos);
    // Ids on live events hang on this: a change here would make every retried create a second event.
    EXPECT_EQ(id, "rq68kp8qnk6cu11p2en4o89j8lbme6q3o910b51agcve3nsr1sjg");
}

TEST(EventId, EachInputCounts) {
    std::set<std::string> const ids{event_id_for(tenant_id("acme"), connection_id{uuid{{9}}}, link, 1),
                                    event_id_for(tenant_id("acme"), connection_id{uuid{{9}}}, link, 2),
                                    event_id_for(tenant_id("acm"), connection_id{uuid{{9}}}, link, 1),
                                    event_id_for(tenant_id("acme"), connection_id{uuid{{8}}}, link, 1),
                                    event_id_for(tenant_id("acme"), connection_id{uuid{{9}}}, link_id{uuid{{9}}}, 1)};
    EXPECT_EQ(ids.size(), 5u);
}

TEST(MeetRequestId, RepeatsForTheSameIntentOnly) {
    EXPECT_EQ(meet_request_id(link, 1), meet_request_id(link, 1));
    EXPECT_NE(meet_request_id(link, 1), meet_request_id(link, 2));
    EXPECT_NE(meet_request_id(link, 1), meet_request_id(link_id{uuid{{9}}}, 1));
    EXPECT_EQ(meet_request_id(link, 1).size(), 32u);
}

}  // namespace
}  // namespace calbridge::domain
