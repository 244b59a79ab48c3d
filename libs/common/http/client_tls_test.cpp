#include "common/http/client.h"

#include "common/http/impostor_fixture.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <unistd.h>

#include <cstdio>

namespace calbridge::http {
namespace {

using namespace std::chrono_literals;

// ---- certificates of our own

struct free_x509 {
    void operator()(X509* p) const { X509_free(p); }
};
struct free_pkey {
    void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
};
using x509 = std::unique_ptr<X509, free_x509>;
using pkey = std::unique_ptr<EVP_PKEY, free_pkey>;

std::string pem_of(X509* cert) {
    BIO* const out = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(out, cert);
    char* data = nullptr;
    auto const size = BIO_get_mem_data(out, &data);
    std::string text(data, static_cast<std::size_t>(size));
    BIO_free(out);
    return text;
}

std::string pem_of(EVP_PKEY* key) {
    BIO* const out = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
    char* data = nullptr;
    auto const size = BIO_get_mem_data(out, &data);
    std::string text(data, static_cast<std::size_t>(size));
    BIO_free(out);
    return text;
}

void extend(X509* cert, X509* issuer, int nid, std::string const& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
}

struct authority {
    pkey key{EVP_EC_gen("P-256")};
    x509 cert{X509_new()};

    authority() {
        ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1);
        X509_set_version(cert.get(), 2);
        X509_gmtime_adj(X509_getm_notBefore(cert.get()), -86400);
        X509_gmtime_adj(X509_getm_notAfter(cert.get()), 86400);
        X509_set_pubkey(cert.get(), key.get());
        auto* const name = X509_get_subject_name(cert.get());
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<unsigned char const*>("test authority"), -1, -1, 0);
        X509_set_issuer_name(cert.get(), name);
        extend(cert.get(), cert.get(), NID_basic_constraints, "critical,CA:TRUE");
        X509_sign(cert.get(), key.get(), EVP_sha256());
    }
};

// A server certificate for `alt_names` ("DNS:localhost", "IP:127.0.0.1"), valid until `seconds_left` from now.
std::pair<std::string, std::string> issue(authority const& ca, std::string const& alt_names, long seconds_left) {
    pkey const key(EVP_EC_gen("P-256"));
    x509 const cert(X509_new());
    ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 2);
    X509_set_version(cert.get(), 2);
    X509_gmtime_adj(X509_getm_notBefore(cert.get()), -7200);
    X509_gmtime_adj(X509_getm_notAfter(cert.get()), seconds_left);
    X509_set_pubkey(cert.get(), key.get());
    X509_set_issuer_name(cert.get(), X509_get_subject_name(ca.cert.get()));
    extend(cert.get(), ca.cert.get(), NID_subject_alt_name, alt_names);
    X509_sign(cert.get(), ca.key.get(), EVP_sha256());
    return {pem_of(cert.get()), pem_of(key.get())};
}

struct ca_file {
    std::string path = "/tmp/calbridge_client_test_ca." + std::to_string(::getpid());
    explicit ca_file(authority const& ca) {
        auto* const file = std::fopen(path.c_str(), "w");
        auto const text = pem_of(ca.cert.get());
        std::fwrite(text.data(), 1, text.size(), file);
        std::fclose(file);
    }
    ca_file(ca_file const&) = delete;
    ca_file& operator=(ca_file const&) = delete;
    ~ca_file() { std::remove(path.c_str()); }
};

struct tls_server {
    asio::ssl::context context{asio::ssl::context::tls_server};
    explicit tls_server(std::pair<std::string, std::string> const& pem) {
        context.use_certificate_chain(asio::buffer(pem.first));
        context.use_private_key(asio::buffer(pem.second), asio::ssl::context::pem);
    }
};

