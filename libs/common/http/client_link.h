#pragma once
// One outgoing connection, plain or TLS. Internal to this folder.

#include "common/async/task.h"
#include "common/http/url.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace calbridge::http {

class client_link {
public:
    virtual ~client_link() = default;
    struct wrote {
        std::size_t bytes;
        boost::system::error_code ec;
    };
    virtual task<wrote> write(std::string const& bytes) = 0;
    // Appends what has arrived. eof is an orderly end; a TLS stream cut without its closing message is stream_truncated.
    virtual task<boost::system::error_code> read(std::string& buffer) = 0;
    // False when the peer has closed, or sent something nobody asked for, while the connection was idle.
    virtual bool is_usable() = 0;

    std::chrono::steady_clock::time_point idle_since;
};

// TLS 1.2 or newer, chain and host name verified. Throws std::runtime_error when `ca_file` cannot be read.
std::unique_ptr<asio::ssl::context> make_tls_context(std::string const& ca_file);

// Resolves, connects (each address in turn), hands TLS its host name. Cancellation stops it at once.
task<result<std::unique_ptr<client_link>>> open_link(target_url const& to, asio::ssl::context& tls);

}  // namespace calbridge::http
