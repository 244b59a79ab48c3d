#pragma once
// Expected failures are values. Adapters translate foreign errors into `errc` once, at their edge.

#include <boost/system/result.hpp>

#include <string>
#include <string_view>

namespace calbridge {

enum class errc {
    timed_out = 1,    // outcome unknown: the peer may have done it
    unavailable,      // could not be reached, or said so itself
    rate_limited,     // the peer asked us to slow down
    conflict,         // somebody else changed it first (412, serialisation failure, lost lease)
    exists,           // already there (409 duplicate, unique violation)
    not_found,        // not there, or not visible to us
    gone,             // was there; a cursor or resource that will not come back
    unauthorized,     // the access token was refused
    forbidden,        // understood and refused; retrying does not help
    grant_revoked,    // the user's consent is gone (invalid_grant)
    client_rejected,  // our own credentials are wrong (invalid_client): no user is touched
    malformed,        // input or answer that breaks its contract
    too_large,        // over a stated maximum
    shutting_down,    // this process is draining
    internal,         // a bug; say so and carry on with the next unit
};

// Stable lower-case name, for logs, metrics and stored reasons.
std::string_view name(errc code);

// `context` says what was attempted on which entity; never a token, a body or a person's data.
struct error {
    errc code{errc::internal};
    std::string context;
};

// Found by boost::system::result when value() is called on an error: a bug, so it throws std::logic_error.
[[noreturn]] void throw_exception_from_error(error const& e, boost::source_location const& where);

template <class T>
using result = boost::system::result<T, error>;

inline error fail(errc code, std::string context) { return error{code, std::move(context)}; }

}  // namespace calbridge
