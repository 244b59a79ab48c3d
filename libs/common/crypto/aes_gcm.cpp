#include "common/crypto/aes_gcm.h"

#include "common/crypto/openssl.h"

#include <limits>

namespace calbridge::crypto {

namespace {

// Fetched once: looking the algorithm up costs more than sealing a token. Never freed, threads may outlive statics.
EVP_CIPHER const* aes_256_gcm() {
    static EVP_CIPHER* const fetched = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
    must(fetched != nullptr, "OpenSSL has no AES-256-GCM");
    return fetched;
}

unsigned char const* raw(std::string_view text) { return reinterpret_cast<unsigned char const*>(text.data()); }

int size_of(std::size_t size) {
    must(size <= static_cast<std::size_t>(std::numeric_limits<int>::max()), "more than 2 GiB to seal or open");
    return static_cast<int>(size);
}

void check_sizes(secret const& key, std::span<std::uint8_t const> nonce) {
    must(key.reveal().size() == gcm_key_bytes, "AES-256-GCM needs a key of 32 bytes");
    must(nonce.size() == gcm_nonce_bytes, "AES-256-GCM needs a nonce of 12 bytes");
}

}  // namespace

void gcm_seal(secret const& key, std::span<std::uint8_t const> nonce, std::string_view aad, std::string_view plaintext, bytes& out) {
    check_sizes(key, nonce);
    cipher_ctx const ctx(EVP_CIPHER_CTX_new());
    must(ctx && EVP_EncryptInit_ex2(ctx.get(), aes_256_gcm(), raw(key.reveal()), nonce.data(), nullptr) == 1, "cannot start sealing");
    int done = 0;
    if (!aad.empty()) must(EVP_EncryptUpdate(ctx.get(), nullptr, &done, raw(aad), size_of(aad.size())) == 1, "cannot bind the place");
    std::size_t const start = out.size();
    out.resize(start + plaintext.size() + gcm_tag_bytes);
    if (!plaintext.empty()) {
        must(EVP_EncryptUpdate(ctx.get(), out.data() + start, &done, raw(plaintext), size_of(plaintext.size())) == 1, "cannot seal");
    }
    std::uint8_t* const tag = out.data() + start + plaintext.size();
    must(EVP_EncryptFinal_ex(ctx.get(), tag, &done) == 1 && done == 0, "cannot finish sealing");
    must(EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_GET_TAG, gcm_tag_bytes, tag) == 1, "cannot read the tag");
}

std::optional<secret> gcm_open(secret const& key, std::span<std::uint8_t const> nonce, std::string_view aad,
                               std::span<std::uint8_t const> sealed) {
    check_sizes(key, nonce);
    if (sealed.size() < gcm_tag_bytes) return std::nullopt;
    auto const ciphertext = sealed.first(sealed.size() - gcm_tag_bytes);
    // OpenSSL would take a tag of four bytes if told so; ours is always sixteen.
    bytes tag(sealed.end() - gcm_tag_bytes, sealed.end());
    cipher_ctx const ctx(EVP_CIPHER_CTX_new());
    must(ctx && EVP_DecryptInit_ex2(ctx.get(), aes_256_gcm(), raw(key.reveal()), nonce.data(), nullptr) == 1, "cannot start opening");
    must(EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_SET_TAG, gcm_tag_bytes, tag.data()) == 1, "cannot set the tag");
    int done = 0;
    if (!aad.empty()) must(EVP_DecryptUpdate(ctx.get(), nullptr, &done, raw(aad), size_of(aad.size())) == 1, "cannot bind the place");
    // Update hands out plaintext before the tag is checked: it stays in here, and is wiped unless final agrees.
    std::string plaintext(ciphertext.size(), '\0');
    if (!ciphertext.empty()) {
        auto* const out = reinterpret_cast<unsigned char*>(plaintext.data());
        must(EVP_DecryptUpdate(ctx.get(), out, &done, ciphertext.data(), size_of(ciphertext.size())) == 1, "cannot open");
    }
    unsigned char unused[gcm_tag_bytes];
    if (EVP_DecryptFinal_ex(ctx.get(), unused, &done) != 1) {
        wipe(plaintext.data(), plaintext.size());
        return std::nullopt;
    }
    return secret(std::move(plaintext));
}

}  // namespace calbridge::crypto
