#include "tests/emulator/serving.h"

#include <zlib.h>

#include <stdexcept>

namespace calbridge::emulator {

std::string gzip(std::string_view text) {
    z_stream s{};
    // 15 window bits and 16 for the gzip wrapper; the fastest level, because this is a test instrument on loopback.
    if (deflateInit2(&s, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::runtime_error("zlib cannot start");
    std::string out(deflateBound(&s, text.size()) + 32, '\0');
    s.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    s.avail_in = static_cast<uInt>(text.size());
    s.next_out = reinterpret_cast<Bytef*>(out.data());
    s.avail_out = static_cast<uInt>(out.size());
    auto const done = deflate(&s, Z_FINISH);
    out.resize(s.total_out);
    deflateEnd(&s);
    if (done != Z_STREAM_END) throw std::runtime_error("zlib did not finish");
    return out;
}

}  // namespace calbridge::emulator
