#pragma once
// Scopes and error bodies shared by the OAuth files. Inside this folder only.

#include "tests/emulator/core.h"

namespace calbridge::emulator {

inline constexpr std::string_view userinfo_prefix = "https://www.googleapis.com/auth/userinfo.";

// "email" and "profile" come back spelled out.
scope_set scopes_of(std::string_view text);
std::string joined(scope_set const& scopes);
// Identity is not on the check boxes: it comes with the sign-in.
bool is_identity(std::string_view scope);

inline reply invalid_grant(std::string_view description = "Bad Request") { return refuse_token(400, "invalid_grant", description); }
inline reply invalid_request(std::string_view description) { return refuse_token(400, "invalid_request", description); }

}  // namespace calbridge::emulator
