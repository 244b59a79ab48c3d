#include "common/crypto/crypto.h"
#include "common/crypto/openssl.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

namespace calbridge::crypto {

namespace {

constexpr int modulus_bits_min = 2048;
constexpr int modulus_bits_max = 8192;
constexpr int exponent_bits_max = 33;

unsigned char const* raw(std::string_view text) { return reinterpret_cast<unsigned char const*>(text.data()); }

bignum number(std::string_view base64url_text) {
    auto const decoded = from_base64url(base64url_text);
    if (!decoded || decoded->empty() || decoded->size() > modulus_bits_max / 8 + 1) return {};
    return bignum(BN_bin2bn(decoded->data(), static_cast<int>(decoded->size()), nullptr));
}

// Nothing for a modulus or exponent no issuer of ours would publish: short keys forge, long ones only cost time.
pkey public_key(std::string_view n_text, std::string_view e_text) {
    bignum const n = number(n_text), e = number(e_text);
    if (!n || !e || BN_num_bits(n.get()) < modulus_bits_min || BN_num_bits(n.get()) > modulus_bits_max) return {};
    if (!BN_is_odd(n.get()) || !BN_is_odd(e.get()) || BN_is_one(e.get()) || BN_num_bits(e.get()) > exponent_bits_max) return {};
    param_builder const builder(OSSL_PARAM_BLD_new());
    must(builder && OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) == 1 &&
             OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) == 1,
         "cannot describe an RSA key");
    params const described(OSSL_PARAM_BLD_to_param(builder.get()));
    pkey_ctx const ctx(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
    EVP_PKEY* made = nullptr;
    if (!described || !ctx || EVP_PKEY_fromdata_init(ctx.get()) != 1) return {};
    if (EVP_PKEY_fromdata(ctx.get(), &made, EVP_PKEY_PUBLIC_KEY, described.get()) != 1) return {};
    return pkey(made);
}

std::string member(EVP_PKEY* key, char const* name) {
    BIGNUM* value = nullptr;
    must(EVP_PKEY_get_bn_param(key, name, &value) == 1, "cannot read an RSA key");
    bignum const owned(value);
    bytes out(static_cast<std::size_t>(BN_num_bytes(value)));
    BN_bn2bin(value, out.data());
    return base64url(out);
}

}  // namespace

bool verify_rs256(std::string_view signed_part, std::span<std::uint8_t const> signature, std::string_view n_base64url,
                  std::string_view e_base64url) {
    pkey const key = public_key(n_base64url, e_base64url);
    digest_ctx const ctx(EVP_MD_CTX_new());
    bool const holds = key && ctx && EVP_DigestVerifyInit(ctx.get(), nullptr, EVP_sha256(), nullptr, key.get()) == 1 &&
                       EVP_DigestVerify(ctx.get(), signature.data(), signature.size(), raw(signed_part), signed_part.size()) == 1;
    // A refused signature leaves entries in OpenSSL's queue that would confuse the next TLS call on this thread.
    if (!holds) ERR_clear_error();
    return holds;
}

rsa_key new_rsa_key() {
    pkey const key(EVP_RSA_gen(2048));
    memory_bio const out(BIO_new(BIO_s_secmem()));
    must(key && out && PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1,
         "cannot make an RSA key");
    char* text = nullptr;
    auto const size = BIO_get_mem_data(out.get(), &text);
    return {.pem = secret(std::string(text, static_cast<std::size_t>(size))),
            .n = member(key.get(), OSSL_PKEY_PARAM_RSA_N),
            .e = member(key.get(), OSSL_PKEY_PARAM_RSA_E)};
}

bytes sign_rs256(secret const& pem, std::string_view message) {
    memory_bio const in(BIO_new_mem_buf(pem.reveal().data(), static_cast<int>(pem.reveal().size())));
    pkey const key(in ? PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr) : nullptr);
    digest_ctx const ctx(EVP_MD_CTX_new());
    std::size_t size = 0;
    must(key && EVP_PKEY_is_a(key.get(), "RSA") == 1, "not a PEM private RSA key");
    must(ctx && EVP_DigestSignInit(ctx.get(), nullptr, EVP_sha256(), nullptr, key.get()) == 1 &&
             EVP_DigestSign(ctx.get(), nullptr, &size, raw(message), message.size()) == 1,
         "cannot sign");
    bytes signature(size);
    must(EVP_DigestSign(ctx.get(), signature.data(), &size, raw(message), message.size()) == 1, "cannot sign");
    signature.resize(size);
    return signature;
}

}  // namespace calbridge::crypto
