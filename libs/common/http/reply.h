#pragma once
// Turns a response into bytes. Pure. Internal to this folder.

#include "common/http/message.h"

#include <ctime>
#include <string>
#include <string_view>

namespace calbridge::http {

struct reply_context {
    std::string_view request_id;
    headers const* always;
    std::string_view date;  // IMF-fixdate
    bool to_head{false};
    bool closes{false};
};

// Adds Date, Content-Length, Connection, X-Request-Id and the headers every answer carries; problem documents get `instance`.
// A header that could split the answer (control bytes) makes it a plain 500.
std::string render(response what, reply_context const& context);

std::string_view reason_phrase(int status);
std::string imf_fixdate(std::time_t at);
// 1 to 64 of letters, digits, '.', '_', '-'.
bool is_well_formed_request_id(std::string_view id);

}  // namespace calbridge::http