TEST(ClientTls, VerifiedServerIsTalkedToByNameAndByAddress) {
    authority const ca;
    ca_file const file(ca);
    tls_server server(issue(ca, "DNS:localhost,IP:127.0.0.1", 3600));
    client_options options;
    options.ca_file = file.path;
    with_impostor(
        {{.answers = {ok("secret"), ok("again")}, .close_at_end = false}},
        [](client& http, impostor& peer) -> task<void> {
            auto const by_name = co_await http.send(get(peer.url("/", "localhost")), in(10s));
            EXPECT_EQ(by_name.value().body, "secret");
            auto const reused = co_await http.send(get(peer.url("/", "localhost")), in(10s));
            EXPECT_EQ(reused.value().body, "again");
            EXPECT_EQ(peer.accepted, 1u);
            auto const by_address = co_await http.send(get(peer.url("/", "127.0.0.1")), in(10s));
            EXPECT_EQ(by_address.value().body, "secret");
        },
        &server.context, options);
}

void expect_refused(asio::ssl::context& server, client_options options) {
    with_impostor(
        {{.answers = {ok("secret")}}},
        [](client& http, impostor& peer) -> task<void> {
            auto const said = co_await http.send(post(peer.url("/", "localhost"), "token"), in(10s));
            EXPECT_FAILS(said, errc::unavailable);
            EXPECT_TRUE(not_sent(said)) << said.error().context;
            EXPECT_TRUE(peer.heard.empty());
        },
        &server, std::move(options));
}

TEST(ClientTls, WrongHostExpiredAndUntrustedAreRefusedBeforeAnythingIsSent) {
    authority const ca;
    authority const stranger;
    ca_file const file(ca);
    client_options options;
    options.ca_file = file.path;

    tls_server wrong_host(issue(ca, "DNS:other.example,DNS:localhost.evil.example", 3600));
    expect_refused(wrong_host.context, options);
    tls_server expired(issue(ca, "DNS:localhost", -60));
    expect_refused(expired.context, options);
    tls_server untrusted(issue(stranger, "DNS:localhost", 3600));
    expect_refused(untrusted.context, options);
    tls_server unknown_to_the_system(issue(ca, "DNS:localhost", 3600));
    expect_refused(unknown_to_the_system.context, {});
}

TEST(ClientTls, OldTlsIsRefused) {
    authority const ca;
    ca_file const file(ca);
    client_options options;
    options.ca_file = file.path;
    tls_server server(issue(ca, "DNS:localhost", 3600));
    SSL_CTX_set_security_level(server.context.native_handle(), 0);
    SSL_CTX_set_min_proto_version(server.context.native_handle(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(server.context.native_handle(), TLS1_1_VERSION);
    expect_refused(server.context, options);
}

TEST(ClientTls, CutStreamIsAnErrorEvenWhereAPlainOneWouldBeComplete) {
    authority const ca;
    ca_file const file(ca);
    client_options options;
    options.ca_file = file.path;
    tls_server server(issue(ca, "DNS:localhost", 3600));
    with_impostor(
        {{.answers = {"HTTP/1.1 502 Bad Gateway\r\n\r\nhalf of the re"}, .abort_tls = true}},
        [](client& http, impostor& peer) -> task<void> {
            auto const said = co_await http.send(get(peer.url("/", "localhost")), in(10s));
            EXPECT_FAILS(said, errc::malformed);
        },
        &server.context, options);
}

TEST(ClientTls, PlainPeerWhereTlsWasExpected) {
    with_impostor({{.answers = {ok("x")}, .close_at_end = true}}, [](client& http, impostor& peer) -> task<void> {
        auto url = peer.url();
        url.replace(0, 4, "https");
        auto const said = co_await http.send(get(url), in(300ms));
        EXPECT_FALSE(said.has_value());
        EXPECT_TRUE(not_sent(said));
    });
}

TEST(ClientTls, MissingAuthorityFileIsSaidAtConstruction) {
    asio::io_context ioc;
    client_options options;
    options.ca_file = "/nonexistent/ca.pem";
    EXPECT_THROW((void)make_client(ioc.get_executor(), options), std::runtime_error);
}

}  // namespace
}  // namespace calbridge::http
