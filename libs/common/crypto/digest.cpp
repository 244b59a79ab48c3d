#include "common/crypto/crypto.h"
#include "common/crypto/openssl.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>

namespace calbridge::crypto {

namespace {

EVP_MD const* sha_256() {
    static EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    must(fetched != nullptr, "OpenSSL has no SHA-256");
    return fetched;
}

unsigned char const* raw(std::string_view text) { return reinterpret_cast<unsigned char const*>(text.data()); }

}  // namespace

mac hmac_sha256(secret const& key, std::string_view message) {
    mac out{};
    unsigned size = 0;
    std::string_view const k = key.reveal();
    must(HMAC(sha_256(), k.data(), static_cast<int>(k.size()), raw(message), message.size(), out.data(), &size) != nullptr &&
             size == out.size(),
         "HMAC-SHA256 failed");
    return out;
}

std::array<std::uint8_t, 32> sha256(std::string_view message) {
    std::array<std::uint8_t, 32> out{};
    unsigned size = 0;
    must(EVP_Digest(message.data(), message.size(), out.data(), &size, sha_256(), nullptr) == 1 && size == out.size(), "SHA-256 failed");
    return out;
}

secret derive(secret const& key, std::string_view info, std::size_t size) {
    static EVP_KDF* const hkdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
    must(hkdf != nullptr, "OpenSSL has no HKDF");
    kdf_ctx const ctx(EVP_KDF_CTX_new(hkdf));
    char digest[] = "SHA256";
    std::string_view const k = key.reveal();
    OSSL_PARAM const how[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, const_cast<char*>(k.data()), k.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, const_cast<char*>(info.data()), info.size()),
        OSSL_PARAM_construct_end(),
    };
    std::string out(size, '\0');
    must(ctx && EVP_KDF_derive(ctx.get(), reinterpret_cast<unsigned char*>(out.data()), out.size(), how) == 1, "HKDF-SHA256 failed");
    return secret(std::move(out));
}

bool constant_time_equal(std::string_view a, std::string_view b) {
    // The length is public; the content is compared without an early exit.
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace calbridge::crypto
