#include "common/base/result.h"

#include <stdexcept>

namespace calbridge {

std::string_view name(errc code) {
    switch (code) {
    case errc::timed_out: return "timed_out";
    case errc::unavailable: return "unavailable";
    case errc::rate_limited: return "rate_limited";
    case errc::conflict: return "conflict";
    case errc::exists: return "exists";
    case errc::not_found: return "not_found";
    case errc::gone: return "gone";
    case errc::unauthorized: return "unauthorized";
    case errc::forbidden: return "forbidden";
    case errc::grant_revoked: return "grant_revoked";
    case errc::client_rejected: return "client_rejected";
    case errc::malformed: return "malformed";
    case errc::too_large: return "too_large";
    case errc::shutting_down: return "shutting_down";
    case errc::internal: return "internal";
    }
    return "unknown";
}

void throw_exception_from_error(error const& e, boost::source_location const& where) {
    throw std::logic_error(std::string(where.file_name()) + ":" + std::to_string(where.line()) +
                           ": value() of a failed result: " + std::string(name(e.code)) + ": " + e.context);
}

}  // namespace calbridge
