#pragma once
// Answers of the token endpoint. Pure; internal to this folder and its tests.

#include "clients/google/google.h"

namespace calbridge::google {

// RFC 6749 section 5.1 as Google answers it. errc::malformed without an access token.
result<grant> read_grant(std::string_view body);

// A non-200 answer of the token or revocation endpoint, keyed on `error` alone, never on its description. What does not say clearly that
// the grant or our client is refused counts as a passing trouble, so that no user is disconnected on a guess.
call_error classify_token_error(int status, std::string_view body, std::optional<std::string_view> retry_after, std::int64_t now_unix);

}  // namespace calbridge::google
