// Published vectors, through our wrappers.
#include "common/crypto/aes_gcm.h"
#include "common/crypto/crypto.h"

#include <gtest/gtest.h>

namespace calbridge::crypto {
namespace {

std::string unhex(std::string_view text) {
    auto const decoded = from_hex(text);
    EXPECT_TRUE(decoded.has_value()) << text;
    return decoded ? std::string(as_text(*decoded)) : std::string();
}

std::string mac_of(std::string key, std::string_view message) { return hex(hmac_sha256(secret(std::move(key)), message)); }

TEST(HmacSha256, Rfc4231) {
    std::string counting;
    for (char c = 1; c <= 25; ++c) counting += c;

    EXPECT_EQ(mac_of(std::string(20, '\x0b'), "Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(mac_of("Jefe", "what do ya want for nothing?"), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(mac_of(std::string(20, '\xaa'), std::string(50, '\xdd')), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    EXPECT_EQ(mac_of(counting, std::string(50, '\xcd')), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    EXPECT_EQ(mac_of(std::string(20, '\x0c'), "Test With Truncation").substr(0, 32), "a3b6167473100ee06e0c796c2955552b");
    EXPECT_EQ(mac_of(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    EXPECT_EQ(mac_of(std::string(131, '\xaa'),
                     "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
                     "hashed before being used by the HMAC algorithm."),
              "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

TEST(HmacSha256, EmptyKeyAndMessage) { EXPECT_EQ(mac_of("", ""), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"); }

TEST(Sha256, Fips180Examples) {
    EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Hkdf, Rfc5869TestCase3) {
    secret const out = derive(secret(std::string(22, '\x0b')), "", 42);

    EXPECT_EQ(hex(as_bytes(out.reveal())), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(Hkdf, IsExtractThenExpandByTheDefinition) {
    secret const key(std::string(32, 'k'));
    std::string const info = "push channel token";

    mac const extracted = hmac_sha256(secret(std::string(32, '\0')), key.reveal());
    secret const prk{std::string(as_text(extracted))};
    mac const first = hmac_sha256(prk, info + '\x01');
    mac const second = hmac_sha256(prk, std::string(as_text(first)) + info + '\x02');

    EXPECT_EQ(derive(key, info, 64).reveal(), std::string(as_text(first)) + std::string(as_text(second)));
    EXPECT_NE(derive(key, "another purpose").reveal(), derive(key, info).reveal());
}

struct gcm_vector {
    char const *key, *nonce, *aad, *plaintext, *ciphertext, *tag;
};

// McGrew and Viega, The Galois/Counter Mode of Operation, test cases 13 to 16.
constexpr gcm_vector gcm_vectors[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "", "",
     "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "00000000000000000000000000000000",
     "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
     "b094dac5d93471bdec1a502270e3cc6c"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};

TEST(AesGcm, SealsAsMcGrewAndViega) {
    for (auto const& v : gcm_vectors) {
        bytes out;
        std::string const nonce = unhex(v.nonce);
        gcm_seal(secret(unhex(v.key)), as_bytes(nonce), unhex(v.aad), unhex(v.plaintext), out);
        EXPECT_EQ(hex(out), std::string(v.ciphertext) + v.tag);
    }
}

TEST(AesGcm, OpensAsMcGrewAndViegaAndNothingElse) {
    for (auto const& v : gcm_vectors) {
        secret const key(unhex(v.key));
        std::string const nonce = unhex(v.nonce);
        std::string sealed = unhex(std::string(v.ciphertext) + v.tag);

        auto const opened = gcm_open(key, as_bytes(nonce), unhex(v.aad), as_bytes(sealed));
        ASSERT_TRUE(opened.has_value());
        EXPECT_EQ(opened->reveal(), unhex(v.plaintext));

        EXPECT_FALSE(gcm_open(key, as_bytes(nonce), unhex(v.aad) + "x", as_bytes(sealed)).has_value());
        for (std::size_t tag_bytes : {0, 4, 8, 12, 13, 14, 15}) {
            auto const cut = std::string_view(sealed).substr(0, sealed.size() - 16 + tag_bytes);
            EXPECT_FALSE(gcm_open(key, as_bytes(nonce), unhex(v.aad), as_bytes(cut)).has_value()) << "a tag of " << tag_bytes << " bytes";
        }
        sealed.back() = static_cast<char>(sealed.back() ^ 1);
        EXPECT_FALSE(gcm_open(key, as_bytes(nonce), unhex(v.aad), as_bytes(sealed)).has_value());
    }
}

TEST(AesGcm, WrongKeyOrNonceSizeIsABug) {
    bytes out;
    std::array<std::uint8_t, 12> const nonce{};
    std::array<std::uint8_t, 16> const long_nonce{};

    EXPECT_THROW(gcm_seal(secret(std::string(16, 'k')), nonce, "", "x", out), std::logic_error);
    EXPECT_THROW(gcm_seal(secret(std::string(32, 'k')), long_nonce, "", "x", out), std::logic_error);
}

// RFC 7515 appendix A.2.
constexpr std::string_view jws_n =
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_"
    "YpRPEwOWvG6b32690r2jZ47soMZo9wGz"
    "jb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-"
    "DWNmoudF8NAco9_h9iaGNj8"
    "q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
constexpr std::string_view jws_input =
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
constexpr std::string_view jws_signature =
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
    "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTy"
    "WzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
    "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5A"
    "XLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

TEST(Rs256, Rfc7515AppendixA2) {
    auto signature = from_base64url(jws_signature);
    ASSERT_TRUE(signature.has_value());

    EXPECT_TRUE(verify_rs256(jws_input, *signature, jws_n, "AQAB"));
    EXPECT_FALSE(verify_rs256(std::string(jws_input) + "x", *signature, jws_n, "AQAB"));
    EXPECT_FALSE(verify_rs256(jws_input, *signature, jws_n, "Aw"));
    for (std::size_t i = 0; i < signature->size(); i += 17) {
        (*signature)[i] ^= 1;
        EXPECT_FALSE(verify_rs256(jws_input, *signature, jws_n, "AQAB")) << i;
        (*signature)[i] ^= 1;
    }
}

}  // namespace
}  // namespace calbridge::crypto
