#include "common/crypto/crypto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <openssl/err.h>

#include <set>

namespace calbridge::crypto {
namespace {

std::string encoded(char fill) { return base64(bytes(32, static_cast<std::uint8_t>(fill))); }

key_ring ring_of(std::string const& text) {
    auto ring = key_ring::parse(secret(text));
    EXPECT_TRUE(ring.has_value()) << (ring ? "" : ring.error().context);
    return ring ? *ring : key_ring();
}

key_ring ring() { return ring_of("k2:" + encoded('b') + ",k1:" + encoded('a')); }

TEST(KeyRing, TheFirstKeyIsThePrimary) {
    key_ring const r = ring();

    EXPECT_EQ(r.primary_id(), "k2");
    EXPECT_EQ(r.primary().reveal(), std::string(32, 'b'));
    ASSERT_NE(r.find("k1"), nullptr);
    EXPECT_EQ(r.find("k1")->reveal(), std::string(32, 'a'));
    EXPECT_EQ(r.find("k3"), nullptr);
    EXPECT_THAT(r.ids(), ::testing::UnorderedElementsAre("k1", "k2"));
}

TEST(KeyRing, LinesBlanksAndAFinalSeparatorAreAccepted) {
    key_ring const r = ring_of(" k2:" + encoded('b') + " \r\n\nk1:" + encoded('a') + "\n,");

    EXPECT_EQ(r.primary_id(), "k2");
    EXPECT_EQ(r.ids().size(), 2U);
}

TEST(KeyRing, BadRingsAreRefusedWithoutRepeatingAKey) {
    std::string const key = encoded('a');
    for (std::string const& text :
         {std::string(), std::string(" ,\n"), key, ":" + key, "k1" + key, "K1:" + key, "ninechars:" + key, "k-1:" + key,
          "k1:" + key + ",k1:" + encoded('b'), "k1:" + base64(bytes(31, 1)), "k1:" + base64(bytes(33, 1)), "k1:" + key + "x",
          std::string("k1:"), "k1: " + key, "k1:" + key + ",k2", "k1:!" + key}) {
        auto const parsed = key_ring::parse(secret(text));
        ASSERT_FALSE(parsed.has_value()) << text;
        EXPECT_EQ(parsed.error().code, errc::malformed);
        EXPECT_EQ(parsed.error().context.find(key), std::string::npos);
    }
}

TEST(KeyRing, HasAMaximum) {
    std::string text;
    for (int i = 0; i < 32; ++i) text += "k" + std::to_string(i) + ":" + encoded('a') + ",";

    EXPECT_TRUE(key_ring::parse(secret(text)).has_value());
    EXPECT_FALSE(key_ring::parse(secret(text + "last:" + encoded('a'))).has_value());
}

TEST(KeyRing, APurposeChangesEveryKeyAndKeepsTheIds) {
    key_ring const tokens = ring().for_purpose("tokens"), state = ring().for_purpose("state");

    EXPECT_EQ(tokens.primary_id(), "k2");
    EXPECT_THAT(tokens.ids(), ::testing::UnorderedElementsAre("k1", "k2"));
    EXPECT_NE(tokens.primary().reveal(), ring().primary().reveal());
    EXPECT_NE(tokens.primary().reveal(), state.primary().reveal());
    EXPECT_EQ(tokens.primary().reveal(), derive(ring().primary(), "tokens").reveal());
    EXPECT_FALSE(open(state, seal(tokens, "x", ""), "").has_value());
}

TEST(Seal, RoundTripOfEverySize) {
    key_ring const r = ring();
    for (std::size_t size : {0, 1, 15, 16, 17, 200, 100000}) {
        std::string const plaintext(size, '\x7f');

        auto const opened = open(r, seal(r, plaintext, "place"), "place");

        ASSERT_TRUE(opened.has_value()) << size;
        EXPECT_EQ(opened->reveal(), plaintext);
    }
}

TEST(Seal, LayoutIsTheDocumentedOne) {
    bytes const sealed = seal(ring(), "abc", "place");

    ASSERT_EQ(sealed.size(), 1U + 1 + 2 + 12 + 3 + 16);
    EXPECT_EQ(sealed[0], 1);
    EXPECT_EQ(sealed[1], 2);
    EXPECT_EQ(as_text(std::span(sealed).subspan(2, 2)), "k2");
    EXPECT_EQ(as_text(sealed).find("abc"), std::string_view::npos);
}

TEST(Seal, NoncesNeverRepeat) {
    key_ring const r = ring();
    std::set<std::string> nonces;
    for (int i = 0; i < 20000; ++i) {
        bytes const sealed = seal(r, "", "");
        nonces.insert(std::string(as_text(std::span(sealed).subspan(4, 12))));
    }

    EXPECT_EQ(nonces.size(), 20000U);
}

TEST(Open, AnyChangedByteIsNoticed) {
    key_ring const r = ring();
    bytes const sealed = seal(r, "refresh token", "connection 7");
    for (std::size_t at = 0; at < sealed.size(); ++at) {
        for (int bit = 0; bit < 8; ++bit) {
            bytes changed = sealed;
            changed[at] = static_cast<std::uint8_t>(changed[at] ^ (1 << bit));

            auto const opened = open(r, changed, "connection 7");

            ASSERT_FALSE(opened.has_value()) << at << "." << bit;
            EXPECT_TRUE(opened.error().code == errc::malformed || opened.error().code == errc::not_found);
        }
    }
}

TEST(Open, AnyCutOrExtensionIsNoticed) {
    key_ring const r = ring();
    bytes sealed = seal(r, "refresh token", "");
    for (std::size_t size = 0; size < sealed.size(); ++size) {
        EXPECT_EQ(open(r, std::span(sealed).first(size), "").error().code, errc::malformed) << size;
    }
    sealed.push_back(0);
    EXPECT_EQ(open(r, sealed, "").error().code, errc::malformed);
}

TEST(Open, AnotherPlaceIsNoticed) {
    key_ring const r = ring();
    bytes const sealed = seal(r, "token", "tenant a/connection 7");

    EXPECT_EQ(open(r, sealed, "tenant b/connection 7").error().code, errc::malformed);
    EXPECT_EQ(open(r, sealed, "").error().code, errc::malformed);
    EXPECT_EQ(open(r, sealed, "tenant a/connection 7 ").error().code, errc::malformed);
}

// Both labels name the same key bytes, so only the authenticated header tells them apart.
TEST(Open, TheKeyIdIsAuthenticated) {
    key_ring const r = ring_of("k1:" + encoded('a') + ",k2:" + encoded('a'));
    bytes sealed = seal(r, "token", "");

    ASSERT_EQ(sealed[3], '1');
    sealed[3] = '2';

    EXPECT_EQ(open(r, sealed, "").error().code, errc::malformed);
}

// Moving bytes between the key id and the place must not give the same authenticated text.
TEST(Open, HeaderAndPlaceCannotBeShifted) {
    key_ring const r = ring_of("k1:" + encoded('a') + ",k:" + encoded('a'));
    bytes sealed = seal(r, "token", "place");

    sealed[1] = 1;
    sealed.erase(sealed.begin() + 3);

    EXPECT_EQ(open(r, sealed, "1place").error().code, errc::malformed);
}

TEST(Open, RotationKeepsOldValuesReadable) {
    key_ring const before = ring_of("k1:" + encoded('a'));
    bytes const old = seal(before, "token", "");

    EXPECT_EQ(open(ring(), old, "")->reveal(), "token");
    EXPECT_EQ(open(ring_of("k2:" + encoded('b')), old, "").error().code, errc::not_found);
}

TEST(DataKey, WrapsAndUnwraps) {
    data_key const made = new_data_key(ring(), "connection 7"), other = new_data_key(ring(), "connection 7");

    EXPECT_EQ(made.key.reveal().size(), 32U);
    EXPECT_NE(made.key.reveal(), other.key.reveal());
    auto const unwrapped = unwrap(ring(), made.wrapped, "connection 7");
    ASSERT_TRUE(unwrapped.has_value());
    EXPECT_EQ(unwrapped->reveal(), made.key.reveal());
    EXPECT_EQ(unwrap(ring(), made.wrapped, "connection 8").error().code, errc::malformed);
    EXPECT_EQ(unwrap(ring(), seal(ring(), "not a key", "connection 7"), "connection 7").error().code, errc::malformed);
}

TEST(DataKey, SealsValuesBoundToTheirPlace) {
    data_key const made = new_data_key(ring(), "");
    bytes const sealed = seal_with(made.key, "token", "column a");

    EXPECT_EQ(open_with(made.key, sealed, "column a")->reveal(), "token");
    EXPECT_EQ(open_with(made.key, sealed, "column b").error().code, errc::malformed);
    EXPECT_EQ(open_with(new_data_key(ring(), "").key, sealed, "column a").error().code, errc::malformed);
    EXPECT_EQ(sealed[0], 1);
    EXPECT_EQ(sealed[1], 0);
    for (std::size_t at = 0; at < sealed.size(); ++at) {
        bytes changed = sealed;
        changed[at] ^= 0x80;
        EXPECT_EQ(open_with(made.key, changed, "column a").error().code, errc::malformed) << at;
    }
}

TEST(DataKey, TheTwoLayoutsAreNotInterchangeable) {
    key_ring const r = ring();

    EXPECT_EQ(open(r, seal_with(r.primary(), "x", ""), "").error().code, errc::malformed);
    EXPECT_EQ(open_with(r.primary(), seal(r, "x", ""), "").error().code, errc::malformed);
}

TEST(ConstantTimeEqual, ComparesContentAndLength) {
    EXPECT_TRUE(constant_time_equal("", ""));
    EXPECT_TRUE(constant_time_equal(std::string_view("a\0b", 3), std::string_view("a\0b", 3)));
    EXPECT_FALSE(constant_time_equal("abc", "abd"));
    EXPECT_FALSE(constant_time_equal("abc", "xbc"));
    EXPECT_FALSE(constant_time_equal("abc", "ab"));
    EXPECT_FALSE(constant_time_equal("", "a"));
}

TEST(Rsa, ANewKeySignsWhatItsPublicHalfVerifies) {
    rsa_key const key = new_rsa_key(), other = new_rsa_key();
    bytes const signature = sign_rs256(key.pem, "header.payload");

    EXPECT_EQ(key.e, "AQAB");
    EXPECT_TRUE(verify_rs256("header.payload", signature, key.n, key.e));
    EXPECT_FALSE(verify_rs256("header.payloae", signature, key.n, key.e));
    EXPECT_FALSE(verify_rs256("header.payload", signature, other.n, other.e));
    EXPECT_FALSE(verify_rs256("header.payload", {}, key.n, key.e));
    EXPECT_FALSE(verify_rs256("header.payload", std::span(signature).first(255), key.n, key.e));
}

TEST(Rsa, UnfitPublicKeysVerifyNothingAndLeaveNoErrorBehind) {
    rsa_key const key = new_rsa_key();
    bytes const signature = sign_rs256(key.pem, "m");
    std::string const short_n = base64url(bytes(128, 0xff)), long_n = base64url(bytes(1026, 0xff)), even_n = base64url(bytes(256, 0xfe));

    for (std::string const& n : {std::string(), std::string("!"), key.n + "=", short_n, long_n, even_n}) {
        EXPECT_FALSE(verify_rs256("m", signature, n, key.e)) << n;
    }
    for (char const* e : {"", "AQ", "AA", "Ag", "AQABAQABAQAB"}) EXPECT_FALSE(verify_rs256("m", signature, key.n, e)) << e;
    EXPECT_EQ(::ERR_peek_error(), 0U);
}

TEST(Rsa, SigningWithSomethingElseIsABug) { EXPECT_THROW(sign_rs256(secret("not a key"), "m"), std::logic_error); }

}  // namespace
}  // namespace calbridge::crypto
