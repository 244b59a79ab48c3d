#pragma once
// The browser session: a sealed cookie, and the defence of unsafe methods. Pure.

#include "jwt.h"

#include "common/base/encoding.h"
#include "common/base/secret.h"
#include "common/crypto/crypto.h"
#include "common/http/message.h"

#include <optional>
#include <string>

namespace calbridge::gateway {

struct session {
    principal who;
    std::string id;          // random; attempts and CSRF tokens are bound to it
    std::int64_t ends_at{};  // unix
};

class session_keeper {
public:
    // `public_url` decides the cookie's name and attributes, and which origin may post.
    session_keeper(crypto::key_ring const& ring, std::string public_url);

    // A fresh session of eight hours.
    session open(principal who, std::int64_t now_unix) const;
    // Value of Set-Cookie.
    std::string cookie(session const& of, std::int64_t now_unix) const;
    // Empty when there is none, or it was changed, sealed under a forgotten key, or has ended.
    std::optional<session> find(http::headers const& request, std::int64_t now_unix) const;

    std::string csrf_token(session const& of) const;
    // Empty: this POST comes from one of our own pages. Else why not, for the log.
    std::string fault_of_post(session const& of, http::headers const& request, std::optional<std::string_view> csrf_field) const;

private:
    std::string_view cookie_name() const;
    crypto::key_ring sealing_, csrf_;
    std::string origin_;
    bool secure_;
};

bytes session_hash(session const& of);

}  // namespace calbridge::gateway
