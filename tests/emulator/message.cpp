#include "tests/emulator/message.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace calbridge::emulator {

reply refuse(int status, std::string_view domain, std::string_view reason, std::string_view message, std::string_view location_type,
             std::string_view location) {
    bj::object entry{{"domain", domain}, {"reason", reason}, {"message", message}};
    if (!location.empty()) {
        entry["locationType"] = location_type;
        entry["location"] = location;
    }
    bj::object error;
    error["errors"] = bj::array{std::move(entry)};
    error["code"] = status;
    error["message"] = message;
    reply out;
    out.status = status;
    out.body = bj::object{{"error", std::move(error)}};
    return out;
}

reply refuse_at_front(int status, std::string_view reason, std::string_view message, std::string_view top_message,
                      std::string_view status_name, std::string_view detail_reason, std::string_view method_id) {
    bj::object entry{{"message", message}, {"domain", "global"}, {"reason", reason}};
    if (status == 401) {
        entry["location"] = "Authorization";
        entry["locationType"] = "header";
    }
    bj::object detail;
    detail["@type"] = "type.googleapis.com/google.rpc.ErrorInfo";
    detail["reason"] = detail_reason;
    detail["domain"] = "googleapis.com";
    detail["metadata"] = bj::object{{"method", method_id}, {"service", "calendar-json.googleapis.com"}};
    bj::object error;
    error["code"] = status;
    error["message"] = top_message;
    error["errors"] = bj::array{std::move(entry)};
    error["status"] = status_name;
    error["details"] = bj::array{std::move(detail)};
    reply out;
    out.status = status;
    out.body = bj::object{{"error", std::move(error)}};
    if (status == 401) out.fields.emplace_back("WWW-Authenticate", "Bearer realm=\"https://accounts.google.com/\"");
    return out;
}

reply refuse_token(int status, std::string_view error, std::string_view description) {
    reply out;
    out.status = status;
    out.body = bj::object{{"error", error}, {"error_description", description}};
    return out;
}

}  // namespace calbridge::emulator
