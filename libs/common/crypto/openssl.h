#pragma once
// Owning pointers for OpenSSL. Included by this folder's .cpp files only.

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>

#include <memory>
#include <stdexcept>

namespace calbridge::crypto {

template <auto Free>
struct freed_by {
    template <class T>
    void operator()(T* held) const {
        Free(held);
    }
};

using cipher_ctx = std::unique_ptr<EVP_CIPHER_CTX, freed_by<EVP_CIPHER_CTX_free>>;
using digest_ctx = std::unique_ptr<EVP_MD_CTX, freed_by<EVP_MD_CTX_free>>;
using pkey = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using pkey_ctx = std::unique_ptr<EVP_PKEY_CTX, freed_by<EVP_PKEY_CTX_free>>;
using kdf_ctx = std::unique_ptr<EVP_KDF_CTX, freed_by<EVP_KDF_CTX_free>>;
using bignum = std::unique_ptr<BIGNUM, freed_by<BN_free>>;
using params = std::unique_ptr<OSSL_PARAM, freed_by<OSSL_PARAM_free>>;
using param_builder = std::unique_ptr<OSSL_PARAM_BLD, freed_by<OSSL_PARAM_BLD_free>>;
using memory_bio = std::unique_ptr<BIO, freed_by<BIO_free_all>>;

// For calls that fail only by lack of memory or by misuse: a bug, so it throws.
inline void must(bool held, char const* what) {
    if (!held) throw std::logic_error(what);
}

}  // namespace calbridge::crypto
