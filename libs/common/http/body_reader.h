#pragma once
// Incremental readers for bodies in chunks and for answers. Internal to this folder; Beast stays in the .cpp.

#include "common/base/result.h"
#include "common/http/message.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace calbridge::http {

// Decodes the chunked body of a request whose head passed the gate. Trailers are read and forgotten.
class chunked_reader {
public:
    // `head` as accepted by the gate, with `Transfer-Encoding: chunked`.
    chunked_reader(std::string_view head, std::size_t body_bytes_max);
    ~chunked_reader();
    // Eats from the front of `buffer`. True: complete, what follows in `buffer` is the next request. False: more bytes are needed.
    // errc::too_large: body over its maximum, or chunk overhead over 1 KiB + the body's maximum; errc::malformed: broken framing.
    result<bool> feed(std::string& buffer);
    std::string& body();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

// Reads one final answer (1xx answers are skipped).
class answer_reader {
public:
    answer_reader(bool to_head_request, std::size_t body_bytes_max);
    ~answer_reader();
    // Eats from the front of `buffer`; true when the answer is complete.
    result<bool> feed(std::string& buffer);
    // The peer closed in an orderly way. True: that was the answer's legitimate end (an error answer without a length).
    result<bool> end();
    bool has_started() const;  // any byte of an answer was seen
    bool keeps_alive() const;  // valid when complete
    response take();           // valid when complete

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

// Inflates a gzip body (one or more members). errc::too_large beyond `bytes_max`; errc::malformed when damaged or cut.
result<std::string> gunzip(std::string_view packed, std::size_t bytes_max);

}  // namespace calbridge::http
