#pragma once
// The tests' side door, /_control/…: people, faults, the clock, and everything that was recorded.

#include "tests/emulator/core.h"
#include "tests/emulator/oauth.h"

namespace calbridge::emulator {

class control {
public:
    control(core& c, oauth& o) : c_(c), oauth_(o) {}
    answer handle(request const& r);

private:
    reply route(request const& r, params const& q, bj::object const& body, bj::value const& whole);
    reply users(request const& r, std::vector<std::string> const& at, bj::object const& body);
    reply list_of(request const& r, std::vector<std::string> const& at, bj::object const& body);
    reply clients(request const& r, bj::object const& body);
    reply calendars(request const& r, std::vector<std::string> const& at, params const& q, bj::object const& body);
    reply events(request const& r, calendar& cal, std::vector<std::string> const& at, params const& q, bj::object const& body);
    reply bulk(calendar& cal, bj::object const& body);
    reply bulk_exceptions(calendar& cal, std::string_view master, std::int64_t count);
    reply raw(calendar& cal, bj::object const& body);
    reply consent_of(bj::object const& body);
    reply token_for(bj::object const& body);
    reply faults(request const& r, bj::value const& whole);
    reply clock_of(request const& r, bj::object const& body);
    reply push(bj::object const& body);
    reply requests(params const& q) const;
    reply deliveries(params const& q) const;
    reply channels() const;
    reply stats() const;
    reply reset(bj::object const& body);

    core& c_;
    oauth& oauth_;
};

}  // namespace calbridge::emulator
