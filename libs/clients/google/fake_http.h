#pragma once
// Tests only: an http::client that answers from a script and keeps what it was sent.

#include "common/http/client.h"

#include <deque>
#include <stdexcept>
#include <utility>
#include <vector>

namespace calbridge::google {

class fake_http final : public http::client {
public:
    std::vector<http::client_request> sent;
    std::deque<result<http::response>> script;

    void reply(int status, std::string body, http::headers fields = {}) {
        script.emplace_back(http::response{status, std::move(fields), std::move(body)});
    }
    void fail_with(errc code, std::string context) { script.emplace_back(fail(code, std::move(context))); }

    task<result<http::response>> send(http::client_request request, deadline) override {
        sent.push_back(std::move(request));
        if (script.empty()) throw std::logic_error("a request nobody expected: " + sent.back().url);
        auto next = std::move(script.front());
        script.pop_front();
        co_return next;
    }
    std::string_view header(std::size_t request, std::string_view name) const {
        auto const found = http::find(sent.at(request).fields, name);
        return found ? *found : std::string_view();
    }
};

}  // namespace calbridge::google
