#pragma once
// What events of a type other than "default" demand and allow.

#include "tests/emulator/events.h"

namespace calbridge::emulator {

// A new event. A person gets from the page what a client has to send.
std::optional<reply> check_new_type(calendar const& cal, event& e, writer const& w);
// A write to an event that is there.
std::optional<reply> check_type_write(event const& old, event const& next);

}  // namespace calbridge::emulator
