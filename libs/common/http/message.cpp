#include "common/http/message.h"

#include "common/base/encoding.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace calbridge::http {

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        auto const x = static_cast<unsigned char>(a[i]);
        auto const y = static_cast<unsigned char>(b[i]);
        if (x == y) continue;
        auto const letter = static_cast<unsigned char>(x | 0x20);
        if (letter != (y | 0x20) || letter < 'a' || letter > 'z') return false;
    }
    return true;
}

std::optional<std::string_view> find(headers const& fields, std::string_view name) {
    for (auto const& [key, value] : fields) {
        if (equals_ignoring_case(key, name)) return value;
    }
    return std::nullopt;
}

response json_response(int status, std::string body) {
    return response{.status = status, .fields = {{"Content-Type", "application/json"}}, .body = std::move(body)};
}

response text_response(int status, std::string body) {
    return response{.status = status, .fields = {{"Content-Type", "text/plain; charset=utf-8"}}, .body = std::move(body)};
}

response problem(int status, std::string_view code, std::string_view title, std::string_view detail) {
    boost::json::object const document{{"type", "about:blank"}, {"title", title}, {"status", status}, {"code", code}, {"detail", detail}};
    return response{.status = status,
                    .fields = {{"Content-Type", "application/problem+json"}, {"Cache-Control", "no-store"}},
                    .body = boost::json::serialize(document)};
}

std::string encode_form(form const& fields) {
    std::string out;
    for (auto const& [name, value] : fields) {
        if (!out.empty()) out.push_back('&');
        out.append(percent_encode(name));
        out.push_back('=');
        out.append(percent_encode(value));
    }
    return out;
}

std::optional<form> decode_form(std::string_view text) {
    form out;
    while (!text.empty()) {
        auto const end = std::min(text.find('&'), text.size());
        auto const pair = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (pair.empty()) continue;
        auto const equals = std::min(pair.find('='), pair.size());
        auto name = percent_decode(pair.substr(0, equals), true);
        auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
        if (!name || !value) return std::nullopt;
        for (auto const* part : {&*name, &*value}) {
            if (!is_valid_utf8(*part) || part->find('\0') != std::string::npos) return std::nullopt;
        }
        out.emplace_back(std::move(*name), std::move(*value));
    }
    return out;
}

std::optional<std::string_view> find(form const& fields, std::string_view name) {
    for (auto const& [key, value] : fields) {
        if (key == name) return value;
    }
    return std::nullopt;
}

}  // namespace calbridge::http
