#pragma once
// Google's discovery documents as a judge: every request is measured against them, so that client and emulator cannot agree on a fantasy.

#include "common/base/result.h"
#include "tests/emulator/text.h"

#include <boost/json/value.hpp>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace calbridge::emulator {

enum class json_kind { any, text, integer, number, boolean, object, array };

struct schema {
    json_kind kind{json_kind::any};
    std::string format;
    bool read_only{false};             // by its description; writable nowhere
    bool read_only_but_import{false};  // writable in events.import alone
    std::map<std::string, schema const*, std::less<>> properties;
    schema const* others{nullptr};  // additionalProperties
    schema const* items{nullptr};
};

struct parameter {
    json_kind kind{json_kind::text};
    std::string format;
    bool required{false};
    bool repeated{false};
    bool in_path{false};
    std::optional<std::int64_t> least, most;
    std::vector<std::string> allowed;
};

struct api_method {
    std::string id;                     // calendar.events.list
    std::string http_method;            // GET
    std::vector<std::string> segments;  // of the whole path; "{calendarId}" is a parameter
    std::map<std::string, parameter, std::less<>> parameters;
    std::vector<std::string> scopes;
    schema const* body{nullptr};
    schema const* result{nullptr};
};

class discovery {
public:
    // Reads calendar.v3.json and oauth2.v2.json from `directory`.
    static result<discovery> load(std::string const& directory);

    struct found {
        api_method const* method{nullptr};  // null: no such method on a known path
        params path;                        // decoded
        bool path_known{false};
    };
    found find(std::string_view http_method, std::string_view path) const;

    // What breaks the contract, one sentence each; empty: nothing.
    std::vector<std::string> check_query(api_method const& method, params const& query) const;
    std::vector<std::string> check_body(api_method const& method, bj::value const& body) const;
    std::vector<std::string> check_answer(api_method const& method, bj::value const& body) const;

private:
    friend class document_reader;
    std::unique_ptr<std::deque<schema>> schemas_{std::make_unique<std::deque<schema>>()};
    std::unique_ptr<std::deque<api_method>> methods_{std::make_unique<std::deque<api_method>>()};
    std::map<std::string, parameter, std::less<>> common_;
};

// A partial-response selector such as "nextPageToken,items(id,start/dateTime)".
class field_selector {
public:
    // Empty when the text is no selector.
    static std::optional<field_selector> parse(std::string_view text);
    // Names the first field that `shape` does not have; empty: all known.
    std::string unknown_field(schema const* shape) const;
    bj::value apply(bj::value const& whole) const;

private:
    std::map<std::string, field_selector, std::less<>> members_;  // no members: everything
};

}  // namespace calbridge::emulator
