#pragma once
// What goes into the world and what comes out of it: plain values, no sockets.

#include "common/http/message.h"

#include <boost/json/value.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace calbridge::emulator {

namespace bj = boost::json;

struct request {
    std::string method{"GET"};
    std::string path;   // as received, percent-encoded
    std::string query;  // after '?', percent-encoded
    http::headers fields;
    std::string body;
};

struct answer {
    enum class how {
        whole,
        cut,     // headers promise the whole body, half of it is sent, then the connection closes
        dropped  // the connection is reset without a byte
    };
    int status{200};
    http::headers fields;
    std::string body;
    how sent{how::whole};
    std::chrono::milliseconds delay{0};  // to be waited before the answer leaves
    std::uint64_t deliver_first{0};      // this push delivery goes out before the answer; 0: none
};

// An answer of the API before it is turned into bytes.
struct reply {
    int status{200};
    bj::value body{};  // null: no body
    http::headers fields{};
    std::uint64_t deliver_first{0};
};

// Calendar's own error envelope. `location_type` and `location` are left out when empty.
reply refuse(int status, std::string_view domain, std::string_view reason, std::string_view message, std::string_view location_type = {},
             std::string_view location = {});

// The envelope of Google's front end (missing or wrong credentials, missing scope), with its status name and details.
reply refuse_at_front(int status, std::string_view reason, std::string_view message, std::string_view top_message,
                      std::string_view status_name, std::string_view detail_reason, std::string_view method_id);

// OAuth's error body (RFC 6749 section 5.2).
reply refuse_token(int status, std::string_view error, std::string_view description);

}  // namespace calbridge::emulator
