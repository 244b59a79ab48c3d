#pragma once
// Scripted trouble: which request it hits and what it does to it.

#include "tests/emulator/message.h"
#include "tests/emulator/text.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace calbridge::emulator {

struct fault {
    std::string method, path_prefix, path_contains;
    std::int64_t nth{0};    // only the n-th matching request; 0: from the first on
    std::int64_t times{1};  // how many requests it hits; 0: all
    std::int64_t seen{0}, hit{0};
    std::string action;  // status, lost_response, delay, html_502, truncated, reset
    int status{503};
    std::string reason{"backendError"}, message, domain;
    std::int64_t delay_ms{0};
    std::string retry_after;
    bool lost_by_close{true};
};

// The fault that hits this request, counted; null: none.
fault* due_fault(std::vector<fault>& all, request const& r);
// One fault or a list of them as the control API spells them. Says what is wrong; empty: added.
std::string add_faults(std::vector<fault>& all, bj::value const& whole);
bj::array faults_to_json(std::vector<fault> const& all);

// The answer of a request that a fault hit. `real` handles it, `refusal` is the body a service gives with the fault's status.
answer answer_with_fault(fault const& f, std::function<answer()> const& real, std::function<std::string(int status)> const& refusal);

}  // namespace calbridge::emulator
