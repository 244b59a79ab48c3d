#pragma once
// One HTTP exchange with Google and its translation into answer<T>. Internal to this folder.

#include "clients/google/google.h"

#include "common/json/json.h"

namespace calbridge::google {

// What surrounds the parsing of a successful answer.
struct call {
    http::client_request request;
    std::string what;  // for contexts: "list events"; never an id a person chose, a token or a query
    bool writes{};     // a lost answer leaves the outcome unknown
    std::size_t bytes_max{1 << 20};
};

http::client_request api_request(std::string method, std::string url, secret const& token);
void set_json_body(http::client_request& request, json::object const& body);

// The parsed body of a 2xx answer; an empty object for 204. HTML, cut JSON, anything that is no JSON: errc::malformed. An object
// with `error` is an error whatever the status said.
task<answer<json::value>> perform(http::client& over, clock const& now, call what, deadline at);

// The same for a large listing: the elements of its array `items` stay texts.
task<answer<json::taken_apart>> perform_listing(http::client& over, clock const& now, call what, deadline at);

call_error from_transport(error const& e, call const& what);
call_error unreadable_answer(error const& e, call const& what, int status);

}  // namespace calbridge::google
